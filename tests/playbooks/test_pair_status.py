# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that stops says in one table where the pair stands, however it stopped, and aims_license_info says the same."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from support.lab import NUMBERS, Lab
from support.runs import Run, must

# A connection that answers until something is seen on disk.
DYING = """
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import local


class Connection(local.Connection):
    transport = "dying"

    def _connect(self):
        if {dead}:
            raise AnsibleConnectionFailure("Connection timed out.")
        return super()._connect()

    def exec_command(self, *arguments, **options):
        self._connect()
        return super().exec_command(*arguments, **options)
"""


def dying(lab: Lab, host: str, dead: str) -> None:
    """Let a host answer to nobody as soon as something holds, as Python says it."""
    place = lab.folder / "connections"
    place.mkdir()
    (place / "dying.py").write_text(DYING.format(dead=dead), encoding="utf-8")
    config = lab.folder / "ansible.cfg"
    text = config.read_text(encoding="utf-8").replace("[defaults]\n", f"[defaults]\nconnection_plugins = {place}\n")
    config.write_text(text, encoding="utf-8")
    for group in lab.inventory["all"]["children"].values():
        if host in group["hosts"]:
            group["hosts"][host]["ansible_connection"] = "dying"
    lab.write_inventory()


def revive(lab: Lab) -> None:
    (lab.folder / "connections" / "dying.py").write_text(DYING.format(dead="False"), encoding="utf-8")


def offline(lab: Lab) -> Lab:
    lab.go_offline()
    return lab


def process(lab: Lab, *numbers: str) -> None:
    for number in numbers:
        request = lab.work / "offline" / f"{number.replace('.', '')}.request"
        assert lab.authority("process", str(request))["outcome"] == "granted"


def table(run: Run) -> list[str]:
    """The lines of the table at the end of a run, each of which stands on a line of the output."""
    assert run.code != 0 and "Traceback" not in run.output, run.output
    found = re.findall(r'^    "status_table": (\[\n.*?^    \])', run.output, re.MULTILINE | re.DOTALL)
    assert len(found) == 1, run.output
    # It is the last thing that is told: after it come the recap and nothing else.
    assert run.output.index(found[0]) > run.output.rindex("TASK [")
    lines: list[str] = json.loads(found[0])
    assert lines[-1].startswith("Run the same command again to go on from here") and len(lines) < 40
    assert all(len(line) <= 150 for line in lines)
    return lines


def rows(lines: list[str]) -> dict[str, tuple[str, ...]]:
    """The table's cells by license: live on, pending without its time, next run."""
    found = {}
    for line in lines:
        if re.match(r"\d{3}\.\d{3}\.\d{3}\.\d{3}  ", line):
            number, *cells = re.split(r"\s{2,}", line)
            found[number] = tuple(re.sub(r" since [0-9-]+ [0-9:]+ UTC", "", cell) for cell in cells)
    return found


def stands(run: Run, *cells: str) -> list[str]:
    """All licenses stand alike."""
    lines = table(run)
    assert rows(lines) == dict.fromkeys(NUMBERS, cells), "\n".join(lines)
    return lines


def info(lab: Lab, host: str) -> dict[str, Any]:
    """What aims_license_info returns about a host."""
    place = lab.folder / "info.json"
    server = {name: f"{{{{ aims_license_server_{name} }}}}" for name in ("home", "root", "backend", "authority")}
    look = {"aims.licensing.aims_license_info": server, "register": "seen"}
    keep = {"ansible.builtin.copy": {"content": "{{ seen | to_json }}", "dest": str(place)}, "delegate_to": "localhost"}
    must(lab.play(lab.write_play("look", host, [look, keep])))
    seen: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    return seen


def given_up(lab: Lab) -> bool:
    home = lab.home("old")
    return not [*home.glob("Nodelocks/*.lock"), *home.glob("Journal/*.request")]


@pytest.mark.parametrize("options", [(), ("--check",)])
def test_refused_before_anything_is_touched(rehearsed: Lab, options: tuple[str, ...]) -> None:
    rehearsed.target_vars["aims_license_server_licenses"][0]["activation_code"] = "-".join(["ZZZZZ"] * 5)
    rehearsed.write_inventory()
    before = rehearsed.everything()
    lines = stands(rehearsed.play("migrate", *options), "old", "nothing", "move")
    assert lines[0] == "Stopped at: Get a quote for the activation on the target"
    assert "knows no license 015.120.064.022 with this activation code" in " ".join(lines)
    assert rehearsed.everything() == before


def test_the_authority_gone_after_everything_was_given_up(rehearsed: Lab) -> None:
    away = rehearsed.folder / "away.db"
    started = rehearsed.start("migrate")
    assert started.until(lambda: given_up(rehearsed)), started.wait().output
    rehearsed.ledger.rename(away)
    run = started.wait()
    away.rename(rehearsed.ledger)
    held, lines = rehearsed.held("new"), table(run)
    assert lines[0] == "Stopped at: Activate the licenses and profiles on the target"
    for number, cells in rows(lines).items():
        # What was asked for stands as that; the others are asked for next.
        assert cells == ("new", "nothing", "keep") if number in held else cells[0] == "neither"
        assert number in held or cells[2] in ("activate", "finish activating: ask again under the same id")
    must(rehearsed.play("migrate"))
    assert rehearsed.held("new") == set(NUMBERS)


def test_an_activation_of_unknown_outcome(rehearsed: Lab) -> None:
    # Killed once all is given up, then as the authority has granted the first, before its answer is there.
    assert rehearsed.play("migrate", AIMS_LICENSING_FAULT="journal.closed:3:kill").code != 0
    assert rehearsed.held("old") == rehearsed.held("new") == set()
    cut = rehearsed.play("migrate", AIMS_LICENSING_FAULT="ledger.committed:1:kill")
    pending = [one["number"] for one in rehearsed.overview("new")["pending"]]
    assert len(pending) == sum(rehearsed.transfers().values()) == 1, cut.output
    assert not [*rehearsed.home("new").glob("Journal/*.response")]
    # Nobody can be asked now: the run stops, and says what is in doubt.
    away = rehearsed.folder / "away.db"
    rehearsed.ledger.rename(away)
    lines = table(rehearsed.play("migrate"))
    for number in pending:
        assert rows(lines)[number] == (
            "neither",
            "activation on new, outcome unknown",
            "finish activating: ask again under the same id",
        )
    seen = info(rehearsed, "new")
    told = {row["number"]: (row["live"], row["next"]) for row in seen["status"]}
    assert all(told[number] == ([], "ask again under the same id") for number in pending)
    away.rename(rehearsed.ledger)
    must(rehearsed.play("migrate"))
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 1)


def test_waiting_for_responses_at_each_step_of_the_offline_way(rehearsed: Lab) -> None:
    lab = offline(rehearsed)
    lines = stands(
        lab.play("migrate"),
        "neither, fenced on old",
        "deactivation on old, no response",
        "finish moving: wait for the response",
    )
    assert lines[1].startswith("3 request(s) wait in")
    # The commands as they are to be given: without a ledger they end with a usage.
    for command in ("process", "status"):
        assert f"'authority {command} FILE.request --ledger PATH'" in " ".join(lines)
    seen = info(lab, "old")["status"]
    assert [(one["live"], one["where"], one["next"]) for one in seen] == [
        ([], "not on old, fenced on old", "wait for the response")
    ] * 3
    assert {one["pending"][0]["response"] for one in seen} == {"none"}

    # One response is there, a damaged one beside it: the good one is not applied either, and both are told.
    process(lab, *NUMBERS)
    damaged = lab.work / "offline" / f"{NUMBERS[1].replace('.', '')}.response"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:100])
    stands(
        lab.play("migrate"),
        "neither, fenced on old",
        "deactivation on old, response in the folder",
        "finish moving: apply the response",
    )
    damaged.write_bytes(whole)
    stands(
        lab.play("migrate"),
        "neither",
        "activation on new, no response",
        "finish activating: wait for the response",
    )
    process(lab, *NUMBERS[:2])
    lines = table(lab.play("migrate"))
    assert rows(lines) == {
        **dict.fromkeys(NUMBERS[:2], ("new", "nothing", "keep")),
        NUMBERS[2]: ("neither", "activation on new, no response", "finish activating: wait for the response"),
    }
    seen = info(lab, "new")
    assert {row["number"]: row["live"] for row in seen["status"]} == {
        NUMBERS[0]: ["new"],
        NUMBERS[1]: ["new"],
        NUMBERS[2]: [],
    }
    assert rows(seen["status_table"])[NUMBERS[0]] == ("new", "nothing", "keep")
    process(lab, NUMBERS[2])
    must(lab.play("migrate"))


def test_a_target_that_is_gone_once_everything_was_given_up(rehearsed: Lab) -> None:
    dying(rehearsed, "new", f"not list(Path({str(rehearsed.home('old'))!r}).glob('Nodelocks/*.lock'))")
    cells = ("not on old, new not reached", "nothing", "stop: needs new")
    run = rehearsed.play("migrate")
    lines = stands(run, *cells)
    assert lines[0] == "Stopped at: Activate the licenses and profiles on the target"
    assert lines[1].startswith("new cannot be reached: Connection timed out. [new] Bring it up")
    assert rehearsed.held("old") == set() and run.recap()["new"]["unreachable"] == 0
    assert stands(rehearsed.play("migrate"), *cells)[0] == "Stopped at: Read the target's overview"
    revive(rehearsed)
    must(rehearsed.play("migrate"))
    assert rehearsed.held("new") == set(NUMBERS) and rehearsed.transfers() == dict.fromkeys(NUMBERS, 1)


def test_a_rollback_does_without_a_target_that_has_nothing(rehearsed: Lab) -> None:
    dying(rehearsed, "new", f"not list(Path({str(rehearsed.home('old'))!r}).glob('Nodelocks/*.lock'))")
    assert rehearsed.play("migrate").code != 0
    assert rehearsed.held("old") == set()
    before = rehearsed.everything()
    must(rehearsed.play("rollback", "--check"))
    assert rehearsed.everything() == before
    must(rehearsed.play("rollback"))
    assert rehearsed.held("old") == set(NUMBERS) and rehearsed.transfers() == dict.fromkeys(NUMBERS, 0)
    before = rehearsed.everything()
    assert must(rehearsed.play("rollback")).changed == 0
    assert rehearsed.everything() == before


@pytest.mark.parametrize("returns", [False, True], ids=["it stays away", "it is back for the next run"])
def test_a_rollback_stops_for_what_a_target_that_is_gone_still_holds(migrated: Lab, returns: bool) -> None:
    dying(migrated, "new", "True")
    before = migrated.everything()
    lines = stands(migrated.play("rollback"), "not on old, new not reached", "nothing", "stop: needs new")
    assert migrated.everything() == before
    assert f"License {NUMBERS[0]} is not active on old, and new cannot be reached." in " ".join(lines)
    assert f"authority release {NUMBERS[0]} --ledger {migrated.ledger} --reason 'new is lost'" in " ".join(lines)
    for number in NUMBERS:
        migrated.authority("release", number, "--reason", "new is lost")
    if returns:
        revive(migrated)
    must(migrated.play("rollback"))
    assert migrated.held("old") == set(NUMBERS) and migrated.transfers() == dict.fromkeys(NUMBERS, 2)
    assert migrated.held("new") == (set() if returns else set(NUMBERS))
    assert must(migrated.play("rollback")).changed == 0


def test_a_source_that_is_gone_before_it_gave_anything_up(rehearsed: Lab) -> None:
    dying(rehearsed, "old", f"Path({str(rehearsed.work / 'bundles' / 'old' / 'latest')!r}).exists()")
    cells = ("not on new, old not reached", "nothing", "stop: needs old")
    lines = stands(rehearsed.play("migrate"), *cells)
    assert lines[0] == "Stopped at: Drain the source and deactivate its licenses"
    lines = stands(rehearsed.play("migrate"), *cells)
    assert lines[0] == "Stopped at: Plan the next step of each license"
    assert "aims_license_migrate_source_lost" in " ".join(lines)
    revive(rehearsed)
    must(rehearsed.play("migrate"))


def test_a_source_that_is_gone_once_it_gave_everything_up_is_not_needed(rehearsed: Lab) -> None:
    dying(rehearsed, "old", f"not list(Path({str(rehearsed.home('old'))!r}).glob('Nodelocks/*.lock'))")
    must(rehearsed.play("migrate"))
    assert rehearsed.held("new") == set(NUMBERS)
    assert must(rehearsed.play("migrate")).changed == 0


def test_a_home_that_cannot_be_read(rehearsed: Lab) -> None:
    (rehearsed.home("old") / "Config" / "server.json").write_text("{", encoding="utf-8")
    lines = stands(rehearsed.play("migrate"), "not on new, old not read", "nothing", "stop: needs old")
    assert str(rehearsed.home("old") / "Config") in "".join(lines)


def test_reconcile_says_it_of_its_one_host(rehearsed: Lab) -> None:
    realm = rehearsed.overview("old")["server"]["realm"]
    offline(rehearsed).inventory["all"]["vars"]["aims_license_server_realm"] = realm
    rehearsed.write_inventory()
    lines = stands(
        rehearsed.play("reconcile"),
        "not on new",
        "activation on new, no response",
        "finish activating: wait for the response",
    )
    assert lines[0] == "Stopped at: Stop until the response files arrive"


def test_a_module_in_a_play_of_ones_own_keeps_ansibles_way_with_unreachable_hosts(rehearsed: Lab) -> None:
    dying(rehearsed, "new", "True")
    look = {"aims.licensing.aims_license_info": {}, "ignore_unreachable": True}
    assert must(rehearsed.play(rehearsed.write_play("gone", "new", [look]))).recap()["new"]["ignored"] == 1
    del look["ignore_unreachable"]
    assert rehearsed.play(rehearsed.write_play("gone", "new", [look])).recap()["new"]["unreachable"] == 1
