# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as YAML hands them over: what lost its quotes, or has the wrong ones, is told as that; numbers have bounds."""

from __future__ import annotations

import argparse
import math
import time
from datetime import date, datetime, timezone
from typing import Any

import pytest
import yaml
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.command import _list
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.drain import DrainOptions
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Deactivation, Maintenance
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import (
    date_after,
    parse_code,
    parse_number,
    parse_profile,
    parse_seats,
    parse_seconds,
    parse_user,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.grants import read_grants
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import SERVER, CoreLab

SINGLE, ANY, COPIED = "in single quotes", "in quotes. Without quotes", "has the character U+"


@pytest.mark.parametrize(
    ("read", "written", "said"),
    [
        (parse_user, r'"EXAMPLE\anna"', SINGLE),
        (parse_user, r'"EXAMPLE\tom"', SINGLE),
        (parse_user, r'"EXAMPLE\nora"', SINGLE),
        (parse_user, r'"EXAMPLE\_bert"', SINGLE),
        (parse_user, r'"EXAMPLE\Nora"', SINGLE),
        (parse_user, "007", ANY),
        (parse_profile, "007", ANY),
        (parse_profile, "no", ANY),
        (parse_profile, "1e5", "is not a profile name|^$"),
        (parse_profile, "1.5", ANY),
        (parse_profile, "2026-01-01", ANY),
        (parse_profile, r'"PRO\tServer"', SINGLE),
        (parse_profile, "PRO\N{EN DASH}Server", COPIED + "2013"),
        (parse_number, "015.120", "in quotes"),
        (parse_number, "015120064022", "in quotes"),
        (parse_number, "'015.120.064.022\N{ZERO WIDTH SPACE}'", COPIED + "200B"),
        (parse_number, "'015\N{ONE DOT LEADER}120.064.022'", COPIED + "2024"),
        (parse_number, "'\N{FULLWIDTH DIGIT ZERO}15.120.064.022'", COPIED + "FF10"),
        (parse_code, "1234567890", ANY),
        (parse_code, "AAAAA\N{EN DASH}BBBBB-CCCCC-DDDDD-22222", COPIED + "2013"),
        (parse_code, "AAAAA-BBBBB-CCCCC-DDDDD\N{NON-BREAKING HYPHEN}22222", COPIED + "2011"),
        (parse_code, r'"AAAAA-BBBBB-CCCCC-DDDDD\t-22222"', SINGLE),
    ],
)
def test_a_value_that_is_not_what_was_meant_is_told_with_what_made_it_so(read: Any, written: str, said: str) -> None:
    value = yaml.safe_load(written)
    try:
        read(value, "here")
    except LicensingError as error:
        told = str(error)
        assert said in told or said.startswith("is not a profile name")
        assert "AAAAA" not in told or "such as AAAAA-BBBBB-CCCCC-DDDDD-EEEEE" in told
    else:
        assert said.endswith("^$") and value == written


def test_what_is_missing_was_not_written_without_quotes() -> None:
    with pytest.raises(LicensingError) as refused:
        parse_profile(None, "here")
    assert "quotes" not in str(refused.value)


def test_blanks_around_a_number_or_code_are_no_part_of_it() -> None:
    assert parse_number(" 015.120.064.022\N{NO-BREAK SPACE}\n") == "015.120.064.022"
    assert parse_code("\tAAAAA-BBBBB-CCCCC-DDDDD-22222 ") == "AAAAA-BBBBB-CCCCC-DDDDD-22222"


@pytest.mark.parametrize("days", [9999999999, -1, 36_501, 1.5, True, "365", None, math.nan, math.inf])
def test_days_that_no_license_lasts_are_refused(days: Any) -> None:
    with pytest.raises(LicensingError, match=r"is not a number of days\. \[days\] Use a whole number from 0 to 36500"):
        date_after(date(2026, 1, 1), days, "days")


def test_days_are_counted_from_their_beginning() -> None:
    assert date_after(date(2026, 1, 1), 365, "days") == "2027-01-01"
    assert date_after(date(2026, 1, 1), 0, "days") == "2026-01-01"
    assert date_after(date(2026, 1, 1), 36_500, "days") == "2125-12-08"


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf, -1, 604_801, 1e308, True, "300", None])
def test_a_time_that_would_be_waited_for_without_an_end_is_refused(seconds: Any) -> None:
    with pytest.raises(LicensingError, match="is not a valid number of seconds"):
        parse_seconds(seconds, "here")
    # One too large to be written, which pytest could not name.
    with pytest.raises(LicensingError, match="a int is not a valid number of seconds"):
        parse_seconds(10**5000, "here")
    assert parse_seconds(0, "here") == 0.0 and parse_seconds(604_800, "here") == 604_800.0


@pytest.mark.parametrize("seats", [0, -1, 1_000_001, 10**30, 8.0, True, "8", None, math.nan])
def test_seats_are_a_whole_number(seats: Any) -> None:
    with pytest.raises(LicensingError, match="is not a number of seats"):
        parse_seats(seats, "here")


def test_what_a_rehearsal_grants_is_checked_with_the_inventory() -> None:
    wrong = {"type": 7, "seats": 8.5, "days": 9999999999}
    with pytest.raises(LicensingError) as refused:
        read_grants({SERVER: wrong}, "here")
    assert [problem.where for problem in refused.value.problems] == [f"here of license {SERVER}"] * 3
    right = {"type": "AIMMS", "seats": "8", "days": 30}
    assert read_grants({SERVER: right}, "here") == {SERVER: right}


def test_a_drain_that_never_ends_is_refused_before_anything_is_changed(lab: CoreLab) -> None:
    lab.activate(lab.old)
    before = lab.old.files()
    for seconds in (math.inf, math.nan, -1.0):
        with pytest.raises(LicensingError, match="is not a valid number of seconds"):
            lab.old.manager.set_maintenance(Maintenance(True, drain=DrainOptions(seconds)))
        with pytest.raises(LicensingError, match="is not a valid number of seconds"):
            lab.old.manager.deactivate(
                Deactivation([SERVER], drain=DrainOptions(seconds) if seconds is not None else None), lab.channel()
            )
    assert lab.old.files() == before


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_a_license_is_valid_by_the_same_day_everywhere(
    lab: CoreLab, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its only day is that of UTC: by the local date of one of these zones, it is over or has not begun.
    today = datetime.now(timezone.utc).date().isoformat()
    with lab.ledger.change():
        lab.ledger.put_license(lab.license(SERVER, start=today, expiry=today), lab.clock(), "reissue")
    with monkeypatch.context() as patched:
        patched.setenv("TZ", zone)
        time.tzset()
        rows = {row["number"]: row for row in _list(argparse.Namespace(ledger=str(lab.ledger_path)))}
    time.tzset()
    assert rows[SERVER]["valid"] is True
