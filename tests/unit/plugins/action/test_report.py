# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a run still has to verify the target, as the report of an earlier run shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.action.aims_license_report import ActionModule
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView, Status
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.plan import Plan, PlannedLicense
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.steps import Step
from ansible_collections.aims.licensing.plugins.plugin_utils._report.report import PairNames, Report
from support.worked_example import SERVER

NAMES = PairNames("old", "new")
SHOWN = Overview(licenses=(LicenseView(SERVER, Status.ACTIVE, serial=1),))


def report(**changes: Any) -> Report:
    plan = Plan((PlannedLicense(SERVER, None, "", Step.KEEP, None, None, None, None),))
    return replace(Report(NAMES, "", "migrate", Overview(), SHOWN, Overview(), plan, moved=(SERVER,)), **changes)


class Task(ActionModule):  # type: ignore[misc]  # action plugins carry no types
    """A task of the module whose report is at hand."""

    def __init__(self, made: Report, dest: Path, **more: Any) -> None:
        self._made = made
        args = {"planned": {"plan": made.plan.as_dict()}, "dest": str(dest), **more}
        self._task = SimpleNamespace(args=args, check_mode=False, action="aims_license_report")

    def _report(self) -> Report:
        return self._made


def is_due(made: Report, dest: Path) -> bool:
    before = sorted(dest.iterdir())
    result = Task(made, dest, probe=True).act({})
    assert not result["changed"] and sorted(dest.iterdir()) == before
    return bool(result["verification_due"])


@pytest.fixture
def reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the report of a run that came to its end."""
    monkeypatch.setattr(f"{ActionModule.__module__}.report_page", lambda _report: "")
    assert Task(report(), tmp_path).act({})["changed"]
    return tmp_path


def test_a_run_that_moves_licenses_verifies_the_target(reported: Path) -> None:
    moves = PlannedLicense(SERVER, None, "", Step.MOVE, None, None, None, None)
    assert is_due(report(plan=Plan((moves,))), reported)


def test_a_pair_whose_report_shows_the_same_is_not_verified_again(reported: Path) -> None:
    assert not is_due(report(), reported)


def test_licenses_that_moved_without_a_report_are_verified(tmp_path: Path) -> None:
    assert is_due(report(), tmp_path)
    assert not is_due(report(moved=()), tmp_path)


def test_licenses_that_moved_after_the_report_are_verified(reported: Path) -> None:
    later = Overview(licenses=(LicenseView(SERVER, Status.ACTIVE, serial=2),))
    assert is_due(report(after=later), reported)


def test_what_the_report_itself_refuses_is_left_to_it(tmp_path: Path) -> None:
    # The target does not have the license that moved: the report says so, and a seat would only be refused.
    assert not is_due(report(after=Overview()), tmp_path)
    assert not is_due(report(pair=PairNames("/", "new")), tmp_path)
