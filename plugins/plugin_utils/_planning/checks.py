# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands against a plan: problems by step and facts. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import named
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import Problem
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView, Status
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.preflight import (
    against_nodelock,
    taken_names,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import OPERATOR
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.assessment import Assessment, is_settled
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.commands import release_command
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.copies import (
    cloned,
    copied_home,
    copied_nodelocks,
    is_copied,
    same_place,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.machines import (
    activated_on_another_machine,
    requested_on_another_machine,
    served_by_both,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.needed_codes import wrong_code
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair import Pair
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.realms import different_realms
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.sides import Side
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.steps import Step


def problems_of(pair: Pair, assessments: Sequence[Assessment]) -> list[Problem]:
    """Return everything that stands against a plan."""
    problems = _claimed_names(pair) + _declared(pair) + _closed(pair, assessments)
    if pair.is_lost:
        return problems + _without_lost_source(pair, assessments) + _requested_elsewhere(pair, assessments)
    if not pair.source.reachable:
        return problems + _without_source(pair, assessments) + _requested_elsewhere(pair, assessments)
    return problems + _with_source(pair, assessments)


def copies(pair: Pair, assessments: Sequence[Assessment]) -> list[Problem]:
    """Return which host is a copy of the other, or one with it, as far as that stands against the plan."""
    place = same_place(*pair.sides)
    if place:
        return place
    settled = is_settled(assessments)
    is_served_twice = any(
        assessment.facts.source.license.is_served and assessment.facts.target.license.is_served
        for assessment in assessments
    )
    clones = cloned(*pair.sides) if is_served_twice or not settled else []
    if clones or settled:
        return clones
    return copied_home(*pair.sides) or copied_nodelocks(pair.numbers, *pair.sides)


def drifts(pair: Pair, number: str) -> list[Problem]:
    """Return which hosts were another machine when a license was activated there, or its pending activation made.

    Where it is live nowhere, only the pending one counts.
    """
    quote = pair.quotes.get(number)
    requested = requested_on_another_machine(number, pair.sides)
    if quote is not None and quote.is_free:
        return requested
    if is_copied(number, *pair.sides):
        return []
    sides: Sequence[Side] = pair.sides
    if quote is not None and quote.live and quote.holder:
        # What another machine has got since is nothing to release.
        sides = tuple(side for side in sides if side.license(number).holder in (None, "", quote.holder))
    return requested + activated_on_another_machine(number, sides, is_asked=quote is not None)


def _with_source(pair: Pair, assessments: Sequence[Assessment]) -> list[Problem]:
    both = served_by_both(pair.numbers, *pair.sides)
    copied = copies(pair, assessments)
    if copied or is_settled(assessments):
        return both + copied
    problems = both + different_realms(*pair.sides)
    if any(assessment.gives_up for assessment in assessments):
        problems += pair.source.obstacles
    for assessment in assessments:
        if assessment.step is not Step.KEEP:
            problems += _against(pair, assessment)
    return problems


def _against(pair: Pair, assessment: Assessment) -> list[Problem]:
    """What stands against the step of a license."""
    number, shown = assessment.number, assessment.facts.source.license
    problems = drifted = drifts(pair, number)
    if shown.is_expired:
        problems = [*problems, _invalid(pair, shown)]
    if is_held_by_third(assessment) and not drifted:
        problems = [*problems, _held_by_third(pair, number)]
    return problems + _overspent(pair, assessment)


def _overspent(pair: Pair, assessment: Assessment) -> list[Problem]:
    account = assessment.account
    if not assessment.spends or assessment.step is not Step.MOVE or account is None or account.left(pair.now):
        return []
    returns = account.as_dict(pair.now)["returns"]
    what = f"License {assessment.number} has spent its {account.rule.limit} transfers."
    todo = f"The next one returns at {returns}; wait, or ask the licensor."
    return [Problem(what, f"license {assessment.number}", todo)]


def is_held_by_third(assessment: Assessment) -> bool:
    """Whether, by the authority's word, a machine holds a license that is neither source nor target."""
    facts = assessment.facts
    if assessment.step is not Step.ACTIVATE or not facts.is_reachable:
        return False
    return bool(facts.quote.live and assessment.spends)


def _held_by_third(pair: Pair, number: str) -> Problem:
    what = f"License {number} is live on a license server, but {pair.source.host} does not hold it."
    todo = "Name the host that holds it as the source; restore its nodelock there if it was lost."
    return Problem(what, f"license {number}", todo)


def _invalid(pair: Pair, license: LicenseView) -> Problem:
    """Say why a license is not valid today by the clock of the source, which alone has looked."""
    number, place = license.number, f"license {license.number}"
    if license.invalid == f"is not valid before {license.start}":
        what = f"License {number} is not valid before {license.start}, by the clock of {pair.source.host}."
        return Problem(what, place, "Correct that clock if it is behind, or wait for the day.")
    return Problem(f"License {number} expired on {license.expiry}.", place, "Ask the licensor for a renewed license.")


def needs_source(assessment: Assessment) -> bool:
    """Whether a step cannot be done, as the source was not looked at."""
    facts = assessment.facts
    if facts.is_reachable or facts.is_lost:
        return False
    # What was asked for is asked again under the same id, and refused where another machine holds it.
    if assessment.step in (Step.KEEP, Step.FINISH):
        return False
    if assessment.step is Step.SERVE:
        return facts.quote.is_elsewhere
    return not (assessment.step is Step.ACTIVATE and facts.needs_no_source)


def _without_source(pair: Pair, assessments: Sequence[Assessment]) -> list[Problem]:
    """What a source that cannot be reached leaves undone."""
    source, target = pair.source.host, pair.target.host
    problems = []
    for assessment in assessments:
        if not needs_source(assessment):
            continue
        if assessment.facts.target.is_known:
            command = release_command(assessment.number, source, pair.target.authority)
            todo = (
                "Bring it up, or correct its address. If it is lost for good, have the authority's owner release "
                f"the license, then run the same command again: {command}"
            )
        else:
            todo = (
                "Bring it up, or correct its address. If it is lost for good, set "
                "aims_license_migrate_source_lost: true: what it gave back is activated then, and what it still "
                "holds only the authority's owner can release."
            )
        what = f"License {assessment.number} is not active on {target}, and {source} cannot be reached."
        problems.append(Problem(what, source, todo))
    return problems


def _without_lost_source(pair: Pair, assessments: Sequence[Assessment]) -> list[Problem]:
    """What stands against it where the source is lost; that it holds licenses does not."""
    due = [assessment for assessment in assessments if assessment.step is not Step.KEEP]
    problems = different_realms(*pair.sides) if due else []
    licenses = pair.remembered.licenses if pair.remembered else ()
    holders = {license.holder for license in licenses}
    for assessment in due:
        holder = assessment.facts.quote.holder
        if assessment.step.is_left_to_others and holder is not None and holder not in holders:
            problems.append(_held_by_third(pair, assessment.number))
    return problems


def _requested_elsewhere(pair: Pair, assessments: Sequence[Assessment]) -> list[Problem]:
    """What is pending that was asked for when the host was another machine."""
    return [
        problem
        for assessment in assessments
        if assessment.step is not Step.KEEP
        for problem in requested_on_another_machine(assessment.number, pair.sides)
    ]


def _declared(pair: Pair) -> list[Problem]:
    """What stands against the way in which the licenses are declared, whether or not they are to be moved.

    The target judges by the same functions when it activates.
    """
    overviews = [pair.target.overview, pair.source.overview]
    if pair.remembered is not None and not pair.source.reachable:
        # What a bundle has of a license file may be out of date where a host shows its own.
        overviews.append(pair.remembered)
    problems: list[Problem] = []
    for license in pair.declared:
        shown = pair.target.license(license.number)
        locked = None if shown.until else shown.nodelock
        problems += against_nodelock(license, locked, online=not pair.target.is_offline)
        problems += wrong_code(license, overviews)
    return problems


def _closed(pair: Pair, assessments: Sequence[Assessment]) -> list[Problem]:
    """A target that would not serve what arrives, as an operator has closed it; a rollback opens it."""
    host = pair.target.host
    if pair.target.returns or pair.target.overview.server.maintenance_by != OPERATOR:
        return []
    if not any(assessment.step.arrives for assessment in assessments):
        return []
    what = f"{host} is in maintenance mode, which an operator has entered: it would not serve the licenses."
    return [Problem(what, host, "Leave it there (licman --maintenance off), then run the same command again.")]


def _claimed_names(pair: Pair) -> list[Problem]:
    """Which declared profiles the target has for licenses that stay there, also where nothing is left to move."""
    target = pair.target.overview
    here = [
        license.number for license in target.licenses if license.is_held or license.status is Status.PENDING_ACTIVATION
    ]
    requested = [request.number for request in target.pending if request.is_move]
    others = {*here, *requested}.difference(pair.numbers)
    current = [profile.profile for profile in target.profiles]
    return taken_names(named(pair.declared, pair.further), current, others=others, where=pair.target.host)
