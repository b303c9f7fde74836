# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who besides root can change what root runs: the home, the interpreter, and every folder on the way to them."""

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

    :raises LicensingError: the machine does not know it, as where its name service is down
    """
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise refuse(
            f"This machine does not know the user {name}.",
            name,
            f"See what 'getent passwd {name}' says: a name service (sssd, LDAP) that is down, or a nsswitch.conf "
            "without 'files', hides the users of the machine itself.",
        ) from None


def home_problems(home: Home) -> list[Problem]:
    """Say who could become root by what root runs from a home; nothing where this is not root."""
    if os.geteuid() != 0:
        return []
    todo = "Give it to root (chown root:root, chmod go-w), or choose another home, such as /opt/aims-license-server."
    places = {home.folder.path / name: None for name in ("Bin", "Config")}
    problems = [
        Problem(f"{who} can change what root runs or keeps secret in this home.", str(place), todo)
        for place, who in dict.fromkeys(found for path in places for found in others(path))
    ]
    todo = "Use the system's Python (ansible_python_interpreter), or give this to root (chown root:root, chmod go-w)."
    run = (Path(sys.executable), Path(sysconfig.get_path("stdlib")))
    return problems + [
        Problem(f"{who} can change the Python that root runs.", str(place), todo)
        for place, who in dict.fromkeys(found for path in run for found in others(path))
    ]


def ledger_problems(folder: Path) -> list[Problem]:
    """Say who could exchange the folder of a ledger, whose files root gives to the service's user."""
    if os.geteuid() != 0:
        return []
    todo = "Name a ledger in a folder of its own below one that is root's, such as /var/lib."
    return [
        Problem(f"{who} can exchange the ledger's folder.", str(place), todo) for place, who in others(folder.parent)
    ]


def others(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield each place on the way to a path that another than root can change, with who can.

    Links are followed as the kernel follows them. A folder that everybody may write to, but each only what is his own
    (/tmp), protects what root has made in it.
    """
    here, parts, links = Path("/"), list(path.absolute().parts[1:]), _LINKS
    yield from _others(here, here.lstat())
    while parts:
        part = parts.pop(0)
        if part == "..":
            here = here.parent
            continue
        try:
            found = (here / part).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return
        yield from _others(here / part, found)
        if stat.S_ISLNK(found.st_mode) and links:
            links -= 1
            to = (here / part).readlink()
            here = Path("/") if to.is_absolute() else here
            parts[:0] = to.parts[1:] if to.is_absolute() else to.parts
        else:
            here = here / part


def _others(place: Path, found: os.stat_result) -> Iterator[tuple[Path, str]]:
    if found.st_uid != 0:
        yield place, f"The user {_name(found.st_uid)}"
    if stat.S_ISLNK(found.st_mode):
        return
    protected = stat.S_ISDIR(found.st_mode) and bool(found.st_mode & stat.S_ISVTX)
    if found.st_mode & stat.S_IWOTH and not protected:
        yield place, "Everybody"
    elif found.st_mode & stat.S_IWGRP and not protected and _has_members(found.st_gid):
        yield place, f"The group {found.st_gid}"


def _name(user: int) -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(user).pw_name
    return str(user)


def _has_members(group: int) -> bool:
    """Whether a group has others in it than root; one that is not known may have."""
    if group == 0:
        return False
    try:
        members = set(grp.getgrgid(group).gr_mem)
    except KeyError:
        return True
    members |= {user.pw_name for user in pwd.getpwall() if user.pw_gid == group}
    return bool(members - {"root"})
