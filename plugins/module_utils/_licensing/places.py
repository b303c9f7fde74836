# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a file lies: whether two names lead to one file, which says apart a copy from what has two names."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath

from .errors import refuse, shown

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MOUNTS = Path("/proc/self/mountinfo")
# File systems that several machines may have mounted at once.
_SHARED = (
    "nfs",
    "cifs",
    "smb",
    "ceph",
    "gluster",
    "fuse",
    "9p",
    "virtiofs",
    "ocfs2",
    "gfs2",
    "lustre",
    "beegfs",
    "afs",
)


def place_of(path: Path) -> str | None:
    """Return what is the same for two files only if they are one, seen under two names; None where that is not known.

    On a disk of this machine, file and boot tell. What another machine may have mounted too is told by number and time
    of change, which a copy does not take along.
    """
    try:
        found = path.stat()
        if _is_shared(found.st_dev):
            text = f"shared {found.st_ino} {found.st_ctime_ns}"
        else:
            text = f"{_BOOT_ID.read_text(encoding='ascii').strip()} {found.st_dev} {found.st_ino}"
    except (OSError, ValueError):
        return None
    return hashlib.sha256(f"aims.licensing place {text}".encode()).hexdigest()[:32]


def _is_shared(device: int) -> bool:
    """Whether a file system may be mounted by other machines too."""
    number = f"{os.major(device)}:{os.minor(device)}"
    with _MOUNTS.open(encoding="utf-8", errors="replace") as mounts:
        for line in mounts:
            fields, _dash, kind = line.partition(" - ")
            if fields.split()[2:3] == [number]:
                return kind.startswith(_SHARED)
    return False


def below(root: str, path: str) -> Path:
    """Return where an absolute path lies under an alternate root.

    :raises LicensingError: either is not absolute, or links make the result leave the root.
    """
    if (
        not path.startswith("/")
        or ".." in PurePosixPath(path).parts
        or path.strip("/") == ""
        # A line end or half a character could be written into no unit and no message.
        or not (path + root).isprintable()
    ):
        raise refuse(
            f"{shown(path)} is not an absolute path of a folder.", "home", "Write it as /opt/aims-license-server."
        )
    if not root:
        return Path(path)
    if not root.startswith("/"):
        raise refuse(
            f"{shown(root)} is not an absolute path.",
            "root",
            "Write the alternate root with its full path, or leave it empty.",
        )
    base = Path(root)
    if not os.path.isdir(base):  # noqa: PTH112 - Path.is_dir() raises where a parent may not be searched
        raise refuse(
            "The alternate root is not there.",
            root,
            "Create it (a root file system with etc/machine-id), or correct the path.",
        )
    full = base / path.lstrip("/")
    # Path.resolve() raises an error of its own on links that go round in a circle; these are met, and told, later.
    if Path(os.path.realpath(base)) not in Path(os.path.realpath(full)).parents:
        raise refuse(
            f"{path} under this root leads out of it by a symbolic link.", root, "Replace the link by a real directory."
        )
    return full
