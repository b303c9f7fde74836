# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever knows a license's code makes the ledger grow to a bound, and no request is lost by it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority import rate_limit
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.audit import check_ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.rate_limit import RateLimited
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.service_lab import (
    ServiceLab,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.test_service import (
    requests_of,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    SERVER,
    SESSION,
    CoreLab,
    declared,
)


@pytest.fixture
def bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "BOUNDS", ((5, timedelta(hours=1)), (8, timedelta(days=1))))


def activations(lab: CoreLab, number: str, count: int) -> list[bytes]:
    requests = requests_of(lab, lab.old)
    return [requests.activate(declared(number)[0]) for _request in range(count)]


def rows(lab: CoreLab) -> int:
    tables = ("response", "audit")
    return sum(int(lab.ledger._rows(f"SELECT COUNT(*) FROM {table}")[0][0]) for table in tables)


def test_one_code_makes_the_ledger_grow_to_a_bound(lab: CoreLab, bounds: None) -> None:
    desk, asked = lab.desk(), activations(lab, SERVER, 12)
    answers = [desk.answer(request) for request in asked[:5]]
    before = rows(lab)
    for request in asked[5:]:
        with pytest.raises(RateLimited, match="had 5 requests within an hour") as refused:
            desk.answer(request)
        assert 0 < refused.value.seconds <= 3600
    assert rows(lab) == before
    # What was answered is answered again, and other licenses are nobody's business.
    assert [desk.answer(request) for request in asked[:5]] == answers
    assert desk.process(activations(lab, SESSION, 1)[0]).outcome == "granted"
    # Nothing is known of the id that got no answer, so that it gets one later.
    lab.clock.forward(seconds=3601)
    assert desk.process(asked[5]).outcome == "granted"
    check_ledger(lab.ledger)


def test_a_day_has_a_bound_of_its_own(lab: CoreLab, bounds: None) -> None:
    desk, asked = lab.desk(), activations(lab, SERVER, 9)
    for request in asked[:8]:
        desk.answer(request)
        lab.clock.forward(minutes=30)
    with pytest.raises(RateLimited, match="8 requests within a day"):
        desk.answer(asked[8])
    lab.clock.forward(days=1)
    desk.answer(asked[8])


def test_a_clock_that_was_ahead_for_a_while_locks_nobody_out(lab: CoreLab, bounds: None) -> None:
    desk, asked = lab.desk(), activations(lab, SERVER, 6)
    lab.clock.forward(days=400)
    for request in asked[:5]:
        desk.answer(request)
    lab.clock.forward(days=-400)
    desk.answer(asked[5])


def test_a_ledger_of_an_earlier_version_is_bounded_too(lab: CoreLab, bounds: None) -> None:
    lab.ledger._rows("DROP INDEX record_of")
    for request in activations(lab, SERVER, 5):
        lab.desk().answer(request)
    with pytest.raises(RateLimited):
        lab.desk().answer(activations(lab, SERVER, 1)[0])


def test_strangers_use_up_nothing_of_a_license(lab: CoreLab, bounds: None) -> None:
    desk = lab.desk()
    for _request in range(20):
        requests = requests_of(lab, lab.new)
        assert not desk.process(requests.deactivate(SERVER, "machine")).proven
    for request in activations(lab, SERVER, 4):
        assert desk.process(request).proven


def test_a_service_says_when_to_come_back(lab: ServiceLab) -> None:
    now, number = now_utc(), SERVER
    with lab.ledger.change():
        for _answer in range(rate_limit.BOUNDS[0][0]):
            lab.ledger.record(now, "activate", number, {})
    service = lab.serve()
    status, headers, body = service.call("POST", "/v1/requests", activations(lab, SERVER, 1)[0])
    assert status == 429 and 0 < int(headers["retry-after"]) <= 3600
    assert b"had 100 requests within an hour" in body
    with Ledger(str(lab.ledger_path)) as ledger:
        assert ledger.contents()["responses"] == {}
