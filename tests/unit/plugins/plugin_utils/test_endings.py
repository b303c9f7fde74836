# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Licenses that end are told of in good time, each once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView, Status
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.endings import DaysLeft, endings
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair import Pair
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.plan import make_plan
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.sides import Side
from support.worked_example import SERVER, SESSION

TODAY = date(2026, 11, 27)
FAR = "2099-12-31"


def license(days: int | None, maintenance: int = 9999, number: str = SERVER) -> LicenseView:
    def day(left: int) -> str:
        return (TODAY + timedelta(days=left)).isoformat()

    view = LicenseView(number, Status.ACTIVE, maintenance_expiry=day(maintenance))
    return view if days is None else replace(view, expiry=day(days))


def told(*licenses: LicenseView, within: int = 30) -> list[str]:
    return endings(licenses, today=TODAY, within=within)


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (30, "ends on 2026-12-27, in 30 days."),
        (1, "ends on 2026-11-28, tomorrow."),
        (0, "ends on 2026-11-27, today."),
        (-1, "ended on 2026-11-26."),
    ],
)
def test_a_license_that_ends_within_the_days_is_told(days: int, words: str) -> None:
    (sentence,) = told(license(days))
    assert sentence == f"License {SERVER} {words} Have it renewed, then run the playbook renew."
    (sentence,) = told(license(9999, days))
    assert sentence.startswith(f"The maintenance of license {SERVER} {words}")


def test_each_license_is_told_once_and_only_where_it_is_held() -> None:
    assert len(told(license(5, 5), license(6, number=SESSION))) == 2
    assert told(license(31, 31)) == told(replace(license(5), status=Status.INACTIVE)) == told(license(None)) == []
    assert told(license(5), within=4) == []


def test_the_last_day_counts_as_none_left() -> None:
    assert DaysLeft.of(license(0, -1), TODAY) == DaysLeft(SERVER, 0, -1)
    assert DaysLeft.of(LicenseView(SERVER, Status.ACTIVE), TODAY) == DaysLeft(SERVER, None, None)


def test_the_plan_tells_of_the_license_of_whichever_host_holds_it() -> None:
    now = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)
    held, gone = license(10), replace(license(9999), status=Status.INACTIVE)
    pair = Pair(
        Side("old", Overview(licenses=(gone,))),
        Side("new", Overview(licenses=(held,))),
        (DeclaredLicense(SERVER, None),),
        now,
    )
    assert not [note for note in make_plan(pair).notes if "ends on" in note]
    notes = make_plan(replace(pair, warns_within=30)).notes
    assert [note for note in notes if "ends on" in note] == told(held)
