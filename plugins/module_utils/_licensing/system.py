# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of the operating system and their remedies, file locks, and syncs."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from pathlib import Path

from .errors import LicensingError, refuse

# Errors of a file system that does not support an operation at all.
_UNABLE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
_LIMITS = "This process or machine has too many open files. Raise the limit (ulimit -n, LimitNOFILE), or close some."
_NO_LOCKS = "Use a local disk, or mount the file system with locks (NFS: rpc.statd on both sides, no nolock)."
_ADVICE = {
    errno.ENOENT: "Check the path, or restore the file from a backup.",
    errno.EACCES: "Run as the user that owns it (become: true), or fix its permissions.",
    errno.EPERM: "Run as the user that owns it (become: true), and check that it is not marked immutable (lsattr).",
    errno.EROFS: "The file system is read-only: remount it read-write first.",
    errno.ENOSPC: "The disk is full: free some space, then run this again.",
    errno.EDQUOT: "The disk quota is used up: free some space, then run this again.",
    errno.ELOOP: "It is a symbolic link, which is never followed here. Replace it by the real file.",
    errno.EISDIR: "It is a directory. Move it away and put the real file in its place.",
    errno.ENOTDIR: "A part of the path is a file or a symbolic link. Replace it by a real directory.",
    errno.ENAMETOOLONG: "The name is too long for this file system: use a shorter path.",
    errno.EMFILE: _LIMITS,
    errno.ENFILE: _LIMITS,
    errno.EIO: "The disk, or the network to it, fails. Read the kernel's log (dmesg), and repair it first.",
    errno.ESTALE: "The network file system lost this file. Mount it again, then run this again.",
    errno.ETIMEDOUT: "The network file system does not answer. Repair the connection to it, then run this again.",
    errno.ENOLCK: _NO_LOCKS,
    **dict.fromkeys(_UNABLE, "The file system does not support this. Use a local disk (ext4, XFS, Btrfs)."),
}

# Errors that this process or machine causes, independent of the other side.
_OWN = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EACCES, errno.EPERM)


def advice(error: OSError) -> str:
    """Return the remedy for an error of the operating system."""
    return _ADVICE.get(error.errno or 0, "Fix the cause, then run this again.")


def reason(error: OSError) -> str:
    """Return the operating system's text for an error."""
    return error.strerror or str(error) or type(error).__name__


def unhandled(error: OSError) -> LicensingError:
    """Return the refusal for an error of the operating system without a more specific message."""
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, (str, bytes))]
    return refuse(f"This machine reports an error: {reason(error)}.", ", ".join(names) or "this machine", advice(error))


def is_own(error: BaseException) -> bool:
    """Whether this machine caused the error of a call, so that it says nothing about the other side."""
    return isinstance(error, OSError) and error.errno in _OWN


def try_lock(handle: int, where: str, shared: bool = False) -> bool:
    """Try to lock an open file. Return whether it is locked now.

    :param where: the file, for messages
    :param shared: whether to take a shared lock
    :raises LicensingError: the file system does not support locks
    """
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _lockless(error, where) from error
    return True


def require_locks(place: Path) -> None:
    """Refuse if a database's file system does not support locks. SQLite reports this as a locked database."""
    try:
        # A separate file, because closing a database file would drop this process's locks on it.
        with tempfile.TemporaryFile(dir=place.parent) as tried:
            fcntl.lockf(tried, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.ENOLCK, *_UNABLE):
            raise _lockless(error, str(place)) from error


def _lockless(error: OSError, where: str) -> LicensingError:
    todo = _NO_LOCKS if error.errno in _UNABLE else advice(error)
    return refuse(f"The file system cannot lock files: {reason(error)}.", where, todo)


def sync_folder(handle: int) -> None:
    """Sync an open folder, so that a rename in it is durable.

    Ignores file systems that cannot sync folders, such as some SMB shares.
    """
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
