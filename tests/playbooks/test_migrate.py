# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration as it should go: what it moves, what it reports, and that a second one does nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from support.lab import GRANTS, NUMBERS, USERS, WORKED_EXAMPLE, Lab
from support.runs import must


@pytest.fixture
def report(migrated_once: Lab) -> dict[str, Any]:
    """The report of a finished migration."""
    return json.loads((migrated_once.work / "reports" / "old-to-new.json").read_text(encoding="utf-8"))


def test_check_before_the_first_migration_shows_the_plan_and_changes_nothing(rehearsed: Lab) -> None:
    before = rehearsed.everything()
    run = must(rehearsed.play("migrate", "--check", "--diff"))
    assert rehearsed.everything() == before
    assert not rehearsed.work.exists()
    assert run.changed == 0
    rows = run.plan_rows()
    assert list(rows) == NUMBERS
    year = rehearsed.overview("old")["licenses"][0]["expiry"][:4]
    for license in WORKED_EXAMPLE:
        profile, now, step, spends, left, returns = rows[license["number"]]
        assert (profile, now, step, spends, left) == (license["profile"], "active on old", "move", "1", "2")
        assert returns.startswith(year)


def test_a_license_that_waits_for_an_update_moves_like_the_others(rehearsed: Lab) -> None:
    rehearsed.licman("old", "--nodelock-update", NUMBERS[0], "--authority", "offline")
    assert [request["number"] for request in rehearsed.overview("old")["pending"]] == NUMBERS[:1]
    assert must(rehearsed.play("migrate", "--check")).plan_rows()[NUMBERS[0]][2] == "move"
    must(rehearsed.play("migrate"))
    assert (rehearsed.held("old"), rehearsed.held("new")) == (set(), set(NUMBERS))
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 1)
    assert rehearsed.overview("old")["pending"] == []
    assert must(rehearsed.play("migrate")).changed == 0


def test_every_license_is_live_on_the_target_only_for_one_transfer_each(migrated_once: Lab) -> None:
    assert migrated_once.held("old") == set()
    assert migrated_once.held("new") == set(NUMBERS)
    assert migrated_once.transfers() == dict.fromkeys(NUMBERS, 1)
    source = {license["number"]: license["status"] for license in migrated_once.overview("old")["licenses"]}
    target = {license["number"]: license["status"] for license in migrated_once.overview("new")["licenses"]}
    assert source == dict.fromkeys(NUMBERS, "Inactive Nodelock")
    assert target == dict.fromkeys(NUMBERS, "Active")
    key = {license["holder"] for license in migrated_once.overview("new")["licenses"]}
    for license in migrated_once.authority("list"):
        assert (license["live"], license["transfers"]["left"], {license["holder"]}) == (True, 2, key)


def test_the_source_is_left_in_maintenance_and_the_target_in_service(migrated_once: Lab) -> None:
    assert migrated_once.overview("old")["server"]["maintenance"] is True
    assert migrated_once.overview("new")["server"]["maintenance"] is False


def test_profiles_their_order_and_marks_and_the_users_are_carried(migrated_once: Lab) -> None:
    declared = [(license["profile"], license["number"], license.get("default", False)) for license in WORKED_EXAMPLE]
    assert migrated_once.profiles("new") == declared
    assert migrated_once.overview("new")["users"] == USERS
    for license in migrated_once.overview("new")["licenses"]:
        assert {key: license[key] for key in ("type", "seats")} == GRANTS[license["number"]]


def test_declared_further_profiles_come_below_and_users_as_declared(rehearsed: Lab) -> None:
    rehearsed.licman("old", "--profile-add", "Nightly", "--license", NUMBERS[1])
    rehearsed.target_vars["aims_license_server_profiles"] = [
        {"name": "Nightly", "license": NUMBERS[1], "default": True},
        {"name": "Backoffice", "license": NUMBERS[2]},
    ]
    rehearsed.target_vars["aims_license_server_users"] = ["AIMS\\carl"]
    rehearsed.write_inventory()
    must(rehearsed.play("migrate"))
    names = [(name, default) for name, number, default in rehearsed.profiles("new")]
    assert names == [
        ("PROServer", False),
        ("PROSession", True),
        ("Client", True),
        ("Nightly", True),
        ("Backoffice", False),
    ]
    assert rehearsed.overview("new")["users"] == ["AIMS\\carl"]


def test_what_is_declared_as_null_is_as_good_as_not_declared(rehearsed: Lab) -> None:
    optional = ("users", "realm", "portal", "portal_email")
    rehearsed.target_vars.update({f"aims_license_server_{name}": None for name in optional})
    rehearsed.write_inventory()
    must(rehearsed.play("migrate"))
    assert rehearsed.held("new") == set(NUMBERS) and rehearsed.overview("new")["users"] == USERS
    for playbook in ("migrate", "reconcile"):
        before = rehearsed.everything()
        assert must(rehearsed.play(playbook)).changed == 0
        assert rehearsed.everything() == before
    rehearsed.target_vars["aims_license_server_users"] = []
    rehearsed.write_inventory()
    assert must(rehearsed.play("reconcile")).changed == 1
    assert rehearsed.overview("new")["users"] == []


def test_no_profile_is_taken_from_a_license_that_the_target_has_already(rehearsed: Lab) -> None:
    server, session, client = rehearsed.target_vars["aims_license_server_licenses"]
    rehearsed.target_vars["aims_license_server_licenses"] = [client]
    rehearsed.write_inventory()
    must(rehearsed.play("migrate"))

    def refused(*declared: dict[str, Any], further: Sequence[dict[str, Any]] = ()) -> None:
        rehearsed.target_vars["aims_license_server_licenses"] = list(declared)
        rehearsed.target_vars["aims_license_server_profiles"] = list(further)
        rehearsed.write_inventory()
        before = rehearsed.everything()
        for options in (("--check",), ()):
            run = rehearsed.play("migrate", *options)
            assert run.code != 0 and "Traceback" not in run.output
            message = f"Profile Client is declared for license {NUMBERS[0]}, but is that of license {NUMBERS[2]} here"
            assert message in run.output
        assert rehearsed.everything() == before

    refused({**server, "profile": "Client"}, session)
    rehearsed.target_vars["aims_license_server_licenses"] = [server, session]
    rehearsed.write_inventory()
    must(rehearsed.play("migrate"))
    order = [("PROServer", NUMBERS[0], False), ("PROSession", NUMBERS[1], True), ("Client", NUMBERS[2], True)]
    assert rehearsed.profiles("new") == order
    # Where nothing is left to move, and for further profiles.
    refused({**server, "profile": "Client"}, session)
    refused(server, session, further=[{"name": "Client", "license": NUMBERS[0]}])
    assert rehearsed.profiles("new") == order


def test_a_second_migration_changes_nothing(migrated: Lab) -> None:
    before = migrated.everything()
    run = must(migrated.play("migrate", "--diff"))
    assert run.changed == 0
    assert migrated.everything() == before
    assert "Nothing is left to do." in run.output


def test_the_report_says_what_happened(migrated_once: Lab, report: dict[str, Any]) -> None:
    assert report["pair"] == {"source": "old", "target": "new"}
    assert report["moved"] == NUMBERS
    assert report["pending"] == []
    assert 0 < report["without_service_seconds"] < 60
    assert {license["status"] for license in report["before"]["licenses"]} == {"Active"}
    assert {license["status"] for license in report["source_after"]["licenses"]} == {"Inactive Nodelock"}
    assert report["after"] == migrated_once.overview("new")
    assert report["licenses_cfg"] == ["1\tnetwork\tnew:3400"]
    assert [entry["string"] for entry in report["connection_strings"]] == [
        "new:3400,PROServer",
        "new:3400,PROSession",
        "new:3400,Client",
    ]


def test_the_report_is_also_a_page_that_stands_alone(migrated_once: Lab, report: dict[str, Any]) -> None:
    page = (migrated_once.work / "reports" / "old-to-new.html").read_text(encoding="utf-8")
    returns = report["after"]["licenses"][0]["transfers"]["returns"][:10]
    for text in [*NUMBERS, "PROServer", "new:3400,PROSession", returns]:
        assert text in page
    assert not re.search(r'(?:src|href)="?(?:https?:)?//', page)
    assert "<script src" not in page
