# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A source that was declared lost is back: before the release of its licenses, after it, and after an emergency."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

from playbooks.lost_source import ORDER, back, declare, owner, release, seen, waits
from support.lab import NUMBERS, USERS, Lab
from support.runs import must
from support.unreachable import switch_off


def test_a_source_that_comes_back_before_the_release_is_migrated_as_usual(lost: Lab) -> None:
    waits(declare(lost, emergency=True).play("migrate"))
    shutil.copytree(lost.root("owner"), lost.root("old"))
    lost.inventory["all"]["children"]["aims_license_sources"]["hosts"]["old"] = {}
    del lost.target_vars["aims_license_migrate_source_lost"]
    lost.write_inventory()
    run = must(lost.play("migrate", "--check"))
    assert {tuple(row[1:4]) for row in run.plan_rows().values()} == {("active on old", "move", "1")}
    must(lost.play("migrate"))
    assert seen(lost) == dict.fromkeys(NUMBERS, ("Active", None)) and lost.held("old") == set()
    assert lost.transfers() == dict.fromkeys(NUMBERS, 1)


def test_offline_a_source_that_is_back_moves_for_good_what_was_bridged(lost: Lab) -> None:
    lost.go_offline()
    declare(lost, emergency=True)

    def walk() -> None:
        for request in sorted((lost.work / "offline").glob("*.request")):
            owner(lost, "process", str(request))

    assert "3 request(s) wait in" in lost.play("migrate").output
    walk()
    waits(lost.play("migrate"))
    back(lost)
    run = lost.play("migrate")
    assert {(row[2], row[3]) for row in run.plan_rows().values()} == {("move", "1")}
    assert run.code != 0 and "3 request(s) wait in" in run.output and "authority release" not in run.output
    report = json.loads((lost.work / "reports" / "old-to-new.json").read_text(encoding="utf-8"))
    assert report["plan"]["release"] == []
    walk()
    # Between the two, what was given back is to be activated, and no owner has to release it.
    for number in NUMBERS[:1]:
        (lost.work / "offline" / f"{number.replace('.', '')}.response").rename(lost.work / "later")
    lost.play("migrate")
    predicted = must(lost.play("migrate", "--check"))
    steps = predicted.plan_rows()
    assert {number: (row[1], row[2], row[3]) for number, row in steps.items()} == {
        NUMBERS[0]: ("pending deactivation on old", "finish moving", "1"),
        **dict.fromkeys(NUMBERS[1:], ("active on new in an emergency", "activate", "1")),
    }
    (lost.work / "later").rename(lost.work / "offline" / f"{NUMBERS[0].replace('.', '')}.response")
    run = lost.play("migrate")
    assert run.code != 0 and "3 request(s) wait in" in run.output and "authority release" not in run.output
    walk()
    must(lost.play("migrate"))
    assert seen(lost) == dict.fromkeys(NUMBERS, ("Active", None)) and lost.held("old") == set()
    assert lost.transfers() == dict.fromkeys(NUMBERS, 1)
    owner(lost, "audit")
    assert must(lost.play("migrate")).changed == 0


def test_a_rollback_ends_what_bridged_where_the_source_is_back(lost: Lab) -> None:
    waits(declare(lost, emergency=True).play("migrate"))
    run = must(back(lost).play("rollback"))
    assert "Plan new -> old" in run.output
    assert len(re.findall(r"active on both, on new in an emergency  end emergency +0  ", run.output)) == 3
    assert lost.held("old") == set(NUMBERS) and lost.held("new") == set()
    assert lost.transfers() == dict.fromkeys(NUMBERS, 0)
    assert lost.overview("old")["server"]["maintenance"] is False
    before = lost.everything()
    assert must(lost.play("rollback")).changed == 0
    assert lost.everything() == before


def test_a_rollback_ends_what_bridged_also_where_giving_back_was_pending_on_the_source(rehearsed: Lab) -> None:
    lab, variables = rehearsed, rehearsed.inventory["all"]["vars"]
    ledger = variables["aims_license_server_authority"]
    lab.go_offline()
    assert "3 request(s) wait in" in lab.play("migrate").output
    shutil.copytree(lab.root("old"), lab.root("owner"), symlinks=True)
    shutil.rmtree(lab.root("old"))
    variables["aims_license_server_authority"] = ledger
    switch_off(lab, "old")
    waits(declare(lab, emergency=True).play("migrate"))
    assert all(until for _status, until in seen(lab).values())
    run = must(back(lab).play("rollback"))
    assert "pending deactivation on old, active on new in an emergency  finish activating" in run.output
    assert lab.held("old") == set(NUMBERS) and lab.held("new") == set()
    assert lab.transfers() == dict.fromkeys(NUMBERS, 0)
    before = lab.everything()
    assert must(lab.play("rollback")).changed == 0
    assert lab.everything() == before


def test_a_source_that_is_back_after_the_release_is_told_with_what_ends_it(lost: Lab) -> None:
    release(lost, *NUMBERS)
    must(lost.play("migrate"))
    back(lost)
    before = lost.everything()
    for playbook in ("migrate", "rollback"):
        run = lost.play(playbook)
        assert run.code != 0 and lost.everything() == before
        assert f"License {NUMBERS[0]} is active on both old and new, which got it later." in run.output
    printed = re.findall(r"(/\S+/Bin/licman) --nodelock-deactivate (\S+) \(", run.output.replace("\\n", "\n"))
    assert {number for _licman, number in printed} == set(NUMBERS)
    for licman, number in dict.fromkeys(printed):
        done = subprocess.run([licman, "--nodelock-deactivate", number], capture_output=True, text=True, check=False)
        assert done.returncode == 1 and "is not live on this license server" in done.stderr
    assert lost.held("old") == set() and lost.held("new") == set(NUMBERS)
    assert must(lost.play("migrate")).changed == 0
    must(lost.play("rollback"))
    assert lost.held("old") == set(NUMBERS) and lost.held("new") == set()
    assert lost.transfers() == dict.fromkeys(NUMBERS, 2)
    assert lost.profiles("old") == ORDER and lost.overview("old")["users"] == USERS
    assert must(lost.play("rollback")).changed == 0


def test_a_source_that_is_back_between_the_release_and_the_next_run_is_migrated_as_usual(lost: Lab) -> None:
    waits(lost.play("migrate"))
    release(lost, *NUMBERS)
    run = must(back(lost).play("migrate"))
    assert f"License {NUMBERS[0]} is served on old, but held by nobody" in run.output
    assert lost.held("new") == set(NUMBERS) and lost.held("old") == set()
    assert {license["status"] for license in lost.overview("old")["licenses"]} == {"Inactive Nodelock"}
    assert lost.transfers() == dict.fromkeys(NUMBERS, 1)
    assert lost.profiles("new") == ORDER and lost.overview("new")["users"] == USERS
    assert must(lost.play("migrate")).changed == 0
    owner(lost, "audit")


def test_offline_a_source_that_is_back_after_the_release_is_migrated_as_usual(lost: Lab) -> None:
    release(lost, *NUMBERS)
    lost.go_offline()
    back(lost)
    for _step in ("give back", "take"):
        assert "3 request(s) wait in" in lost.play("migrate").output
        for request in sorted((lost.work / "offline").glob("*.request")):
            owner(lost, "process", str(request))
    must(lost.play("migrate"))
    assert lost.held("new") == set(NUMBERS) and lost.held("old") == set()
    assert lost.transfers() == dict.fromkeys(NUMBERS, 1)
    assert must(lost.play("migrate")).changed == 0
