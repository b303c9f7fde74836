# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bundle says of itself: manifest and overview, read within bounds and authenticated with a key of the vault.

The manifest has the digest of every other file. Its code is HMAC-SHA256 under a random key, which lies beside it,
encrypted with Ansible Vault: who can write the folder, but has no vault password, can make no bundle that passes.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    LicensingError,
    Problem,
    quoted,
    refuse,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fields import Fields, Kind
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import is_carried, is_secret
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.vault import Vault, open_secret

FORMAT = 2
# Without a key and a code.
FORMAT_WITHOUT_CODE = 1
MANIFEST = "manifest.yml"
SEAL = "manifest.sha256"
CODE = "manifest.hmac"
KEY = "manifest.key"
OVERVIEW = "overview.yml"
PAGE = "overview.html"
# A key begins with this, and no encrypted file of a home may: who knows what is in one could pass it for a key.
KEY_PREFIX = b"aims.licensing bundle key\n"
_DOMAIN = b"aims.licensing bundle manifest\n"
# Of a manifest or overview, and of what is beside them.
_LONGEST = 4 << 20
_SHORT = 4096
_DEEPEST = 30
# Python takes a time that grows with the square to read the digits of a number.
_DIGITS = 100
_MODE = re.compile(r"[0-7]{4}")
_ACCEPT = (
    "If you know that nobody changed the bundle, set accept_unauthenticated: true "
    "(aims_license_migrate_accept_unauthenticated for the playbooks)."
)
_KIND = Kind("a bundle's manifest", "Use an unchanged copy of the bundle.")


@dataclass(frozen=True)
class ListedFile:
    """A file of the home as a manifest lists it.

    :ivar mode: four octal digits
    :ivar secret: whether it is stored encrypted, which follows from its name
    :ivar sha256: of its content in plain; ``stored_sha256`` of what lies in the bundle
    """

    name: str
    mode: str
    secret: bool
    sha256: str
    stored_sha256: str

    @classmethod
    def read(cls, fields: Fields) -> ListedFile:
        name, mode = fields.text("name"), fields.text("mode")
        if not _MODE.fullmatch(mode):
            raise fields.refused("mode", "four octal digits")
        # A manifest that says otherwise would have a secret read or written in plain.
        if fields.flag("secret") is not is_secret(name):
            raise fields.refused("secret", "what follows from the name")
        return cls(name, mode, fields.flag("secret"), fields.text("sha256"), fields.text("stored_sha256"))


@dataclass(frozen=True)
class Manifest:
    """What a bundle holds, and of which host.

    :ivar version: of the license server
    :ivar made: UTC
    :ivar digest: over names, modes and contents of the files
    :ivar pages: the digests of overview and page, by the names of these files
    """

    format: int
    host: str
    home_id: str | None
    version: str | None
    made: str
    digest: str
    pages: Mapping[str, str]
    files: tuple[ListedFile, ...]

    @property
    def carried(self) -> dict[str, str]:
        """The digests of the files that move with the licenses, by name."""
        return {file.name: file.sha256 for file in self.files if is_carried(file.name)}

    @classmethod
    def from_dict(cls, data: object, where: str) -> Manifest:
        """Read a manifest.

        :raises LicensingError: it is not one; the message names the first field that is wrong
        """
        fields = Fields.of(data, _KIND, where)
        pages, files = fields.part("pages"), tuple(map(ListedFile.read, fields.rows("files")))
        if len({file.name for file in files}) != len(files):
            raise fields.refused("files", "a list of different names")
        return cls(
            fields.whole("format"),
            fields.text("host"),
            fields.text_or_none("home_id"),
            fields.text_or_none("version"),
            fields.text("made"),
            fields.text("digest"),
            {name: pages.text(name) for name in (OVERVIEW, PAGE)},
            files,
        )

    def as_dict(self) -> dict[str, Any]:
        """Give the manifest as it is written."""
        return {**asdict(self), "files": [asdict(file) for file in self.files]}


def render(data: Mapping[str, Any]) -> bytes:
    """Return a manifest or overview as YAML."""
    # Ansible's values are subclasses of str and dict, which YAML's safe dumper refuses and JSON takes as they are.
    plain = json.loads(json.dumps(data))
    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    return text.encode()


def seals_of(manifest: bytes, vault: Vault) -> dict[str, bytes]:
    """Return the files that vouch for a manifest, by name: its digest, its code and the key of that."""
    key = KEY_PREFIX + secrets.token_hex(32).encode() + b"\n"
    return {
        KEY: vault.encrypt(key),
        CODE: f"{_code(key, manifest)}  {MANIFEST}\n".encode(),
        SEAL: f"{hashlib.sha256(manifest).hexdigest()}  {MANIFEST}\n".encode(),
    }


def _code(key: bytes, manifest: bytes) -> str:
    return hmac.new(key, _DOMAIN + manifest, hashlib.sha256).hexdigest()


def read_manifest(folder: Folder) -> tuple[Manifest, bytes]:
    """Return a bundle's manifest and its bytes, or refuse; nobody vouches for it before :func:`doubt` was asked."""
    text = folder.read(MANIFEST, _LONGEST)
    if folder.read(SEAL, _SHORT).split()[:1] != [hashlib.sha256(text).hexdigest().encode()]:
        raise LicensingError([changed(folder, MANIFEST)])
    written = read_mapping(folder, MANIFEST, text)
    if written.get("format") not in (FORMAT, FORMAT_WITHOUT_CODE):
        todo = "Use the version of the collection that made it, or a newer one."
        what = f"The bundle has format {quoted(written.get('format'))}, not {FORMAT}."
        raise refuse(what, str(folder.path), todo)
    try:
        return Manifest.from_dict(written, folder.place(MANIFEST)), text
    except LicensingError:
        raise LicensingError([changed(folder, MANIFEST)]) from None


def doubt(folder: Folder, manifest: Manifest, text: bytes, vault: Vault | None) -> Problem | None:
    """Return why nobody vouches for a manifest, or None where somebody with a vault password of this run made it.

    :raises LicensingError: the key opens, and the manifest is not the one that it was made for
    """
    where = str(folder.path)
    if manifest.format == FORMAT_WITHOUT_CODE:
        what = "The bundle is of an earlier version and not authenticated: who can write its folder may have made it."
        return Problem(what, where, f"Back the host up again while it has its licenses. {_ACCEPT}")
    if not vault:
        what = "The bundle cannot be authenticated without a vault password."
        return Problem(what, where, f"Run with --vault-password-file or --vault-id. {_ACCEPT}")
    encrypted, code = (folder.find(name, _SHORT) for name in (KEY, CODE))
    if encrypted is None or code is None:
        raise LicensingError([changed(folder, KEY if encrypted is None else CODE)])
    try:
        key = open_secret(vault, encrypted, folder.place(KEY))
    except LicensingError as error:
        return error.problems[0]
    written = (code.split() or [b""])[0]
    if not key.startswith(KEY_PREFIX) or not hmac.compare_digest(_code(key, text).encode(), written):
        raise LicensingError([changed(folder, MANIFEST)])
    return None


def read_overview(folder: Folder, manifest: Manifest) -> Overview:
    """Return the overview that a bundle's manifest names, or refuse."""
    text = folder.read(OVERVIEW, _LONGEST)
    if hashlib.sha256(text).hexdigest() != manifest.pages[OVERVIEW]:
        raise LicensingError([changed(folder, OVERVIEW)])
    return Overview.from_dict(read_mapping(folder, OVERVIEW, text), folder.place(OVERVIEW))


def read_mapping(folder: Folder, name: str, text: bytes) -> Mapping[str, Any]:
    """Read a file that somebody may have written anew, with its digest."""
    try:
        if len(text) > _LONGEST:
            raise ValueError("too long")
        # libyaml where it is there: it takes a tenth of the time.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        _check_events(yaml.parse(text, Loader=loader))
        parsed = yaml.load(text, Loader=loader)  # noqa: S506 - both are safe loaders
        # What cannot be written again, such as half a character, was not written by us.
        json.dumps(parsed, ensure_ascii=False, default=str).encode()
    # A value that is not what its tag says ends in errors of many types in the YAML library.
    except Exception:
        parsed = None
    if not isinstance(parsed, dict):
        raise LicensingError([changed(folder, name)])
    return parsed


def _check_events(events: Any) -> None:
    """Pass only what we write: a few bytes of aliases, of depth or of digits can cost all memory, stack or time."""
    depth = 0
    for event in events:
        if isinstance(event, (yaml.CollectionStartEvent, yaml.CollectionEndEvent)):
            depth += 1 if isinstance(event, yaml.CollectionStartEvent) else -1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) or getattr(event, "tag", None):
            raise ValueError("an alias, an anchor or a tag")
        number = isinstance(event, yaml.ScalarEvent) and event.implicit[0] and event.value[:1] in "+-.0123456789"
        if depth > _DEEPEST or (number and len(event.value) > _DIGITS):
            raise ValueError("too deep, or a number that is too long")


def is_plain_name(name: object) -> bool:
    """Whether a name is the one way to write a file of the home: ``a/./b`` is another name, and the same file."""
    return isinstance(name, str) and not name.startswith("/") and str(PurePosixPath(name)) == name != "."


def changed(folder: Folder, name: str) -> Problem:
    """Return the problem of a file that is not what was written."""
    return Problem(
        "This file of the bundle is missing or was changed since the bundle was made.",
        folder.place(name),
        "Use an unchanged copy of the bundle; if there is none, move it away and back up again.",
    )
