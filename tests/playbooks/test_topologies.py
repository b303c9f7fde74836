# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several sources of one target, several targets of one source, a swap and a chain, in one inventory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playbooks.bad_input import Rehearsal
from support.lab import Lab
from support.runs import must
from support.worked_example import CLIENT, GRANTS, NUMBERS, SERVER, SESSION

LICENSES = "aims_license_server_licenses"
ORDER = ["PROServer", "PROSession", "Client"]


@pytest.fixture
def consolidated(lab: Lab) -> Lab:
    """An inventory in which the second license comes from another source than the others."""
    return consolidate(lab)


def consolidate(lab: Lab) -> Lab:
    lab.make_root("old2")
    groups = lab.inventory["all"]["children"]
    groups["aims_license_sources"]["hosts"]["old2"] = {}
    licenses_of(lab)[1]["source"] = "old2"
    lab.write_inventory()
    return lab


def licenses_of(lab: Lab) -> list[dict[str, Any]]:
    declared: list[dict[str, Any]] = lab.target_vars[LICENSES]
    return declared


def add_target(lab: Lab, name: str, source: str, *numbers: str) -> None:
    """Declare some of the target's licenses for another target."""
    if not lab.root(name).exists():
        lab.make_root(name)
    moved = [license for license in licenses_of(lab) if license["number"] in numbers]
    lab.target_vars[LICENSES] = [license for license in licenses_of(lab) if license not in moved]
    grants = {number: GRANTS[number] for number in numbers}
    lab.target_vars["aims_license_migrate_rehearse_licenses"] = {
        license["number"]: GRANTS[license["number"]] for license in licenses_of(lab)
    }
    lab.inventory["all"]["children"]["aims_license_targets"]["hosts"][name] = {
        "aims_license_migrate_source": source,
        "aims_license_migrate_rehearse_licenses": grants,
        LICENSES: moved,
    }
    lab.write_inventory()


def bundles_of(lab: Lab, host: str) -> list[Path]:
    return [place for place in (lab.work / "bundles" / host).iterdir() if place.name[0].isdigit()]


def test_licenses_of_two_sources_move_to_one_target_and_back(consolidated: Lab) -> None:
    must(consolidated.play("rehearse", "--tags", "prepare"))
    assert consolidated.held("old") == {SERVER, CLIENT} and consolidated.held("old2") == {SESSION}

    before = consolidated.everything()
    planned = must(consolidated.play("migrate", "--check"))
    assert consolidated.everything() == before
    assert "Plan old -> new" in planned.output and "Plan old2 -> new" in planned.output

    must(consolidated.play("migrate"))
    assert consolidated.held("new") == set(NUMBERS)
    assert consolidated.held("old") == consolidated.held("old2") == set()
    assert [name for name, _number, _default in consolidated.profiles("new")] == ORDER
    assert consolidated.transfers() == dict.fromkeys(NUMBERS, 1)
    reports = {place.name for place in (consolidated.work / "reports").iterdir()}
    assert {"old-to-new.html", "old2-to-new.html"} <= reports

    before = consolidated.everything()
    assert must(consolidated.play("migrate")).changed == 0
    assert consolidated.everything() == before

    must(consolidated.play("rollback"))
    assert consolidated.held("old") == {SERVER, CLIENT} and consolidated.held("old2") == {SESSION}
    assert consolidated.held("new") == set()
    assert must(consolidated.play("rollback")).changed == 0


def test_a_pair_that_is_refused_does_not_keep_another_source_from_being_moved(lab: Lab, tmp_path: Path) -> None:
    must(consolidate(lab).play("rehearse", "--tags", "prepare"))
    rehearsal = Rehearsal(lab, tmp_path / "bad")
    rehearsal.spend_transfers(CLIENT)
    run = rehearsal.play("migrate")
    assert run.code != 0
    assert f"License {CLIENT} has spent its 3 transfers." in run.output
    assert "old -> new stopped, and the other pairs of new are finished." in " ".join(run.output.split())
    assert rehearsal.held("old") == {SERVER, CLIENT}
    assert rehearsal.held("new") == {SESSION} and rehearsal.held("old2") == set()


def test_licenses_of_one_source_move_to_two_targets(lab: Lab) -> None:
    add_target(lab, "new2", "old", CLIENT)
    must(lab.play("rehearse", "--tags", "prepare"))
    assert lab.held("old") == set(NUMBERS)
    must(lab.play("migrate"))
    assert (lab.held("old"), lab.held("new"), lab.held("new2")) == (set(), {SERVER, SESSION}, {CLIENT})
    assert lab.transfers() == dict.fromkeys(NUMBERS, 1)
    assert len(bundles_of(lab, "old")) == 1

    before = lab.everything()
    assert must(lab.play("migrate")).changed == 0
    assert lab.everything() == before

    must(lab.play("rollback", "--limit", "new2"))
    assert (lab.held("old"), lab.held("new"), lab.held("new2")) == ({CLIENT}, {SERVER, SESSION}, set())


def test_a_source_goes_on_with_what_stays(lab: Lab) -> None:
    add_target(lab, "new2", "old", CLIENT)
    must(lab.play("rehearse", "--tags", "prepare"))
    must(lab.play("migrate", "--limit", "new2"))
    assert lab.held("old") == {SERVER, SESSION} and lab.held("new2") == {CLIENT}
    server = lab.overview("old")["server"]
    assert server["maintenance"] is False


@pytest.mark.parametrize("chained", [False, True], ids=["swap", "chain"])
def test_a_host_gives_licenses_and_gets_others(lab: Lab, chained: bool) -> None:
    # new -> old is the way back of a swap, new -> third goes on.
    receiver = "third" if chained else "old"
    add_target(lab, receiver, "new", CLIENT)
    must(lab.play("rehearse", "--tags", "prepare"))
    assert lab.held("old") == {SERVER, SESSION} and lab.held("new") == {CLIENT}
    must(lab.play("migrate"))
    assert lab.held("new") == {SERVER, SESSION} and lab.held(receiver) == {CLIENT}
    assert lab.transfers() == dict.fromkeys(NUMBERS, 1)
    assert not lab.overview("new")["server"]["maintenance"] and not lab.overview(receiver)["server"]["maintenance"]

    before = lab.everything()
    assert must(lab.play("migrate")).changed == 0
    assert lab.everything() == before
