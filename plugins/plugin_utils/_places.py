# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and folders on the controller that are named after hosts, and belong to a single host each."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import Problem, quoted, refuse

# A file name has at most 255 bytes, of which a write needs some for a while.
_LONGEST = 200
_PAIR = "-to-"


def host_problem(host: str) -> Problem | None:
    """Return why no folder can be named after a host, or None."""
    fits = host.isprintable() and not any(letter in host for letter in "/\\") and not host.startswith(".")
    if fits and host.strip() == host != "" and len(os.fsencode(host)) <= _LONGEST:
        return None
    what = f"No folder on the controller can be named after the host {quoted(host)}."
    todo = "Give it a short name without / and \\ and without a leading dot, and put its address into ansible_host."
    return Problem(what, "inventory", todo)


def host_folder(base: Path, host: str) -> Path:
    """Return a host's folder in a folder of the controller, or refuse.

    :raises LicensingError: the name leads elsewhere, or is the same as another host's on this file system
    """
    _require(host)
    place = base / host
    names = _names(base) if place.exists() else [host]
    # Some file systems keep the letters of a name in another form than they were given.
    if unicodedata.normalize("NFC", host) not in {unicodedata.normalize("NFC", name) for name in names}:
        other = next((name for name in names if name.casefold() == host.casefold()), "another host")
        raise refuse(
            f"The file system does not distinguish {host} and {other}.",
            str(base),
            "Rename one of the hosts, or keep this folder on a case-sensitive file system.",
        )
    return place


def report_stem(source: str, target: str) -> str:
    """Return the file name of a pair's report without its suffix, or refuse."""
    _require(source)
    _require(target)
    problem = pair_problem(source, target)
    if problem is not None:
        raise refuse(problem.what, problem.where, problem.todo)
    return f"{source}{_PAIR}{target}"


def pair_problem(source: str, target: str) -> Problem | None:
    """Return why no report can be named after a pair, or None."""
    if len(os.fsencode(f"{source}{_PAIR}{target}")) <= _LONGEST:
        return None
    what = f"The host names {quoted(source)} and {quoted(target)} are too long for the name of their report."
    return Problem(what, "inventory", f"Use names of at most {_LONGEST - len(_PAIR)} bytes together.")


def _require(host: str) -> None:
    problem = host_problem(host)
    if problem is not None:
        raise refuse(problem.what, problem.where, problem.todo)


def _names(base: Path) -> list[str]:
    return [path.name for path in base.iterdir()]
