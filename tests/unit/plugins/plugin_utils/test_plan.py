# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan of a pair makes of what the hosts show and the authority says."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Wanted
from ansible_collections.aims.licensing.plugins.plugin_utils._plan import Planner

NUMBER, CODE = "015.120.064.022", "AAAAA-BBBBB-CCCCC-DDDDD-22222"
NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
FENCED = "2026-05-01T12:00:00Z"


def license(status: str = "Active", **changes: Any) -> dict[str, Any]:
    code_key = documents.public_half(documents.key_from_code(NUMBER, CODE))
    plain = {"fenced": None, "until": None, "expiry": "2099-12-31", "transfers": None, "holder": None, "drift": None}
    return {"number": NUMBER, "status": status, **plain, "code_key": code_key, **changes}


def side(host: str, *licenses: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A host with what it shows; ``pending`` names the action of an open exchange."""
    pending = [{"number": NUMBER, "action": action} for action in changes.pop("pending", [])]
    users, server = changes.pop("users", []), {"realm": None, "root": "", "home": "/opt/aims-license-server"}
    overview = {"server": server, "licenses": [*licenses], "profiles": [], "users": users, "pending": pending}
    machine = {"machine-id": ("a" if host == "old" else "b") * 32}
    return {"host": host, "overview": overview, "fingerprint": machine, "obstacles": [], **changes}


def planner(giver: dict[str, Any], taker: dict[str, Any], **quote: Any) -> Planner:
    quotes = {NUMBER: {"number": NUMBER, **quote}} if quote else {}
    return Planner(giver, taker, [Wanted(NUMBER, CODE)], quotes, None, NOW)


def test_what_is_fenced_on_the_giver_and_held_by_nobody_is_activated_and_not_given_back() -> None:
    plan = planner(side("old", license(fenced=FENCED)), side("new"), live=False, spends=1).plan()
    (row,) = plan["licenses"]
    assert (row["state"], row["step"], row["spends"]) == ("fenced on old, held by nobody", "activate", 1)
    assert plan["give_up"] == [] and plan["notes"] == []


def test_what_the_giver_still_serves_is_fenced_first_and_told() -> None:
    plan = planner(side("old", license()), side("new"), live=False, spends=1).plan()
    assert plan["licenses"][0]["step"] == "move" and plan["give_up"] == [NUMBER]
    assert plan["notes"][0].startswith(f"License {NUMBER} is served on old, but held by nobody")


def spent(*days: int) -> dict[str, Any]:
    return {"spent": [f"2026-05-{day:02}T12:00:00Z" for day in days]}


STALE = license(fenced=FENCED, serial=5, transfers=spent(1))


def test_the_budget_is_the_authoritys_and_not_what_a_fenced_nodelock_remembers() -> None:
    sides = side("new", license(serial=9, transfers=spent(1, 2, 3))), side("old", STALE)
    with pytest.raises(LicensingError, match=f"License {NUMBER} has spent its 3 transfers."):
        planner(*sides, live=True, spends=1, transfers=spent(1, 2, 3)).plan()
    # Nobody is asked offline: who activated it later knows better.
    with pytest.raises(LicensingError, match=f"License {NUMBER} has spent its 3 transfers."):
        planner(*sides).plan()


@pytest.mark.parametrize("asked", [{"live": True, "spends": 1}, {}], ids=["asked", "offline"])
def test_what_a_fenced_giver_has_since_is_moved_and_not_served_again_by_a_fenced_taker(asked: dict[str, Any]) -> None:
    giver = side("new", license(fenced=FENCED, serial=9))
    assert planner(giver, side("old", STALE), **asked).plan()["give_up"] == [NUMBER]
    pending = side("new", license("Pending Deactivation", fenced=FENCED, serial=9), pending=["deactivate"])
    assert planner(pending, side("old", STALE), **asked).plan()["licenses"][0]["step"] == "finish moving"


@pytest.mark.parametrize(("live", "spends"), [(True, 0), (False, 0), (False, 1)])
def test_what_is_the_takers_or_nobodys_is_served_again_for_what_the_authority_says(live: bool, spends: int) -> None:
    giver = side("new", license(fenced=FENCED, serial=3))
    (row,) = planner(giver, side("old", STALE), live=live, spends=spends).plan()["licenses"]
    assert (row["step"], row["spends"]) == ("serve again", spends)
