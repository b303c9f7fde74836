# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine cannot do, in words that name it as the cause: its files, locks, and open handles."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from pathlib import Path

from .errors import LicensingError, refuse

# What a file system answers that cannot do a thing at all, whatever the file.
_UNABLE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
_LIMITS = (
    "This process or machine has too many files open: raise the limit (ulimit -n, LimitNOFILE), or end what leaks."
)
_NO_LOCKS = "Keep it on a local disk, or mount its file system with locks (NFS: rpc.statd on both sides, no nolock)."
_ADVICE = {
    errno.ENOENT: "Check the path; restore the file from a backup if it was there before.",
    errno.EACCES: "Run as the user that owns it (become: true), or mend its permissions.",
    errno.EPERM: "Run as the user that owns it (become: true), and check that it is not marked immutable (lsattr).",
    errno.EROFS: "The file system is read-only: mount it for writing first.",
    errno.ENOSPC: "The disk is full: free some space, then run this again.",
    errno.EDQUOT: "The disk quota is used up: free some space, then run this again.",
    errno.ELOOP: "It is a symbolic link, which is never followed here: put the real file in its place.",
    errno.EISDIR: "It is a directory: move it away and put the real file in its place.",
    errno.ENOTDIR: "A part of the path is a file or a symbolic link: put a real directory in its place.",
    errno.ENAMETOOLONG: "The name is too long for this file system: use a shorter path.",
    errno.EMFILE: _LIMITS,
    errno.ENFILE: _LIMITS,
    errno.EIO: "The disk, or the network to it, fails: see the kernel's log (dmesg), and mend it first.",
    errno.ESTALE: "The network file system lost this file: mount it again, then run this again.",
    errno.ETIMEDOUT: "The network file system does not answer: mend the way to it, then run this again.",
    errno.ENOLCK: _NO_LOCKS,
    **dict.fromkeys(_UNABLE, "The file system cannot do this: keep it on a local disk (ext4, XFS, Btrfs)."),
}

# What fails in this process or machine, before anything else is asked.
_OWN = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EACCES, errno.EPERM)


def advice(error: OSError) -> str:
    """Return what to do about an error of the operating system."""
    return _ADVICE.get(error.errno or 0, "Mend the cause, then run this again.")


def reason(error: OSError) -> str:
    """Return an error of the operating system in its own words."""
    return error.strerror or str(error) or type(error).__name__


def untold(error: OSError) -> LicensingError:
    """Return the refusal for an error of the operating system that nothing more specific has told."""
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, (str, bytes))]
    return refuse(f"This machine refuses: {reason(error)}.", ", ".join(names) or "this machine", advice(error))


def is_own(error: BaseException) -> bool:
    """Whether an error of a call to somebody else is this machine's own, and says nothing about the other side."""
    return isinstance(error, OSError) and error.errno in _OWN


def try_lock(handle: int, where: str, shared: bool = False) -> bool:
    """Hold an open file unless somebody else does; return whether it is held now.

    :param where: the file, for messages
    :param shared: whether others may hold it so too
    :raises LicensingError: the file system has no locks, so that nobody can tell who holds the file
    """
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _lockless(error, where) from error
    return True


def require_locks(place: Path) -> None:
    """Refuse where the file system of a database has no locks: SQLite says then that somebody else holds it."""
    try:
        # A file of its own: closing one of the database's would drop the locks that this process has on it.
        with tempfile.TemporaryFile(dir=place.parent) as tried:
            fcntl.lockf(tried, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.ENOLCK, *_UNABLE):
            raise _lockless(error, str(place)) from error


def _lockless(error: OSError, where: str) -> LicensingError:
    todo = _NO_LOCKS if error.errno in _UNABLE else advice(error)
    return refuse(f"The file system cannot lock files: {reason(error)}.", where, todo)


def sync_folder(handle: int) -> None:
    """Make what was renamed in an open folder durable.

    A file system that syncs no folders, such as that of many an SMB server, has done by now what it can.
    """
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
