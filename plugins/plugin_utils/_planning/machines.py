# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Detects inconsistent host states: licenses of another machine, and licenses that both hosts serve. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import Problem
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import MEANINGS
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.preflight import (
    asked_elsewhere,
    changed_or_copied,
    remove_by_hand,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.sides import Side


def served_by_both(numbers: Sequence[str], source: Side, target: Side) -> list[Problem]:
    """Return the licenses that both serve: the host was released from it, or restored from a time when it had it."""
    problems = []
    for number in numbers:
        ours, theirs = source.license(number), target.license(number)
        if any(not license.is_served or license.is_emergency for license in (ours, theirs)):
            continue
        if ours.serial is not None and ours.serial == theirs.serial:
            continue  # One activation, on two machines: a clone.
        # The serials of an authority's responses only rise: who was activated later holds it.
        stale, holder = (target, source) if theirs.rank < ours.rank else (source, target)
        problems.append(
            Problem(
                f"License {number} is active on both {stale.host} and {holder.host}, which got it later.",
                f"license {number}",
                f"End it on {stale.host}: {stale.home}/Bin/licman --nodelock-deactivate {number} (the authority "
                f"refuses, as {holder.host} holds it; its service ends all the same). Then run the same command "
                "again.",
            )
        )
    return problems


def activated_on_another_machine(number: str, sides: Sequence[Side], *, is_asked: bool) -> list[Problem]:
    """Return which hosts were another machine when a license was activated there.

    :param is_asked: whether the authority was asked about the license, so that it tells when it is released
    """
    problems = []
    for side in sides:
        drift = side.license(number).drift
        if drift is None or not drift.is_another_machine:
            continue
        then = "" if is_asked else remove_by_hand(number, side.home)
        problems.append(
            Problem(
                f"License {number} was activated on another machine than {side.host} is now: {drift.components} "
                "differ.",
                f"license {number}",
                f"{MEANINGS.get(drift.verdict, drift.means)} {changed_or_copied(side.home, then)}",
            )
        )
    return problems


def requested_on_another_machine(number: str, sides: Sequence[Side]) -> list[Problem]:
    """Return which hosts were another machine when they asked for a license whose activation is pending there."""
    return [
        asked_elsewhere(number, request.drift.components, home=side.home, host=side.host)
        for side in sides
        for request in side.requests(number)
        if request.drift is not None and request.drift.is_another_machine
    ]
