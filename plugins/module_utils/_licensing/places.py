# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identities of files and paths below an alternate root."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath

from .errors import quoted, refuse

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MOUNTS = Path("/proc/self/mountinfo")
# File systems that several machines can mount at the same time.
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
    """Return an id that two paths share only if they are the same file; None if unknown. A copy has another id.

    For a local disk, the id is made of boot, device and inode. For a shared file system, it is made of inode and time
    of change, which differ for a copy.
    """
    try:
        status = path.stat()
        if _is_shared(status.st_dev):
            text = f"shared {status.st_ino} {status.st_ctime_ns}"
        else:
            text = f"{_BOOT_ID.read_text(encoding='ascii').strip()} {status.st_dev} {status.st_ino}"
    except (OSError, ValueError):
        return None
    return hashlib.sha256(f"aims.licensing place {text}".encode()).hexdigest()[:32]


def _is_shared(device: int) -> bool:
    """Whether other machines may have mounted this file system too."""
    number = f"{os.major(device)}:{os.minor(device)}"
    with _MOUNTS.open(encoding="utf-8", errors="replace") as mounts:
        for line in mounts:
            fields, _dash, kind = line.partition(" - ")
            if fields.split()[2:3] == [number]:
                return kind.startswith(_SHARED)
    return False


def below(root: str, path: str) -> Path:
    """Return the full path of an absolute path below an alternate root.

    :raises LicensingError: a path is not absolute, the root is missing, or links lead out of the root
    """
    if (
        not path.startswith("/")
        or ".." in PurePosixPath(path).parts
        or path.strip("/") == ""
        # Unprintable characters cannot be written into units and messages.
        or not (path + root).isprintable()
    ):
        raise refuse(
            f"{quoted(path)} is not an absolute path of a folder.", "home", "Write it as /opt/aims-license-server."
        )
    if not root:
        return Path(path)
    if not root.startswith("/"):
        raise refuse(
            f"{quoted(root)} is not an absolute path.",
            "root",
            "Use the full path of the alternate root, or leave it empty.",
        )
    base = Path(root)
    if not os.path.isdir(base):  # noqa: PTH112 - Path.is_dir() raises where a parent may not be searched
        raise refuse(
            "The alternate root does not exist.",
            root,
            "Create it (a root file system with etc/machine-id), or correct the path.",
        )
    full = base / path.lstrip("/")
    # Unlike Path.resolve(), realpath does not raise for loops of links; later operations report these.
    if Path(os.path.realpath(base)) not in Path(os.path.realpath(full)).parents:
        raise refuse(
            f"A symbolic link in {path} leads out of this root.", root, "Replace the link by a real directory."
        )
    return full
