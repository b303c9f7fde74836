# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles on the controller: written whole, read back, verified, and never displaced by a poorer one.

::

    DEST/HOST/20261121T192022Z-4be1c7a90d21/
        manifest.yml  manifest.sha256      what is in it, with digests
        overview.yml  overview.html
        files/…                            the files of the home; secrets encrypted with Ansible Vault
    DEST/HOST/latest                       a link to the newest good one, which stands for the host once it is lost
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

import yaml
from ansible_collections.aims.licensing.plugins.module_utils._licensing import faults
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    LicensingError,
    Problem,
    refuse,
    shown,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import PRIVATE, Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.overview import (
    INACTIVE,
    PENDING_DEACTIVATION,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.store import CONFIG, is_carried
from ansible_collections.aims.licensing.plugins.plugin_utils._cells import HELD
from ansible_collections.aims.licensing.plugins.plugin_utils._pages import overview_page
from ansible_collections.aims.licensing.plugins.plugin_utils._vault import Vault, open_secret

FORMAT = 1
MANIFEST = "manifest.yml"
SEAL = "manifest.sha256"
OVERVIEW = "overview.yml"
PAGE = "overview.html"
LATEST = "latest"
_LIMIT = 32 << 20
_MODE = re.compile(r"[0-7]{4}")
_MAKING = ".tmp-"
# What giving licenses up changes in a home; a bundle from before that is as good without it.
_GIVEN_UP = ("Journal/", "Nodelocks/", CONFIG)


@dataclass(frozen=True)
class BundleFile:
    """A file of the home, in plain."""

    name: str
    mode: str
    secret: bool
    content: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read and verified.

    :ivar overview: as of ``aims_license_info``, when it was made
    """

    path: Path
    manifest: Mapping[str, Any]
    overview: Mapping[str, Any]

    @property
    def covered(self) -> set[str]:
        """The licenses whose nodelocks the bundle has."""
        return covered_licenses(self.overview)

    @property
    def known(self) -> set[str]:
        """The licenses that the bundle can stand for: those it covers, and those that its host gave back."""
        return self.covered | _given_back(self.overview)

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
        file = next(file for file in self.manifest["files"] if file["name"] == name)
        folder, place = Folder(self.path), f"files/{name}"
        stored = folder.read(place, _LIMIT)
        if hashlib.sha256(stored).hexdigest() != file["stored_sha256"]:
            raise LicensingError([_changed(folder, place)])
        content = open_secret(vault, stored, folder.place(place)) if file["secret"] else stored
        if hashlib.sha256(content).hexdigest() != file.get("sha256"):
            raise LicensingError([_changed(folder, place)])
        return content

    def require_opens(self, vault: Vault) -> None:
        """Refuse unless the passwords of this run open every secret of the bundle: who relies on it needs them all."""
        for file in self.manifest["files"]:
            if file["secret"]:
                self.opened(vault, file["name"])

    def opens(self, vault: Vault) -> bool:
        """Whether the passwords of this run open every secret of the bundle."""
        try:
            self.require_opens(vault)
        except LicensingError:
            return False
        return True


def live_licenses(overview: Mapping[str, Any]) -> set[str]:
    """Return the numbers of the licenses that an overview shows as held."""
    return {license["number"] for license in overview["licenses"] if license["status"] in HELD}


def covered_licenses(overview: Mapping[str, Any]) -> set[str]:
    """Return the numbers of the licenses whose nodelocks are there, those too that are about to be given back."""
    return {one["number"] for one in overview["licenses"] if one["status"] in (*HELD, PENDING_DEACTIVATION)}


def _given_back(overview: Mapping[str, Any]) -> set[str]:
    """Return the licenses that a home shows as given back, not as merely damaged; an emergency ends by itself."""
    return {
        one["number"]
        for one in overview["licenses"]
        if one["status"] == INACTIVE and (one.get("until") or (one.get("fenced") and not one.get("holder")))
    }


def digest_of(files: Sequence[BundleFile]) -> str:
    """Return the digest over names, modes and contents; the same home always gives the same."""
    listed = [[file.name, file.mode, file.secret, file.sha256] for file in sorted(files, key=lambda file: file.name)]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def newest(folder: Path) -> Bundle | None:
    """Return the newest good bundle of a host, verified, or None."""
    link = folder / LATEST
    return read_bundle(link) if link.is_symlink() or link.exists() else None


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
    folder: Path, files: Sequence[BundleFile], overview: Mapping[str, Any], vault: Vault, allow_poorer: bool = False
) -> Verdict:
    """Compare a home with the bundles of its host (invariant I6).

    What is new is always backed up: what is about to be given up has to be in a bundle. Only whether that becomes the
    newest good one depends on what it lacks. A bundle that the passwords of this run do not open serves nobody.
    """
    last, digest, now = newest(folder), digest_of(files), covered_licenses(overview)
    if last is None:
        return Verdict(_same(folder, digest, now, vault), moves=True)
    opens = last.opens(vault)
    if opens and last.manifest["digest"] == digest and now <= last.covered:
        return Verdict(last, moves=False)
    # Of those that wait to be given back the last bundle may have been made while they were active.
    lost = last.covered - live_licenses(overview)
    other = last.manifest.get("home_id") != overview["server"]["home_id"]
    news = other or not opens or _has_news(last, files, overview)
    gone: set[str] = set() if other else last.covered - now - _given_back(overview)
    moves = not lost or allow_poorer or bool(news and now and not gone)
    if not moves and not (now if other else news):
        return Verdict(last, moves=False, kept=f"{', '.join(sorted(lost))} active in the newest bundle, but not now")
    kept = None if moves else f"{last.path.name} stays the newest: {', '.join(sorted(gone or lost))} active there only"
    return Verdict(_same(folder, digest, now, vault), moves, kept)


def _has_news(last: Bundle, files: Sequence[BundleFile], overview: Mapping[str, Any]) -> bool:
    """Whether a home has what its last bundle has not, beyond what giving licenses up leaves behind."""
    told = {(file["name"], str(file.get("sha256"))) for file in last.manifest["files"]}
    changed = any((file.name, file.sha256) not in told for file in files if not file.name.startswith(_GIVEN_UP))
    return changed or not covered_licenses(overview) <= last.covered or _offers(overview) != _offers(last.overview)


def _offers(overview: Mapping[str, Any]) -> list[Any]:
    """Return what an overview tells of profiles and users, which lie in a file that giving licenses up changes too."""
    profiles = [[row.get(key) for key in ("name", "license", "default")] for row in overview["profiles"]]
    return [profiles, list(overview["users"])]


def _same(folder: Path, digest: str, covered: set[str], vault: Vault) -> Bundle | None:
    """Return a whole bundle of the same content that the passwords of this run open, if there is one."""
    for path in sorted(folder.glob(f"[0-9]*-{digest[:12]}"), reverse=True):
        with contextlib.suppress(LicensingError):
            found = read_bundle(path)
            if found.manifest["digest"] == digest and covered <= found.covered and found.opens(vault):
                return found
    return None


def write_bundle(
    folder: Path,
    host: str,
    files: Sequence[BundleFile],
    overview: Mapping[str, Any],
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
        with _opened(folder) as handle:
            # The folder itself is what is locked, until it is closed: nothing is left in it.
            faults.reach("bundle.lock", name)
            fcntl.flock(handle, fcntl.LOCK_EX)
            # Judged once more: another run may have made it while this one waited.
            found = judge(folder, files, overview, vault, allow_poorer)
            bundle = found.made or _written(folder, name, fill, vault)
            if found.moves:
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
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    faults.reach("bundle.begin", name)
    making.mkdir(mode=0o700)
    fill(Folder(making))
    faults.reach("bundle.filled", name)
    read = read_bundle(making)
    read.require_opens(vault)
    if final.exists():
        shutil.rmtree(final)
    faults.reach("bundle.verified", name)
    making.rename(final)
    faults.reach("bundle.renamed", name)
    _sync(folder)
    return Bundle(final, read.manifest, read.overview)


def _fill(
    folder: Folder,
    host: str,
    files: Sequence[BundleFile],
    overview: Mapping[str, Any],
    made: str,
    digest: str,
    vault: Vault,
) -> None:
    listed = []
    for file in files:
        stored = vault.encrypt(file.content) if file.secret else file.content
        folder.write(f"files/{file.name}", stored, PRIVATE)
        listed.append(
            {
                "name": file.name,
                "mode": file.mode,
                "secret": file.secret,
                "sha256": file.sha256,
                "stored_sha256": hashlib.sha256(stored).hexdigest(),
            }
        )
    pages = {
        OVERVIEW: _yaml(overview),
        PAGE: overview_page(overview, host, made, digest).encode(),
    }
    for name, content in pages.items():
        folder.write(name, content, PRIVATE)
    manifest = {
        "format": FORMAT,
        "host": host,
        "home_id": overview["server"]["home_id"],
        "version": overview["server"]["version"],
        "made": made,
        "digest": digest,
        "pages": {name: hashlib.sha256(content).hexdigest() for name, content in pages.items()},
        "files": listed,
    }
    text = _yaml(manifest)
    folder.write(MANIFEST, text, PRIVATE)
    folder.write(SEAL, f"{hashlib.sha256(text).hexdigest()}  {MANIFEST}\n".encode(), PRIVATE)


def _yaml(data: Mapping[str, Any]) -> bytes:
    # Ansible's values are subclasses of str and dict, which YAML's safe dumper refuses and JSON takes as they are.
    plain = json.loads(json.dumps(data))
    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    return text.encode()


def _point(folder: Path, name: str) -> None:
    link = folder / f"{_MAKING}{LATEST}"
    link.unlink(missing_ok=True)
    link.symlink_to(name)
    faults.reach("bundle.linked", name)
    link.replace(folder / LATEST)
    faults.reach("bundle.pointed", name)
    _sync(folder)


def _sync(folder: Path) -> None:
    """Make what was renamed in a folder durable: licenses are given up on the strength of it."""
    with _opened(folder) as handle:
        os.fsync(handle)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def read_bundle(path: Path) -> Bundle:
    """Read a bundle and verify every file of it; refuse with all that differs.

    :param path: the bundle's folder, or the link ``latest``
    """
    if not path.is_dir():
        raise refuse("There is no bundle here.", str(path), "Make one with aims_license_backup, or correct the path.")
    folder = Folder(path.resolve())
    text = folder.read(MANIFEST, _LIMIT)
    if folder.read(SEAL).split()[:1] != [hashlib.sha256(text).hexdigest().encode()]:
        raise LicensingError([_changed(folder, MANIFEST)])
    manifest = _mapping(folder, MANIFEST, text)
    if manifest.get("format") != FORMAT:
        todo = "Use the version of the collection that made it, or a newer one."
        raise refuse(f"The bundle has format {shown(manifest.get('format'))}, not {FORMAT}.", str(path), todo)
    try:
        pages = {name: manifest["pages"][name] for name in (OVERVIEW, PAGE)}
        expected = {f"files/{file['name']}": file["stored_sha256"] for file in manifest["files"]} | pages
        if not _is_whole(manifest):
            raise ValueError("incomplete")
    except (KeyError, TypeError, ValueError):
        raise LicensingError([_changed(folder, MANIFEST)]) from None
    problems = [_changed(folder, name) for name, digest in expected.items() if _digest(folder, name) != digest]
    if problems:
        raise LicensingError(problems)
    overview = _mapping(folder, OVERVIEW, folder.read(OVERVIEW, _LIMIT))
    if not _tells(overview):
        raise LicensingError([_changed(folder, OVERVIEW)])
    return Bundle(folder.path, manifest, overview)


def _mapping(folder: Folder, name: str, text: bytes) -> Mapping[str, Any]:
    """Read a file that somebody may have written anew, with its digest."""
    try:
        parsed = yaml.safe_load(text)
        # What cannot be written again, such as half a character, was not written by us.
        json.dumps(parsed, ensure_ascii=False, default=str).encode()
    # A value that is not what its tag says ends in errors of many types in the YAML library.
    except Exception:
        parsed = None
    if not isinstance(parsed, dict):
        raise LicensingError([_changed(folder, name)])
    return parsed


def _is_whole(manifest: Mapping[str, Any]) -> bool:
    """Whether a manifest has all that is read from it later."""
    files = manifest.get("files")
    texts = [manifest.get(name) for name in ("host", "made", "digest")]
    return (
        isinstance(files, list)
        and all(isinstance(text, str) for text in texts)
        and isinstance(manifest.get("home_id"), (str, type(None)))
        and all(isinstance(file, dict) and isinstance(file.get("secret"), bool) for file in files)
        and all(isinstance(file.get("name"), str) and _MODE.fullmatch(str(file.get("mode"))) for file in files)
    )


def _tells(overview: Mapping[str, Any]) -> bool:
    """Whether an overview has what is read from it later."""
    wanted = {"licenses": ("number", "status"), "profiles": ("name", "license")}
    rows = [overview.get(name) for name in (*wanted, "users")]
    return (
        isinstance(overview.get("server"), dict)
        and "realm" in overview["server"]
        and _is_realm(overview["server"]["realm"])
        and all(isinstance(row, list) for row in rows)
        and all(isinstance(user, str) for user in overview["users"])
        and all(
            isinstance(row, dict) and all(isinstance(row.get(key), str) for key in keys)
            for name, keys in wanted.items()
            for row in overview[name]
        )
        and all(
            isinstance(row.get(key), (str, type(None)))
            for row in overview["licenses"]
            for key in ("holder", "code_key")
        )
    )


def _is_realm(found: object) -> bool:
    keys = ("name", "id", "key")
    return found is None or (isinstance(found, dict) and all(isinstance(found.get(key), str) for key in keys))


def carried_files(bundle: Bundle, vault: Vault) -> list[dict[str, str]]:
    """Return the files that have to move with the licenses, in plain, as aims_license_activate takes them."""
    files = []
    for file in bundle.manifest["files"]:
        if is_carried(file["name"]):
            content = bundle.opened(vault, file["name"])
            files.append({"name": file["name"], "mode": file["mode"], "content": base64.b64encode(content).decode()})
    return files


def _digest(folder: Folder, name: str) -> str | None:
    data = folder.find(name, _LIMIT)
    return None if data is None else hashlib.sha256(data).hexdigest()


def _changed(folder: Folder, name: str) -> Problem:
    return Problem(
        "This file of the bundle is missing or was changed since the bundle was made.",
        folder.place(name),
        "Use an unchanged copy of the bundle; if there is none, move it away and back up again.",
    )
