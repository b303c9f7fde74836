# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine that is another one since its licenses were activated is told before anything is touched.

An alternate root has one component, its machine-id; several components: tests/unit/plugins/plugin_utils/test_drift.py.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.tests.playbooks.test_offline import carry, go_offline
from ansible_collections.aims.licensing.tests.playbooks.test_pair_status import rows, table
from support.lab import NUMBERS, Lab
from support.runs import must

BOTH = pytest.mark.parametrize("options", [(), ("--check",)], ids=["run", "check"])


def become_another(lab: Lab, host: str) -> list[str]:
    """Let a host be another machine; return how the change of its component is told."""
    then = lab.licman(host, "--fingerprint")["machine-id"]
    (lab.root(host) / "etc" / "machine-id").write_text(f"{secrets.token_hex(16)}\n", encoding="utf-8")
    now = lab.licman(host, "--fingerprint")["machine-id"]
    return ["machine-id", f"({then[:8]} then, {now[:8]} now)", "this is another machine than the one that holds"]


def release_all(lab: Lab) -> None:
    for number in NUMBERS:
        assert lab.authority("release", number, "--reason", "Its board was replaced.")["changed"] is True


@BOTH
@pytest.mark.parametrize("playbook", ["migrate", "rollback", "reconcile"])
@pytest.mark.parametrize("channel", ["ledger", "offline"])
def test_a_target_that_changed(migrated: Lab, playbook: str, channel: str, options: tuple[str, ...]) -> None:
    if channel == "offline":
        migrated.go_offline()
        # What the inventory says of the authority is a change of the server's own.
        must(migrated.play("reconcile"))
    told = become_another(migrated, "new")
    before = migrated.everything()
    lines = table(migrated.play(playbook, *options))
    assert migrated.everything() == before
    assert all(words in " ".join(lines) for words in told) and "Undo the change" in " ".join(lines)
    assert {cells[0] for cells in rows(lines).values()} <= {"neither, new has changed", "not on new, new has changed"}
    assert {cells[2] for cells in rows(lines).values()} == {"stop: the machine has changed"}


@BOTH
def test_a_source_that_changed(rehearsed: Lab, options: tuple[str, ...]) -> None:
    told = become_another(rehearsed, "old")
    before = rehearsed.everything()
    lines = table(rehearsed.play("migrate", *options))
    assert rehearsed.everything() == before
    assert all(words in " ".join(lines) for words in told)
    assert f"License {NUMBERS[0]} was activated on another machine than old is now" in " ".join(lines)


def test_a_target_that_changed_while_its_activations_were_pending(rehearsed: Lab) -> None:
    folder = go_offline(rehearsed)
    rehearsed.play("migrate")
    carry(rehearsed, folder)
    rehearsed.play("migrate")
    place = rehearsed.root("new") / "etc" / "machine-id"
    was = place.read_bytes()
    told = become_another(rehearsed, "new")[:2]
    for playbook, responses in [("migrate", 0), ("rollback", 0), ("reconcile", 0), ("migrate", 3)]:
        if responses:
            carry(rehearsed, folder)
        for options in ((), ("--check",)):
            before = rehearsed.everything()
            lines = table(rehearsed.play(playbook, *options))
            assert rehearsed.everything() == before
            text = " ".join(lines)
            assert all(words in text for words in told) and "pending activation of license" in text
            assert "Undo the change and run this again" in text
            assert {cells[2] for cells in rows(lines).values()} == {"stop: the machine has changed"}
    place.write_bytes(was)
    must(rehearsed.play("migrate"))
    assert rehearsed.held("new") == set(NUMBERS) and rehearsed.transfers() == dict.fromkeys(NUMBERS, 1)


def test_what_it_held_is_released_and_the_same_command_goes_on(rehearsed: Lab) -> None:
    become_another(rehearsed, "old")
    release_all(rehearsed)
    must(rehearsed.play("migrate"))
    assert rehearsed.held("new") == set(NUMBERS) and rehearsed.transfers() == dict.fromkeys(NUMBERS, 1)


def test_what_a_target_held_is_released_and_activated_there_again(migrated: Lab) -> None:
    become_another(migrated, "new")
    release_all(migrated)
    must(migrated.play("reconcile"))
    assert {one["status"] for one in migrated.overview("new")["licenses"]} == {"Active"}
    assert migrated.transfers() == dict.fromkeys(NUMBERS, 2)


def test_offline_what_was_released_is_forgotten_by_hand(migrated: Lab) -> None:
    become_another(migrated, "new")
    release_all(migrated)
    migrated.go_offline()
    lines = " ".join(table(migrated.play("reconcile")))
    commands = re.findall(r"\(rm (\S+)\)", lines)
    assert len(commands) == 3
    for pattern in commands:
        for file in Path(pattern).parent.glob(Path(pattern).name):
            file.unlink()
    run = migrated.play("reconcile")
    assert {cells[1] for cells in rows(table(run)).values()} == {"activation on new, no response"}
    for request in (migrated.work / "offline").glob("*.request"):
        migrated.authority("process", str(request))
    must(migrated.play("reconcile"))
    assert migrated.held("new") == set(NUMBERS) and migrated.transfers() == dict.fromkeys(NUMBERS, 2)


def test_undone_it_is_the_machine_that_it_was(rehearsed: Lab) -> None:
    place = rehearsed.root("old") / "etc" / "machine-id"
    was = place.read_bytes()
    become_another(rehearsed, "old")
    assert rehearsed.play("migrate").code != 0
    place.write_bytes(was)
    must(rehearsed.play("migrate"))
    assert rehearsed.held("new") == set(NUMBERS)
