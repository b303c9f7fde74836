# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each license of a pair needs, and what that spends. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import Status
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Account
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.facts import Facts
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair import Pair
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.rules import decide
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.steps import Reason, Step


@dataclass(frozen=True)
class Assessment:
    """What a license needs.

    :ivar gives_up: whether it is given up on the source in this run
    :ivar spends: transfers; None where only the authority's answer will tell
    :ivar account: the transfers spent before this run; None where they are not known
    """

    license: DeclaredLicense
    facts: Facts
    step: Step
    reason: Reason
    gives_up: bool
    spends: int | None
    account: Account | None

    @property
    def number(self) -> str:
        return self.license.number

    @property
    def is_given_back(self) -> bool:
        """Whether the source no longer holds it when the target's turn comes."""
        return self.step.takes_it_back or self.facts.source.license.is_given_back

    @property
    def until(self) -> str | None:
        """When the emergency activation ends that the target has, or would get."""
        if self.step is not Step.EMERGENCY:
            return None
        shown = self.facts.target.license
        return (shown.until if shown.status is Status.ACTIVE else None) or self.facts.quote.until or None


def assess(pair: Pair) -> list[Assessment]:
    """Return what each declared license needs, whatever stands against it."""
    return [_assess(pair, license) for license in pair.declared]


def is_settled(assessments: Sequence[Assessment]) -> bool:
    """Whether nothing is left to do with any license."""
    return all(assessment.step is Step.KEEP for assessment in assessments)


def _assess(pair: Pair, license: DeclaredLicense) -> Assessment:
    facts = pair.facts(license.number)
    rule = decide(facts)
    return Assessment(
        license,
        facts,
        rule.step,
        rule.reason,
        gives_up=rule.gives_up and facts.is_reachable,
        spends=spends(facts, rule.step),
        account=_account(pair, license, facts),
    )


def spends(facts: Facts, step: Step) -> int | None:
    """Return how many transfers a step spends; None where only the authority's answer will tell."""
    if step in (Step.KEEP, Step.EMERGENCY, Step.END):
        return 0
    # An emergency activation spends nothing, and that is all that the authority was asked about.
    is_bridged = bool(facts.target.license.until)
    if is_bridged and (step.takes_it_back or (step is Step.ACTIVATE and not facts.quote.is_known)):
        return 1
    if facts.quote.spends is not None:
        return int(facts.quote.spends)
    if step is Step.SERVE:
        return 0
    # Where nobody was asked, the source holds the license, so that the target is another machine than the last.
    return 1 if step.takes_it_back else None


def _account(pair: Pair, license: DeclaredLicense, facts: Facts) -> Account | None:
    """The transfers that a license has spent.

    A host knows what was spent when it activated the license. The authority knows better, and so does the host that
    activated it later.
    """
    views = sorted((facts.target.license, facts.source.license), key=lambda view: view.rank, reverse=True)
    remembered = pair.remembered.license(license.number) if pair.remembered else None
    known = [facts.quote.transfers, *(view.transfers for view in views), remembered.transfers if remembered else None]
    transfers = next((transfers for transfers in known if transfers is not None), None)
    return transfers.account(license.nodelock, f"license {license.number}") if transfers else None


def way_back_from(assessment: Assessment, pair: Pair) -> datetime | None:
    """Return from when on a rollback can move a license back that this run brings to the target.

    None where a transfer is left for it, where transfers are not known, and where this run is not a way there.
    """
    if pair.target.returns or pair.is_lost or not assessment.step.arrives or assessment.step is Step.EMERGENCY:
        return None
    account = account_after(assessment, pair)
    return None if account is None else account.reopens(pair.now)


def account_after(assessment: Assessment, pair: Pair) -> Account | None:
    """Return the transfers that a license will have spent."""
    account = assessment.account
    if account is None or not assessment.spends:
        return account
    return replace(account, times=(*account.times, pair.now))
