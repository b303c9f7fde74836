# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Giving the licenses back: after a finished migration, and out of the middle of one."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
from support.lab import NUMBERS, USERS, WORKED_EXAMPLE, Lab
from support.runs import must
from support.unreachable import switch_off


def particulars(lab: Lab, host: str) -> dict[str, Any]:
    """What must be on the source again."""
    seen = lab.overview(host)
    return {
        "profiles": seen["profiles"],
        "users": seen["users"],
        "statuses": {one["number"]: one["status"] for one in seen["licenses"]},
        "fenced": {one["fenced"] for one in seen["licenses"]},
        "maintenance": seen["server"]["maintenance"],
    }


@pytest.fixture
def original(migrated_once: Lab, rehearsed: Lab) -> dict[str, Any]:
    """What the source was before any migration."""
    return particulars(rehearsed, "old")


def test_a_finished_migration_is_rolled_back_for_one_transfer_each(migrated: Lab, original: dict[str, Any]) -> None:
    assert original["users"] == USERS and original["maintenance"] is False
    must(migrated.play("rollback"))
    assert migrated.held("old") == set(NUMBERS) and migrated.held("new") == set()
    assert migrated.transfers() == dict.fromkeys(NUMBERS, 2)
    assert {one["transfers"]["left"] for one in migrated.authority("list")} == {1}
    assert particulars(migrated, "old") == original
    assert migrated.overview("new")["server"]["maintenance"] is True
    assert {one["status"] for one in migrated.overview("new")["licenses"]} == {"Inactive Nodelock"}

    before = migrated.everything()
    assert must(migrated.play("rollback")).changed == 0
    assert migrated.everything() == before


def test_a_source_gets_its_own_names_order_and_users_back(rehearsed: Lab) -> None:
    # What the target will have under other names: a name more, an order of its own, a mark of its own, other users.
    rehearsed.licman("old", "--profile-remove", "Client")
    rehearsed.licman("old", "--profile-add", "ClientOfOld", "--license", NUMBERS[2])
    rehearsed.licman("old", "--profile-add", "Client", "--license", NUMBERS[1], "--default")
    original = particulars(rehearsed, "old")
    rehearsed.target_vars["aims_license_server_users"] = ["AIMS\\new"]
    rehearsed.target_vars["aims_license_server_profiles"] = [{"name": "Nightly", "license": NUMBERS[1]}]
    rehearsed.write_inventory()
    must(rehearsed.play("migrate"))
    assert [one["name"] for one in rehearsed.overview("new")["profiles"]] == [
        "PROServer",
        "PROSession",
        "Client",
        "Nightly",
    ]
    assert rehearsed.overview("new")["users"] == ["AIMS\\new"]

    told = [
        "Profile Client of new is not carried over to old: clients must use ClientOfOld.",
        "Profile Nightly of new is not carried over to old: clients must use ",
    ]
    before = rehearsed.everything()
    check = must(rehearsed.play("rollback", "--check"))
    assert rehearsed.everything() == before and all(note in check.output for note in told)
    must(rehearsed.play("rollback"))
    assert particulars(rehearsed, "old") == original
    before = rehearsed.everything()
    assert must(rehearsed.play("rollback")).changed == 0
    assert rehearsed.everything() == before

    # What the inventory says of the source itself holds for it.
    rehearsed.inventory["all"]["children"]["aims_license_sources"]["hosts"]["old"] = {
        "aims_license_server_users": ["AIMS\\old"]
    }
    rehearsed.write_inventory()
    must(rehearsed.play("rollback"))
    assert particulars(rehearsed, "old") == {**original, "users": ["AIMS\\old"]}


def test_what_a_rollback_left_pending_is_finished_under_the_names_of_the_source(rehearsed: Lab) -> None:
    rehearsed.licman("old", "--profile-remove", "Client")
    rehearsed.licman("old", "--profile-add", "ClientOfOld", "--license", NUMBERS[2])
    rehearsed.licman("old", "--nodelock-deactivate", NUMBERS[2])
    asked = ("--nodelock-activate", NUMBERS[2], "--activation-code", rehearsed.codes[NUMBERS[2]])
    rehearsed.licman("old", *asked, "--authority", "offline")
    assert [one["number"] for one in rehearsed.overview("old")["pending"]] == [NUMBERS[2]]
    own = particulars(rehearsed, "old")["profiles"]
    assert "ClientOfOld" in [one["name"] for one in own]
    must(rehearsed.play("migrate"))
    assert rehearsed.held("new") == set(NUMBERS) and particulars(rehearsed, "old")["profiles"] == own


def test_a_source_that_registered_nobody_registers_nobody_after_a_rollback(rehearsed: Lab) -> None:
    config = rehearsed.home("old") / "Config" / "server.json"
    config.write_text(json.dumps({**json.loads(config.read_text(encoding="utf-8")), "users": []}), encoding="utf-8")
    original = particulars(rehearsed, "old")
    assert original["users"] == []
    rehearsed.target_vars["aims_license_server_users"] = ["AIMS\\new"]
    rehearsed.write_inventory()
    must(rehearsed.play("migrate"))
    must(rehearsed.play("rollback"))
    assert rehearsed.overview("new")["users"] == ["AIMS\\new"]
    assert particulars(rehearsed, "old") == original


def test_check_of_a_rollback_changes_nothing(migrated: Lab) -> None:
    before = migrated.everything()
    run = must(migrated.play("rollback", "--check", "--diff"))
    assert "Plan new -> old" in run.output
    assert migrated.everything() == before


@pytest.mark.parametrize("given_up", [1, 3])
def test_an_unfinished_migration_is_rolled_back_for_nothing(
    rehearsed: Lab, original: dict[str, Any], given_up: int
) -> None:
    rehearsed.licman("old", "--maintenance", "on")
    for number in NUMBERS[:given_up]:
        rehearsed.licman("old", "--nodelock-deactivate", number)
    assert rehearsed.held("old") == set(NUMBERS[given_up:])
    must(rehearsed.play("rollback"))
    assert rehearsed.held("old") == set(NUMBERS)
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 0)
    assert particulars(rehearsed, "old") == original

    before = rehearsed.everything()
    assert must(rehearsed.play("rollback")).changed == 0
    assert rehearsed.everything() == before


def test_a_migration_that_broke_down_between_the_hosts_is_rolled_back_for_nothing(
    rehearsed: Lab, original: dict[str, Any]
) -> None:
    # The authority is gone as soon as the source has given everything up.
    ledger, away = rehearsed.ledger, rehearsed.folder / "away.db"
    started = rehearsed.start("migrate")
    home = rehearsed.home("old")
    assert started.until(lambda: not [*home.glob("Nodelocks/*.lock"), *home.glob("Journal/*.request")])
    ledger.rename(away)
    run = started.wait()
    away.rename(ledger)
    assert run.code != 0, run.output
    assert rehearsed.held("old") == set()
    taken = rehearsed.held("new")
    must(rehearsed.play("rollback"))
    assert rehearsed.held("old") == set(NUMBERS) and rehearsed.held("new") == set()
    assert particulars(rehearsed, "old") == original
    # A license that had arrived already was moved, and moves back; the others never moved.
    assert rehearsed.transfers() == {number: 2 if number in taken else 0 for number in NUMBERS}


def test_maintenance_mode_that_an_operator_has_entered_is_not_ended_where_nothing_is_left_to_do(migrated: Lab) -> None:
    assert migrated.overview("old")["server"]["maintenance_by"] == "fence"
    migrated.licman("new", "--maintenance", "on")
    before = migrated.everything()
    assert must(migrated.play("migrate")).changed == 0
    assert migrated.everything() == before
    # Licenses that come back open their source, also where an operator has closed it.
    migrated.licman("old", "--maintenance", "on")
    must(migrated.play("rollback"))
    assert migrated.overview("old")["server"]["maintenance"] is False
    assert migrated.overview("new")["server"]["maintenance_by"] == "operator"


def test_a_source_that_was_built_anew_gets_what_is_declared(migrated: Lab) -> None:
    shutil.rmtree(migrated.home("old"))
    must(migrated.play("rollback"))
    assert migrated.held("old") == set(NUMBERS) and migrated.held("new") == set()
    seen = migrated.overview("old")
    assert [one["name"] for one in seen["profiles"]] == [one["profile"] for one in WORKED_EXAMPLE]
    assert seen["users"] == USERS


def test_nothing_is_asked_for_licenses_that_are_there_and_declared_by_twelve_digits(migrated: Lab) -> None:
    migrated.declare_digits()
    # An authority that nobody reaches shows who asks it.
    migrated.ledger.rename(migrated.folder / "away.db")
    before = migrated.everything()
    assert "Nothing is left to do." in must(migrated.play("migrate", "--check")).output
    assert migrated.everything() == before


def test_a_rollback_where_nothing_was_migrated_changes_nothing(rehearsed: Lab) -> None:
    before = rehearsed.everything()
    assert must(rehearsed.play("rollback")).changed == 0
    assert rehearsed.everything() == before


def test_there_and_back_and_there_again(migrated: Lab) -> None:
    must(migrated.play("rollback"))
    must(migrated.play("migrate"))
    assert migrated.held("new") == set(NUMBERS) and migrated.held("old") == set()
    assert migrated.transfers() == dict.fromkeys(NUMBERS, 3)
    assert migrated.overview("new")["users"] == USERS

    # the fourth is refused before anything is touched
    before = migrated.everything()
    run = migrated.play("rollback")
    assert run.code != 0 and "has spent its 3 transfers" in run.output
    assert migrated.everything() == before


def test_a_target_that_was_reinstalled_with_fewer_licenses_than_its_bundle_is_rolled_back(migrated: Lab) -> None:
    options = {
        "home": "{{ aims_license_server_home }}",
        "root": "{{ aims_license_server_root }}",
        "dest": str(migrated.work / "bundles"),
    }
    play = migrated.write_play("target", "new", [{"name": "Back up", "aims.licensing.aims_license_backup": options}])
    must(migrated.play(play))
    first = (migrated.work / "bundles" / "new" / "latest").resolve()
    for number in NUMBERS:
        migrated.authority("release", number, "--reason", "Its disk is gone.")
    shutil.rmtree(migrated.home("new"))
    declared = migrated.target_vars["aims_license_server_licenses"]
    migrated.target_vars["aims_license_server_licenses"] = [one for one in declared if one["number"] != NUMBERS[0]]
    migrated.write_inventory()
    must(migrated.play("migrate"))
    assert migrated.held("new") == set(NUMBERS[1:])
    must(migrated.play("rollback"))
    assert (migrated.held("old"), migrated.held("new")) == (set(NUMBERS[1:]), set())
    assert (migrated.work / "bundles" / "new" / "latest").resolve() != first and first.is_dir()


def test_what_a_source_shows_from_an_earlier_time_does_not_hide_that_its_transfers_are_spent(migrated: Lab) -> None:
    must(migrated.play("rollback"))
    earlier = migrated.folder / "earlier"
    shutil.copytree(migrated.root("old"), earlier, symlinks=True)
    must(migrated.play("migrate"))
    shutil.rmtree(migrated.root("old"))
    shutil.move(earlier, migrated.root("old"))
    # The authority refuses, as the target holds them: here they stay, fenced.
    for number in NUMBERS:
        migrated.licman("old", "--nodelock-deactivate", number)
    assert migrated.held("old") == set() and particulars(migrated, "old")["statuses"] == dict.fromkeys(
        NUMBERS, "Active"
    )
    before = migrated.everything()
    for options in (["--check"], []):
        run = migrated.play("rollback", *options)
        assert run.code != 0 and "has spent its 3 transfers" in run.output, run.output
        assert migrated.everything() == before


@pytest.mark.parametrize("authority", ["ledger", "offline"])
def test_a_source_that_has_the_licenses_back_and_cannot_be_reached_is_missed(migrated: Lab, authority: str) -> None:
    must(migrated.play("rollback"))
    if authority == "offline":
        migrated.go_offline()
    switch_off(migrated, "old")
    before = migrated.everything()
    for options in (["--check"], []):
        run = migrated.play("migrate", *options)
        assert run.code != 0 and "Traceback" not in run.output
        assert f"License {NUMBERS[0]} is not active on new, and old cannot be reached. [old] Bring it up" in run.output
        assert migrated.everything() == before


def register(lab: Lab, host: str, users: list[str]) -> None:
    """Have a license server register these users alone."""
    path = lab.home(host) / "Config" / "server.json"
    config = {**json.loads(path.read_text(encoding="utf-8")), "users": users}
    path.write_text(json.dumps(config), encoding="utf-8")
    assert lab.overview(host)["users"] == users


def test_a_user_who_was_deregistered_on_the_host_that_serves_does_not_come_back(migrated: Lab) -> None:
    must(migrated.play("rollback"))
    register(migrated, "old", USERS[:1])
    must(migrated.play("migrate"))
    assert migrated.overview("new")["users"] == USERS[:1]
    register(migrated, "new", ["AIMS\\carl"])
    assert must(migrated.play("migrate")).changed == 0
    assert migrated.overview("new")["users"] == ["AIMS\\carl"]
