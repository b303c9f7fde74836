# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The transfer policy is the vendor's dialog, rule by rule; the ledger keeps it, and shows tampering."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import stat
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.audit import check_ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.policy import Holding, judge
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    BEGINNING,
    NUMBERS,
    SERVER,
    CoreLab,
    account,
    as_nobody,
    let_others_come_to,
    without_room,
)

HERE, THERE = {"machine-id": "a" * 32}, {"machine-id": "b" * 32}
HOUR = timedelta(hours=1)


def ask(
    held: str | None = None,
    live: bool = False,
    at: dict[str, str] | None = None,
    nodelock: str = "machine",
    spent: tuple[datetime, ...] = (),
    online: bool = True,
    now: datetime = BEGINNING,
    quote: bool = False,
) -> tuple[str | None, int]:
    """Ask to activate HERE; return why not and what it spends."""
    holding = Holding(live, at or THERE, "key", held) if held else None
    license = CoreLab.license(SERVER, "2026-01-01", "2026-12-31")
    verdict = judge(license, holding, account(nodelock, *spent), HERE, online, now, quote)
    return verdict.refusal.what if verdict.refusal else None, verdict.spends


def test_the_first_activation_is_no_transfer() -> None:
    assert ask() == (None, 0)
    assert ask(nodelock="personal") == (None, 0)


def test_an_activation_on_another_machine_is_a_transfer() -> None:
    assert ask(held="machine") == (None, 1)
    assert ask(held="personal", nodelock="personal") == (None, 1)


def test_coming_back_to_the_same_machine_costs_nothing_even_with_nothing_left() -> None:
    three = (BEGINNING,) * 3
    assert ask(held="machine", at=HERE, spent=three) == (None, 0)
    assert ask(held="machine", at=HERE, live=True, spent=three) == (None, 0)


def test_a_license_that_is_live_elsewhere_is_refused() -> None:
    assert ask(held="machine", live=True) == (f"License {SERVER} is live on another machine.", 1)


def test_a_quote_judges_as_if_the_holder_had_given_the_license_back() -> None:
    assert ask(held="machine", live=True, quote=True) == (None, 1)
    said, spends = ask(held="machine", live=True, quote=True, spent=(BEGINNING,) * 3)
    assert (said, spends) == (f"License {SERVER} has spent its 3 transfers.", 1)


@pytest.mark.parametrize(("nodelock", "window"), [("machine", timedelta(days=365)), ("personal", timedelta(hours=24))])
def test_a_fourth_transfer_waits_until_the_first_is_a_window_old(nodelock: str, window: timedelta) -> None:
    returns = BEGINNING + timedelta(days=1)
    spent = (returns - window, returns - window + HOUR, returns - window + 2 * HOUR)
    before = returns - timedelta(seconds=1)
    assert ask(held=nodelock, nodelock=nodelock, spent=spent[1:], now=before) == (None, 1)
    said = f"License {SERVER} has spent its 3 transfers."
    assert ask(held=nodelock, nodelock=nodelock, spent=spent, now=before) == (said, 1)
    assert ask(held=nodelock, nodelock=nodelock, spent=spent, now=returns) == (None, 1)


def test_a_refusal_for_want_of_transfers_says_when_the_next_returns() -> None:
    holding = Holding(False, THERE, "key", "machine")
    spent = account("machine", BEGINNING, BEGINNING, BEGINNING)
    verdict = judge(CoreLab.license(SERVER), holding, spent, HERE, True, BEGINNING + HOUR)
    assert verdict.refusal
    assert "2027-01-01T12:00:00Z" in verdict.refusal.todo


def test_a_personal_nodelock_may_become_a_machine_nodelock_and_not_the_other_way() -> None:
    assert ask(held="personal", at=HERE, live=True) == (None, 0)
    assert ask(held="personal") == (None, 1)
    for live, place in ((True, HERE), (False, HERE), (False, THERE)):
        said = ask(held="machine", live=live, at=place, nodelock="personal")[0]
        assert said == "A machine nodelock cannot be changed into a personal one."


def test_a_personal_nodelock_needs_to_be_online_and_a_machine_nodelock_does_not() -> None:
    assert ask(nodelock="personal", online=False)[0] == "A personal nodelock cannot be activated offline."
    assert ask(nodelock="machine", online=False) == (None, 0)


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2025-12-31T23:59:59", f"License {SERVER} is not valid before 2026-01-01."),
        ("2026-01-01T00:00:00", None),
        ("2026-12-31T23:59:59", None),
        ("2027-01-01T00:00:00", f"License {SERVER} expired on 2026-12-31."),
    ],
)
def test_a_license_is_activated_only_within_its_dates(day: str, said: str | None) -> None:
    assert ask(now=datetime.fromisoformat(f"{day}+00:00"))[0] == said


def test_a_ledger_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Ledger.create(str(tmp_path / "authority.db"), "here") as ledger:
            assert ledger.realm.name == "REHEARSAL here"
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "authority.db").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["authority.db"]


def test_a_realm_says_once_that_it_is_for_rehearsals(tmp_path: Path) -> None:
    with Ledger.create(str(tmp_path / "authority.db"), "REHEARSAL mine") as ledger:
        assert ledger.realm.name == "REHEARSAL mine"


def test_a_ledger_is_never_made_over_a_file(tmp_path: Path, lab: CoreLab) -> None:
    before = lab.ledger_path.read_bytes()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path in (lab.ledger_path, tmp_path / "link", tmp_path / "hosts"):
        with pytest.raises(LicensingError, match="The file already exists"):
            Ledger.create(str(path), "again")
    assert lab.ledger_path.read_bytes() == before
    assert not (tmp_path / "nowhere").exists()
    assert not list(tmp_path.glob("*.tmp-*"))


@pytest.mark.parametrize("name", ["", "x" * 100, "a\nb", "a\x1b[31m"])
def test_a_realm_with_a_name_that_cannot_be_shown_is_not_made(tmp_path: Path, name: str) -> None:
    if name:
        with pytest.raises(LicensingError, match="not a realm"):
            Ledger.create(str(tmp_path / "authority.db"), name)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["gone", "file", "locked"])
def test_a_ledger_where_none_can_be_is_not_made(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"kept")
    if place == "locked" and os.geteuid() == 0:
        place = "gone/deeper"
    elif place == "locked":
        (tmp_path / "locked").mkdir(0o500)
    with pytest.raises(LicensingError, match="Cannot create the ledger") as refused:
        Ledger.create(str(tmp_path / place / "authority.db"), "here")
    assert refused.value.problems[0].where == str(tmp_path / place / "authority.db")
    assert (tmp_path / "file").read_bytes() == b"kept"


@pytest.mark.parametrize("content", [b"", b"x", b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_ledger_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "authority.db"
    path.write_bytes(content)
    with pytest.raises(LicensingError) as refused:
        Ledger(str(path))
    assert refused.value.problems[0].where == str(path)
    assert path.read_bytes() == content


def test_a_ledger_that_is_missing_or_of_another_version_is_refused(tmp_path: Path, lab: CoreLab) -> None:
    for path in (tmp_path / "gone.db", tmp_path):
        with pytest.raises(LicensingError, match="no ledger of an authority here"):
            Ledger(str(path))
    change(lab, "PRAGMA user_version = 7")
    with pytest.raises(LicensingError, match="not a ledger of this version"):
        Ledger(str(lab.ledger_path))


def use(ledger: Ledger) -> None:
    ledger.licenses()
    ledger.audit()
    for number in NUMBERS:
        ledger.license(number)
        ledger.holding(number)
        ledger.account(number, "machine")
    ledger.response("a" * 32)
    with ledger.change():
        ledger.put_license(CoreLab.license(SERVER), BEGINNING)


@pytest.mark.parametrize("part", [0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
@pytest.mark.parametrize("how", ["truncated", "overwritten"])
def test_a_damaged_ledger_is_refused_by_a_message_whenever_it_shows(lab: CoreLab, part: float, how: str) -> None:
    lab.activate(lab.old)
    lab.close()
    whole = lab.ledger_path.read_bytes()
    kept = whole[: int(len(whole) * part)]
    lab.ledger_path.write_bytes(kept if how == "truncated" else kept + b"\xa5" * (len(whole) - len(kept)))
    try:
        with Ledger(str(lab.ledger_path)) as ledger:
            use(ledger)
    except LicensingError as error:
        assert error.problems[0].where == str(lab.ledger_path)


def change(lab: CoreLab, statement: str, *values: Any) -> None:
    """Change the ledger's file behind the authority's back."""
    db = sqlite3.connect(lab.ledger_path, isolation_level=None)
    db.execute(statement, values)
    db.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET event = 'quote' WHERE serial = 2",
        "UPDATE audit SET number = NULL WHERE serial = 2",
        "UPDATE audit SET at = '2020-01-01T00:00:00Z' WHERE serial = 2",
        "UPDATE audit SET detail = '{}' WHERE serial = 2",
        "UPDATE audit SET hash = previous WHERE serial = 2",
        "DELETE FROM audit WHERE serial = 2",
        "DELETE FROM audit WHERE serial = 1",
        "UPDATE audit SET serial = 20 WHERE serial = 2",
        "INSERT INTO audit SELECT 7, at, event, number, detail, previous, hash FROM audit WHERE serial = 2",
    ],
)
def test_the_audit_log_shows_that_a_record_was_changed_or_removed(lab: CoreLab, statement: str) -> None:
    assert [record["event"] for record in lab.ledger.audit()] == ["issue"] * 3
    lab.activate(lab.old)
    assert [record["event"] for record in lab.ledger.audit()] == ["issue"] * 3 + ["activate"] * 3
    change(lab, statement)
    with pytest.raises(LicensingError, match="audit log is broken at record"):
        lab.ledger.audit()


def test_a_record_that_was_changed_together_with_its_hash_breaks_the_chain_at_the_next(lab: CoreLab) -> None:
    row = [*lab.ledger._rows("SELECT serial, at, event, number, detail, previous FROM audit WHERE serial = 2")[0]]
    row[2] = "quote"
    rehashed = hashlib.sha256(json.dumps(row).encode()).hexdigest()
    change(lab, "UPDATE audit SET event = ?, hash = ? WHERE serial = 2", row[2], rehashed)
    with pytest.raises(LicensingError, match="audit log is broken at record 3"):
        lab.ledger.audit()


def test_the_audit_log_tells_what_was_done_and_never_a_code(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    lab.clock.forward(hours=1)
    lab.deactivate(lab.old, SERVER)
    told = [(one["event"], one["number"], one["detail"]["outcome"], one["at"]) for one in lab.ledger.audit()[3:]]
    assert told == [
        ("activate", SERVER, "granted", "2026-01-01T12:00:00Z"),
        ("deactivate", SERVER, "granted", "2026-01-01T13:00:00Z"),
    ]
    assert "AAAAA" not in json.dumps(lab.ledger.audit())
    assert b"AAAAA" not in lab.ledger_path.read_bytes()


def test_a_change_that_fails_leaves_nothing_on_the_ledger(lab: CoreLab) -> None:
    with pytest.raises(KeyboardInterrupt), lab.ledger.change():
        lab.ledger.add_transfer(SERVER, "machine", BEGINNING)
        raise KeyboardInterrupt
    assert lab.spent() == 0
    with lab.ledger.change():
        lab.ledger.add_transfer(SERVER, "machine", BEGINNING)
    assert lab.spent() == 1


def test_whether_a_ledger_can_be_written_is_tried_and_nothing_is_changed_by_it(lab: CoreLab) -> None:
    lab.activate(lab.old)
    before, whole, log = lab.ledger.contents(), lab.ledger_path.read_bytes(), lab.ledger.audit()
    lab.ledger.check_writable(dry=True)
    assert lab.ledger_path.read_bytes() == whole
    lab.ledger.check_writable()
    assert lab.ledger_path.read_bytes() != whole and lab.ledger_path.stat().st_size == len(whole)
    with pytest.raises(LicensingError, match="The ledger cannot be used"), without_room(os.getpid()):
        lab.ledger.check_writable()
    assert (lab.ledger.contents(), lab.ledger.audit()) == (before, log)
    with Ledger(str(lab.ledger_path)) as ledger:
        assert check_ledger(ledger) == log


def test_a_server_goes_on_serving_where_somebody_else_holds_the_ledger(lab: CoreLab) -> None:
    lab.activate(lab.old)
    before, served = lab.old.files(), lab.old.served()
    lab.ledger._db.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(lab.ledger_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for dry in (True, False):
        with pytest.raises(LicensingError, match="The ledger cannot be used: database is locked"):
            lab.deactivate(lab.old, dry=dry)
    other.close()
    assert len(served) == len(NUMBERS)
    assert (lab.old.files(), lab.old.served()) == (before, served)
    assert lab.deactivate(lab.old).changed


OPEN = """
for path in sys.argv[1:]:
    try:
        authority_ledger.Ledger(path)
    except errors.LicensingError as error:
        print(error)
"""


def test_a_ledger_that_may_not_be_read_is_refused_by_a_message(lab: CoreLab, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    (locked / "authority.db").write_bytes(lab.ledger_path.read_bytes())
    let_others_come_to(lab.ledger_path)
    lab.ledger_path.chmod(0)
    locked.chmod(0)
    try:
        told = as_nobody(OPEN, str(lab.ledger_path), str(locked / "authority.db")).splitlines()
    finally:
        locked.chmod(0o700)
        lab.ledger_path.chmod(0o600)
    assert len(told) == 2
    assert str(lab.ledger_path) in told[0]
    assert str(locked) in told[1]
