# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the vendor's license server keeps its files: its root, its folders, and the files of each license."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...errors import LicensingError, Problem, refuse
from ...home.store import MARKER, is_carried
from ...model import digits, parse_number
from .tree import Entry, Tree

# docs/domain.md#identifiers-and-files. One how-to article writes the second.
LINUX_ROOTS = ("/usr/local/Aimms", "/usr/local/AIMMS")
LICENSES, NODELOCKS, CONFIG, LOGGING, PROGRAMS = "Licenses", "Nodelocks", "Config", "Logging", "Bin"
APPLICATION_KEYS = "ApplicationKeys"
FOLDERS = (PROGRAMS, CONFIG, LICENSES, LOGGING, NODELOCKS, APPLICATION_KEYS)
# What belongs to a bundle: AIMMS itself may have its files in the same root, and logs are no state.
_STATE = (CONFIG, LICENSES, NODELOCKS, APPLICATION_KEYS)
# Configuration too, beside the logs (docs/domain.md#identifiers-and-files).
_LOGGING_CONFIG = f"{LOGGING}/LicenseServerLogging.xml"
_NUMBERED = re.compile(r"([0-9]{12})\.([a-z]+)", re.IGNORECASE)
_DIGITS = re.compile(r"(?=([0-9]{12}))")


@dataclass(frozen=True)
class LicenseFiles:
    """The files of one license, as far as their names show it.

    :ivar composites: ``.cpx`` files with the license's digits in their names; such a file may also be named otherwise
    :ivar requests, responses: files of an offline exchange, wherever they lie
    """

    number: str
    license: Entry | None = None
    lock: Entry | None = None
    version: Entry | None = None
    composites: tuple[Entry, ...] = ()
    requests: tuple[Entry, ...] = ()
    responses: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Layout:
    """The files of a root, by their documented names.

    :ivar entries: as listed
    :ivar names: documented name → name as listed, of all files; the case of the folders differs between hosts
    """

    tree: Tree
    entries: tuple[Entry, ...]
    names: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, tree: Tree) -> Layout:
        """List a root.

        :raises LicensingError: the bundled server made it (invariant I9), or two files have one documented name
        """
        entries = tuple(tree.entries())
        if any(entry.name == MARKER for entry in entries):
            raise refuse(
                "This home belongs to the bundled license server, not to the vendor's.",
                tree.where,
                "Set aims_license_server_backend to bundled, or name the folder of the vendor's license server "
                "(aims_license_server_home).",
            )
        names: dict[str, str] = {}
        problems: list[Problem] = []
        for entry in entries:
            if entry.is_folder:
                continue
            documented = _documented(entry.name)
            if documented in names:
                what = f"The files {names[documented]} and {entry.name} differ only in upper and lower case."
                problems.append(Problem(what, tree.where, "Move the file away that the license server does not use."))
            names[documented] = entry.name
        if problems:
            raise LicensingError(problems)
        return cls(tree, entries, names)

    @property
    def where(self) -> str:
        return self.tree.where

    @property
    def is_present(self) -> bool:
        """Whether there is anything at the root."""
        return bool(self.entries)

    @property
    def has_licenses(self) -> bool:
        return any(name.startswith(f"{LICENSES}/") and name.lower().endswith(".lic") for name in self.names)

    def folder(self, name: str) -> bool:
        """Whether there is a folder of this documented name."""
        return any(entry.is_folder and entry.name.lower() == name.lower() for entry in self.entries)

    def spelled(self, folder: str) -> str:
        """Return a documented folder as it is spelled here."""
        listed = (entry.name for entry in self.entries if entry.is_folder and entry.name.lower() == folder.lower())
        return next(listed, folder)

    def program(self, name: str) -> bool:
        """Whether there is a program of this name; on Windows with its suffix."""
        known = {name.lower(), f"{name.lower()}.exe"}
        return any(file.lower() in {f"{PROGRAMS.lower()}/{program}" for program in known} for file in self.names)

    @property
    def state_files(self) -> list[str]:
        """The documented names of the files that a bundle has to have, sorted."""
        exchanges = (".request", ".response")
        return sorted(
            name
            for name in self.names
            if name.startswith(tuple(f"{folder}/" for folder in _STATE))
            or name == _LOGGING_CONFIG
            or (_numbered(name) and name.lower().endswith(exchanges))
        )

    @property
    def carried(self) -> list[str]:
        """The documented names of the files that move with the licenses, sorted."""
        return sorted(name for name in self.names if is_carried(name))

    @property
    def unnumbered(self) -> list[str]:
        """License files whose names have no license number, as documented."""
        return sorted(
            name
            for name in self.names
            if name.startswith(f"{LICENSES}/") and name.lower().endswith(".lic") and not _numbered(name)
        )

    def contents(self, names: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of files by their documented names; files that are gone are left out."""
        listed = {self.names[name]: name for name in names if name in self.names}
        return {listed[name]: content for name, content in self.tree.read(list(listed)).items()}

    def digests(self, names: Sequence[str]) -> dict[str, str]:
        """Return the SHA-256 of files by their documented names; files that are gone are left out."""
        return {name: hashlib.sha256(content).hexdigest() for name, content in self.contents(names).items()}

    def licenses(self) -> dict[str, LicenseFiles]:
        """Return the files of each license by its number; of a pending first installation that is a request only."""
        known: dict[str, dict[str, list[Entry]]] = {}
        by_name = {entry.name: entry for entry in self.entries}
        for name, listed in self.names.items():
            number = _numbered(name)
            if number is None or not _belongs(name):
                continue
            known.setdefault(number, {}).setdefault(name.rpartition(".")[2].lower(), []).append(by_name[listed])
        composites = [
            by_name[self.names[name]]
            for name in self.names
            if name.startswith(f"{LICENSES}/") and name.lower().endswith(".cpx")
        ]
        return {number: _files(number, known[number], composites) for number in sorted(known)}


def find_layout(trees: Sequence[Tree]) -> Layout:
    """Return the root that the license server uses; of none, the first one's, which is empty.

    :param trees: the root that the inventory names, or those that are documented; two names of one folder only once
    :raises LicensingError: more than one of them has licenses
    """
    layouts = [Layout.of(tree) for tree in trees]
    used = [layout for layout in layouts if layout.has_licenses]
    if len(used) > 1:
        raise refuse(
            f"License files lie in {' and in '.join(layout.where for layout in used)}.",
            "home",
            "Name the folder that the license server uses (aims_license_server_home).",
        )
    present = [layout for layout in layouts if layout.is_present]
    return (used or present or layouts)[0]


def _documented(name: str) -> str:
    """Return a file's name with its folder as it is documented."""
    top, slash, rest = name.partition("/")
    known = next((folder for folder in FOLDERS if folder.lower() == top.lower()), top)
    return f"{known}{slash}{rest}"


def _numbered(name: str) -> str | None:
    """Return the license number that a file is named after (docs/domain.md#identifiers-and-files)."""
    match = _NUMBERED.fullmatch(name.rpartition("/")[2])
    return parse_number(match[1]) if match else None


def _belongs(name: str) -> bool:
    """Whether a file of this name, which has a license number, is one of that license's."""
    kinds = {".lic": f"{LICENSES}/", ".lock": f"{NODELOCKS}/", ".ver": f"{NODELOCKS}/", ".request": "", ".response": ""}
    return any(name.lower().endswith(suffix) and name.startswith(folder) for suffix, folder in kinds.items())


def _files(number: str, files: Mapping[str, Sequence[Entry]], composites: Sequence[Entry]) -> LicenseFiles:
    def first(kind: str) -> Entry | None:
        return next(iter(files.get(kind, ())), None)

    stem = digits(number)
    return LicenseFiles(
        number,
        first("lic"),
        first("lock"),
        first("ver"),
        tuple(entry for entry in composites if stem in _DIGITS.findall(entry.name.rpartition("/")[2])),
        tuple(files.get("request", ())),
        tuple(files.get("response", ())),
    )
