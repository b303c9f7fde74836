# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pair, its declared licenses, and all that is known of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense, keep_profiles
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.module_utils._licensing.quote import Quote
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.facts import Facts, HostFacts
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.sides import Side


@dataclass(frozen=True)
class Pair:
    """What a plan is made of.

    :ivar source: where a lost one shows what its bundle has of server, profiles and users, and no license
    :ivar quotes: what the authority said, by license number; empty offline
    :ivar remembered: the overview of the source's bundle, for what the source itself no longer shows
    :ivar further: declared profiles beside those of the licenses
    :ivar is_kept: whether the target keeps the profiles that it has for the licenses
    :ivar is_lost: whether the source is declared lost
    :ivar is_bridged: whether licenses that a lost source holds are to get an emergency activation
    :ivar warns_within: for how many days ahead the plan warns of licenses that end; None for none
    :ivar users: those that are declared for the target; None where none are, so that they move with the licenses
    """

    source: Side
    target: Side
    declared: tuple[DeclaredLicense, ...]
    now: datetime
    quotes: Mapping[str, Quote] = field(default_factory=dict)
    remembered: Overview | None = None
    further: tuple[Profile, ...] = ()
    is_kept: bool = False
    is_lost: bool = False
    is_bridged: bool = False
    users: tuple[str, ...] | None = None
    warns_within: int | None = None

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.source, self.target

    @property
    def numbers(self) -> list[str]:
        return [license.number for license in self.declared]

    def facts(self, number: str) -> Facts:
        """Return the facts of a license."""
        return Facts(
            HostFacts.of(self.source.overview, number),
            HostFacts.of(self.target.overview, number),
            self.quotes.get(number) or Quote(number),
            is_reachable=self.source.reachable,
            is_lost=self.is_lost,
            is_bridged=self.is_bridged,
            returns=self.target.returns,
        )

    def without_source(self, remembered: Overview, *, is_bridged: bool = False) -> Pair:
        """Return the pair with its source declared lost, for which a bundle stands."""
        return replace(
            self,
            source=self.source.as_lost(remembered),
            remembered=remembered,
            is_lost=True,
            is_bridged=is_bridged,
        )

    def with_profiles_of_target(self) -> Pair:
        """Return the pair with the profiles declared as the target has them, which keeps them."""
        current = [profile.profile for profile in self.target.overview.profiles]
        after = keep_profiles(current, self.declared, self.further)
        first = {profile.license: profile.name for profile in reversed(after)}
        declared = tuple(replace(license, profile=first[license.number]) for license in self.declared)
        numbers = set(self.numbers)
        further = [
            profile for profile in after if profile.license in numbers and profile.name != first[profile.license]
        ]
        return replace(self, declared=declared, further=tuple(further), is_kept=True)


def quotes_of(results: Sequence[Mapping[str, object]]) -> dict[str, Quote]:
    """Read the results of a call that asked the authority: of a license that it was not asked about there is none."""
    quotes = [Quote.from_result(result, "quotes") for result in results if "live" in result]
    return {quote.number: quote for quote in quotes}
