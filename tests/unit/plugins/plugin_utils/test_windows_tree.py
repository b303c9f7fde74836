# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of what a Windows host lists, links are never read, and files are no larger than listed files may be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.tree import LIMIT
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.shell import Shell
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.tree import RemoteTree

ROOT = r"C:\ProgramData\AIMMS"


class Host:
    """A host with one file, as it lists it and as it hands it over."""

    def __init__(self, line: str, content: bytes | Exception) -> None:
        self._line, self._content = line, content
        self.fetched: list[str] = []

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        match = re.search("aims-[0-9a-f]{16}", cmd)
        assert match
        parts = ["+\r\n", "", rf"{ROOT}\x.lic" + "\r\n", f"{self._line}\r\n"]
        return 0, "".join(f"{match[0]}\r\n{part}" for part in [*parts, ""]).encode("utf-16-le"), b""

    def fetch_file(self, in_path: str, out_path: str) -> Any:
        self.fetched.append(in_path)
        if isinstance(self._content, Exception):
            raise self._content
        Path(out_path).write_bytes(self._content)


def test_a_file_is_fetched_by_its_path() -> None:
    host = Host(rf"3*--a------*{ROOT}\x.lic", b"abc")
    assert RemoteTree(Shell(host, "win"), ROOT).read(["x.lic", "other"]) == {"x.lic": b"abc"}
    assert host.fetched == [rf"{ROOT}\x.lic"]


def test_a_link_is_listed_and_never_read() -> None:
    host = Host(rf"3*--a-----l--*{ROOT}\x.lic", b"abc")
    tree = RemoteTree(Shell(host, "win"), ROOT)
    assert [entry.name for entry in tree.entries()] == ["x.lic"]
    with pytest.raises(LicensingError, match=r"This is a link, which is never followed.*win, C:.*x\.lic"):
        tree.read(["x.lic"])
    assert host.fetched == []


@pytest.mark.parametrize("size", [LIMIT + 1, 3])
def test_a_file_that_is_or_has_grown_too_large_is_refused(size: int) -> None:
    host = Host(rf"{size}*--a------*{ROOT}\x.lic", bytes(LIMIT + 1))
    with pytest.raises(LicensingError, match="more than 16 MiB"):
        RemoteTree(Shell(host, "win"), ROOT).read(["x.lic"])
    assert len(host.fetched) == (size == 3)


@pytest.mark.parametrize(
    ("error", "is_gone"),
    [
        ('File "/C:/ProgramData/AIMMS/x.lic" not found.', True),
        ('remote open("/C:/ProgramData/AIMMS/x.lic"): No such file or directory', True),
        ('remote open("/C:/ProgramData/AIMMS/x.lic"): Permission denied', False),
        ("Failed to connect to the host via scp: Connection closed", False),
    ],
)
def test_a_file_that_went_is_left_out_and_any_other_failure_is_told(error: str, is_gone: bool) -> None:
    tree = RemoteTree(Shell(Host(rf"3*--a------*{ROOT}\x.lic", AnsibleError(error)), "win"), ROOT)
    if is_gone:
        assert tree.read(["x.lic"]) == {}
        return
    with pytest.raises(LicensingError, match="The file cannot be fetched: ") as refused:
        tree.read(["x.lic"])
    assert error[:20] in str(refused.value)
