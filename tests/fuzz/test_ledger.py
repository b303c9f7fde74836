# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ledgers and records of seats that were damaged or changed by other means, and the rules for any holding."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.audit import check_ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.policy import Holding, judge
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.processor import RequestProcessor
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Account
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.pool import Seat
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.seat_store import SeatStore
from ansible_collections.aims.licensing.tests.fuzz.counting import give, runs
from ansible_collections.aims.licensing.tests.fuzz.shapes import EDIT, batch, edited
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    SERVER,
    Clock,
    CoreLab,
    LostReply,
    declared,
)
from hypothesis import given
from hypothesis import strategies as st

_BATCH = 10
NOW = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory, new_ledger: bytes) -> tuple[bytes, bytes]:
    """A ledger in use, and a request that it can be asked."""
    lab = CoreLab(tmp_path_factory.mktemp("ledger"), new_ledger)
    lab.activate(lab.old, SERVER)
    lab.deactivate(lab.old, SERVER)
    line = LostReply(lab.realm, lab.desk().answer, lambda response: response)
    lab.new.manager.activate(Activation(declared(SERVER)), line)
    lab.close()
    return lab.ledger_path.read_bytes(), line.requests[-1]


def use(path: Path, request: bytes) -> None:
    """Ask a ledger all that it can be asked."""
    with Ledger(str(path)) as ledger:
        ledger._db.execute("PRAGMA synchronous = OFF")
        told: list[LicensingError] = []
        for call in (
            lambda: check_ledger(ledger),
            ledger.licenses,
            lambda: ledger.holding(SERVER),
            lambda: ledger.account(SERVER, "machine"),
            lambda: RequestProcessor(ledger, True, Clock()).answer(request),
        ):
            try:
                call()
            except LicensingError as error:
                told.append(error)
        if told:
            raise told[0]


def test_a_damaged_ledger_is_told(tmp_path: Path, used: tuple[bytes, bytes]) -> None:
    content, request = used
    path = tmp_path / "authority.db"

    @runs(100, _BATCH)
    @given(batch(EDIT, _BATCH))
    def check(edits: list[Any]) -> None:
        for kind, where, much, what in edits:
            path.write_bytes(edited(content, (kind % 13, where * 7, much, what)))
            give("ledger: bytes", lambda: use(path, request))

    check()


VALUES: list[Any] = [
    None,
    0,
    -1,
    2**62,
    1.5,
    "",
    "x",
    "{}",
    "[]",
    "null",
    '"a"',
    "{",
    "[" * 5000,
    b"",
    b"\xff\0",
    "NaN",
    '{"outcome": "granted"}',
    "9999-12-31T00:00:00Z",
]


def test_a_ledger_whose_tables_were_changed_is_told(tmp_path: Path, used: tuple[bytes, bytes]) -> None:
    content, request = used
    path = tmp_path / "authority.db"
    path.write_bytes(content)
    with contextlib.closing(sqlite3.connect(path)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        cells = [
            (table, column[1], row)
            for table in tables
            for column in db.execute(f"PRAGMA table_info({table})").fetchall()
            for (row,) in db.execute(f"SELECT rowid FROM {table}").fetchall()
        ]

    @runs(100, _BATCH)
    @given(batch(st.tuples(st.sampled_from(cells), st.sampled_from(VALUES), st.booleans()), _BATCH))
    def check(changes: list[Any]) -> None:
        for (table, column, row), value, removed in changes:
            path.write_bytes(content)
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
                db.execute("PRAGMA synchronous = OFF")
                with contextlib.suppress(sqlite3.Error):
                    if removed and value is None:
                        db.execute(f"DELETE FROM {table} WHERE rowid = ?", (row,))
                    else:
                        db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, row))
            give("ledger: tables", lambda: use(path, request))

    check()


@runs(500, 25)
@given(
    batch(
        st.tuples(
            st.none() | st.tuples(st.booleans(), st.sampled_from("abc"), st.sampled_from(["machine", "personal"])),
            st.lists(st.integers(-800, 30), max_size=6),
            st.sampled_from("abc"),
            st.sampled_from(["machine", "personal"]),
            st.booleans(),
            st.booleans(),
            st.integers(-700, 27000),
        ),
        25,
    )
)
def test_the_rules_are_those_of_the_vendor_for_any_holding(cases: list[Any]) -> None:
    license = CoreLab.license(SERVER)
    for held, moved, machine, nodelock, online, ask_only, day in cases:
        now = NOW + timedelta(days=day)
        holding = Holding(held[0], {"machine-id": held[1]}, "key", held[2]) if held else None
        account = Account(nodelock, tuple(now + timedelta(days=days, hours=1) for days in moved))
        verdict = give(
            "transfer rules",
            lambda holding=holding, account=account, now=now, machine=machine, online=online, ask_only=ask_only: judge(
                license, holding, account, {"machine-id": machine}, online, now, ask_only
            ),
        )
        window = timedelta(days=365 if nodelock == "machine" else 1)
        elsewhere = held is not None and held[1] != machine
        allowed = (
            "2025-01-01" <= now.date().isoformat() <= "2099-12-31"
            and (nodelock == "machine" or (online and (held is None or held[2] != "machine")))
            and not (elsewhere and held[0] and not ask_only)
            and not (elsewhere and sum(one > now - window for one in account.times) >= 3)
        )
        assert (verdict.refusal is None) is allowed
        assert verdict.spends == int(elsewhere)


def test_a_damaged_record_of_seats_is_told(tmp_path: Path) -> None:
    path = tmp_path / "seats.db"

    async def load() -> list[Seat]:
        register = SeatStore(path, lambda batch: None)
        try:
            found = register.load()
            register.clients(None, 10)
            if not found:
                register.add(Seat(b"1" * 16, 1, None, "PROSession", SERVER, "D\\u", "client", "127.0.0.1", "2026"))
        finally:
            await register.close()
        return found

    asyncio.run(load())
    content = path.read_bytes()

    @runs(60, _BATCH)
    @given(batch(EDIT, _BATCH))
    def check(edits: list[Any]) -> None:
        for kind, where, much, what in edits:
            for left in path.parent.glob("seats.db*"):
                left.unlink()
            path.write_bytes(edited(content, (kind % 13, where, much, what)))
            give("record of seats", lambda: asyncio.run(load()))

    check()
