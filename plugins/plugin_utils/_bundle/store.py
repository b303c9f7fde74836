# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles on the controller, as they are read: verified, authenticated, and opened when something relies on them.

::

    DEST/HOST/20261121T192022Z-4be1c7a90d21/
        manifest.yml  manifest.sha256      what is in it, with digests
        manifest.hmac  manifest.key        who made it: a code of the manifest, and its key, encrypted
        overview.yml  overview.html
        files/…                            the files of the home; secrets encrypted with Ansible Vault
    DEST/HOST/latest                       a link to the newest good one, which stands for the host once it is lost

Where the file system has no symbolic links, ``latest`` is a file with the name of that bundle; a copy of the folder may
have made a bundle of its own of it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    LicensingError,
    Problem,
    quoted,
    refuse,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import is_carried, is_secret
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.manifest import (
    OVERVIEW,
    PAGE,
    Manifest,
    changed,
    doubt,
    is_plain_name,
    read_manifest,
    read_overview,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.vault import Vault, open_secret
from ansible_collections.aims.licensing.plugins.plugin_utils._places import host_folder

LATEST = "latest"
# What a copy of the folder made of the link, where a link has taken its place again; numbered.
COPIED = "latest-copied-"
BUNDLE = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{12}")
_LIMIT = 32 << 20
# All files that move with the licenses; they travel in one call.
_CARRIED = 64 << 20


@dataclass(frozen=True)
class BundleFile:
    """A file of the home, in plain."""

    name: str
    mode: str
    content: bytes = field(repr=False)

    @property
    def secret(self) -> bool:
        """Whether it lies in the bundle encrypted: its name says so, and not the host that it is of."""
        return is_secret(self.name)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read and verified.

    :ivar overview: of the host, when the bundle was made
    :ivar text: the bytes of the manifest
    """

    path: Path
    manifest: Manifest
    overview: Overview
    text: bytes = field(repr=False, compare=False)

    @property
    def covered(self) -> set[str]:
        """The licenses whose nodelocks the bundle has."""
        return self.overview.with_nodelock

    @property
    def known(self) -> set[str]:
        """The licenses that the bundle can stand for: those it covers, and those that its host gave back."""
        return self.covered | self.overview.ended

    def require_covers(self, numbers: Sequence[str]) -> None:
        """Refuse unless all these licenses were active when the bundle was made."""
        missing = [number for number in numbers if number not in self.covered]
        if missing:
            raise refuse(
                f"The bundle does not cover {', '.join(missing)}: not active when it was made.",
                str(self.path),
                "Back up the host while the licenses are active (aims_license_backup), then deactivate.",
            )

    def opened(self, vault: Vault, name: str) -> bytes:
        """Return a file of the home in plain, as it lies in the bundle at this moment; refuse what does not open."""
        file = next(file for file in self.manifest.files if file.name == name)
        folder, place = Folder(self.path), f"files/{name}"
        stored = folder.read(place, _LIMIT)
        if hashlib.sha256(stored).hexdigest() != file.stored_sha256:
            raise LicensingError([changed(folder, place)])
        content = open_secret(vault, stored, folder.place(place)) if file.secret else stored
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise LicensingError([changed(folder, place)])
        return content

    def require_opens(self, vault: Vault) -> None:
        """Refuse unless the passwords of this run open every secret of the bundle: who relies on it needs them all."""
        for file in self.manifest.files:
            if file.secret:
                self.opened(vault, file.name)

    def doubt(self, vault: Vault | None) -> Problem | None:
        """Return why nobody vouches for the bundle, or None where a vault password of this run does.

        :raises LicensingError: it is not the one that was made
        """
        return doubt(Folder(self.path), self.manifest, self.text, vault)

    def serves(self, vault: Vault) -> bool:
        """Whether this run can rely on the bundle: its passwords vouch for it and open every secret."""
        if self.doubt(vault) is not None:
            return False
        try:
            self.require_opens(vault)
        except LicensingError:
            return False
        return True


def digest_of(files: Sequence[BundleFile]) -> str:
    """Return the digest over names, modes and contents; the same home always gives the same."""
    listed = [[file.name, file.mode, file.secret, file.sha256] for file in sorted(files, key=lambda file: file.name)]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def newest(folder: Path) -> Bundle | None:
    """Return the newest good bundle in a host's folder, verified, or None."""
    place = _latest(folder)
    return read_bundle(place) if place.is_symlink() or place.exists() else None


def newest_of(bundles: Path, host: str) -> Bundle | None:
    """Return the newest good bundle of a host, verified, or None; refuse that of another host."""
    bundle = newest(host_folder(bundles, host))
    if bundle is not None and bundle.manifest.host != host:
        raise refuse(
            f"The newest bundle is of {quoted(bundle.manifest.host)}, not of {host}.",
            str(bundle.path),
            "Put the bundles of this host back in their place. If the host was renamed, name its bundle "
            "(aims_license_migrate_bundle), or move the folder away and back up again.",
        )
    return bundle


def _latest(folder: Path) -> Path:
    """Return what stands for the newest bundle: a link, or the copy that a backup was about to replace by one."""
    link = folder / LATEST
    if link.is_symlink() or link.exists():
        return link
    copies = sorted(folder.glob(f"{COPIED}[0-9]*"), key=lambda path: (len(path.name), path.name))
    return copies[-1] if copies else link


def _named(link: Path) -> Path:
    """Return the bundle that a link names, also one that is a file, on a file system without symbolic links."""
    if link.name != LATEST or link.is_symlink() or not link.is_file():
        return link
    name = Folder(link.parent).read(LATEST, 1000).decode("utf-8", "replace").strip()
    if not BUNDLE.fullmatch(name):
        todo = "Write the name of the newest bundle into it, or remove it and back up again."
        raise refuse("This file names no bundle.", str(link), todo)
    return link.parent / name


def read_bundle(path: Path) -> Bundle:
    """Read a bundle and verify every file of it; refuse with all that differs.

    :param path: the bundle's folder, or what names it: ``latest``
    """
    path = _named(path)
    if not path.is_dir():
        raise refuse("There is no bundle here.", str(path), "Make one with aims_license_backup, or correct the path.")
    folder = Folder(path.resolve())
    manifest, text = read_manifest(folder)
    expected = {f"files/{file.name}": file.stored_sha256 for file in manifest.files}
    expected.update({name: manifest.pages[name] for name in (OVERVIEW, PAGE)})
    problems = [changed(folder, name) for name, digest in expected.items() if _digest(folder, name) != digest]
    # One file under two names would be secret under one of them only.
    problems += [changed(folder, file.name) for file in manifest.files if not is_plain_name(file.name)]
    if problems:
        raise LicensingError(problems)
    return Bundle(folder.path, manifest, read_overview(folder, manifest), text)


def carried_files(bundle: Bundle, vault: Vault) -> list[dict[str, str]]:
    """Return the files that have to move with the licenses, in plain, as aims_license_activate takes them."""
    files, size = [], 0
    for file in bundle.manifest.files:
        if is_carried(file.name):
            content = bundle.opened(vault, file.name)
            size += len(content)
            if size > _CARRIED:
                what = f"The files that move with the licenses have more than {_CARRIED >> 20} MiB."
                raise refuse(
                    what, str(bundle.path), "Remove from ApplicationKeys and Licenses what does not belong there."
                )
            files.append({"name": file.name, "content": base64.b64encode(content).decode()})
    return files


def _digest(folder: Folder, name: str) -> str | None:
    data = folder.find(name, _LIMIT)
    return None if data is None else hashlib.sha256(data).hexdigest()
