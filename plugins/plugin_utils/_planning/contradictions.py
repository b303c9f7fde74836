# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that show what cannot be: licenses of another machine, and licenses that two of them serve. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import Problem
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import MEANINGS
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.preflight import (
    asked_elsewhere,
    changed_or_copied,
    remove_by_hand,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair_status import is_another_machine, is_live


def on_both(numbers: Sequence[str], source: Mapping[str, Any], target: Mapping[str, Any]) -> list[Problem]:
    """Return the licenses that both serve: one was released from it, or restored from a time when it had it.

    :param source, target: ``{host, overview}``
    """
    problems = []
    for number in numbers:
        sides = [(_license(side, number), side) for side in (source, target)]
        if any(not is_live(found) or found.get("until") for found, side in sides):
            continue
        serials = {found.get("serial") for found, side in sides}
        if len(serials) == 1 and None not in serials:
            continue  # One activation, on two machines: a clone.
        # The serials of an authority's responses only rise: who was activated later holds it.
        stale, holder = (side for found, side in sorted(sides, key=lambda one: int(one[0].get("serial") or 0)))
        problems.append(
            Problem(
                f"License {number} is active on both {stale['host']} and {holder['host']}, which got it later.",
                f"license {number}",
                f"End it on {stale['host']}: {_home(stale)}/Bin/licman --nodelock-deactivate {number} (the authority "
                f"refuses, as {holder['host']} holds it; its service ends all the same). Then run the same command "
                "again.",
            )
        )
    return problems


def another_machine(number: str, sides: Sequence[Mapping[str, Any]], asked: bool) -> list[Problem]:
    """Return which hosts were another machine when a license was activated there.

    :param asked: whether the authority was asked about the license, so that it tells when it is released
    """
    problems = []
    for side in sides:
        drift = _license(side, number).get("drift")
        if not drift or not is_another_machine(drift):
            continue
        changed = drift.get("components") or ", ".join(drift["changed"])
        then = "" if asked else remove_by_hand(number, _home(side))
        problems.append(
            Problem(
                f"License {number} was activated on another machine than {side['host']} is now: {changed} differ.",
                f"license {number}",
                f"{MEANINGS[drift['verdict']]} {changed_or_copied(_home(side), then)}",
            )
        )
    return problems


def asked_on_another_machine(number: str, sides: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Return which hosts were another machine when they asked for a license whose activation is pending there."""
    return [
        asked_elsewhere(number, one["drift"]["components"], _home(side), side["host"])
        for side in sides
        for one in side["overview"]["pending"]
        if one["number"] == number and is_another_machine(one.get("drift"))
    ]


def _license(side: Mapping[str, Any], number: str) -> Mapping[str, Any]:
    return next((one for one in side["overview"]["licenses"] if one["number"] == number), {})


def _home(side: Mapping[str, Any]) -> str:
    server = side["overview"]["server"]
    return f"{server.get('root', '')}{server.get('home', '')}"
