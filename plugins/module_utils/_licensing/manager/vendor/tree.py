# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a vendor's license server, wherever the core runs.

The core reads them on the host itself, over a connection, or from a folder into which a person copied them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

from ...errors import LicensingError, refuse
from ...system import advice, reason

# The largest file that is read, in bytes.
LIMIT = 16 << 20
# How many files and folders a tree may have, and how many folders may lie in each other.
MOST_ENTRIES, DEEPEST = 100_000, 32


@dataclass(frozen=True)
class Entry:
    """A file or folder of a tree.

    :ivar name: relative to the tree's root, with slashes, upper and lower case as listed
    :ivar size: in bytes; 0 of a folder
    :ivar modified: UTC, on Windows to the minute; None where the host does not say
    :ivar is_read_only: whether its owner may not write it: a read-only nodelock cannot be updated
        (docs/domain.md#identifiers-and-files)
    """

    name: str
    is_folder: bool = False
    size: int = 0
    modified: datetime | None = None
    is_read_only: bool = False


class Tree(Protocol):
    """The files of a vendor's license server.

    :ivar where: the root's path as the host writes it, for messages
    """

    @property
    def where(self) -> str: ...

    def entries(self) -> list[Entry]:
        """Return everything below the root, sorted by name, in one call; nothing where there is no such folder.

        :raises LicensingError: it cannot be listed whole
        """

    def read(self, names: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of files by their names as listed; names of missing files are left out.

        :raises LicensingError: a file is larger than ``LIMIT``, is no regular file, or cannot be read
        """


class LocalTree:
    """A tree on this machine: a Linux host's own, or on the controller a copy of a host's.

    Links to folders are followed, because ``Config``, ``Licenses``, ``Logging`` and ``Nodelocks`` may be links
    (docs/domain.md#identifiers-and-files). Links to files are listed and never read, so that nobody who may write there
    has root read another file for him.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def where(self) -> str:
        return str(self._root)

    def entries(self) -> list[Entry]:
        listed: list[Entry] = []
        try:
            for entry in self._walk(self._root, "", ()):
                listed.append(entry)
                if len(listed) > MOST_ENTRIES:
                    raise too_many(self.where)
        except FileNotFoundError:
            return []
        except OSError as error:
            place = error.filename if isinstance(error.filename, str) else self.where
            raise refuse(f"The folder cannot be listed: {reason(error)}.", place, advice(error)) from error
        return sorted(listed, key=lambda entry: entry.name)

    def _walk(self, folder: Path, name: str, above: tuple[tuple[int, int], ...]) -> Iterator[Entry]:
        identity = os.stat(folder)  # noqa: PTH116 - Path.stat() is os.stat(), and says nothing more
        here = (identity.st_dev, identity.st_ino)
        if here in above or len(above) > DEEPEST:
            raise refuse(
                "The folder is a link to a folder that it lies in, or lies too deep.",
                str(folder),
                "Let the link lead to a folder outside, or remove it.",
            )
        with os.scandir(folder) as children:
            for child in children:
                inner = f"{name}/{child.name}" if name else child.name
                try:
                    found = child.stat()
                    is_folder = stat.S_ISDIR(found.st_mode)
                except (FileNotFoundError, OSError):
                    # A link that leads nowhere, or a file that was removed meanwhile.
                    continue
                yield Entry(
                    inner,
                    is_folder,
                    0 if is_folder else found.st_size,
                    _moment(found.st_mtime),
                    not found.st_mode & stat.S_IWUSR,
                )
                if is_folder:
                    yield from self._walk(folder / child.name, inner, (*above, here))

    def read(self, names: Sequence[str]) -> dict[str, bytes]:
        contents = {}
        for name in names:
            content = self._content(name)
            if content is not None:
                contents[name] = content
        return contents

    def _content(self, name: str) -> bytes | None:
        parts = name.split("/")
        if name.startswith("/") or "\0" in name or any(part in ("", ".", "..") for part in parts):
            raise refuse("The name leads out of the license server's folder.", self.where, "Use names as listed.")
        place = self._root / name
        try:
            # A pipe would wait for a writer, and a link may lead anywhere.
            handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as stream:
                if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                    raise refuse("This is not a regular file.", str(place), "Put the real file back in its place.")
                content = stream.read(LIMIT + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise _unread(error, str(place)) from error
        if len(content) > LIMIT:
            raise too_large(str(place))
        return content


class CopyTree(LocalTree):
    """A folder of the controller into which a person copied a host's tree.

    :raises LicensingError: there is no such folder
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        if not folder.is_dir():
            raise refuse(
                "The folder with the copy of the license server is not there.",
                str(folder),
                "Copy the license server's folder of that host to this place, or correct the path.",
            )


def too_many(place: str) -> LicensingError:
    """Return the refusal of a folder with more than ``MOST_ENTRIES`` files and folders."""
    todo = "Name the folder of the license server itself (home), or put away what is not its own."
    return refuse(f"The folder has more than {MOST_ENTRIES} files and folders.", place, todo)


def too_large(place: str) -> LicensingError:
    """Return the refusal of a file that is larger than ``LIMIT``."""
    return refuse(
        f"The file has more than {LIMIT >> 20} MiB, more than any file of a license server.",
        place,
        "Put the right file back in its place, or move it away if it is not the license server's.",
    )


def _moment(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).replace(microsecond=0)
    except (OverflowError, ValueError, OSError):
        return None


def _unread(error: OSError | ValueError, place: str) -> LicensingError:
    if isinstance(error, OSError):
        return refuse(f"The file cannot be read: {reason(error)}.", place, advice(error))
    return refuse("The file has no name that this system takes.", place, "Rename it on the host.")
