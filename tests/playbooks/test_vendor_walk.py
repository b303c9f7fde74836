# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendor's license server is moved from runbook to report, on hosts that are folders, with a person's steps.

tests/vendor/walks walks over hosts with systemd and over stand-ins for Windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.lab import Lab
from support.licsrv import free_address
from support.posts import Tree, Unreached
from support.vendor_manager import VendorAuthority
from support.vendor_tree import KEY
from support.vendor_walk import Faults, Walk

FILES = {"Licenses/010073015120001005001036.cpx": b"composite\n", "ApplicationKeys/store.key": KEY}


@pytest.fixture
def walk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Walk]:
    """The worked example on ``old``, nothing on ``new``.

    The parameter says what the controller has of the source, and what is special: the person does every step, or
    carries requests.
    """
    platform, _blank, way = request.param.partition(" ")
    lab = Lab(tmp_path / "lab")
    authority = VendorAuthority(lab.codes, "old")
    new = Tree("new", lab.root("new"), free_address(), authority)
    old: Tree | Unreached
    if platform == "copy":
        old = Unreached("old", lab.folder / "C" / "ProgramData" / "AIMMS", lab.folder / "copies" / "old", authority)
    else:
        old = Tree("old", lab.root("old"), free_address(), authority)
        old.install()
    old.fill(FILES)
    yield Walk(lab, old, new, authority, by_hand=way == "by hand", is_offline=way == "offline")
    old.stop()
    new.stop()


@pytest.mark.parametrize("walk", ["linux"], indirect=True)
def test_a_walk_that_is_interrupted_at_each_stop_and_killed_on_the_way_ends_the_same(walk: Walk) -> None:
    faults = Faults(interrupts=True, kills=True, seed=1)
    walk.shows_all_steps_first()
    walk.go(faults)
    assert len(faults.interrupted) == len(walk.stops)
    # A run that has less left to do may not come to the place that was chosen.
    assert len(faults.killed) > len(walk.stops) // 2
    walk.is_complete()
    walk.changes_nothing()
    walk.changes_nothing("--check")
    walk.shows_no_secret()


@pytest.mark.parametrize("walk", ["copy", "linux by hand", "copy offline"], indirect=True)
def test_a_person_and_the_playbook_move_the_licenses_and_a_second_run_changes_nothing(walk: Walk) -> None:
    walk.go()
    walk.is_complete()
    walk.changes_nothing()
    walk.shows_no_secret()
