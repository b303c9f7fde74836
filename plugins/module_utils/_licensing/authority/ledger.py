# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The authority's ledger: a SQLite file with its key, licenses, holdings, transfers, responses and audit log."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from .. import documents, faults
from ..documents import Realm
from ..errors import LicensingError, refuse
from ..files import PRIVATE
from ..model import ACTIVATE, DEACTIVATE, UPDATE, Account, License, parse_time, render_time
from ..system import require_locks
from .certificates import Certificates
from .ledger_file import AUDIT_INDEX, SCHEMA, SCHEMA_VERSION, SETTINGS, UNPROVEN_TABLES, sweep, sync, temporary_prefix
from .policy import EMERGENCY_DAYS, Holding, check_emergency_days

EMERGENCY = "emergency"
SETTING = "setting"
# How many ids of unproven requests are remembered.
REMEMBERED = 10_000
REHEARSAL = "REHEARSAL "
_START = "0" * 64
# Seconds after which an incomplete file is taken to be of a creation that was killed.
_UNDER_WAY = 60.0
_ADVICE = "Check its permissions, free space and other users of it. If it is damaged, restore it from a backup."


class Ledger:
    """An open ledger. Use it as a context manager, and change it within :meth:`change`.

    :raises LicensingError: the file is missing, not a ledger, or of another version
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            there = Path(path).is_file()
            if there and Path(path).stat().st_nlink > 1:
                # A creation that was killed at its end leaves the file with a second name.
                sweep(Path(path).absolute(), lambda status: os.path.samestat(status, Path(path).stat()))
        except OSError as error:
            raise refuse(f"The ledger cannot be reached: {error.strerror}.", path, _ADVICE) from error
        if not there:
            raise refuse(
                "There is no ledger of an authority here.",
                path,
                "Create a ledger with 'authority init', or correct aims_license_server_authority.",
            )
        try:
            self._db = self._connect(path)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise refuse(f"The ledger cannot be opened: {error}.", path, _ADVICE) from None
        try:
            version = self._rows("PRAGMA user_version")[0][0]
            row = self._row("SELECT name, private_key, public_key FROM realm") if version else None
        except LicensingError:
            self._db.close()
            raise
        if version != SCHEMA_VERSION or row is None:
            self._db.close()
            todo = "Use the path of the ledger, or create a ledger at another path with 'authority init'."
            raise refuse("This file is not a ledger of this version.", path, todo)
        certificates = Certificates(path)
        try:
            named = {"name": row[0], "key": row[2], "ca": certificates.ca()}
            self.realm = Realm.from_dict(named, f"{certificates.where}/ca.pem")
        except LicensingError:
            self._db.close()
            raise
        try:
            self._private_key = self._blob(row[1])
        except LicensingError:
            self._db.close()
            raise

    @staticmethod
    def _connect(path: str) -> sqlite3.Connection:
        db = sqlite3.connect(path, timeout=15.0, isolation_level=None)
        try:
            # SQLite reads the file only at the first statement.
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            # UnicodeDecodeError: SQLite quotes unreadable data in its errors, which Python may fail to decode.
            db.close()
            raise
        return db

    @classmethod
    def create(cls, path: str, name: str) -> Ledger:
        """Create a ledger with a new key.

        :param name: the realm's name; the prefix ``REHEARSAL`` distinguishes it from the vendor's authority
        """
        realm = name if name.startswith(REHEARSAL) else f"{REHEARSAL}{name}"
        Realm.from_dict({"name": realm, "key": "A" * 43 + "="}, "realm name")
        pem = documents.new_private_key()
        public = documents.realm_key(documents.load_private_key(pem, path))
        place = Path(path).absolute()
        temporary = place.with_name(f"{temporary_prefix(place)}{secrets.token_hex(6)}")
        try:
            sweep(place, lambda status: time.time() - status.st_mtime > _UNDER_WAY)
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, PRIVATE))
            faults.reach("ledger.create.made", path)
            db = cls._connect(str(temporary))
            db.executescript(SCHEMA + UNPROVEN_TABLES + AUDIT_INDEX)
            db.execute("INSERT INTO realm VALUES (?, ?, ?)", (realm, pem, public))
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            db.close()
            faults.reach("ledger.create.filled", path)
            os.link(temporary, place)
            faults.reach("ledger.create.linked", path)
            sync(place.parent)
        except FileExistsError:
            raise refuse("The file already exists.", path, "Use the existing ledger, or choose another path.") from None
        except OSError as error:
            raise refuse(
                f"Cannot create the ledger: {error.strerror}.", path, "Create its folder, or choose another path."
            ) from error
        except sqlite3.Error as error:
            require_locks(place)
            raise refuse(f"Cannot create the ledger: {error}.", path, _ADVICE) from None
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
        return cls(path)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        """Run the block as one durable transaction."""
        self._rows("BEGIN IMMEDIATE")
        try:
            yield
            self._rows("COMMIT")
            faults.reach("ledger.committed", self.path)
        except BaseException:
            # After a disk failure, SQLite has already rolled back.
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    def check_writable(self, dry: bool = False) -> None:
        """Check that the ledger is writable, by a write that changes nothing of meaning.

        :param dry: write nothing; missing permissions and locks are still detected
        """
        with self.change():
            if not dry:
                # SQLite skips the write of an unchanged row, but always writes the version.
                self._rows(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            faults.reach("ledger.statement", statement)
            return self._db.execute(statement, values).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            require_locks(Path(self.path).absolute())
            raise refuse(f"The ledger cannot be used: {error}.", self.path, _ADVICE) from None

    def _row(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        return next(iter(self._rows(statement, *values)), None)

    def _damaged(self) -> LicensingError:
        return refuse("The ledger is damaged: a value in its tables is invalid.", self.path, _ADVICE)

    def _blob(self, value: object) -> bytes:
        # bytes(number) would allocate that many bytes.
        if not isinstance(value, bytes):
            raise self._damaged()
        return value

    def _mapping(self, text: object) -> dict[str, Any]:
        try:
            data = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            raise self._damaged()
        return data

    def sign(self, kind: str, body: Mapping[str, Any]) -> bytes:
        """Return a document signed by the realm."""
        return documents.sign(kind, body, {"realm": documents.load_private_key(self._private_key, self.path)})

    def licenses(self) -> list[License]:
        """Return all issued licenses, sorted by number."""
        rows = self._rows("SELECT body FROM license ORDER BY number")
        return [License.from_dict(self._mapping(body), self.path) for (body,) in rows]

    def license(self, number: str) -> License | None:
        row = self._row("SELECT body FROM license WHERE number = ?", number)
        return License.from_dict(self._mapping(row[0]), self.path) if row else None

    def put_license(self, license: License, now: datetime, event: str = "issue") -> None:
        """Issue a license, or replace it. Call this within :meth:`change`."""
        body = dict(vars(license))
        self._rows(
            "INSERT INTO license VALUES (?, ?) ON CONFLICT (number) DO UPDATE SET body = excluded.body",
            license.number,
            json.dumps(body, sort_keys=True),
        )
        self.record(now, event, license.number, body)

    def holding(self, number: str) -> Holding | None:
        row = self._row("SELECT live, fingerprint, host_key, nodelock FROM holding WHERE number = ?", number)
        return Holding(bool(row[0]), self._mapping(row[1]), str(row[2]), str(row[3])) if row else None

    def put_holding(self, number: str, holding: Holding) -> None:
        self._rows(
            "INSERT OR REPLACE INTO holding VALUES (?, ?, ?, ?, ?)",
            number,
            int(holding.live),
            json.dumps(dict(holding.fingerprint)),
            holding.host_key,
            holding.nodelock,
        )

    def account(self, number: str, nodelock: str) -> Account:
        """Return the transfers that a license has spent with a kind of nodelock."""
        rows = self._rows("SELECT at FROM transfer WHERE number = ? AND nodelock = ? ORDER BY at", number, nodelock)
        return Account(nodelock, tuple(parse_time(at, self.path) for (at,) in rows))

    def add_transfer(self, number: str, nodelock: str, now: datetime) -> None:
        self._rows("INSERT INTO transfer VALUES (?, ?, ?)", number, nodelock, render_time(now))

    def response(self, request_id: str) -> tuple[str, bytes] | None:
        """Return ``(request digest, response)`` of an answered request, or None."""
        row = self._row("SELECT request_digest, content FROM response WHERE request_id = ?", request_id)
        if row is None:
            return None
        digest, content = row[0], self._blob(row[1])
        try:
            response = documents.read(content, documents.RESPONSE, self.path)
        except LicensingError:
            raise self._damaged() from None
        asked = (response.body.get("request_id"), response.body.get("request_digest"))
        if asked != (request_id, digest) or not response.is_signed("realm", self.realm.key):
            raise self._damaged()
        return digest, content

    def put_response(self, request_id: str, request_digest: str, content: bytes) -> None:
        self._rows("INSERT INTO response VALUES (?, ?, ?)", request_id, request_digest, content)

    def replace_response(self, request_id: str, content: bytes) -> None:
        """Replace the response to a request, because its grant was withdrawn."""
        self._rows("UPDATE response SET content = ? WHERE request_id = ?", content, request_id)

    def unproven(self, request_id: str) -> str | None:
        """Return the mark of a refused unproven request, or None."""
        self._create_unproven()
        row = self._row("SELECT digest FROM unproven WHERE request_id = ?", request_id)
        return row[0] if row else None

    def put_unproven(self, request_id: str, mark: str) -> None:
        """Remember an unproven request. Beyond REMEMBERED, the oldest are forgotten."""
        self._rows("INSERT INTO unproven (request_id, digest) VALUES (?, ?)", request_id, mark)
        self._rows("DELETE FROM unproven WHERE at <= (SELECT MAX(at) FROM unproven) - ?", REMEMBERED)

    def count_unproven(self, hour: str) -> int | None:
        """Count an unproven request. Return the previous hour's count for the first request of an hour, else None."""
        row = self._row("SELECT hour, requests FROM unproven_count")
        if row and row[0] == hour:
            self._rows("UPDATE unproven_count SET requests = requests + 1")
            return None
        self._rows("DELETE FROM unproven_count")
        self._rows("INSERT INTO unproven_count VALUES (?, 1)", hour)
        return int(row[1]) if row else 0

    def _create_unproven(self) -> None:
        if not self._rows("SELECT 1 FROM sqlite_master WHERE name = 'unproven_count'"):
            for statement in filter(str.strip, UNPROVEN_TABLES.split(";")):
                self._rows(statement)

    def emergency_days(self) -> int:
        """Return the length of an emergency activation in days; 0 for none."""
        return int(self._settings().get("emergency_days", EMERGENCY_DAYS))

    def set_emergency_days(self, days: int, now: datetime) -> bool:
        """Set the length of an emergency activation. Return whether it changed. Call this within :meth:`change`."""
        if check_emergency_days(days) == self.emergency_days():
            return False
        self._rows(SETTINGS)
        self._rows("INSERT OR REPLACE INTO setting VALUES ('emergency_days', ?)", days)
        self.record(now, SETTING, None, {"emergency_days": days})
        return True

    def _settings(self) -> dict[str, int]:
        there = self._rows("SELECT 1 FROM sqlite_master WHERE name = 'setting'")
        settings = dict(self._rows("SELECT name, value FROM setting")) if there else {}
        if not all(isinstance(value, int) for value in settings.values()):
            raise self._damaged()
        return settings

    def next_serial(self) -> int:
        """Return the serial of the next audit record."""
        return int(self._rows("SELECT COALESCE(MAX(serial), 0) + 1 FROM audit")[0][0])

    def record(self, now: datetime, event: str, number: str | None, detail: Mapping[str, Any]) -> None:
        """Append a record to the audit log. Each record has the hash of the previous record."""
        serial = self.next_serial()
        last = self._row("SELECT hash FROM audit WHERE serial = ?", serial - 1)
        previous = last[0] if last else _START
        row = (serial, render_time(now), event, number, json.dumps(detail, sort_keys=True), previous)
        self._rows("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)", *row, _chain(row))

    def records(self, number: str, *events: str) -> list[dict[str, Any]]:
        """Return a license's audit records, oldest first, as ``{at, event, detail}``. The chain is not checked."""
        rows = self._rows("SELECT at, event, detail FROM audit WHERE number = ? ORDER BY serial", number)
        return [
            {"at": at, "event": event, "detail": self._mapping(text)} for at, event, text in rows if event in events
        ]

    def answered(self, number: str, since: datetime, until: datetime, limit: int) -> list[str]:
        """Return the times of a license's answers within a period, newest first, at most ``limit``."""
        self._rows(AUDIT_INDEX)
        rows = self._rows(
            "SELECT at FROM audit WHERE number = ? AND at > ? AND at <= ? AND event IN (?, ?, ?, ?) "
            "ORDER BY at DESC LIMIT ?",
            *(number, render_time(since), render_time(until), ACTIVATE, DEACTIVATE, UPDATE, EMERGENCY, limit),
        )
        return [str(at) for (at,) in rows]

    def contents(self) -> dict[str, dict[str, Any]]:
        """Return the tables in the form of the replayed audit log.

        :return: licenses, holdings and transfers by license number, responses by request id, settings by name
        """
        holdings = self._rows("SELECT number, live, fingerprint, nodelock FROM holding")
        transfers: dict[str, list[list[str]]] = {}
        for number, nodelock, at in self._rows("SELECT number, nodelock, at FROM transfer ORDER BY rowid"):
            transfers.setdefault(number, []).append([nodelock, at])
        return {
            "licenses": {n: self._mapping(body) for n, body in self._rows("SELECT number, body FROM license")},
            "holdings": {n: [bool(live), self._mapping(machine), lock] for n, live, machine, lock in holdings},
            "transfers": transfers,
            "responses": {request: True for (request,) in self._rows("SELECT request_id FROM response")},
            "settings": self._settings(),
        }

    def audit(self) -> list[dict[str, Any]]:
        """Check the chain of the audit log, and return the log, oldest first.

        :raises LicensingError: a record was changed, removed or inserted
        """
        records, previous = [], _START
        rows = self._rows("SELECT serial, at, event, number, detail, previous, hash FROM audit ORDER BY serial")
        for at, row in enumerate(rows, 1):
            if row[0] != at or row[5] != previous or row[6] != _chain(row[:6]):
                raise refuse(
                    f"The audit log is broken at record {row[0]}: it was changed after it was written.",
                    self.path,
                    "Compare the ledger with its backups. Do not trust this record or later ones.",
                )
            previous = row[6]
            records.append(
                {"serial": row[0], "at": row[1], "event": row[2], "number": row[3], "detail": self._mapping(row[4])}
            )
        return records


def _chain(row: tuple[Any, ...]) -> str:
    return hashlib.sha256(json.dumps(row, default=repr).encode()).hexdigest()
