# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Atomic file operations in a folder, with locks, never following symbolic links."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from . import faults
from .errors import LicensingError, quoted, refuse
from .system import advice, reason, sync_folder, try_lock

PRIVATE = 0o600
PUBLIC = 0o644
# Like PRIVATE, but readable for the directory's group if the directory is set-group-ID.
SHARED = 0o640
_TEMPORARY = ".tmp-"


class Folder:
    """A folder whose files are read and replaced as a whole.

    Names are relative, with ``/`` between parts. Symbolic links below the folder are never followed, and no file
    outside the folder can be reached. A written file is complete or absent: it is written to a temporary file, synced
    and renamed, and the rename is synced.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def place(self, name: str) -> str:
        """Return the full path of a name, for messages."""
        return str(self.path / name)

    def read(self, name: str, limit: int = 1 << 20) -> bytes:
        """Return a file's content.

        :raises LicensingError: the file is missing, not regular, longer than ``limit`` bytes, or unreadable
        """
        with self._reporting(name, "read"), self._parent(name) as (folder, last):
            handle = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            with os.fdopen(handle, "rb") as stream:
                status = os.fstat(stream.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise refuse(
                        "This is not a regular file.", self.place(name), "Put the real file back in its place."
                    )
                if status.st_size > limit:
                    raise refuse(
                        f"The file has {status.st_size} bytes; the maximum is {limit}.",
                        self.place(name),
                        "Put the right file back in its place.",
                    )
                return stream.read(limit + 1)

    def find(self, name: str, limit: int = 1 << 20) -> bytes | None:
        """Return a file's content, or None if it does not exist."""
        try:
            return self.read(name, limit)
        except LicensingError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def has(self, name: str) -> bool:
        """Whether the name exists. A dangling link counts."""
        return self._lstat(name) is not None

    def mode(self, name: str) -> int | None:
        """Return a file's permission bits, or None if it does not exist."""
        status = self._lstat(name)
        return None if status is None else stat.S_IMODE(status.st_mode)

    def status(self, name: str) -> os.stat_result | None:
        """Return what the system says of a file itself, or None if it does not exist."""
        return self._lstat(name)

    def owner(self, name: str) -> int | None:
        """Return the user id of a file's owner, or None if it does not exist."""
        status = self._lstat(name)
        return None if status is None else status.st_uid

    def _lstat(self, name: str) -> os.stat_result | None:
        try:
            with self._reporting(name, "look at"), self._parent(name) as (folder, last):
                return os.stat(last, dir_fd=folder, follow_symlinks=False)
        except LicensingError as error:
            if isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
                return None
            raise

    def names(self, directory: str = "", suffix: str = "") -> list[str]:
        """Return the sorted names of the files directly in a directory; empty if it does not exist."""
        try:
            with self._reporting(directory, "list"):
                base = self.path / directory if directory else self.path
                if directory and base.is_symlink():
                    raise refuse("This is a symbolic link.", str(base), "Replace it by a real directory.")
                with os.scandir(base) as entries:
                    return sorted(
                        entry.name
                        for entry in entries
                        if entry.name.endswith(suffix)
                        and not entry.name.startswith(_TEMPORARY)
                        and not entry.is_dir(follow_symlinks=False)
                    )
        except LicensingError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return []
            raise

    def walk(self, links: bool = False) -> list[str]:
        """Return the sorted names of all regular files below the folder.

        :param links: whether to include symbolic links
        :raises LicensingError: a directory cannot be read
        """
        names = []
        with self._reporting("", "list"):
            for base, directories, files in os.walk(self.path, onerror=_raise, followlinks=False):
                directories.sort()
                here = Path(base).relative_to(self.path)
                for name in files:
                    if name.startswith(_TEMPORARY):
                        continue
                    # Another run may remove a file after it was listed.
                    with contextlib.suppress(FileNotFoundError):
                        mode = (Path(base) / name).lstat().st_mode
                        if stat.S_ISREG(mode) or (links and stat.S_ISLNK(mode)):
                            names.append((here / name).as_posix())
        return sorted(names)

    def write(self, name: str, data: bytes, mode: int = PRIVATE, owners: tuple[int, int] | None = None) -> None:
        """Replace a file atomically and durably. Create its directory if missing, as private as the file.

        :param owners: the ids of the user and group that the file gets, with exactly this mode
        """
        around = 0o700 if mode in (PRIVATE, SHARED) else 0o755
        with self._reporting(name, "write"), self._parent(name, make=True, mode=around) as (folder, last):
            current = self._lstat(name)
            if current is not None and not stat.S_ISREG(current.st_mode):
                raise refuse(
                    "This is not a regular file.",
                    self.place(name),
                    "Move it away, because the license server writes here.",
                )
            if owners is None and mode == SHARED and not os.fstat(folder).st_mode & stat.S_ISGID:
                mode = PRIVATE
            temporary = f"{_TEMPORARY}{last}-{secrets.token_hex(6)}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            faults.reach("files.write.begin", name)
            handle = os.open(temporary, flags, PRIVATE, dir_fd=folder)
            try:
                with os.fdopen(handle, "wb") as stream:
                    faults.reach("files.write.made", name)
                    stream.write(data)
                    stream.flush()
                    faults.reach("files.write.filled", name)
                    if owners is not None:
                        os.fchown(stream.fileno(), *owners)
                    self._set_mode(stream.fileno(), name, mode)
                    os.fsync(stream.fileno())
                    faults.reach("files.write.synced", name)
                os.rename(temporary, last, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
                raise
            faults.reach("files.write.renamed", name)
            sync_folder(folder)

    def _set_mode(self, handle: int, name: str, mode: int) -> None:
        try:
            os.fchmod(handle, mode)
        except PermissionError as error:
            # This process created the file, so ownership cannot be the reason.
            raise refuse(
                f"This file system does not store file modes: {reason(error)}.",
                self.place(name),
                "Use a file system that stores them, such as ext4, XFS or Btrfs; vfat and most SMB shares do not.",
            ) from error

    def sweep(self, seconds: float = 60.0, without: Sequence[str] = ()) -> None:
        """Remove the temporary files of interrupted writes, because they may have secrets.

        :param seconds: minimum age; a younger file may belong to a running write
        :param without: directories of the folder to skip, because other users may write there
        """
        with self._reporting("", "sweep"):
            for base, directories, files in os.walk(self.path, followlinks=False):
                here = Path(base) == self.path
                directories[:] = sorted(name for name in directories if not (here and name in without))
                for name in files:
                    left = Path(base) / name
                    with contextlib.suppress(FileNotFoundError):
                        if name.startswith(_TEMPORARY) and time.time() - left.lstat().st_mtime > seconds:
                            faults.reach("files.sweep.found", name)
                            left.unlink()

    def move(self, name: str, to: str) -> None:
        """Rename a file within the folder, durably. Create the target directory, private, if it is missing.

        Does nothing if the file does not exist.
        """
        with (
            self._reporting(name, "move"),
            self._parent(name) as (source, last),
            self._parent(to, make=True, mode=0o700) as (target, final),
            contextlib.suppress(FileNotFoundError),
        ):
            faults.reach("files.move.begin", name)
            os.rename(last, final, src_dir_fd=source, dst_dir_fd=target)
            faults.reach("files.move.renamed", name)
            sync_folder(target)
            sync_folder(source)

    def remove(self, name: str) -> bool:
        """Remove a file, durably. Return whether it existed."""
        try:
            with self._reporting(name, "remove"), self._parent(name) as (folder, last):
                faults.reach("files.remove.begin", name)
                os.unlink(last, dir_fd=folder)
                faults.reach("files.remove.unlinked", name)
                sync_folder(folder)
                return True
        except LicensingError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return False
            raise

    def set_owner(self, name: str, owner: int, group: int, mode: int | None = None) -> bool:
        """Set owner, group and optionally mode of a file or directory. Return whether it was done.

        The change applies to the opened file, so that it cannot be replaced in between. Links, files with several hard
        links, and anything else than files and directories are not changed.
        """
        with self._reporting(name, "set the owner of"), self._parent(name) as (folder, last):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            try:
                handle = os.open(last, flags, dir_fd=folder)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
                    return False
                raise
            try:
                status = os.fstat(handle)
                alone = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
                if not alone and not stat.S_ISDIR(status.st_mode):
                    return False
                os.fchown(handle, owner, group)
                if mode is not None:
                    os.fchmod(handle, mode)
                return True
            finally:
                os.close(handle)

    def set_owners(self, owner: int, group: int, directory: str = "") -> list[str]:
        """Set owner and group of all files and directories below a directory. Return the unchanged names."""
        left = []
        base = self.path / directory
        with self._reporting(directory, "set the owner of"):
            for place, directories, files, handle in os.fwalk(base, onerror=_raise, follow_symlinks=False):
                here = Path(place).relative_to(self.path)
                os.fchown(handle, owner, group)
                links = [name for name in directories if _is_link(name, handle)]
                left += [(here / name).as_posix() for name in links]
                for name in files:
                    full = (here / name).as_posix()
                    left += [] if self.set_owner(full, owner, group) else [full]
        return left

    def make(self, directory: str = "", mode: int = 0o755) -> None:
        """Create a directory and its parents, regardless of the umask. An existing directory keeps its mode."""
        with self._reporting(directory, "make"):
            if not directory:
                missing = [path for path in (self.path, *self.path.parents) if not path.exists()]
                for path in reversed(missing):
                    # Another run may create the same directory at the same time, and sets its mode.
                    with contextlib.suppress(FileExistsError):
                        _make_directory(str(path), mode)
                return
            with self._parent(f"{directory}/x", make=True, mode=mode):
                pass

    @contextlib.contextmanager
    def locked(self, name: str = ".lock", seconds: float = 30.0) -> Iterator[None]:
        """Hold the folder's lock. Wait for another holder for at most ``seconds``."""
        with self._reporting(name, "lock"), self._parent(name) as (folder, last):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            faults.reach("files.lock.open", name)
            handle = os.open(last, flags, PRIVATE, dir_fd=folder)
        try:
            until = time.monotonic() + seconds
            while not try_lock(handle, self.place(name)):
                if time.monotonic() > until:
                    raise refuse(
                        f"Another run has locked the license server's home for {seconds:g} seconds.",
                        self.place(name),
                        "Wait for it to end, then run this again.",
                    )
                time.sleep(0.05)
            yield
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def _parent(self, name: str, make: bool = False, mode: int = 0o755) -> Iterator[tuple[int, str]]:
        parts = PurePosixPath(name).parts
        known = parts and "\0" not in name and _is_name(name)
        if not known or name.startswith("/") or any(part in ("..", ".") for part in parts):
            raise refuse(f"{quoted(name)} leads out of its folder.", str(self.path), "Use a name inside the folder.")
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in parts[:-1]:
                if make and not _is_there(part, folder):
                    with contextlib.suppress(FileExistsError):
                        _make_directory(part, mode, folder)
                        sync_folder(folder)
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                inner = os.open(part, flags, dir_fd=folder)
                os.close(folder)
                folder = inner
            yield folder, parts[-1]
        finally:
            os.close(folder)

    @contextlib.contextmanager
    def _reporting(self, name: str, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise refuse(f"Cannot {doing} it: {reason(error)}.", self.place(name), advice(error)) from error


def _make_directory(name: str, mode: int, folder: int | None = None) -> None:
    # With the umask, a later chmod would be needed, and a crash before it would leave a wrong mode.
    faults.reach("files.make.begin", name)
    before = os.umask(0)
    try:
        os.mkdir(name, mode, dir_fd=folder)
    finally:
        os.umask(before)
    faults.reach("files.make.made", name)


def _is_there(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _is_name(name: str) -> bool:
    """Whether the system can encode a file name. YAML can contain half a surrogate pair, which it cannot."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True


def _raise(error: OSError) -> None:
    raise error
