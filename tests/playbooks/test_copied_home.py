# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A home or machine that was copied: each playbook says so before anything is touched, and its remedy ends it.

Parts of homes, several components and pending requests: tests/unit/plugins/remedies/test_copies.py.
"""

from __future__ import annotations

import shutil

import pytest
from ansible_collections.aims.licensing.tests.playbooks.test_pair_status import rows, table
from ansible_collections.aims.licensing.tests.unit.plugins.remedies.pair import commands, execute
from support.lab import NUMBERS, Lab
from support.runs import Run, must


def copy_home(lab: Lab, source: str, target: str) -> None:
    """Do what ``cp -a`` does."""
    shutil.rmtree(lab.home(target), ignore_errors=True)
    shutil.copytree(lab.home(source), lab.home(target), symlinks=True)


def reason(run: Run) -> str:
    """Why a run stopped, on one line."""
    lines = table(run)
    return " ".join(lines[1 : lines.index("")])


def check_untouched(lab: Lab, playbook: str, *options: str) -> str:
    before = lab.everything()
    run = lab.play(playbook, *options)
    told = reason(run)
    assert lab.everything() == before
    assert {cells[2] for cells in rows(table(run)).values()} == {"stop: one host is a copy of the other"}
    assert "release" not in told
    return told


def test_a_home_that_was_copied_to_the_target_beforehand(rehearsed: Lab) -> None:
    copy_home(rehearsed, "old", "new")
    told = check_untouched(rehearsed, "migrate", "--check")
    assert check_untouched(rehearsed, "migrate") == told
    assert "The home on new is a copy of that on old, which holds " in told
    execute(commands(told, "mv "))
    must(rehearsed.play("migrate"))
    assert rehearsed.held("new") == set(NUMBERS) and rehearsed.transfers() == dict.fromkeys(NUMBERS, 1)
    assert rehearsed.overview("old")["server"]["home_id"] != rehearsed.overview("new")["server"]["home_id"]


def test_a_machine_that_was_cloned_whole(rehearsed: Lab) -> None:
    shutil.rmtree(rehearsed.root("new"))
    shutil.copytree(rehearsed.root("old"), rehearsed.root("new"), symlinks=True)
    for playbook in ("rollback", "migrate"):
        told = check_untouched(rehearsed, playbook)
        assert "have the same machine-id: one machine was cloned from the other" in told
        assert f"On new, as root: rm -f {rehearsed.root('new')}/etc/machine-id" in told
    execute([told.partition("as root: ")[2].partition("; then run")[0]])
    must(rehearsed.play("migrate"))
    assert rehearsed.held("new") == set(NUMBERS) and rehearsed.transfers() == dict.fromkeys(NUMBERS, 1)


def test_reconcile_alone_on_a_copy_names_both_causes_and_releases_nothing_that_is_served(rehearsed: Lab) -> None:
    copy_home(rehearsed, "old", "new")
    told = reason(rehearsed.play("reconcile"))
    assert "If the home was copied here from the machine that holds the license" in told
    assert told.count("have the authority's owner release") == told.count("no other machine serves the license") == 3
    execute(commands(told, "mv "))
    # Another machine has them: a migration moves them.
    assert "is live on another machine. " in reason(rehearsed.play("reconcile"))
    must(rehearsed.play("migrate"))
    must(rehearsed.play("reconcile"))
    assert rehearsed.held("new") == set(NUMBERS) and rehearsed.transfers() == dict.fromkeys(NUMBERS, 1)


def test_a_copy_of_the_target_on_the_source_after_the_migration(migrated: Lab) -> None:
    copy_home(migrated, "new", "old")
    run = must(migrated.play("migrate"))
    assert run.changed == 0 and "Note: The home on old is a copy of that on new" in run.output
    told = check_untouched(migrated, "rollback")
    execute(commands(told, "mv "))
    must(migrated.play("rollback"))
    assert migrated.held("old") == set(NUMBERS) and migrated.transfers() == dict.fromkeys(NUMBERS, 2)


@pytest.mark.parametrize("playbook", ["migrate", "rollback"])
def test_two_names_of_one_machine_in_the_inventory(rehearsed: Lab, playbook: str) -> None:
    rehearsed.target_vars["aims_license_server_root"] = str(rehearsed.root("old"))
    rehearsed.write_inventory()
    told = check_untouched(rehearsed, playbook)
    assert "are one machine: both names lead to the same machine-id" in told
    assert "rm " not in told and "mv " not in told
    # The remedy: each its own root.
    del rehearsed.target_vars["aims_license_server_root"]
    rehearsed.write_inventory()
    must(rehearsed.play("migrate"))
    assert rehearsed.held("new") == set(NUMBERS)
