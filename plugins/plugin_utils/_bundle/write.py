# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups on the controller: written whole, read back, verified, and never displaced by a poorer one."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import itertools
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from ansible_collections.aims.licensing.plugins.module_utils._licensing import faults
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, quoted, refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import PRIVATE, Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import CONFIG, is_carried
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.module_utils._licensing.system import sync_folder, try_lock
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.manifest import (
    FORMAT,
    KEY_PREFIX,
    MANIFEST,
    OVERVIEW,
    PAGE,
    ListedFile,
    Manifest,
    is_plain_name,
    render,
    seals_of,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import (
    COPIED,
    LATEST,
    Bundle,
    BundleFile,
    digest_of,
    newest,
    read_bundle,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.vault import Vault
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.pages import overview_page

_MAKING = ".tmp-"
_LOCK = ".lock"
# What a file system answers that has no symbolic links.
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL)
# What giving licenses up changes in a home; a bundle from before that is as good without it.
_GIVEN_UP = ("Journal/", "Nodelocks/", CONFIG)


@dataclass(frozen=True)
class Verdict:
    """What a backup comes to.

    :ivar made: the bundle that serves already, or None where one is to be written
    :ivar moves: whether it is to become the newest good one
    :ivar kept: why it is not, in words
    """

    made: Bundle | None
    moves: bool
    kept: str | None = None

    @property
    def changes(self) -> bool:
        return self.made is None or self.moves


def judge(
    folder: Path, files: Sequence[BundleFile], overview: Overview, vault: Vault, allow_poorer: bool = False
) -> Verdict:
    """Compare a home with the bundles of its host (invariant I6).

    What is new is always backed up: what is about to be given up has to be in a bundle. Only whether that becomes the
    newest good one depends on what it lacks. A bundle serves only a run whose passwords vouch for it and open it.
    """
    last, digest, now = newest(folder), digest_of(files), overview.with_nodelock
    if last is None:
        return Verdict(_same(folder, digest, now, vault), moves=True)
    serves = last.serves(vault)
    if serves and last.manifest.digest == digest and now <= last.covered:
        return Verdict(last, moves=False)
    # Of those that wait to be given back the last bundle may have been made while they were active.
    lost = last.covered - overview.held
    other = last.manifest.home_id != overview.server.home_id
    news = other or not serves or _has_news(last, files, overview)
    gone: set[str] = set() if other else last.covered - now - overview.ended
    moves = not lost or allow_poorer or bool(news and now and not gone)
    if not moves and not (now if other else news) and not _has_files(last, files):
        return Verdict(last, moves=False, kept=f"{', '.join(sorted(lost))} active in the newest bundle, but not now")
    kept = None if moves else f"{last.path.name} stays the newest: {', '.join(sorted(gone or lost))} active there only"
    return Verdict(_same(folder, digest, now, vault), moves, kept)


def _has_news(last: Bundle, files: Sequence[BundleFile], overview: Overview) -> bool:
    """Whether a home has what its last bundle has not, beyond what giving licenses up leaves behind."""
    known = {(file.name, file.sha256) for file in last.manifest.files}
    changed = any((file.name, file.sha256) not in known for file in files if not file.name.startswith(_GIVEN_UP))
    return changed or not overview.with_nodelock <= last.covered or _offers(overview) != _offers(last.overview)


def _has_files(last: Bundle, files: Sequence[BundleFile]) -> bool:
    """Whether a home has files that move with licenses, and that its last bundle has not."""
    known = {(file.name, file.sha256) for file in last.manifest.files}
    return any(is_carried(file.name) and (file.name, file.sha256) not in known for file in files)


def _offers(overview: Overview) -> tuple[list[Profile], tuple[str, ...]]:
    """Return the profiles and users of an overview, which lie in a file that giving licenses up changes too."""
    return [profile.profile for profile in overview.profiles], overview.users


def _same(folder: Path, digest: str, covered: set[str], vault: Vault) -> Bundle | None:
    """Return a whole bundle of the same content that this run can rely on, if there is one."""
    for path in sorted(folder.glob(f"[0-9]*-{digest[:12]}"), reverse=True):
        with contextlib.suppress(LicensingError):
            bundle = read_bundle(path)
            if bundle.manifest.digest == digest and covered <= bundle.covered and bundle.serves(vault):
                return bundle
    return None


def write_bundle(
    folder: Path,
    host: str,
    files: Sequence[BundleFile],
    overview: Overview,
    made: str,
    vault: Vault,
    allow_poorer: bool = False,
) -> Bundle:
    """Write a bundle into a host's folder, unless one serves already, read it back, and make it the newest if it may.

    :param folder: the host's folder for bundles
    :param made: UTC, ``YYYY-MM-DDTHH:MM:SSZ``
    :param allow_poorer: whether it becomes the newest good one, whatever it lacks
    """
    digest = digest_of(files)
    name = f"{made.replace('-', '').replace(':', '')}-{digest[:12]}"
    Folder(folder).make(mode=0o700)

    def fill(making: Folder) -> None:
        _fill(making, host, files, overview, made, digest, vault)

    try:
        with _locked(folder, name):
            # Judged once more: another run may have made it while this one waited.
            verdict = judge(folder, files, overview, vault, allow_poorer)
            bundle = verdict.made or _written(folder, name, fill, vault)
            if verdict.moves:
                _point(folder, bundle.path.name)
            return bundle
    except OSError as error:
        raise refuse(
            f"The bundle cannot be written: {error.strerror or error}.",
            error.filename or str(folder),
            "Mend the cause on the controller (space, rights), then run this again.",
        ) from error


def _written(folder: Path, name: str, fill: Callable[[Folder], None], vault: Vault) -> Bundle:
    making, final = folder / f"{_MAKING}{name}", folder / name
    for left in folder.glob(f"{_MAKING}*"):
        # The lock is ours: whoever made these was killed.
        _clear(left)
    faults.reach("bundle.begin", name)
    making.mkdir(mode=0o700)
    fill(Folder(making))
    faults.reach("bundle.filled", name)
    read = read_bundle(making)
    read.require_opens(vault)
    if not read.serves(vault):
        raise refuse("The bundle cannot be read back.", str(making), "Check the vault passwords of this run.")
    _clear(final)
    faults.reach("bundle.verified", name)
    making.rename(final)
    faults.reach("bundle.renamed", name)
    _sync(folder)
    return Bundle(final, read.manifest, read.overview, read.text)


def _fill(
    folder: Folder,
    host: str,
    files: Sequence[BundleFile],
    overview: Overview,
    made: str,
    digest: str,
    vault: Vault,
) -> None:
    listed = []
    for file in files:
        _check_file(folder, file)
        stored = vault.encrypt(file.content) if file.secret else file.content
        folder.write(f"files/{file.name}", stored, PRIVATE)
        listed.append(ListedFile(file.name, file.mode, file.secret, file.sha256, hashlib.sha256(stored).hexdigest()))
    pages = {
        OVERVIEW: render(overview.as_dict()),
        PAGE: overview_page(overview, host, made, digest).encode(),
    }
    for name, content in pages.items():
        folder.write(name, content, PRIVATE)
    manifest = Manifest(
        FORMAT,
        host,
        overview.server.home_id,
        overview.server.version,
        made,
        digest,
        {name: hashlib.sha256(content).hexdigest() for name, content in pages.items()},
        tuple(listed),
    )
    text = render(manifest.as_dict())
    for name, content in {MANIFEST: text, **seals_of(text, vault)}.items():
        folder.write(name, content, PRIVATE)


def _check_file(folder: Folder, file: BundleFile) -> None:
    """Refuse a file that the bundle could not give back as it was."""
    if not is_plain_name(file.name):
        raise refuse(f"{quoted(file.name)} leads out of its folder.", str(folder.path), "Use a name inside the folder.")
    if file.secret and file.content.startswith(KEY_PREFIX):
        todo = "See who wrote this file; remove it from the home."
        raise refuse("A file of the home poses as the key of a bundle.", file.name, todo)
    if folder.has(f"files/{file.name}"):
        todo = "Rename one of them on the host, or keep the bundles on a file system that tells upper from lower case."
        raise refuse("Two files of the home have one name on the controller.", file.name, todo)


def _point(folder: Path, name: str) -> None:
    latest, made = folder / LATEST, folder / f"{_MAKING}{LATEST}"
    _clear(made)
    try:
        made.symlink_to(name)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _write_name(made, name)
    faults.reach("bundle.linked", name)
    if latest.is_dir() and not latest.is_symlink():
        # No bundle is removed, and what stands for the host is there all the while.
        numbers = (number for number in itertools.count(1) if not (folder / f"{COPIED}{number}").exists())
        latest.rename(folder / f"{COPIED}{next(numbers)}")
    made.replace(latest)
    faults.reach("bundle.pointed", name)
    _sync(folder)


def _clear(place: Path) -> None:
    """Remove what lies in a place of ours, if anything does: a copy of the folder may have made a folder of a link."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _write_name(place: Path, name: str) -> None:
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE)
    with os.fdopen(handle, "wb") as stream:
        stream.write(f"{name}\n".encode())
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    """Make what was renamed in a folder durable: licenses are given up on the strength of it."""
    with _opened(folder) as handle:
        sync_folder(handle)


@contextlib.contextmanager
def _locked(folder: Path, name: str) -> Iterator[None]:
    """Hold a host's folder against other backups, for as long as these take."""
    with contextlib.ExitStack() as stack:
        # The folder itself is what is locked, until it is closed: nothing is left in it.
        handle = stack.enter_context(_opened(folder))
        faults.reach("bundle.lock", name)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno == errno.EBADF:
                # NFS locks only what is open for writing, which a folder cannot be.
                flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
                handle = os.open(folder / _LOCK, flags, PRIVATE)
                stack.callback(os.close, handle)
            # Waits for another backup, and refuses in words where there are no locks.
            while not try_lock(handle, str(folder)):
                time.sleep(0.05)
        yield


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)
