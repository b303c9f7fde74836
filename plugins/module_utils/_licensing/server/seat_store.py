# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seats on disk. A client gets its answer only after its change is on disk.

Changes that arrive together, or during another transaction, share one transaction (group commit) and so one sync of
the disk. A thread writes, so that a slow disk does not delay other requests. If the disk syncs faster than a switch of
threads takes, the event loop writes itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from .. import faults
from ..errors import refuse
from ..files import PRIVATE
from ..system import require_locks
from .pool import Seat

FILE = "Seats/seats.db"
_VERSION = 1
_SCHEMA = """
CREATE TABLE seats (
    number INTEGER PRIMARY KEY, id BLOB NOT NULL, asked TEXT, profile TEXT NOT NULL, license TEXT NOT NULL,
    user TEXT NOT NULL, client TEXT NOT NULL, address TEXT NOT NULL, since TEXT NOT NULL
);
PRAGMA user_version = 1;
"""
# In the order of the columns. Numbers only grow, so new rows share the last pages, and few pages are synced.
_INSERT = "INSERT INTO seats VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM seats WHERE number = ?"
_READ = "SELECT number, id, asked, profile, license, user, client, address, since FROM seats ORDER BY number"
_CLIENTS = (
    "SELECT number, client, address, user, profile, license, since FROM seats WHERE number < ? "
    "ORDER BY number DESC LIMIT ?"
)
_NEWEST = 1 << 62
# Seconds to wait for another process's lock on the database. All requests wait meanwhile.
_PATIENCE = 1.0
# The event loop writes itself while transactions take less than _QUICK seconds on average. The average is exponential
# with _WEIGHT, and a transaction counts at most _MOST times _QUICK, because one that hung says little about the next.
_QUICK = 0.0005
_WEIGHT = 0.2
_MOST = 2
# While the thread writes, the event loop still writes every 16th transaction to measure its time.
_PROBE = 16


@dataclass
class Batch:
    """The changes of one transaction.

    :ivar seconds: duration of the transaction
    :ivar error: the error of a failed transaction, or None
    """

    added: list[Seat] = field(default_factory=list)
    ended: list[Seat] = field(default_factory=list)
    seconds: float = 0.0
    error: Exception | None = None

    def __len__(self) -> int:
        return len(self.added) + len(self.ended)


class SeatStore:
    """The seat store of a home.

    :param path: path of the database
    :param written: called in the event loop with each batch, when it is on disk or has failed
    """

    def __init__(self, path: Path, written: Callable[[Batch], None]) -> None:
        self._path = path
        self._written = written
        self._next = Batch()
        self._busy = False
        self._scheduled = False
        # Numbers whose insertion failed. They are deleted later, because they may be on disk after all.
        self._undone: list[int] = []
        self._pace = 0.0
        self._count = 0
        self._queue: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._idle = asyncio.Event()
        self._idle.set()
        self._loop = asyncio.get_running_loop()
        with self._readable():
            self._db = _open(path)
            self._reader = sqlite3.connect(
                f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=_PATIENCE
            )
        self._thread = threading.Thread(target=self._run, name="register", daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        # SQLite quotes unreadable data in its errors, which Python may fail to decode.
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            require_locks(self._path)
            raise refuse(
                f"The record of the seats cannot be read: {error}.",
                str(self._path),
                "Repair the disk, or move this file and the seats.db-* files away; the clients then take new seats.",
            ) from error

    def load(self) -> list[Seat]:
        """Return the recorded seats, the oldest first.

        :raises LicensingError: the record is damaged
        """
        with self._readable():
            seats = [Seat(row[1], row[0], *row[2:]) for row in self._reader.execute(_READ)]
        return seats

    def clients(self, before: int | None, limit: int) -> list[dict[str, Any]]:
        """Return the clients with seats, the newest first, each with the ``number`` of its record.

        :param before: only records with a lower number; None for all
        :raises LicensingError: the database cannot be read
        """
        names = ("number", "client", "address", "user", "profile", "license", "since")
        with self._readable():
            rows = self._reader.execute(_CLIENTS, (_NEWEST if before is None else before, limit)).fetchall()
        return [dict(zip(names, row)) for row in rows]

    def add(self, seat: Seat) -> None:
        """Record a seat with the next batch."""
        self._next.added.append(seat)
        self._schedule()

    def remove(self, seat: Seat) -> None:
        """Remove a seat's record with the next batch."""
        self._next.ended.append(seat)
        self._schedule()

    def _schedule(self) -> None:
        # Not at once, so that the batch includes all changes of this turn of the event loop.
        if not self._busy and not self._scheduled:
            self._scheduled = True
            self._idle.clear()
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._scheduled = False
        self._busy = True
        self._count += 1
        batch, self._next = self._next, Batch()
        if self._pace < _QUICK or self._count % _PROBE == 0:
            self._commit(batch)
            # Only the event loop's times count; the thread's include waiting for its turn.
            self._pace += _WEIGHT * (min(batch.seconds, _MOST * _QUICK) - self._pace)
            self._end(batch)
        else:
            self._queue.put(batch)

    def _run(self) -> None:
        """Write batches, in the thread, until the queue has a None."""
        while (batch := self._queue.get()) is not None:
            self._commit(batch)
            self._loop.call_soon_threadsafe(self._end, batch)

    def _commit(self, batch: Batch) -> None:
        begun = time.perf_counter()
        try:
            self._write(batch)
        # After any error, the waiting clients learn that nothing was recorded.
        except Exception as error:
            batch.error = error
            with contextlib.suppress(sqlite3.Error):
                self._db.rollback()
        batch.seconds = time.perf_counter() - begun

    def _write(self, batch: Batch) -> None:
        ended = [(seat.number,) for seat in batch.ended]
        undone = [(number,) for number in self._undone]
        rows = [
            (s.number, s.id, s.asked, s.profile, s.license, s.user, s.client, s.address, s.since) for s in batch.added
        ]
        self._undone += [seat.number for seat in batch.added]
        self._do("BEGIN IMMEDIATE")
        if rows:
            self._do(_INSERT, rows)
        if ended or undone:
            self._do(_DELETE, ended + undone)
        self._do("COMMIT")
        faults.reach("register.committed")
        self._undone.clear()

    def _do(self, statement: str, rows: Sequence[tuple[object, ...]] = ()) -> None:
        faults.reach("register.statement", statement)
        if rows:
            self._db.executemany(statement, rows)
        else:
            self._db.execute(statement)

    def _end(self, batch: Batch) -> None:
        self._busy = False
        self._written(batch)
        if len(self._next):
            self._schedule()
        elif not self._scheduled:
            self._idle.set()

    async def close(self) -> None:
        """Write waiting changes and close the database."""
        await self._idle.wait()
        self._queue.put(None)
        await self._loop.run_in_executor(None, self._thread.join)
        self._reader.close()
        with contextlib.suppress(sqlite3.Error):
            self._db.close()


def _open(path: Path) -> sqlite3.Connection:
    # A private mode regardless of the umask, because the database has users and clients.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE))
    faults.reach("register.opened", path.name)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_PATIENCE)
    try:
        _prepare(db, path.name)
    except BaseException:
        # An open connection would keep its lock until the garbage collector closes it.
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, name: str) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    # In WAL mode, FULL syncs the log at each commit: what was committed survives a power cut.
    db.execute("PRAGMA synchronous = FULL")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == 0:
        faults.reach("register.schema", name)
        db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
    elif version != _VERSION:
        raise sqlite3.DatabaseError(f"it has the unknown format {version}")
    (result,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if result != "ok":
        raise sqlite3.DatabaseError(f"it is damaged ({result})")
