# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The source is lost for good: what its bundle and the authority allow is done, and the rest is named."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from playbooks.lost_source import KEY, ORDER, commands, declare, owner, release, seen, waits
from support.lab import NUMBERS, USERS, Lab
from support.runs import must
from support.unreachable import switch_off


def test_what_the_lost_source_holds_is_named_with_the_command_and_the_same_run_completes_it(lost: Lab) -> None:
    run = waits(lost.play("migrate", "--diff"))
    printed = commands(run)
    assert [command[2] for command in printed] == NUMBERS
    assert printed[0][3:] == ["--ledger", str(lost.ledger), "--reason", "old is lost"]
    assert {row[2] for row in run.plan_rows().values()} == {"needs release"}
    # What needs no license is there already.
    assert (lost.home("new") / KEY).read_text(encoding="utf-8") == "a key of an application"
    assert lost.overview("new")["users"] == USERS and lost.held("new") == set()
    before = lost.everything()
    assert waits(lost.play("migrate")).changed == 0
    assert lost.everything() == before

    for command in printed:
        owner(lost, *command[1:3], *command[5:])
    run = must(lost.play("migrate"))
    assert {row[2] for row in run.plan_rows().values()} == {"activate"}
    assert lost.held("new") == set(NUMBERS) and lost.transfers() == dict.fromkeys(NUMBERS, 1)
    assert lost.profiles("new") == ORDER and lost.overview("new")["users"] == USERS
    report = json.loads((lost.work / "reports" / "old-to-new.json").read_text(encoding="utf-8"))
    assert report["moved"] == NUMBERS and report["next_step"] is None
    before = lost.everything()
    run = must(lost.play("migrate"))
    assert run.changed == 0 and "Nothing is left to do." in run.output
    assert lost.everything() == before
    owner(lost, "audit")


def test_what_is_free_is_activated_and_only_the_rest_waits(lost: Lab) -> None:
    release(lost, NUMBERS[1])
    run = waits(lost.play("migrate"))
    assert [command[2] for command in commands(run)] == [NUMBERS[0], NUMBERS[2]]
    assert seen(lost) == {NUMBERS[1]: ("Active", None)} and lost.profiles("new") == [ORDER[1]]
    assert lost.transfers() == {NUMBERS[0]: 0, NUMBERS[1]: 1, NUMBERS[2]: 0}
    page = (lost.work / "reports" / "old-to-new.html").read_text(encoding="utf-8")
    assert "2 licenses to be released" in page and "needs release" in page
    release(lost, NUMBERS[0], NUMBERS[2])
    must(lost.play("migrate"))
    assert lost.held("new") == set(NUMBERS) and lost.profiles("new") == ORDER
    assert lost.transfers() == dict.fromkeys(NUMBERS, 1)


def test_what_waits_is_left_out_also_where_it_is_declared_by_twelve_digits(lost: Lab) -> None:
    lost.target_vars["aims_license_server_profiles"] = [{"name": "Nightly", "license": NUMBERS[0]}]
    lost.declare_digits()
    release(lost, NUMBERS[1])
    run = waits(lost.play("migrate"))
    assert [command[2] for command in commands(run)] == [NUMBERS[0], NUMBERS[2]]
    assert seen(lost) == {NUMBERS[1]: ("Active", None)} and lost.profiles("new") == [ORDER[1]]
    release(lost, NUMBERS[0], NUMBERS[2])
    must(lost.play("migrate"))
    assert lost.held("new") == set(NUMBERS) and lost.profiles("new") == [*ORDER, ("Nightly", NUMBERS[0], False)]


def test_an_emergency_bridges_the_days_until_the_release(lost: Lab) -> None:
    declare(lost, emergency=True)
    release(lost, NUMBERS[2])
    run = waits(lost.play("migrate"))
    day = (datetime.now(timezone.utc) + timedelta(days=7)).strftime("%Y-%m-%d")
    steps = {number: row[2] for number, row in run.plan_rows().items()}
    assert steps == {NUMBERS[0]: f"emergency until {day}", NUMBERS[1]: f"emergency until {day}", NUMBERS[2]: "activate"}
    assert [command[2] for command in commands(run)] == NUMBERS[:2]
    licenses = seen(lost)
    assert {number: (status, until and until[:10]) for number, (status, until) in licenses.items()} == {
        NUMBERS[0]: ("Active", day),
        NUMBERS[1]: ("Active", day),
        NUMBERS[2]: ("Active", None),
    }
    assert lost.profiles("new") == ORDER
    assert lost.transfers() == {NUMBERS[0]: 0, NUMBERS[1]: 0, NUMBERS[2]: 1}
    # With and without the wish for it, what bridges goes on doing so.
    for wish in (True, False):
        declare(lost, emergency=wish)
        before = lost.everything()
        assert waits(lost.play("migrate")).changed == 0
        assert lost.everything() == before

    release(lost, *NUMBERS[:2])
    must(lost.play("migrate"))
    assert seen(lost) == dict.fromkeys(NUMBERS, ("Active", None)) and lost.profiles("new") == ORDER
    assert lost.transfers() == dict.fromkeys(NUMBERS, 1)
    run = must(lost.play("migrate"))
    assert run.changed == 0, run.output


def test_an_authority_that_grants_no_emergency_says_so_in_the_plan(lost: Lab) -> None:
    declare(lost, emergency=True)
    done = lost.write_play("never", "new", [{"ansible.builtin.command": {"argv": never(lost)}}])
    must(lost.play(done))
    run = waits(lost.play("migrate"))
    assert "This authority grants no emergency activations." in run.output
    assert {row[2] for row in run.plan_rows().values()} == {"needs release"} and lost.held("new") == set()


def never(lab: Lab) -> list[str]:
    """A command that serves the ledger for a moment, with no emergency activations."""
    address = ["--host", "127.0.0.1", "--listen", "127.0.0.1", "--port", "0"]
    options = [*address, "--emergency-days", "0", "--stop-after", "0.1"]
    return [str(lab.home("owner") / "Bin" / "authority"), "serve", "--ledger", str(lab.ledger), *options]


@pytest.mark.parametrize("emergency", [False, True])
def test_check_shows_it_all_and_changes_nothing(lost: Lab, emergency: bool) -> None:
    declare(lost, emergency=emergency)
    release(lost, NUMBERS[1])
    before = lost.everything()
    run = must(lost.play("migrate", "--check", "--diff"))
    assert lost.everything() == before and run.changed == 0
    steps = [row[2].partition(" until")[0] for row in run.plan_rows().values()]
    held = "emergency" if emergency else "needs release"
    assert steps == [held, "activate", held]
    assert [command[2] for command in commands(run)] == [NUMBERS[0], NUMBERS[2]]
    assert "old is declared lost" in run.output


def test_a_source_that_died_in_the_middle_needs_a_release_for_what_it_held_then(rehearsed: Lab) -> None:
    must(rehearsed.play("backup"))
    rehearsed.licman("old", "--nodelock-deactivate", NUMBERS[0])
    shutil.copytree(rehearsed.root("old"), rehearsed.root("owner"))
    shutil.rmtree(rehearsed.root("old"))
    switch_off(rehearsed, "old")
    run = waits(declare(rehearsed).play("migrate"))
    assert [command[2] for command in commands(run)] == NUMBERS[1:]
    assert rehearsed.held("new") == {NUMBERS[0]}


def test_a_rollback_to_a_lost_source_says_what_is_to_be_done(lost: Lab) -> None:
    waits(declare(lost, emergency=True).play("migrate"))
    before = lost.everything()
    run = lost.play("rollback")
    assert run.code != 0 and "old is declared lost (aims_license_migrate_source_lost)" in run.output
    assert lost.everything() == before


def test_a_bundle_may_be_named(lost: Lab, tmp_path: Path) -> None:
    place = tmp_path / "safe"
    shutil.copytree((lost.work / "bundles" / "old" / "latest").resolve(), place)
    shutil.rmtree(lost.work)
    run = lost.play("migrate")
    assert run.code != 0 and "There is no bundle of old." in run.output
    assert not lost.home("new").exists()
    release(declare(lost, bundle=str(place)), *NUMBERS)
    must(lost.play("migrate"))
    assert lost.held("new") == set(NUMBERS) and lost.overview("new")["users"] == USERS


def test_a_bundle_that_is_damaged_or_does_not_cover_the_licenses_is_refused_before_anything_is_touched(
    lost: Lab, rehearsed: Lab
) -> None:
    release(lost, *NUMBERS)
    further = {"number": "015.120.099.001", "activation_code": "M3XKQ-7TRVB-W2HDN-P9ZCE-6JYFA", "profile": "More"}
    lost.target_vars["aims_license_server_licenses"].append(further)
    lost.write_inventory()
    before = lost.everything()
    run = lost.play("migrate")
    assert run.code != 0 and "License 015.120.099.001 was not active when the bundle was made." in run.output
    assert lost.everything() == before
    lost.target_vars["aims_license_server_licenses"].pop()
    lost.write_inventory()
    (lost.work / "bundles" / "old" / "latest" / "overview.yml").write_text("licenses: []\n", encoding="utf-8")
    before = lost.everything()
    run = lost.play("migrate")
    assert run.code != 0 and "was changed since the bundle was made" in run.output and "Traceback" not in run.output
    assert lost.everything() == before


def test_what_a_third_machine_holds_is_not_taken_for_the_lost_sources(lost: Lab) -> None:
    release(lost, *NUMBERS)
    must(lost.play("migrate"))
    # Another pair's target, with the same bundle: its licenses are live on the first target.
    shutil.rmtree(lost.root("new"))
    lost.make_root("new")
    declare(lost, emergency=True)
    before = lost.everything()
    run = lost.play("migrate")
    assert run.code != 0 and "Traceback" not in run.output
    assert f"License {NUMBERS[0]} is live on a license server, but old does not hold it." in run.output
    assert lost.everything() == before


def test_a_wrong_code_is_told_before_anything_is_touched(lost: Lab) -> None:
    lost.target_vars["aims_license_server_licenses"][0]["activation_code"] = "ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ"
    lost.write_inventory()
    before = lost.everything()
    run = lost.play("migrate")
    assert run.code != 0 and f"knows no license {NUMBERS[0]} with this activation code" in run.output
    assert lost.everything() == before


def test_offline_the_files_are_made_without_the_source_and_a_refusal_names_the_way(lost: Lab) -> None:
    lost.go_offline()
    declare(lost, emergency=True)

    def walk() -> None:
        for request in sorted((lost.work / "offline").glob("*.request")):
            owner(lost, "process", str(request))

    run = lost.play("migrate")
    assert run.code != 0 and "3 request(s) wait in" in run.output
    walk()
    run = waits(lost.play("migrate"))
    assert {status for status, _until in seen(lost).values()} == {"Active"} and all(u for _s, u in seen(lost).values())
    assert lost.transfers() == dict.fromkeys(NUMBERS, 0)
    assert waits(lost.play("migrate")).changed == 0
    # Offline, what bridges stays until it is ended by hand.
    release(lost, *NUMBERS)
    for number in NUMBERS:
        lost.licman("new", "--nodelock-deactivate", number)
    declare(lost, emergency=False)
    assert lost.play("migrate").code != 0
    walk()
    must(lost.play("migrate"))
    assert seen(lost) == dict.fromkeys(NUMBERS, ("Active", None)) and lost.transfers() == dict.fromkeys(NUMBERS, 1)
