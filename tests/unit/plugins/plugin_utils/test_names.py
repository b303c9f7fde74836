# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of profiles in a plan: none is taken from a license that stays on the target, whoever gives the others."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile
from support.plans import pair_of, plan_of
from support.worked_example import CLIENT as OTHER
from support.worked_example import CODE
from support.worked_example import SERVER as NUMBER

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
EMPTY = {"server": {"realm": None, "root": ""}, "licenses": [], "profiles": [], "users": [], "pending": []}
FREE = {NUMBER: {"live": False, "spends": 0, "outcome": "granted"}}


def target(status: str) -> dict[str, Any]:
    """A server that has the profile Client for a license that is not declared."""
    license = {"number": OTHER, "status": status, "fenced": None, "until": None, "transfers": None}
    profile = {"name": "Client", "license": OTHER, "default": True}
    return {
        "host": "new",
        "overview": {**EMPTY, "licenses": [license], "profiles": [profile]},
        "fingerprint": {"machine-id": "9" * 32},
    }


def plan(kind: str, status: str, profile: str, further: list[Profile]) -> dict[str, Any]:
    source = {"host": "old", "overview": EMPTY, "fingerprint": {"machine-id": "a" * 32}, "reachable": kind == "usual"}
    wanted = [DeclaredLicense(NUMBER, CODE, profile)]
    if kind == "lost":
        return plan_of(pair_of(source, target(status), wanted, FREE, EMPTY, NOW, further, lost=True))
    return plan_of(pair_of(source, target(status), wanted, FREE, None, NOW, further))


@pytest.mark.parametrize("kind", ["usual", "unreachable", "lost"])
@pytest.mark.parametrize("status", ["Active", "Expired", "Pending Update", "Pending Activation"])
def test_a_name_of_a_license_that_stays_on_the_target_is_a_problem(kind: str, status: str) -> None:
    for profile, further in (("Client", []), ("Own", [Profile("Client", NUMBER)])):
        with pytest.raises(LicensingError) as refused:
            plan(kind, status, profile, further)
        problem = next(one for one in refused.value.problems if one.what.startswith("Profile Client is declared"))
        assert NUMBER in problem.what and OTHER in problem.what and problem.where == "new"
        assert "aims_license_profile" in problem.todo


def test_a_name_of_a_license_that_left_is_free() -> None:
    made = plan("usual", "Inactive Nodelock", "Client", [Profile("Client2", NUMBER)])
    assert made["licenses"][0]["profile"] == "Client"
