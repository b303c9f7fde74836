# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundled license server's package: the core as one archive, and its files in a home."""

from __future__ import annotations

import functools
import io
import json
import os
import shlex
import sys
import zipfile
from dataclasses import dataclass, field

from .. import documents
from ..files import PUBLIC
from ..home.store import PACKAGE, Home
from .service import ARCHIVE

COMMANDS = ("licman", "licsrv", "authority")
_EXECUTABLE = 0o755
_LARGEST = 64 << 20


@dataclass(frozen=True)
class Package:
    """The licensing core as one zip archive that Python runs.

    :ivar digest: SHA-256 of the archive's contents, independent of the compression
    """

    version: str
    content: bytes = field(repr=False)

    @functools.cached_property
    def digest(self) -> str:
        return contents_digest(self.content) or documents.digest(self.content)

    def files(self, home: Home) -> dict[str, tuple[bytes, int]]:
        """Return the package's files in the order of writing: name in the home → content and mode."""
        # The digest of the archive itself distinguishes a changed file from one that another zlib compressed.
        description = {"version": self.version, "digest": self.digest, "archive": documents.digest(self.content)}
        described = f"{json.dumps(description)}\n"
        made: dict[str, tuple[bytes, int]] = {ARCHIVE: (self.content, PUBLIC)}
        for command in COMMANDS:
            made[f"Bin/{command}"] = (_launcher(home, command), _EXECUTABLE)
        made["Bin/package.json"] = (described.encode(), PUBLIC)
        return made


def contents_digest(archive: bytes) -> str | None:
    """Return the SHA-256 of the names and contents of an archive's files; None if it is damaged or too large.

    Different versions of zlib make different archives from the same files.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            if sum(entry.file_size for entry in opened.infolist()) > _LARGEST:
                return None
            held = sorted((entry.filename, documents.digest(opened.read(entry))) for entry in opened.infolist())
    # A damaged archive raises errors of zipfile or of a compression, depending on the damage.
    except Exception:
        return None
    return documents.digest(json.dumps(held).encode())


def _launcher(home: Home, command: str) -> bytes:
    # The alternate root is the real path of the commands without the home's path inside the root.
    place = os.path.realpath(home.folder.path)[len(os.path.realpath(home.root or "/").rstrip("/")) :]
    options = f'--home {shlex.quote(home.home)} --root "${{bin%{shlex.quote(place + "/Bin")}}}" ' * (
        command in ("licman", "licsrv")
    )
    return (
        "#!/bin/sh\n"
        "# Runs a command of the license server whose home contains this file.\n"
        'bin=$(dirname -- "$(readlink -f -- "$0")")\n'
        f'exec {shlex.quote(sys.executable)} "$bin/aims-licensing.pyz" {command} {options}"$@"\n'
    ).encode()


def stale_files(home: Home, package: Package) -> dict[str, tuple[bytes, int]]:
    """Return the files of a package that are missing from the home or differ: name → content and mode."""
    files = package.files(home)
    kept = _as_installed(home, package)
    return {
        name: (content, mode)
        for name, (content, mode) in files.items()
        if not _is_written(home, name, kept.get(name, content), mode)
    }


def _as_installed(home: Home, package: Package) -> dict[str, bytes]:
    """Return the installed archive and description if they differ from the package only by the compression."""
    archive, described = home.folder.find(ARCHIVE, _LARGEST), home.folder.find(PACKAGE)
    try:
        description = json.loads(described or b"")
    except (ValueError, RecursionError):
        return {}
    if archive is None or described is None or not isinstance(description, dict):
        return {}
    known = {"version": package.version, "digest": package.digest, "archive": documents.digest(archive)}
    same = description == known and contents_digest(archive) == package.digest
    return {ARCHIVE: archive, PACKAGE: described} if same else {}


def _is_written(home: Home, name: str, content: bytes, mode: int) -> bool:
    # A file of another user is written again, so that root owns it.
    whose = os.geteuid() == 0 and home.folder.owner(name) not in (None, 0)
    return not whose and home.folder.mode(name) == mode and home.folder.find(name, _LARGEST) == content
