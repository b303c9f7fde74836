# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All steps of a move, in order (docs/domain.md#migration-by-hand). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps import clients, files, licman, manager, pro
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.move import Move, Platform
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.steps import (
    Outage,
    PersonsStep,
    Phase,
)


def steps_of(move: Move) -> tuple[PersonsStep, ...]:
    """Return the steps of a move: nothing is given up before the target runs and the backup is there."""
    steps = [*_preparation(move), *_backup(move), *_giving_up(move), *_activation(move)]
    steps += clients.verification(move)
    if move.has_pro:
        steps += [pro.strings(move), pro.start(move)]
    return tuple(_with_end_of_outage([*steps, *clients.clean_up(move)]))


def _preparation(move: Move) -> Iterator[PersonsStep]:
    yield manager.screenshot(move) if move.source.has_manager else licman.profiles(move)
    yield manager.install(move) if move.target.has_manager else licman.install(move)
    yield clients.add_target(move)
    if move.has_pro:
        yield from pro.preparations(move)


def _backup(move: Move) -> Iterator[PersonsStep]:
    if move.source.platform is Platform.COPY:
        yield files.copy(move, is_after=False)
    yield files.backup(move)


def _giving_up(move: Move) -> Iterator[PersonsStep]:
    if move.has_pro:
        yield pro.stop(move)
    yield from manager.source_steps(move) if move.source.has_manager else licman.source_steps(move)
    if move.source.platform is Platform.COPY:
        yield files.copy(move, is_after=True)


def _activation(move: Move) -> Iterator[PersonsStep]:
    target = move.target
    yield from files.placed(move)
    for at, license in enumerate(move.licenses):
        if target.has_manager:
            yield manager.activate(move, license, is_first=at == 0)
        else:
            yield licman.activate(move, license)
        if move.is_offline:
            yield manager.exchange(move, target, license, Phase.ACTIVATE)
            if target.has_manager:
                yield manager.load(move, target, license, Phase.ACTIVATE)
            else:
                yield licman.load(target, license, Phase.ACTIVATE)
    if target.has_manager:
        yield from manager.user_steps(move, move.users)
        yield from manager.profile_steps(move)
    else:
        yield from licman.user_steps(move, move.users)
        yield from licman.profile_steps(move)


def _with_end_of_outage(steps: list[PersonsStep]) -> list[PersonsStep]:
    """Let the outage end with the last step on the target: clients may need users, names and default marks."""
    last = max(at for at, step in enumerate(steps) if step.phase is Phase.ACTIVATE)
    steps[last] = replace(steps[last], outage=Outage.ENDS)
    return steps
