# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of the system's own package manager: dpkg and apt, or rpm and dnf."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import Problem, quoted, refuse
from ..remedies import explain
from .programs import answer_of

# Seconds. A download may take its time; an installation that was cut off is left half-made.
_PATIENCE = 900
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,100}\Z")


@dataclass(frozen=True)
class SystemPackage:
    """A package as the system knows it.

    :ivar version: of the file to be installed; None of a name
    :ivar installed: the version that is installed, or None
    """

    name: str
    version: str | None
    installed: str | None

    @property
    def is_satisfied(self) -> bool:
        """Whether it is installed, a file in its very version."""
        return self.installed is not None and self.version in (None, self.installed)


@dataclass(frozen=True)
class PackageManager:
    """The commands of a package manager; each gets a file or a name at its end.

    :ivar program: what installs
    :ivar suffix: of its package files
    :ivar of_file: prints name and version of a file, with a tab between
    :ivar of_name: prints the version of what is installed, or fails
    :ivar install: installs
    """

    program: str
    suffix: str
    of_file: tuple[str, ...]
    of_name: tuple[str, ...]
    install_command: tuple[str, ...]

    def look(self, package: str) -> SystemPackage:
        """Return what a package file or name is, and what of it is installed.

        :param package: a name, or the absolute path of a file
        :raises LicensingError: it is neither
        """
        name, version = package, None
        if package.startswith("/"):
            answer = _answer([*self.of_file, package])
            parts = answer.stdout.strip().split("\t")
            if answer.returncode or len(parts) != 2:
                what = f"This is no package of this system: {_end_of(answer)}."
                raise refuse(what, package, f"Give a {self.suffix} file, or the name of a package.")
            name, version = parts
        answer = _answer([*self.of_name, name])
        # dpkg knows packages that were removed and whose settings are left.
        status, _tab, installed = answer.stdout.strip().rpartition("\t")
        is_installed = answer.returncode == 0 and status in ("", "installed")
        return SystemPackage(name, version, installed if is_installed and installed else None)

    def install(self, package: str) -> None:
        """Install a package file or name.

        :raises LicensingError: it fails; with the end of what the package manager printed
        """
        answer = _answer([*self.install_command, package], _PATIENCE)
        if answer.returncode:
            raise refuse(
                f"The package cannot be installed: {_end_of(answer)}.",
                package,
                f"{explain(answer.stdout + answer.stderr)}"
                f"Run '{' '.join(self.install_command)} {package}' by hand on the host to see the whole message.",
            )


APT = PackageManager(
    "apt-get",
    ".deb",
    ("dpkg-deb", "--show", "--showformat=${Package}\t${Version}\n"),
    ("dpkg-query", "--show", "--showformat=${db:Status-Status}\t${Version}\n"),
    ("apt-get", "--quiet", "--yes", "--no-install-recommends", "install"),
)
DNF = PackageManager(
    "dnf",
    ".rpm",
    ("rpm", "--query", "--package", "--queryformat", "%{NAME}\t%{VERSION}-%{RELEASE}\n"),
    ("rpm", "--query", "--queryformat", "%{VERSION}-%{RELEASE}\n"),
    ("dnf", "--quiet", "--assumeyes", "install"),
)


def package_manager(package: str) -> PackageManager:
    """Return this system's package manager, for a file or a name.

    :raises LicensingError: it has none of those that are known, or the package is not one of it
    """
    available = [manager for manager in (DNF, APT) if shutil.which(manager.program)]
    if not available:
        raise refuse("This system has neither apt-get nor dnf.", "this host", "Install the package by hand.")
    manager = available[0]
    is_file = package.startswith("/")
    if is_file and not package.endswith(manager.suffix):
        raise refuse("The file is no package of this system.", package, f"Give a {manager.suffix} file.")
    if is_file and not Path(package).is_file():
        raise refuse("The package file is not there.", package, "Correct the path, or copy the file to this place.")
    if not is_file and not _NAME.match(package):
        raise refuse(
            f"{quoted(package)} is no name of a package.", "vendor_package", "Give a name, or a file's full path."
        )
    return manager


def space_problems(place: Path, needed: int) -> list[Problem]:
    """Say whether there is less space than something needs.

    :param needed: bytes
    """
    there = next(path for path in (place, *place.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free >= needed:
        return []
    what = f"Only {free >> 20} MB are free, and {needed >> 20} MB are needed."
    return [Problem(what, str(there), "Free some space, then run this again.")]


def _answer(command: Sequence[str], patience: float = 60) -> subprocess.CompletedProcess[str]:
    return answer_of(command, seconds=patience, DEBIAN_FRONTEND="noninteractive")


def _end_of(answer: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in (answer.stderr or answer.stdout).splitlines() if line.strip()]
    return " | ".join(lines[-5:]) or f"{answer.args[0]} ended with {answer.returncode} and says nothing"
