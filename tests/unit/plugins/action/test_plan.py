# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan reads of the results that tasks hand to it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.action.aims_license_plan import _side, _users
from support.worked_example import SERVER

OVERVIEW = {
    "server": {"realm": None},
    "licenses": [{"number": SERVER, "status": "Active"}],
    "profiles": [],
    "users": [],
}
INFO = {
    "overview": OVERVIEW,
    "fingerprint": {"machine-id": "a" * 32},
    "places": {"home": "1"},
    "obstacles": [{"what": "No room.", "where": "/", "todo": "Make room."}],
    "carried": {"files": {"ApplicationKeys/app.key": "0" * 64}, "brought": {}, "sources": ["older"]},
}


def test_a_host_that_was_reached_is_planned_with_all_that_it_shows() -> None:
    side = _side({"host": "old", "info": INFO, "authority": "offline", "returns": "yes"}, "source")
    assert side.reachable and side.overview.numbers == [SERVER] and side.fingerprint == INFO["fingerprint"]
    assert side.places == INFO["places"] and [obstacle.where for obstacle in side.obstacles] == ["/"]
    assert side.carried is not None and side.carried.sources == ("older",)
    assert side.is_offline and side.returns


@pytest.mark.parametrize(
    "info", [None, {}, {"skipped": True}, {"unreachable": True, "msg": "gone"}, {"failed": True, "msg": "no"}]
)
def test_a_host_without_an_overview_was_not_reached_and_shows_nothing(info: Any) -> None:
    side = _side({"host": "old", "info": info}, "source")
    assert not side.reachable and side.overview.numbers == [] and side.carried is None and not side.returns


def test_null_declares_no_users_and_an_empty_list_none() -> None:
    assert (_users(None), _users(""), _users([]), _users(["AIMS\\anna"])) == (None, None, (), ("AIMS\\anna",))
