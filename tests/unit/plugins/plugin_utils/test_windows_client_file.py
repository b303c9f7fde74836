# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list on a Windows host that gets in the way: in every case it is as it was, and nothing is left beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client_entries import LIMIT, PRESENT, Change
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client_file import Edited, edit
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.client_file import RemoteFile
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.shell import Shell

PATH = r"D:\AIMMS\Config\licenses.cfg"
LIST = b"1\tnetwork\told:3400\r\n"


class Host(Shell):
    """A host with a folder of files, and what happens to a file that is sent, or that is to be replaced."""

    def __init__(self, files: dict[str, bytes], attributes: str = "--a------") -> None:
        self.files, self._attributes = files, attributes
        self.is_locked, self.refuses, self.alters = False, "", False
        self.host = "desk"

    @property
    def connection(self) -> Any:
        return self

    def run(self, commands: Sequence[str], patience: float = 0) -> list[list[str]]:
        return [self._printed(command) for command in commands]

    def _printed(self, command: str) -> list[str]:
        if "del /q" in command:
            self.files.pop(re.findall('"([^"]+)"', command)[1], None)
            return []
        if command.startswith("(if exist"):
            place = re.findall('"([^"]+)"', command)[0]
            return ["+"] if place in self.files or place.rstrip(".").endswith("\\") else []
        if command.startswith("dir /b /s /a-d"):
            return list(self.files)
        return [f"{len(content)}*{self._attributes}*{path}" for path, content in self.files.items() if "~ai" in command]

    def exit_code(self, command: str, patience: float = 0) -> int:
        sent, place = re.findall('"([^"]+)"', command)
        assert command.startswith("move /y ")
        if self.is_locked and not place.endswith("original"):
            return 1
        self.files[place] = self.files.pop(sent)
        return 0

    def put_file(self, in_path: str, out_path: str) -> None:
        if self.refuses:
            raise AnsibleError(self.refuses)
        content = Path(in_path).read_bytes()
        self.files[out_path] = content[:-1] if self.alters else content

    def fetch_file(self, in_path: str, out_path: str) -> None:
        Path(out_path).write_bytes(self.files[in_path])


def add(host: Host, path: str = PATH) -> Edited:
    return edit(RemoteFile(host, path), Change.read(["new:3400"], PRESENT, None), None, False)


def refusal(host: Host, path: str = PATH) -> str:
    with pytest.raises(LicensingError) as refused:
        add(host, path)
    return str(refused.value)


def test_a_friendly_host_has_the_new_list_and_the_original() -> None:
    host = Host({PATH: LIST})
    assert add(host).is_changed
    assert host.files == {PATH: LIST + LIST.replace(b"old", b"new"), f"{PATH}.aims-original": LIST}


@pytest.mark.parametrize(
    ("habits", "words"),
    [
        ({"refuses": "sftp: Permission denied"}, "The list cannot be sent: sftp: Permission denied."),
        ({"alters": True}, "The host has another content than was sent to it; the list is as it was."),
        ({"is_locked": True}, "The list cannot be replaced; it is as it was."),
    ],
)
def test_a_list_that_cannot_be_replaced_is_as_it_was(habits: dict[str, Any], words: str) -> None:
    host = Host({PATH: LIST})
    vars(host).update(habits)
    assert words in refusal(host)
    assert host.files.pop(f"{PATH}.aims-original", LIST) == LIST
    assert host.files == {PATH: LIST}


@pytest.mark.parametrize(
    ("host", "path", "words"),
    [
        (Host({PATH: LIST}, "-ra------"), PATH, rf'Enter on that host: attrib -R "{PATH}"'),
        (Host({PATH: LIST}, "--a-----l"), PATH, "This is a link, which is never followed."),
        (Host({PATH: bytes(LIMIT + 1)}), PATH, "The list has more than 1 MiB."),
        (Host({}), r"D:\Config!\licenses.cfg", "The path of the list has an exclamation mark."),
        (Host({}), "D:\\", "is not the whole path of a file."),
        (Host({}), "licenses.cfg", "is not a path on a drive of a Windows host."),
    ],
)
def test_a_list_that_must_not_be_touched_is_refused(host: Host, path: str, words: str) -> None:
    before = dict(host.files)
    assert words in refusal(host, path)
    assert host.files == before
