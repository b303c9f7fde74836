# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a ledger: its tables, and the cleanup after an interrupted creation."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Callable

from ..system import sync_folder

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE realm (name TEXT NOT NULL, private_key BLOB NOT NULL, public_key TEXT NOT NULL);
CREATE TABLE license (number TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE holding (number TEXT PRIMARY KEY REFERENCES license, live INTEGER NOT NULL, fingerprint TEXT NOT NULL,
                      host_key TEXT NOT NULL, nodelock TEXT NOT NULL);
CREATE TABLE transfer (number TEXT NOT NULL REFERENCES license, nodelock TEXT NOT NULL, at TEXT NOT NULL);
CREATE INDEX transfer_of ON transfer (number, nodelock, at);
CREATE TABLE response (request_id TEXT PRIMARY KEY, request_digest TEXT NOT NULL, content BLOB NOT NULL);
CREATE TABLE audit (serial INTEGER PRIMARY KEY, at TEXT NOT NULL, event TEXT NOT NULL, number TEXT,
                    detail TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL);
"""
# Ledgers of the first version lack this index; the first change creates it.
AUDIT_INDEX = "CREATE INDEX IF NOT EXISTS record_of ON audit (number, at)"
# Ledgers of the first version lack these tables; the first change that needs them creates them.
UNPROVEN_TABLES = """
CREATE TABLE IF NOT EXISTS unproven (at INTEGER PRIMARY KEY, request_id TEXT NOT NULL UNIQUE, digest TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS unproven_count (hour TEXT PRIMARY KEY, requests INTEGER NOT NULL);
"""
SETTINGS = "CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value INTEGER NOT NULL)"


def temporary_prefix(place: Path) -> str:
    """Return the prefix of a ledger's name during its creation."""
    return f".tmp-{place.name}-"


def sweep(place: Path, is_left: Callable[[os.stat_result], bool]) -> None:
    """Remove the files of killed creations of a ledger, because they have a private key.

    Folders and links with such a name are not ours and stay.
    """
    begins = temporary_prefix(place)
    for left in place.parent.iterdir():
        if left.name.startswith(begins):
            with contextlib.suppress(FileNotFoundError):
                status = left.lstat()
                if stat.S_ISREG(status.st_mode) and is_left(status):
                    left.unlink()


def sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync_folder(handle)
    finally:
        os.close(handle)
