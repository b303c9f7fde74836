# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a client's list of licenses: where it is, how it is replaced, and what is kept of it."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from .client_entries import ABSENT, FOLDER, LIMIT, NAMES, ORIGINAL, Change, Entry, EntryList, printable
from .errors import LicensingError, quoted, refuse
from .files import PUBLIC, Folder
from .system import reason

# docs/domain.md#list-of-licenses-of-a-client
_ROOTS = ("usr/local/Aimms", "usr/local/AIMMS")
# Seconds for the answer of a license server.
_PATIENCE = 5.0


class ListFile(Protocol):
    """A client's list of licenses, on this machine or on another.

    :ivar end: the end of lines on that machine
    """

    end: bytes

    @property
    def path(self) -> str: ...

    @property
    def where(self) -> str:
        """The path, with its host where that is another one."""

    def read(self) -> bytes | None:
        """Return the content; None where there is no such file, and one can be made."""

    def has_original(self) -> bool:
        """Whether the file as it was before the first change is kept beside it."""

    def keep_original(self, content: bytes) -> None:
        """Keep it, with the rights of the file."""

    def write(self, content: bytes) -> None:
        """Replace the file; whoever reads it has the old content or the new."""


@dataclass(frozen=True)
class Edited:
    """A list before and after a change."""

    file: ListFile
    before: EntryList
    after: EntryList
    is_listed: bool
    has_original: bool

    @property
    def is_changed(self) -> bool:
        return self.before.content != self.after.content

    def as_dict(self) -> dict[str, Any]:
        """Return it as a module's result."""
        path = self.file.path
        return {
            "changed": self.is_changed,
            "path": path,
            "original": f"{path}{ORIGINAL}" if self.has_original else None,
            "listed": self.is_listed,
            "entries": [
                {"line": at, "kind": line.kind, "entry": printable(line.text)}
                for at, line in enumerate(self.after.lines, 1)
                if line.kind
            ],
            "diff": {"before": str(self.before), "after": str(self.after)},
        }


def edit(file: ListFile, change: Change, replaced_by: str | None, dry: bool) -> Edited:
    """Bring a list to what a change says.

    :param replaced_by: the server that has to be in the list and answer before entries are removed
    :param dry: whether only to say what would be changed
    :raises LicensingError: the file is no list, or an entry must not be removed; nothing was changed then
    """
    content = file.read()
    before = EntryList.read(content or b"", file.where)
    after = before.changed(change, file.end)
    if before != after:
        if change.state == ABSENT and replaced_by is not None:
            _require_replacement(after, replaced_by, file.where)
        has_original = content is not None
        if not dry:
            if content is not None and not file.has_original():
                file.keep_original(content)
            file.write(after.content)
    else:
        has_original = content is not None and file.has_original()
    is_listed = any(after.has(entry) for entry in change.entries)
    return Edited(file, before, after, is_listed, has_original)


def _require_replacement(after: EntryList, server: str, where: str) -> None:
    """Refuse to leave a client without a license server."""
    if not after.has(Entry(server)):
        raise refuse(
            f"The list would have no entry of {server} afterwards, which is to replace the removed ones.",
            where,
            "Add it first: run the playbook cut_over without aims_license_client_remove_source.",
        )
    host, _colon, port = server.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()
    except OSError as error:
        raise refuse(
            f"{server} does not answer, and the entries that it replaces stay in the list: {reason(error)}.",
            where,
            "Start the license server there, or open that port in the firewalls in between; then run this again.",
        ) from error


class LocalFile:
    """A list of this machine.

    :param path: an absolute path; empty for the documented places
    :param root: an alternate root, or empty
    :raises LicensingError: it is not one path of a file
    """

    end = b"\n"

    def __init__(self, path: str, root: str = "") -> None:
        place = _under(root, path) if path else _documented(root)
        # Config may be a link to a folder elsewhere (docs/domain.md#list-of-licenses-of-a-client).
        self._folder, self._name = Folder(Path(os.path.realpath(place.parent))), place.name

    @property
    def path(self) -> str:
        return self.where

    @property
    def where(self) -> str:
        return self._folder.place(self._name)

    def read(self) -> bytes | None:
        if not self._folder.path.is_dir():
            raise refuse(
                "The folder of the list is not there.",
                str(self._folder.path),
                "Correct the path, or make the folder if AIMMS shall look there for its list.",
            )
        return self._folder.find(self._name, LIMIT)

    def has_original(self) -> bool:
        return self._folder.has(f"{self._name}{ORIGINAL}")

    def keep_original(self, content: bytes) -> None:
        self._write(f"{self._name}{ORIGINAL}", content)

    def write(self, content: bytes) -> None:
        self._write(self._name, content)

    def _write(self, name: str, content: bytes) -> None:
        status = self._folder.status(self._name)
        if status is None:
            self._folder.write(name, content, PUBLIC)
        else:
            self._folder.write(name, content, status.st_mode & 0o7777, (status.st_uid, status.st_gid))


def _under(root: str, path: str) -> Path:
    if not Path(path).is_absolute() or "\0" in path or not Path(path).name:
        raise not_a_path(path)
    return Path(f"{root.rstrip('/')}{path}")


def not_a_path(path: object) -> LicensingError:
    """Return the refusal of what is not the path of a file."""
    return refuse(
        f"{quoted(path)} is not the whole path of a file.", "path", "Write it whole, down to the file's name."
    )


def _documented(root: str) -> Path:
    """Return the only list in the documented places."""
    places = [Path(root or "/") / above / FOLDER / name for above in _ROOTS for name in NAMES]
    # Both folders may be one, by a link or on a file system that does not tell upper from lower case.
    there = {os.path.realpath(place.parent) + "/" + place.name: place for place in places if os.path.lexists(place)}
    return Path(single(list(there), [str(place) for place in places], ""))


def single(there: list[str], places: list[str], host: str) -> str:
    """Return the only list of licenses that there is in the documented places.

    :raises LicensingError: there is none, or more than one
    """
    where = ", ".join(filter(None, [host, "path"]))
    if not there:
        raise refuse(
            f"There is no list of licenses in the documented places: {', '.join(places)}.",
            where,
            "Name the client's licenses.cfg (aims_license_client_path). A list that is named and missing is made.",
        )
    if len(there) > 1:
        raise refuse(
            f"There are several lists of licenses: {', '.join(there)}.",
            where,
            "Name the one that AIMMS reads (aims_license_client_path).",
        )
    return there[0]
