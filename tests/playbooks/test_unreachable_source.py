# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A source that answers to nobody: after its migration it is not missed, before it is."""

from __future__ import annotations

from support.lab import NUMBERS, Lab
from support.runs import must
from support.unreachable import switch_off


def test_a_source_that_was_switched_off_after_its_migration_is_not_missed(migrated: Lab) -> None:
    switch_off(migrated, "old")
    before = migrated.everything()
    run = must(migrated.play("migrate"))
    assert run.changed == 0 and "old cannot be reached; nothing is needed from it" in run.output
    assert migrated.everything() == before


def test_a_source_that_cannot_be_reached_before_its_migration_is_missed(rehearsed: Lab) -> None:
    switch_off(rehearsed, "old")
    before = rehearsed.everything()
    run = rehearsed.play("migrate")
    assert run.code != 0 and "Traceback" not in run.output
    assert f"License {NUMBERS[0]} is not active on new, and old cannot be reached." in run.output
    assert "what it still holds only the authority's owner can release" in run.output
    assert rehearsed.everything() == before
