# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which licenses are activated for good, and which only bridge the days until the authority's owner has acted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..declared import DeclaredLicense
from ..home.state import State
from ..quote import Quote
from .port import Activation
from .results import Action, LicenseResult


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
    licenses: Sequence[DeclaredLicense],
    quotes: Mapping[str, Quote],
    *,
    state: State,
    activation: Activation,
    online: bool,
) -> Sorted:
    """Sort licenses by how they are to be activated.

    :param quotes: the authority's by license number, with what it says of an emergency where that was asked; none
        offline, where a license counts as live on another machine as long as nobody has seen it given back
    :param activation: names those that may be activated in an emergency, and those that were seen to be given back, of
        which online the authority knows better
    """
    usual, bridged, kept = [], [], []
    for license in licenses:
        quote = quotes.get(license.number, Quote(license.number))
        elsewhere = quote.is_elsewhere if online else license.number not in activation.returned
        granted = quote.until is not None or not online
        if elsewhere and state.is_bridged(license.number):
            kept.append(license)
        elif elsewhere and license.number in activation.emergency and granted:
            bridged.append(license)
        else:
            usual.append(license)
    return Sorted(usual, bridged, kept)


def foreseen(number: str, quote: Quote | None) -> LicenseResult:
    """Give the result of a dry run for a license that would be activated for good."""
    known = quote or Quote(number)
    return LicenseResult(number, Action.ACTIVATED, known.spends, known.transfers, quote=known)


def bridges(sorted_out: Sorted, quotes: Mapping[str, Quote]) -> dict[str, LicenseResult]:
    """Give the results of a dry run for what is, or would be, active in an emergency only."""
    made = {}
    for license in (*sorted_out.kept, *sorted_out.bridged):
        quote = quotes.get(license.number)
        action = Action.UNCHANGED if license in sorted_out.kept else Action.ACTIVATED
        result = foreseen(license.number, quote)
        made[license.number] = replace(result, action=action, spends=0, until=quote.until if quote else None)
    return made
