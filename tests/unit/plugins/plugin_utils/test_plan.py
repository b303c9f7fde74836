# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan of a pair makes of what the hosts show and the authority says."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair import Pair
from support.plans import pair_of, plan_of
from support.worked_example import CODE
from support.worked_example import SERVER as NUMBER

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


def pair(source: dict[str, Any], target: dict[str, Any], **quote: Any) -> Pair:
    quotes = {NUMBER: {"number": NUMBER, **quote}} if quote else {}
    return pair_of(source, target, [DeclaredLicense(NUMBER, CODE)], quotes, None, NOW)


def plan(source: dict[str, Any], target: dict[str, Any], **quote: Any) -> dict[str, Any]:
    return plan_of(pair(source, target, **quote))


def test_what_is_fenced_on_the_source_and_held_by_nobody_is_activated_and_not_given_back() -> None:
    made = plan(side("old", license(fenced=FENCED)), side("new"), live=False, spends=1)
    (row,) = made["licenses"]
    assert (row["state"], row["step"], row["spends"]) == ("fenced on old, held by nobody", "activate", 1)
    assert made["deactivate"] == [] and made["notes"] == []


def test_what_the_source_still_serves_is_fenced_first_and_told() -> None:
    made = plan(side("old", license()), side("new"), live=False, spends=1)
    assert made["licenses"][0]["step"] == "move" and made["deactivate"] == [NUMBER]
    assert made["notes"][0].startswith(f"License {NUMBER} is served on old, but held by nobody")


def spent(*days: int) -> dict[str, Any]:
    return {"spent": [f"2026-05-{day:02}T12:00:00Z" for day in days]}


STALE = license(fenced=FENCED, serial=5, transfers=spent(1))


def test_the_budget_is_the_authoritys_and_not_what_a_fenced_nodelock_remembers() -> None:
    sides = side("new", license(serial=9, transfers=spent(1, 2, 3))), side("old", STALE)
    with pytest.raises(LicensingError, match=f"License {NUMBER} has spent its 3 transfers."):
        plan(*sides, live=True, spends=1, transfers=spent(1, 2, 3))
    # Nobody is asked offline: who activated it later knows better.
    with pytest.raises(LicensingError, match=f"License {NUMBER} has spent its 3 transfers."):
        plan(*sides)


def way_back(made: dict[str, Any]) -> list[str]:
    return [note for note in made["notes"] if "cannot be moved back" in note]


def test_a_migration_that_spends_the_last_transfer_says_from_when_on_there_is_a_way_back() -> None:
    old = license(serial=9, transfers=spent(1, 2))
    told = [
        f"License {NUMBER} cannot be moved back before 2027-05-01T12:00:00Z: this run leaves it no transfer. "
        "If you may need the way back before, ask the licensor first."
    ]
    made = plan(side("old", old), side("new"), live=True, spends=1, transfers=spent(1, 2))
    assert made["licenses"][0]["step"] == "move" and way_back(made) == told
    # Offline the source's own nodelock knows.
    assert way_back(plan(side("old", old), side("new"))) == told
    # The authority knows of a transfer more than the source.
    earlier = license(serial=9, transfers=spent(2))
    assert way_back(plan(side("old", earlier), side("new"), live=True, spends=1, transfers=spent(1, 2))) == told
    # What began in an earlier run, and is finished now.
    given_back = license("Inactive Nodelock", fenced=FENCED, serial=9, transfers=spent(1, 2))
    made = plan(side("old", given_back), side("new"), live=False, spends=1, transfers=spent(1, 2))
    assert made["licenses"][0]["step"] == "activate" and way_back(made) == told


def test_a_migration_of_a_license_that_ends_before_there_is_a_way_back_says_so() -> None:
    old = license(serial=9, transfers=spent(1, 2), expiry="2027-04-30")
    told = [
        f"License {NUMBER} ends on 2027-04-30, before it could be moved back from 2027-05-01T12:00:00Z on: this run "
        "leaves it no transfer. If you may need the way back, ask the licensor first."
    ]
    made = plan(side("old", old), side("new"), live=True, spends=1, transfers=spent(1, 2))
    assert [note for note in made["notes"] if "moved back" in note] == told


@pytest.mark.parametrize(
    ("source", "target", "asked"),
    [
        (side("old", license(transfers=spent(1))), side("new"), {"live": True, "spends": 1, "transfers": spent(1)}),
        (side("old", license()), side("new"), {}),
        (
            side("old", license(fenced=FENCED, transfers=spent(1, 2))),
            side("new"),
            {"live": False, "spends": 0, "transfers": spent(1, 2)},
        ),
        (side("old", license("Inactive Nodelock", fenced=FENCED)), side("new", license(transfers=spent(1, 2, 3))), {}),
        (
            side("new", license(transfers=spent(1, 2))),
            side("old", returns=True),
            {"live": True, "spends": 1, "transfers": spent(1, 2)},
        ),
    ],
    ids=["one left", "nobody knows", "spends nothing", "there already", "the way back itself"],
)
def test_a_way_back_that_is_open_or_not_at_stake_is_not_told(
    source: dict[str, Any], target: dict[str, Any], asked: dict[str, Any]
) -> None:
    assert way_back(plan(source, target, **asked)) == []


@pytest.mark.parametrize("asked", [{"live": True, "spends": 1}, {}], ids=["asked", "offline"])
def test_what_a_fenced_source_has_since_is_moved_and_not_served_again_by_a_fenced_target(asked: dict[str, Any]) -> None:
    source = side("new", license(fenced=FENCED, serial=9))
    assert plan(source, side("old", STALE), **asked)["deactivate"] == [NUMBER]
    pending = side("new", license("Pending Deactivation", fenced=FENCED, serial=9), pending=["deactivate"])
    assert plan(pending, side("old", STALE), **asked)["licenses"][0]["step"] == "finish moving"


@pytest.mark.parametrize(("live", "spends"), [(True, 0), (False, 0), (False, 1)])
def test_what_is_the_takers_or_nobodys_is_served_again_for_what_the_authority_says(live: bool, spends: int) -> None:
    source = side("new", license(fenced=FENCED, serial=3))
    (row,) = plan(source, side("old", STALE), live=live, spends=spends)["licenses"]
    assert (row["step"], row["spends"]) == ("serve again", spends)


GONE: dict[str, Any] = {"reachable": False}
FREED = license("Inactive Nodelock", fenced=FENCED)


@pytest.mark.parametrize(
    ("target", "asked"),
    [
        (side("new", FREED), {"live": True, "spends": 1}),
        (side("new", FREED), {}),
        (side("old", FREED, returns=True), {"live": True, "spends": 1}),
        (side("old", STALE, returns=True), {"live": True, "spends": 1}),
        (side("old", returns=True), {"live": False, "spends": 0}),
    ],
    ids=["held elsewhere", "nobody asked", "rollback, held elsewhere", "fenced, held elsewhere", "never had"],
)
def test_a_source_that_cannot_be_reached_is_missed_for_what_it_may_hold(
    target: dict[str, Any], asked: dict[str, Any]
) -> None:
    with pytest.raises(LicensingError, match=f"{NUMBER} is not active on {target['host']}, and host cannot be reached"):
        plan(side("host", **GONE), target, **asked)


@pytest.mark.parametrize(
    ("target", "asked", "step"),
    [
        (side("new", FREED), {"live": False, "spends": 1}, "activate"),
        (side("old", FREED, returns=True), {}, "activate"),
        (side("old", FREED, returns=True), {"live": True, "spends": 0}, "activate"),
        (side("old", STALE, returns=True), {"live": False, "spends": 0}, "serve again"),
        (side("new", license("Pending Activation"), pending=["activate"]), {}, "finish activating"),
        (side("new", license()), {}, "keep"),
    ],
    ids=["free", "returns by file", "its own", "fenced", "pending", "there"],
)
def test_a_source_that_cannot_be_reached_is_not_missed_for_the_rest(
    target: dict[str, Any], asked: dict[str, Any], step: str
) -> None:
    assert plan(side("host", **GONE), target, **asked)["licenses"][0]["step"] == step


def by(host: dict[str, Any], who: str | None) -> dict[str, Any]:
    """A host in maintenance mode that somebody has entered."""
    server = {**host["overview"]["server"], "maintenance": True, "maintenance_by": who}
    return {**host, "overview": {**host["overview"], "server": server}}


def test_no_license_is_given_up_for_a_target_that_an_operator_has_closed() -> None:
    with pytest.raises(LicensingError, match="new is in maintenance mode, which an operator has entered") as refused:
        plan(side("old", license()), by(side("new"), "operator"), live=True, spends=1)
    assert "Leave it there (licman --maintenance off)" in str(refused.value)


@pytest.mark.parametrize(
    ("source", "target", "step"),
    [
        (side("old", license()), by(side("new"), "fence"), "move"),
        (side("old", license()), by(side("new"), None), "move"),
        (by(side("old", license()), "operator"), side("new"), "move"),
        (side("old", FREED), by(side("new", license()), "operator"), "keep"),
        (side("new", license()), by(side("old", FREED, returns=True), "operator"), "move"),
    ],
    ids=["its fence", "an earlier version", "the source", "nothing arrives", "a rollback"],
)
def test_maintenance_mode_stands_against_nothing_else(
    source: dict[str, Any], target: dict[str, Any], step: str
) -> None:
    assert plan(source, target)["licenses"][0]["step"] == step


def test_an_activation_that_will_be_refused_is_told() -> None:
    target = side("new", license("Pending Activation"), pending=["activate"])
    made = plan(side("old", license()), target)
    assert made["notes"] == [
        f"License {NUMBER} is active on old, so that its activation, pending on new, will be refused. "
        "The run after that moves it."
    ]
    assert plan(side("old", FREED), target)["notes"] == []


@pytest.mark.parametrize("action", ["activate", "deactivate"])
def test_what_bridges_on_the_source_ends_while_the_target_finishes_what_is_pending_there(action: str) -> None:
    bridged = license(until="2026-06-05T12:00:00Z")
    target = side("old", license(f"Pending {action.capitalize()[:-1]}ion", fenced=FENCED), pending=[action])
    made = plan(side("new", bridged), target)
    (row,) = made["licenses"]
    assert (row["step"], made["deactivate"], made["returned"]) == ("finish activating", [NUMBER], [])
    assert row["state"] == f"pending {action[:-1]}ion on old, active on new in an emergency"
    assert plan(side("new"), target)["deactivate"] == []


OTHER = "015.120.077.001"
ANNA, BERT = "AIMS\\anna", "AIMS\\bert"


@pytest.mark.parametrize(
    ("source", "target", "users"),
    [
        (side("old", license(), users=[ANNA]), side("new", FREED, users=[ANNA, BERT]), [ANNA]),
        (side("old", license(), users=[]), side("new", FREED, users=[ANNA]), [ANNA]),
        (side("old", FREED, users=[ANNA, BERT]), side("new", license(), users=[ANNA]), [ANNA]),
        (side("old", FREED, users=[ANNA, BERT]), side("new", license(), users=[]), [ANNA, BERT]),
        (side("old", license(fenced=FENCED), users=[ANNA]), side("new", users=[BERT]), [ANNA, BERT]),
        (side("old", FREED, users=[ANNA]), side("new", users=[BERT]), [ANNA, BERT]),
        (side("old", license(), users=[ANNA]), side("new", license(number=OTHER), users=[BERT]), [BERT, ANNA]),
        (side("old", FREED, users=[ANNA]), side("new", license(), license(number=OTHER), users=[BERT]), [BERT]),
    ],
    ids=["moves", "moves, none", "there", "there, none", "fenced", "in the middle", "beside another", "there, both"],
)
def test_users_are_those_of_the_host_that_serves(source: Any, target: Any, users: list[str]) -> None:
    assert plan(source, target)["users"] == users


def test_an_overview_of_a_bundle_may_lack_serials_and_defaults_and_is_refused_with_wrong_ones() -> None:
    source = side("old", license(fenced=FENCED))
    source["overview"]["profiles"] = [{"name": "PROServer", "license": NUMBER}]
    target = side("new", license(fenced=FENCED))
    assert plan(source, target)["licenses"][0]["step"] == "serve again"
    for serial in ("nine", [1], True, -1):
        wrong = side("old", license(fenced=FENCED, serial=serial))
        with pytest.raises(LicensingError, match=r"licenses\[0\].serial is not a whole number. \[old, overview\]"):
            plan(wrong, target)


def test_nothing_is_given_up_on_a_source_that_cannot_be_reached() -> None:
    bridged = license(until="2026-06-03T12:00:00Z")
    target = side("new", license("Pending Activation"), pending=["activate"])
    assert plan(side("old", bridged), target)["deactivate"] == [NUMBER]
    assert plan(side("old", bridged, **GONE), target)["deactivate"] == []


OTHER_CODE = "ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-99999"
LOCKED = {"protection": "Machine Nodelock"}
REALM = {"name": "lab", "id": "0" * 16, "key": base64.b64encode(b"r" * 32).decode()}


def of_realm(host: str, *licenses: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A host whose realm is known, and with it what its license files say of their codes."""
    code_key = documents.public_half(documents.key_from_code(NUMBER, CODE, REALM["key"]))
    shown = side(host, *({**one, "code_key": code_key} for one in licenses), **changes)
    shown["overview"]["server"]["realm"] = REALM
    return shown


@pytest.mark.parametrize(
    ("source", "target"),
    [([], [license(**LOCKED)]), ([license()], []), ([license("Inactive Nodelock", fenced=FENCED)], [])],
    ids=["where nothing is left to do", "where it is to be moved", "where it was given back"],
)
def test_a_wrong_code_is_told_wherever_a_license_file_shows_it(source: list[Any], target: list[Any]) -> None:
    sides = of_realm("old", *source), of_realm("new", *target, authority="ledger:/a")
    wrong = pair_of(*sides, [DeclaredLicense(NUMBER, OTHER_CODE)], {}, None, NOW)
    with pytest.raises(LicensingError, match=f"activation code declared for license {NUMBER} is not this license's"):
        plan_of(wrong)
    plan_of(pair_of(*sides, [DeclaredLicense(NUMBER, CODE)], {}, None, NOW))


def test_a_source_that_cannot_be_reached_is_judged_for_by_its_bundle() -> None:
    remembered = of_realm("old", license())["overview"]
    target = of_realm("new", license(**LOCKED), authority="ledger:/a")
    target["overview"]["licenses"][0]["code_key"] = ""
    source = side("old", reachable=False)
    with pytest.raises(LicensingError, match=f"activation code declared for license {NUMBER} is not this license's"):
        plan_of(pair_of(source, target, [DeclaredLicense(NUMBER, OTHER_CODE)], {}, remembered, NOW))


def test_a_nodelock_that_cannot_be_had_as_declared_is_told_where_nothing_is_left_to_do() -> None:
    held = of_realm("new", license(**LOCKED), authority="ledger:/a")
    with pytest.raises(LicensingError, match="A machine nodelock cannot be changed into a personal one"):
        plan_of(pair_of(side("old"), held, [DeclaredLicense(NUMBER, CODE, nodelock="personal")], {}, None, NOW))
    personal = license(protection="Personal Nodelock")
    with pytest.raises(LicensingError, match="A personal nodelock cannot be activated offline"):
        target = of_realm("new", personal, authority="offline")
        plan_of(pair_of(side("old"), target, [DeclaredLicense(NUMBER, CODE, nodelock="personal")], {}, None, NOW))
    online = of_realm("new", personal, authority="ledger:/a")
    plan_of(pair_of(side("old"), online, [DeclaredLicense(NUMBER, CODE, nodelock="personal")], {}, None, NOW))
    made = plan_of(pair_of(side("old"), online, [DeclaredLicense(NUMBER, CODE)], {}, None, NOW))
    assert "is declared with a machine nodelock: reconcile asks the authority for that" in made["notes"][0]


def test_a_quote_that_names_no_holder_hides_no_other_machine() -> None:
    bare: dict[str, Any] = {NUMBER: {"live": True, "spends": 1}}
    source = side("old", license(holder="K"))
    assert plan_of(pair_of(source, side("new"), [DeclaredLicense(NUMBER, CODE)], bare, None, NOW))["deactivate"] == [
        NUMBER
    ]
    drift = {"verdict": "other", "changed": [], "components": "machine-id", "means": "This is another machine."}
    source = side("old", license(holder="K", drift=drift))
    with pytest.raises(LicensingError, match="was activated on another machine than old is now"):
        plan_of(pair_of(source, side("new"), [DeclaredLicense(NUMBER, CODE)], bare, None, NOW))


def test_declared_users_are_registered_and_otherwise_those_of_the_host_that_served() -> None:
    made = pair(side("old", license(), users=["AIMS\\anna"]), side("new"), live=True, spends=1)
    assert plan_of(made)["users"] == ["AIMS\\anna"]
    assert plan_of(replace(made, users=("AIMS\\bert",)))["users"] == ["AIMS\\bert"]
    assert plan_of(replace(made, users=()))["users"] == []


def test_a_target_that_gets_its_licenses_back_keeps_its_users_also_where_it_had_none() -> None:
    source = side("new", license(), users=["AIMS\\anna"])
    had = pair(source, side("old", license("Inactive Nodelock"), returns=True), live=True, spends=1)
    assert plan_of(had)["users"] is None
    assert plan_of(replace(had, users=("AIMS\\bert",)))["users"] == ["AIMS\\bert"]
    anew = pair(source, side("old", returns=True), live=True, spends=1)
    assert plan_of(anew)["users"] == ["AIMS\\anna"]
    registered = pair(source, side("old", users=["AIMS\\bert"], returns=True), live=True, spends=1)
    assert plan_of(registered)["users"] is None


@pytest.mark.parametrize(("action", "unfinished"), [("activate", [NUMBER]), ("deactivate", []), ("update", [])])
def test_an_activation_that_is_pending_on_the_source_is_unfinished(action: str, unfinished: list[str]) -> None:
    assert plan(side("old", pending=[action]), side("new"))["unfinished"] == unfinished
