# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What commands list a folder of a Windows host, and what their output means, whatever the host's language.

``dir`` names everything, hidden files too. ``for`` shows of a file its size (``%~z``) and attributes (``%~a``), whose
letters have fixed places.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import quoted, refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.tree import Entry
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.windows_paths import (
    LONGEST,
    LONGEST_FOLDER,
    name_below,
    nest,
    quote,
)

PRESENT = "+"
# No name contains the asterisk, and echo gives it no meaning.
_SHOWN = re.compile(r"([0-9]*)\*([^*]*)\*(.+)")
# The places of "read-only" and "link" in the attributes, such as ``-ra-----l``.
_READ_ONLY, _LINK = (1, "r"), (8, "l")
# Characters of paths in one command that asks for files by name.
_BATCH = 6000


@dataclass(frozen=True)
class Attributes:
    """What ``for`` shows of a file; the size is None where it has none to show."""

    size: int | None
    is_read_only: bool
    is_link: bool


@dataclass(frozen=True)
class Listing:
    """A folder with all that lies below it.

    :ivar folders, files: names relative to the folder, with slashes
    :ivar attributes: of those files that ``for`` has seen; it passes over hidden ones
    """

    folders: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    attributes: dict[str, Attributes] = field(default_factory=dict)

    @property
    def unseen(self) -> list[str]:
        """The files without attributes, to be asked for by name."""
        return [name for name in self.files if name not in self.attributes]

    @property
    def entries(self) -> list[Entry]:
        """Everything by name; files that have gone meanwhile are left out."""
        listed = [Entry(name, is_folder=True) for name in self.folders]
        for name in self.files:
            attributes = self.attributes.get(name)
            if attributes is not None and attributes.size is not None:
                listed.append(Entry(name, size=attributes.size, is_read_only=attributes.is_read_only))
        return sorted(listed, key=lambda entry: entry.name)


def list_folder(root: str) -> list[str]:
    """Return the commands that list a folder."""
    folder, inside = quote(root), quote(root.rstrip("\\") + "\\.")
    return [
        f"(if exist {inside} echo {PRESENT})",
        f"dir /b /s /ad {folder} 2>nul",
        f"dir /b /s /a-d {folder} 2>nul",
        # In a cmd of its own, because Wine's ends the whole line with a loop over nothing.
        f"cmd /d /v:off /u /c {nest(f'for /r {folder} %i in (*) do @echo %~zi*%~ai*%i')}",
    ]


def list_files(paths: Iterable[str]) -> Iterator[str]:
    """Return commands that show the attributes of files by name, hidden ones too."""
    batch: list[str] = []
    for path in paths:
        argument = quote(path)
        if batch and sum(map(len, batch)) + len(argument) > _BATCH:
            yield _for(batch)
            batch = []
        batch.append(argument)
    if batch:
        yield _for(batch)


def _for(arguments: Sequence[str]) -> str:
    return f"(for %i in ({' '.join(arguments)}) do @echo %~zi*%~ai*%~i)"


def read_listing(parts: Sequence[Sequence[str]], root: str, where: str) -> Listing | None:
    """Read the output of :func:`list_folder`, command by command; None where there is no such folder.

    :param where: the host and the folder, for messages
    :raises LicensingError: the output names what does not lie in the folder, or what cmd does not see whole
    """
    present, folders, files, attributes = parts
    if PRESENT not in present:
        return None
    return Listing(
        tuple(_name(path, root, where, LONGEST_FOLDER) for path in folders if path),
        tuple(_name(path, root, where, LONGEST) for path in files if path),
        read_attributes(attributes, root, where),
    )


def read_attributes(lines: Iterable[str], root: str, where: str) -> dict[str, Attributes]:
    """Read what ``for`` shows of files, by their names below a folder.

    :raises LicensingError: a line is none of these
    """
    attributes = {}
    for line in filter(None, lines):
        match = _SHOWN.fullmatch(line)
        if match is None:
            raise _strange(line, where)
        size, letters, path = match.groups()
        has = [letters[at : at + 1].lower() == letter for at, letter in (_READ_ONLY, _LINK)]
        attributes[_name(path, root, where, LONGEST)] = Attributes(int(size) if size else None, has[0], has[1])
    return attributes


def _name(path: str, root: str, where: str, longest: int) -> str:
    name = name_below(path, root)
    if name is None:
        raise _strange(path, where)
    if len(path) > longest:
        raise refuse(
            f"A path has {len(path)} characters, so that the command prompt may not see all that lies there: "
            f"{quoted(path)}.",
            where,
            "Rename or move away that folder on the host, so that no path in the license server's folder is so long.",
        )
    return name


def _strange(line: str, where: str) -> Exception:
    return refuse(
        f"The host lists something that does not lie in the folder: {quoted(line)}.",
        where,
        "Run this again; if it stays so, look at what changes the output of commands there (AutoRun of cmd, an alias "
        "of dir).",
    )
