# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds other users than root that could change the code that root runs: home, interpreter and parent folders."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from ..errors import Problem, refuse
from ..home.store import Home

_LINKS = 40


def account(name: str) -> pwd.struct_passwd:
    """Return a user of this machine.

    :raises LicensingError: the user is unknown, for example because the name service is down
    """
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise refuse(
            f"This machine does not know the user {name}.",
            name,
            f"Run 'getent passwd {name}'. Local users are hidden if a name service (sssd, LDAP) is down, or if "
            "nsswitch.conf lacks 'files'.",
        ) from None


def home_problems(home: Home) -> list[Problem]:
    """Return a problem for each place where another user could become root. Without root rights, return none."""
    if os.geteuid() != 0:
        return []
    todo = "Give it to root (chown root:root, chmod go-w), or choose another home, such as /opt/aims-license-server."
    places = {home.folder.path / name: None for name in ("Bin", "Config")}
    problems = [
        Problem(f"{who} can change programs or secrets of root in this home.", str(place), todo)
        for place, who in dict.fromkeys(exposed for path in places for exposed in others(path))
    ]
    todo = "Use the system's Python (ansible_python_interpreter), or give this to root (chown root:root, chmod go-w)."
    run = (Path(sys.executable), Path(sysconfig.get_path("stdlib")))
    return problems + [
        Problem(f"{who} can change the Python that root runs.", str(place), todo)
        for place, who in dict.fromkeys(exposed for path in run for exposed in others(path))
    ]


def ledger_problems(folder: Path) -> list[Problem]:
    """Return a problem for each user that could replace the ledger's folder, which root gives to the service's user."""
    if os.geteuid() != 0:
        return []
    todo = "Use a ledger in a folder of its own, below a folder that belongs to root, such as /var/lib."
    return [
        Problem(f"{who} can replace the ledger's folder.", str(place), todo) for place, who in others(folder.parent)
    ]


def others(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield each component of a path that another user than root can change, with a description of that user.

    Links are followed as the kernel follows them. A world-writable folder with the sticky bit, such as /tmp, protects
    root's files in it.
    """
    here, parts, links = Path("/"), list(path.absolute().parts[1:]), _LINKS
    yield from _others(here, here.lstat())
    while parts:
        part = parts.pop(0)
        if part == "..":
            here = here.parent
            continue
        try:
            status = (here / part).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return
        yield from _others(here / part, status)
        if stat.S_ISLNK(status.st_mode) and links:
            links -= 1
            to = (here / part).readlink()
            here = Path("/") if to.is_absolute() else here
            parts[:0] = to.parts[1:] if to.is_absolute() else to.parts
        else:
            here = here / part


def _others(place: Path, status: os.stat_result) -> Iterator[tuple[Path, str]]:
    if status.st_uid != 0:
        yield place, f"The user {_name(status.st_uid)}"
    if stat.S_ISLNK(status.st_mode):
        return
    protected = stat.S_ISDIR(status.st_mode) and bool(status.st_mode & stat.S_ISVTX)
    if status.st_mode & stat.S_IWOTH and not protected:
        yield place, "Everybody"
    elif status.st_mode & stat.S_IWGRP and not protected and _has_members(status.st_gid):
        yield place, f"The group {status.st_gid}"


def _name(user: int) -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(user).pw_name
    return str(user)


def _has_members(group: int) -> bool:
    """Whether a group has other members than root. An unknown group counts as having some."""
    if group == 0:
        return False
    try:
        members = set(grp.getgrgid(group).gr_mem)
    except KeyError:
        return True
    members |= {user.pw_name for user in pwd.getpwall() if user.pw_gid == group}
    return bool(members - {"root"})
