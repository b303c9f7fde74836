# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client's list of licenses on a Windows host: sent beside it, read back, and moved into its place.

``move /y`` renames within the folder, so that the list is the old one or the new one. A renamed file has the rights
that its folder hands on.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client_entries import (
    FOLDER,
    LIMIT,
    NAMES,
    ORIGINAL,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client_file import not_a_path, single
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import redact, refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.windows_paths import (
    parse_path,
    quote,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.manager import ROOTS
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.shell import Shell, within
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.tree import RemoteTree

# Seconds for the transfer of a list.
_PATIENCE = 120.0
_THERE = "+"


class RemoteFile:
    """A list of a Windows host, as of ``client_file.ListFile``.

    :param path: a path on a drive; empty for the documented places
    :raises LicensingError: it is not one path of a file
    """

    end = b"\r\n"

    def __init__(self, shell: Shell, path: str) -> None:
        self._shell = shell
        self._path = parse_path(path, "path") if path else _documented(shell)
        folder, _backslash, self._name = self._path.rpartition("\\")
        if not self._name:
            raise not_a_path(path)
        if "!" in self._path:
            raise refuse("The path of the list has an exclamation mark.", self.where, "Rename it without one.")
        self._folder = parse_path(f"{folder}\\", "path")
        self._tree = RemoteTree(shell, self._folder)

    @property
    def path(self) -> str:
        return self._path

    @property
    def where(self) -> str:
        return f"{self._shell.host}, {self._path}"

    def read(self) -> bytes | None:
        if not _is_there(self._shell, [f"{self._folder}\\."])[0]:
            raise refuse(
                "The folder of the list is not there.",
                f"{self._shell.host}, {self._folder}",
                "Correct the path, or make the folder if AIMMS shall look there for its list.",
            )
        entry = next((one for one in self._tree.entries() if one.name.casefold() == self._name.casefold()), None)
        if entry is None:
            return None
        if entry.is_folder:
            raise refuse("This is not a regular file.", self.where, "Name the list itself, licenses.cfg.")
        if entry.size > LIMIT:
            raise refuse(f"The list has more than {LIMIT >> 20} MiB.", self.where, "Name the client's licenses.cfg.")
        if entry.is_read_only:
            raise refuse(
                "The list is read-only, so that it cannot be replaced.",
                self.where,
                f'Enter on that host: attrib -R "{self._path}"',
            )
        return self._tree.read([entry.name]).get(entry.name)

    def has_original(self) -> bool:
        return _is_there(self._shell, [f"{self._path}{ORIGINAL}"])[0]

    def keep_original(self, content: bytes) -> None:
        self._put(f"{self._path}{ORIGINAL}", content)

    def write(self, content: bytes) -> None:
        self._put(self._path, content)

    def _put(self, path: str, content: bytes) -> None:
        sent = f"{path}.{secrets.token_hex(6)}"
        try:
            with tempfile.TemporaryDirectory(prefix="aims-") as folder:
                local, returned = Path(folder) / "sent", Path(folder) / "returned"
                local.write_bytes(content)
                self._transfer(lambda: self._shell.connection.put_file(str(local), sent))
                self._transfer(lambda: self._shell.connection.fetch_file(sent, str(returned)))
                arrived = returned.read_bytes() if returned.is_file() else b""
            if arrived != content:
                raise refuse(
                    "The host has another content than was sent to it; the list is as it was.",
                    f"{self._shell.host}, {sent}",
                    "Look for what changes files there, such as a full disk or a scanner, and run this again.",
                )
            if self._shell.exit_code(f"move /y {quote(sent)} {quote(path)}") != 0:
                raise refuse(
                    "The list cannot be replaced; it is as it was.",
                    f"{self._shell.host}, {path}",
                    "Close what has it open, such as AIMMS or an editor, and let the user that Ansible logs on as "
                    "change it; then run this again.",
                )
        finally:
            self._shell.run([f"(if exist {quote(sent)} del /q {quote(sent)})"])

    def _transfer(self, call: Callable[[], Any]) -> None:
        try:
            within(call, _PATIENCE, self._shell.host)
        except AnsibleError as error:
            raise refuse(
                f"The list cannot be sent: {redact(' '.join(str(error).split()))[:300]}.",
                self.where,
                "Let the user that Ansible logs on as write in that folder, and have OpenSSH's file transfer (sftp) "
                "work there.",
            ) from None


def _documented(shell: Shell) -> str:
    """Return the only list in the places that are known of Windows (docs/domain.md#list-of-licenses-of-a-client)."""
    data = next((line.strip() for line in shell.run(["echo %ProgramData%"])[0] if line.strip()), "")
    above = parse_path(data, f"{shell.host}, %ProgramData%")
    places = [f"{above}\\{root}\\{FOLDER}\\{name}" for root in ROOTS for name in NAMES]
    there = [place for place, is_there in zip(places, _is_there(shell, places)) if is_there]
    return parse_path(single(there, places, shell.host), "path")


def _is_there(shell: Shell, paths: list[str]) -> list[bool]:
    return [_THERE in lines for lines in shell.run([f"(if exist {quote(path)} echo {_THERE})" for path in paths])]
