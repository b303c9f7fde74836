# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a file lies: whether two names lead to one file, which says apart a copy from what has two names."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

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
