# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of a license, which alone decide what a run does with it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview, PendingRequest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.quote import Quote


@dataclass(frozen=True)
class HostFacts:
    """What a host shows of a license.

    :ivar license: without a nodelock where the host knows nothing of it
    :ivar is_known: whether the host has the license, or had it
    :ivar request: the open exchange that decides who holds it; an update does not
    """

    license: LicenseView
    is_known: bool = False
    request: PendingRequest | None = None

    @classmethod
    def of(cls, overview: Overview, number: str) -> HostFacts:
        license = overview.license(number)
        return cls(license or LicenseView.unknown(number), license is not None, overview.move(number))

    @property
    def bridges(self) -> bool:
        """Whether the host serves the license in an emergency only."""
        return self.license.is_served and self.license.is_emergency

    @property
    def serves_for_good(self) -> bool:
        return self.license.is_served and not self.license.is_emergency


@dataclass(frozen=True)
class Facts:
    """All that is known of a license when the plan is made.

    :ivar quote: the authority's word; blank where it was not asked, as offline
    :ivar is_reachable: whether the source was looked at
    :ivar is_lost: whether the source is declared lost
    :ivar is_bridged: whether a license that a lost source holds is to get an emergency activation
    :ivar returns: whether licenses come back to the target, as in a rollback
    """

    source: HostFacts
    target: HostFacts
    quote: Quote
    is_reachable: bool = True
    is_lost: bool = False
    is_bridged: bool = False
    returns: bool = False

    @property
    def is_outdated_on_target(self) -> bool:
        """Whether the target shows the license, fenced, though the source has it by now.

        The target was released from it, or restored from a time when it had it.
        """
        source, target = self.source.license, self.target.license
        if not target.is_fenced:
            return False
        if self.source.request is not None or source.is_served:
            return True
        if self.quote.is_known:
            return source.is_held and self.quote.is_elsewhere
        # The serials of an authority's responses only rise.
        return source.is_held and source.rank > target.rank

    @property
    def is_free(self) -> bool:
        """Whether no machine holds the license: by the authority's word or, where it was not asked, by what is seen."""
        return self.quote.is_free if self.quote.is_known else self.source.license.is_given_back

    @property
    def is_held_by_lost_source(self) -> bool:
        """Whether a lost source holds the license, by the authority's word."""
        quote = self.quote
        return self.is_lost and bool(quote.live and (quote.until or quote.spends))

    @property
    def needs_no_source(self) -> bool:
        """Whether the target, which had the license before, may ask for it whatever the source would show.

        The authority decides: it has said that no other machine holds the license. Where nobody can ask it, it answers
        the request file; a file is made to return licenses only, as the source of a migration is likely to hold them.
        """
        if not self.target.is_known:
            return False
        return not self.quote.is_elsewhere if self.quote.is_known else self.returns
