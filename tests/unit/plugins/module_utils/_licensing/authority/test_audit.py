# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``authority audit`` fails where the log was tampered with, cut off, or is not what the ledger holds."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from datetime import datetime

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.audit import check_ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.issue import changed_license
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.processor import RequestProcessor
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.service_lab import run
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.test_service import (
    requests_of,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    NUMBERS,
    SERVER,
    WRONG_CODE,
    Clock,
    CoreLab,
    declared,
)


def a_year(lab: CoreLab) -> None:
    """Let the licenses move, be refused, be updated and be asked for by strangers."""
    lab.activate(lab.old)
    for giver, taker in ((lab.old, lab.new), (lab.new, lab.old)):
        lab.deactivate(giver)
        lab.clock.forward(days=30)
        lab.activate(taker)
    license = lab.ledger.license(SERVER)
    assert license is not None
    with lab.ledger.change():
        lab.ledger.put_license(changed_license(license, seats=7), lab.clock(), "reissue")
    lab.old.manager.update([SERVER], lab.channel())
    requests = requests_of(lab, lab.new)  # type: ignore[arg-type]
    for request in (
        requests.activate(declared(SERVER)[0]),
        requests.activate(declared(SERVER, code=WRONG_CODE)[0]),
        requests.deactivate(SERVER, "machine"),
        requests_of(lab, lab.old).deactivate(SERVER, "machine"),  # type: ignore[arg-type]
    ):
        lab.desk().answer(request)


def test_whatever_the_authority_did_its_log_and_its_ledger_agree(lab: CoreLab) -> None:
    a_year(lab)
    records = check_ledger(lab.ledger)
    assert {record["event"] for record in records} == {"issue", "reissue", "activate", "deactivate", "update"}
    done = run("audit", "--ledger", str(lab.ledger_path), "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, records)


TAMPERED = {
    "a record's content": "UPDATE audit SET detail = '{}' WHERE serial = 5",
    "a record in the middle": "DELETE FROM audit WHERE serial = 5",
    "the last record": "DELETE FROM audit WHERE serial = (SELECT MAX(serial) FROM audit)",
    "the last ten records": "DELETE FROM audit WHERE serial > (SELECT MAX(serial) - 10 FROM audit)",
    "a transfer taken back": f"DELETE FROM transfer WHERE number = '{SERVER}'",
    "a transfer put later": "UPDATE transfer SET at = '2020-01-01T00:00:00Z'",
    "a license that grants more": "UPDATE license SET body = replace(body, '\"seats\": 7', '\"seats\": 7000')",
    "a license out of nowhere": "INSERT INTO license SELECT '999.999.999.999', body FROM license LIMIT 1",
    "a machine that gave nothing back": "UPDATE holding SET live = NOT live",
    "another machine": "UPDATE holding SET fingerprint = '{}'",
    "an answer that was forgotten": "DELETE FROM response WHERE rowid = 3",
    "an answer out of nowhere": "INSERT INTO response VALUES ('a', 'b', 'c')",
}


@pytest.mark.parametrize("statement", TAMPERED.values(), ids=TAMPERED.keys())
def test_what_was_changed_behind_its_back_is_found(lab: CoreLab, statement: str) -> None:
    a_year(lab)
    with contextlib.closing(sqlite3.connect(lab.ledger_path, isolation_level=None)) as db:
        assert db.execute(statement).rowcount > 0
    with pytest.raises(LicensingError, match="audit log"):
        check_ledger(lab.ledger)
    done = run("audit", "--ledger", str(lab.ledger_path))
    assert done.returncode == 1 and "audit log" in done.stderr and "Traceback" not in done.stderr


def test_every_table_that_differs_is_told(lab: CoreLab) -> None:
    a_year(lab)
    with contextlib.closing(sqlite3.connect(lab.ledger_path, isolation_level=None)) as db:
        db.execute("DELETE FROM transfer")
        db.execute("DELETE FROM response")
    with pytest.raises(LicensingError) as refused:
        check_ledger(lab.ledger)
    whats = [problem.what for problem in refused.value.problems]
    assert [what.partition(" differ")[0] for what in whats] == ["The ledger's transfers", "The ledger's responses"]
    assert all(number in whats[0] for number in NUMBERS)


class Ticking(Clock):
    """A clock on which a second goes by between any two looks at it."""

    def __call__(self) -> datetime:
        self.forward(seconds=1)
        return self.now


def test_a_second_that_changes_while_a_request_is_answered_does_not_make_the_log_and_the_ledger_differ(
    lab: CoreLab,
) -> None:
    desk = RequestProcessor(lab.ledger, True, Ticking())
    lab.desk = lambda online=True: desk  # type: ignore[method-assign]
    a_year(lab)
    assert lab.spent() == 2
    records = check_ledger(lab.ledger)
    spent = [record["at"] for record in records if record["detail"].get("spends")]
    told = [at for _number, _lock, at in lab.ledger._rows("SELECT number, nodelock, at FROM transfer ORDER BY rowid")]
    assert told == spent
    for (content,) in lab.ledger._rows("SELECT content FROM response"):
        response = json.loads(content)["body"]
        (record,) = (one for one in records if one["detail"].get("request") == response["request_id"])
        # What was granted and given back since is answered by a refusal of that moment.
        assert response["issued"] == record["at"] or response["outcome"] == "refused"


@pytest.mark.parametrize(
    ("change", "passes"),
    [
        ("at = strftime('%Y-%m-%dT%H:%M:%SZ', at, '-1 second')", True),
        ("at = strftime('%Y-%m-%dT%H:%M:%SZ', at, '-2 seconds')", False),
        ("at = strftime('%Y-%m-%dT%H:%M:%SZ', at, '+1 second')", False),
        ("at = 'x'", False),
        ("at = 5", False),
        ("nodelock = 'personal'", False),
        ("number = '015.120.065.016'", False),
    ],
)
def test_a_transfer_that_was_recorded_in_the_next_second_is_no_other_one(
    lab: CoreLab, change: str, passes: bool
) -> None:
    a_year(lab)
    with contextlib.closing(sqlite3.connect(lab.ledger_path, isolation_level=None)) as db:
        one = f"(SELECT MAX(rowid) FROM transfer WHERE number = '{SERVER}')"
        assert db.execute(f"UPDATE transfer SET {change} WHERE rowid = {one}").rowcount == 1
    if passes:
        check_ledger(lab.ledger)
    else:
        with pytest.raises(LicensingError, match="transfers differ from its audit log"):
            check_ledger(lab.ledger)
