# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which licenses are activated for good, and which only bridge the days until the authority's owner has acted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import LicensingError, Problem
from ..home.state import State
from ..model import DeclaredLicense
from .settlement import ACTIVATED, spent

UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Sorted:
    """:ivar usual: to be activated for good
    :ivar bridged: to be activated in an emergency, for the days that the authority grants
    :ivar kept: bridged before; they stay as they are, because the lost machine still holds them
    """

    usual: Sequence[DeclaredLicense]
    bridged: Sequence[DeclaredLicense]
    kept: Sequence[DeclaredLicense]


def sort_out(
    state: State,
    asked: Sequence[DeclaredLicense],
    quotes: Sequence[Mapping[str, Any]],
    emergency: Sequence[str],
    given_back: Sequence[str],
    online: bool,
) -> Sorted:
    """Sort licenses by how they are to be activated.

    :param quotes: the authority's, with what it says of an emergency where that was asked; none offline, where a
        license counts as live on another machine as long as nobody has seen it given back
    :param emergency: numbers of licenses that may be activated in an emergency
    :param given_back: numbers of licenses that were seen to be given back; online the authority knows better
    """
    known = {quote["number"]: quote for quote in quotes}
    usual, bridged, kept = [], [], []
    for one in asked:
        quote = known.get(one.number, {})
        elsewhere = is_elsewhere(quote) if online else one.number not in given_back
        granted = quote["emergency"].get("until") if quote.get("emergency") else not online
        if elsewhere and state.is_bridged(one.number):
            kept.append(one)
        elif elsewhere and one.number in emergency and granted:
            bridged.append(one)
        else:
            usual.append(one)
    return Sorted(usual, bridged, kept)


def is_elsewhere(quote: Mapping[str, Any]) -> bool:
    """Whether a quote says that a license is live on another machine."""
    return bool(quote.get("live") and quote.get("spends"))


def raise_ungranted(quotes: Sequence[Mapping[str, Any]]) -> None:
    """Refuse where an emergency activation was asked for and the authority would grant none."""
    reasons = [quote["emergency"].get("reason") for quote in quotes if quote.get("emergency") and is_elsewhere(quote)]
    problems = [Problem(**reason) for reason in reasons if reason]
    if problems:
        raise LicensingError(problems)


def foreseen(quote: Mapping[str, Any] | None) -> dict[str, Any]:
    """Give the result of a dry run for a license that would be activated for good.

    ``live`` says that a machine holds it and ``holder`` which, by its key; ``refused`` why no emergency activation
    would be granted, where one was asked for.
    """
    found = quote or {}
    refused = (found.get("emergency") or {}).get("reason")
    told = {"live": found.get("live"), "holder": found.get("holder"), "refused": refused}
    return {"action": ACTIVATED, **told, **spent(quote)}


def bridges(found: Sorted, quotes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Give the results of a dry run for what is, or would be, active in an emergency only."""
    made = {}
    for one in (*found.kept, *found.bridged):
        quote = quotes.get(one.number)
        until = ((quote or {}).get("emergency") or {}).get("until")
        action = UNCHANGED if one in found.kept else ACTIVATED
        made[one.number] = {**foreseen(quote), "action": action, "spends": 0, "until": until}
    return made
