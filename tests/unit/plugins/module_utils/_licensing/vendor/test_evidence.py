# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the files of a license say of a step: nothing but a nodelock that changed speaks for a deactivation."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.evidence import (
    NodelockChange,
    Snapshot,
    compare,
    take_snapshots,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.layout import Layout
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.tree import LocalTree
from support.vendor_tree import SERVER, activate, make_tree, put, stem

EMPTY = hashlib.sha256(b"").hexdigest()
ABSENT, EMPTY_LOCK = Snapshot(SERVER), Snapshot(SERVER, lock=EMPTY)
WHOLE, OTHER = Snapshot(SERVER, lock="a", version="1"), Snapshot(SERVER, lock="b", version="1")


@pytest.mark.parametrize(
    ("before", "now", "change", "activated", "deactivated"),
    [
        (ABSENT, ABSENT, NodelockChange.ABSENT, False, False),
        (ABSENT, WHOLE, NodelockChange.APPEARED, True, False),
        (EMPTY_LOCK, WHOLE, NodelockChange.APPEARED, True, False),
        (WHOLE, WHOLE, NodelockChange.UNCHANGED, False, False),
        (WHOLE, OTHER, NodelockChange.CHANGED, True, True),
        (WHOLE, Snapshot(SERVER, lock="a", version="2"), NodelockChange.CHANGED, True, True),
        (WHOLE, ABSENT, NodelockChange.GONE, False, True),
        (EMPTY_LOCK, ABSENT, NodelockChange.GONE, False, True),
        (WHOLE, EMPTY_LOCK, NodelockChange.HALF_WRITTEN, False, False),
        (ABSENT, EMPTY_LOCK, NodelockChange.HALF_WRITTEN, False, False),
    ],
)
def test_what_a_nodelock_shows(
    before: Snapshot, now: Snapshot, change: NodelockChange, activated: bool, deactivated: bool
) -> None:
    evidence = compare(before, now)
    assert evidence.nodelock is change
    assert (evidence.shows_activation, evidence.shows_deactivation) == (activated, deactivated)
    assert evidence.contradicts_deactivation is (change is NodelockChange.UNCHANGED)
    assert evidence.is_unclear is (change is NodelockChange.HALF_WRITTEN)


def test_new_license_files_and_requests_are_told() -> None:
    now = Snapshot(SERVER, license="a", pending=("015120064022.request",))
    evidence = compare(ABSENT, now)
    assert evidence.has_new_license and evidence.new_pending == ("015120064022.request",)
    assert not compare(now, now).has_new_license and compare(now, now).new_pending == ()


def test_a_snapshot_is_kept_and_read_again() -> None:
    snapshot = Snapshot(SERVER, "a", "b", None, ("x.request",))
    assert Snapshot.from_dict(snapshot.as_dict()) == snapshot


def test_snapshots_of_a_host_and_of_its_bundle_are_compared(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "Aimms")
    layout = Layout.of(LocalTree(root))
    before = take_snapshots(layout, [SERVER])[SERVER]
    names = layout.state_files
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in layout.contents(names).items()}
    assert Snapshot.of_digests(SERVER, digests) == before and before.has_nodelock

    def now() -> NodelockChange:
        return compare(before, take_snapshots(Layout.of(LocalTree(root)), [SERVER])[SERVER]).nodelock

    assert now() is NodelockChange.UNCHANGED
    activate(root, SERVER, 2)
    assert now() is NodelockChange.CHANGED
    put(root, f"Nodelocks/{stem(SERVER)}.lock", b"")
    assert now() is NodelockChange.HALF_WRITTEN
    (root / "Nodelocks" / f"{stem(SERVER)}.lock").unlink()
    assert now() is NodelockChange.GONE
    assert take_snapshots(layout, ["015.120.064.099"])["015.120.064.099"] == Snapshot("015.120.064.099")
