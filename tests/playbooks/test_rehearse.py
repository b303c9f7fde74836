# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rehearsals: an authority and a source of one's own, from the inventory or from a bundle of the real server."""

from __future__ import annotations

from pathlib import Path

from lab import GRANTS, NUMBERS, USERS, Lab, must


def test_from_the_inventory_to_the_end(lab: Lab) -> None:
    must(lab.play("rehearse"))
    assert lab.held("old") == set() and lab.held("new") == set(NUMBERS)
    assert lab.transfers() == dict.fromkeys(NUMBERS, 1)
    for one in lab.overview("new")["licenses"]:
        assert {key: one[key] for key in ("type", "seats")} == GRANTS[one["number"]]
    realm = lab.overview("new")["server"]["realm"]
    assert realm["name"].startswith("REHEARSAL ")

    before = lab.everything()
    assert must(lab.play("rehearse")).changed == 0
    assert lab.everything() == before


def test_preparing_twice_changes_nothing_and_moves_nothing(lab: Lab) -> None:
    must(lab.play("rehearse", "--tags", "prepare"))
    assert lab.held("old") == set(NUMBERS) and not lab.home("new").exists()
    before = lab.everything()
    assert must(lab.play("rehearse", "--tags", "prepare")).changed == 0
    assert lab.everything() == before
    assert lab.transfers() == dict.fromkeys(NUMBERS, 0)


def test_from_a_bundle(rehearsed: Lab, tmp_path: Path) -> None:
    # What the inventory does not say: a profile more, another order, other names, and users.
    rehearsed.licman("old", "--profile-remove", "Client")
    rehearsed.licman("old", "--profile-add", "Customer", "--license", NUMBERS[2])
    rehearsed.licman("old", "--profile-add", "Nightly", "--license", NUMBERS[1], "--default")
    must(rehearsed.play("backup"))
    real = rehearsed.overview("old")

    other = Lab(tmp_path / "rehearsal")
    variables = other.target_vars
    del variables["aims_license_migrate_rehearse_licenses"]
    variables["aims_license_migrate_rehearse_bundle"] = str(rehearsed.work / "bundles" / "old" / "latest")
    other.write_inventory()
    must(other.play("rehearse", "--tags", "prepare"))
    seen = other.overview("old")
    assert [(one["number"], one["type"], one["seats"]) for one in seen["licenses"]] == [
        (one["number"], one["type"], one["seats"]) for one in real["licenses"]
    ]
    assert [(one["name"], one["license"], one["default"]) for one in seen["profiles"]] == [
        (one["name"], one["license"], one["default"]) for one in real["profiles"]
    ]
    assert seen["users"] == real["users"] == USERS
    assert {one["number"]: one["seats"] for one in other.authority("list")} == {
        number: GRANTS[number]["seats"] for number in NUMBERS
    }
    # The authority is the rehearsal's own, and so are the licenses.
    assert seen["server"]["realm"]["key"] != real["server"]["realm"]["key"]

    before = other.everything()
    assert must(other.play("rehearse", "--tags", "prepare")).changed == 0
    assert other.everything() == before


def test_check_of_a_rehearsal_that_is_not_prepared_ends_after_the_preparation(lab: Lab) -> None:
    before = lab.everything()
    run = must(lab.play("rehearse", "--check"))
    assert lab.everything() == before and not lab.ledger.exists()
    told = " ".join(run.output.split())
    assert "Check mode ends here for new" in told and f"issues 3 license(s) in ledger:{lab.ledger}" in told
    assert "Plan old -> new" not in told and run.changed > 0

    must(lab.play("rehearse", "--tags", "prepare"))
    before = lab.everything()
    run = must(lab.play("rehearse", "--check"))
    assert lab.everything() == before and run.changed == 0
    assert "Plan old -> new" in run.output and "Check mode ends here" not in run.output

    # Half of a preparation: the licenses are issued, but one is not on the source.
    lab.licman("old", "--nodelock-deactivate", NUMBERS[0])
    run = must(lab.play("rehearse", "--check"))
    assert "Check mode ends here" in run.output and "Plan old -> new" not in run.output
    must(lab.play("rehearse"))
    assert lab.held("new") == set(NUMBERS)
    assert "Check mode ends here" not in must(lab.play("rehearse", "--check")).output
