# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine that changed since its licenses were activated: the plan says what changed, and what that means."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import compare, in_words
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.inspection import drift_of
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair_status import SeenHost, pair_status
from support.plans import pair_of, plan_of
from support.worked_example import CODE
from support.worked_example import SERVER as NUMBER

THEN = {"machine-id": "a" * 32, "product-uuid": "b" * 32, "mac-addresses": "c" * 32}
OTHER = {"machine-id": "9" * 32}


def overview(now: dict[str, str], status: str) -> dict[str, Any]:
    found = compare(THEN, now)
    license = {
        "number": NUMBER,
        "status": status,
        "fenced": None,
        "until": None,
        "expiry": "2099-12-31",
        "transfers": None,
        "code_key": documents.public_half(documents.key_from_code(NUMBER, CODE)),
        "drift": drift_of(found, THEN, now).as_dict() if found.changed else None,
    }
    return {"server": {"realm": None, "root": ""}, "licenses": [license], "profiles": [], "users": [], "pending": []}


def plan(now: dict[str, str], status: str = "Active") -> dict[str, Any]:
    empty = {"server": {"realm": None, "root": ""}, "licenses": [], "profiles": [], "users": [], "pending": []}
    source = {"host": "old", "overview": overview(now, status), "fingerprint": now, "obstacles": []}
    target = {"host": "new", "overview": empty, "fingerprint": OTHER}
    asked = datetime(2026, 1, 1, tzinfo=timezone.utc)
    return plan_of(pair_of(source, target, [DeclaredLicense(NUMBER, CODE)], {}, None, asked))


@pytest.mark.parametrize("component", ["machine-id", "product-uuid", "mac-addresses"])
def test_one_changed_component_is_noted_with_its_hashes_and_stops_nothing(component: str) -> None:
    now = {**THEN, component: "1234567890" + "0" * 22}
    made = plan(now)
    assert made["licenses"][0]["step"] == "move"
    note = next(note for note in made["notes"] if "has changed since" in note)
    assert note.startswith("old has changed since its licenses were activated: ")
    assert f"{component} ({THEN[component][:8]} then, 12345678 now)" in note
    assert "counts as the same machine" in note and "One more change" in note


@pytest.mark.parametrize(
    ("changed", "means"),
    [
        (("product-uuid", "mac-addresses"), "The machine-id is the same on other hardware"),
        (("machine-id", "mac-addresses"), "this is another machine"),
    ],
)
def test_another_machine_is_told_with_all_that_differs_before_anything_is_touched(
    changed: tuple[str, ...], means: str
) -> None:
    now = {**THEN, **dict.fromkeys(changed, "f" * 32)}
    with pytest.raises(LicensingError) as refused:
        plan(now, "Inactive Nodelock")
    problem = next(problem for problem in refused.value.problems if "another machine than old is now" in problem.what)
    assert all(f"{name} ({THEN[name][:8]} then, ffffffff now)" in problem.what for name in changed)
    assert means in problem.todo and "have the authority's owner release" in problem.todo


def test_only_the_first_digits_of_a_hash_are_told() -> None:
    assert in_words(THEN, OTHER, ["machine-id"]) == "machine-id (aaaaaaaa then, 99999999 now)"


def test_a_machine_that_did_not_change_has_no_note() -> None:
    assert plan(dict(THEN))["notes"] == []


@pytest.mark.parametrize("reachable", [True, False], ids=["source here", "source gone"])
@pytest.mark.parametrize("lost", [False, True], ids=["", "declared lost"])
def test_a_pending_activation_of_another_machine_stops_the_plan(reachable: bool, lost: bool) -> None:
    found = drift_of(compare(THEN, OTHER), THEN, OTHER).as_dict()
    pending = {"number": NUMBER, "action": "activate", "request_id": "r", "made": "2026-01-01T12:00:00Z"}
    server = {"realm": None, "root": "", "home": "/opt/aims-license-server"}
    empty = {"server": server, "licenses": [], "profiles": [], "users": [], "pending": []}
    target_overview = {**empty, "pending": [{**pending, "answered": False, "drift": found}]}
    source = {"host": "old", "overview": empty, "fingerprint": THEN, "obstacles": [], "reachable": reachable}
    target = {"host": "new", "overview": target_overview, "fingerprint": OTHER}
    # That it is live nowhere says nothing of what is still to be asked.
    quotes = {NUMBER: {"number": NUMBER, "live": False, "spends": 0}}
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    wanted = [DeclaredLicense(NUMBER, CODE)]
    with pytest.raises(LicensingError) as refused:
        plan_of(pair_of(source, target, wanted, quotes, empty if lost else None, now, lost=lost))
    (problem,) = refused.value.problems
    assert f"pending activation of license {NUMBER} was made on another machine than new is now: " in problem.what
    assert "machine-id (aaaaaaaa then, 99999999 now)" in problem.what
    assert "rm -f /opt/aims-license-server/Journal/015120064022.* " in problem.todo
    (row,) = pair_status([SeenHost("new", Overview.from_dict(target_overview, "new"))], [NUMBER], {})
    assert (row.where, row.next) == ("not on new, new has changed", "stop: the machine has changed")
