# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a rehearsal is, and where check mode has to end."""

from __future__ import annotations

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView, Status
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.rehearsal import Rehearsal, rehearsal
from support.worked_example import CLIENT, SERVER, SESSION

NUMBERS = [SERVER, SESSION]


def shows(*licenses: tuple[str, Status]) -> Overview:
    return Overview(licenses=tuple(LicenseView(number, status) for number, status in licenses))


READY = shows((SERVER, Status.ACTIVE), (SESSION, Status.ACTIVE), (CLIENT, Status.INACTIVE))


def judged(source: Overview | None, *, is_issued: bool = False, is_dry: bool = True) -> Rehearsal:
    return rehearsal(NUMBERS, Overview(), source, is_issued=is_issued, is_dry=is_dry)


@pytest.mark.parametrize(
    ("target", "over"),
    [
        (shows(), False),
        (shows((CLIENT, Status.ACTIVE)), False),
        (shows((SESSION, Status.ACTIVE)), True),
        (shows((SESSION, Status.INACTIVE)), True),
    ],
    ids=["nothing", "another license", "has one", "had one"],
)
def test_a_rehearsal_is_over_once_the_target_has_or_had_a_license(target: Overview, over: bool) -> None:
    assert rehearsal(NUMBERS, target, None, is_issued=True, is_dry=True).as_dict() == {
        "over": over,
        "unprepared": False,
    }


def test_check_mode_goes_on_where_the_ledger_and_the_source_are_prepared() -> None:
    assert not judged(READY).is_unprepared


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.ACTIVE])
def test_check_mode_ends_where_the_source_lacks_an_active_license(status: Status) -> None:
    assert judged(shows((SERVER, Status.ACTIVE), (SESSION, status))).is_unprepared
    assert judged(shows((SERVER, Status.ACTIVE))).is_unprepared


def test_check_mode_ends_where_licenses_would_be_issued_although_the_source_has_them() -> None:
    assert judged(READY, is_issued=True).is_unprepared


def test_a_real_run_prepares_what_is_missing_and_goes_on() -> None:
    assert not judged(shows(), is_issued=True, is_dry=False).is_unprepared
