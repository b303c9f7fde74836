# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan in words: they say what was decided, and decide nothing. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense, named
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import DRIFTED
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView, Status
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import ACTIVATE as ASKS
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import MACHINE, PERSONAL, render_time
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview, PendingRequest
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.assessment import (
    Assessment,
    is_settled,
    way_back_from,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.commands import release_command
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.copies import copied_home
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.endings import endings
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair import Pair
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.sides import Side
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.steps import Reason

_STATES = {
    Reason.SERVED_BY_BOTH: "active on both, on {source} in an emergency",
    Reason.HELD_BY_TARGET: "{target_status} on {target}",
    Reason.FENCED_ON_TARGET: "{target_status} on {target}, fenced",
    Reason.REQUESTED_BY_TARGET_BRIDGED: "pending {target_request} on {target}, active on {source} in an emergency",
    Reason.REQUESTED_BY_TARGET: "pending {target_request} on {target}",
    Reason.REQUESTED_BY_SOURCE: "pending {source_request} on {source}",
    Reason.VOID_ON_SOURCE: "fenced on {source}, held by nobody",
    Reason.HELD_BY_SOURCE: "{source_status} on {source}{source_fenced}",
    Reason.BRIDGED_BY_TARGET: "active on {target}",
    Reason.ASKED_BY_FILE_BRIDGED: "asked by file",
    Reason.ASKED_BY_FILE: "asked by file",
    Reason.LOST_WITH_SOURCE_BRIDGED: "live on {source}",
    Reason.LOST_WITH_SOURCE: "live on {source}",
    Reason.FREE_OF_SOURCE: "free",
    Reason.FREE_OF_EMERGENCY: "active on {target} in an emergency",
    Reason.HELD_BY_NEITHER: "active on neither",
}
_BY_FILE = (Reason.ASKED_BY_FILE, Reason.ASKED_BY_FILE_BRIDGED)


def state_in_words(assessment: Assessment, pair: Pair) -> str:
    """Say where a license is."""
    source, target = assessment.facts.source, assessment.facts.target
    return _STATES[assessment.reason].format(
        source=pair.source.host,
        target=pair.target.host,
        source_status=source.license.status.value.lower(),
        target_status=target.license.status.value.lower(),
        source_request=_noun(source.request),
        target_request=_noun(target.request),
        source_fenced=", fenced" if source.license.is_fenced else "",
    )


def _noun(request: PendingRequest | None) -> str:
    return f"{request.action[:-1]}ion" if request else ""


def step_in_words(step: str, until: str | None) -> str:
    """Return the step of a license, with the day on which it ends where it does."""
    return f"{step} until {until[:10]}" if until else step


def limits(numbers: Sequence[str], overview: Overview, host: str) -> list[str]:
    """Tell of licenses that a host holds and serves not, or not as the authority has them: moving mends neither."""
    sentences = []
    for license in overview.licenses:
        if license.number not in numbers:
            continue
        command = f"licman --nodelock-update {license.number}"
        if license.is_expired:
            dates = f"it is valid from {license.start} to {license.expiry}"
            sentences.append(
                f"License {license.number} is not served on {host}: {dates}. Have it renewed, then fetch it there: "
                f"{command}"
            )
        if license.status is Status.PENDING_UPDATE and license.is_served:
            sentences.append(
                f"License {license.number} is served on {host} as it was; its update is pending. Finish it there: "
                f"{command}"
            )
    return sentences


def notes_of(pair: Pair, assessments: Sequence[Assessment]) -> list[str]:
    """Return what is to be known beside the steps."""
    notes = []
    if pair.is_lost:
        notes.append(
            f"{pair.source.host} is declared lost: it is not asked for anything. If it still runs, it goes on serving."
        )
    notes += _undeclared(pair) + _served_void(pair, assessments) + _refused_later(pair, assessments)
    notes += _personal(pair) + _way_back(pair, assessments) + _endings(pair)
    if not pair.source.reachable and not pair.is_lost:
        notes.append(f"{pair.source.host} cannot be reached; nothing is needed from it any more.")
    for side in pair.sides:
        notes += _drifted(side)
    if pair.source.reachable and is_settled(assessments):
        notes += [f"{copy.what} {copy.todo}" for copy in copied_home(*pair.sides)]
    notes += [note for license in pair.declared for note in _renamings(pair, license)]
    return notes + (_lost_answers(pair, assessments) if pair.is_lost else [])


def _undeclared(pair: Pair) -> list[str]:
    source = pair.source
    return [
        f"License {license.number} is {license.status.value.lower()} on {source.host} but not declared: it stays there."
        for license in source.overview.licenses
        if license.number not in pair.numbers and _stays(license)
    ]


def _stays(license: LicenseView) -> bool:
    return license.is_held or license.status in (Status.PENDING_ACTIVATION, Status.PENDING_DEACTIVATION)


def _served_void(pair: Pair, assessments: Sequence[Assessment]) -> list[str]:
    source = pair.source.host
    return [
        f"License {number} is served on {source}, but held by nobody: it was released, or {source} was restored "
        "from a time when it had it. Giving it up there ends its service."
        for number in sorted(
            assessment.number
            for assessment in assessments
            if assessment.facts.quote.is_free and assessment.facts.source.serves_for_good
        )
    ]


def _refused_later(pair: Pair, assessments: Sequence[Assessment]) -> list[str]:
    requested = {
        assessment.number
        for assessment in assessments
        for request in [assessment.facts.target.request]
        if request is not None and request.action == ASKS and assessment.facts.source.serves_for_good
    }
    return [
        f"License {number} is active on {pair.source.host}, so that its activation, pending on {pair.target.host}, "
        "will be refused. The run after that moves it."
        for number in sorted(requested)
    ]


def _personal(pair: Pair) -> list[str]:
    shown = [(license, pair.target.license(license.number)) for license in pair.declared]
    return [
        f"License {license.number} has a personal nodelock on {pair.target.host}, and is declared with a machine "
        "nodelock: reconcile asks the authority for that."
        for license, view in shown
        if view.is_served and view.nodelock == PERSONAL and license.nodelock == MACHINE
    ]


def _way_back(pair: Pair, assessments: Sequence[Assessment]) -> list[str]:
    notes = []
    for assessment in assessments:
        start = way_back_from(assessment, pair)
        if start is None:
            continue
        number, ends = assessment.number, _view(pair, assessment.number).expiry
        if ends is not None and ends < start.date().isoformat():
            notes.append(
                f"License {number} ends on {ends}, before it could be moved back from {render_time(start)} on: this "
                "run leaves it no transfer. If you may need the way back, ask the licensor first."
            )
        else:
            notes.append(
                f"License {number} cannot be moved back before {render_time(start)}: this run leaves it no transfer. "
                "If you may need the way back before, ask the licensor first."
            )
    return notes


def _endings(pair: Pair) -> list[str]:
    if pair.warns_within is None:
        return []
    return endings((_view(pair, number) for number in pair.numbers), today=pair.now.date(), within=pair.warns_within)


def _view(pair: Pair, number: str) -> LicenseView:
    """Return a license as the host shows it that holds it, the target first."""
    views = (pair.target.license(number), pair.source.license(number))
    return next((view for view in views if view.is_held), views[1])


def _drifted(side: Side) -> list[str]:
    drifts = [license.drift for license in side.overview.licenses if license.drift is not None]
    changes = [f"{drift.components}. {drift.means}" for drift in drifts if drift.verdict == DRIFTED]
    return [f"{side.host} has changed since its licenses were activated: {change}" for change in dict.fromkeys(changes)]


def _renamings(pair: Pair, license: DeclaredLicense) -> list[str]:
    """Which names of a license clients will ask for in vain."""
    source, target = pair.source.host, pair.target.host
    names = [profile.name for profile in pair.source.overview.profiles if profile.license == license.number]
    there = [profile.name for profile in named(pair.declared, pair.further) if profile.license == license.number]
    gone = [name for name in names if name not in there]
    if pair.is_kept:
        use = " or ".join(there)
        return [f"Profile {name} of {source} is not carried over to {target}: clients must use {use}." for name in gone]
    notes = []
    is_renamed = license.profile not in names
    if license.profile and gone and is_renamed:
        notes.append(f"Profile {gone[0]} of {source} is declared as {license.profile}: clients must use the new name.")
    return notes + [
        f"Profile {name} of {source} for license {license.number} is not declared: it is not carried over."
        for name in (gone[1:] if is_renamed else gone)
    ]


def _lost_answers(pair: Pair, assessments: Sequence[Assessment]) -> list[str]:
    """What the authority may answer to a file, and why it grants no emergency activation."""
    notes = []
    asked = [assessment.number for assessment in assessments if assessment.reason in _BY_FILE]
    if asked:
        command = release_command(asked[0], pair.source.host, pair.target.authority)
        notes.append(f"Where the authority answers that a license is live on another machine: {command}")
    refusals = [assessment.facts.quote.emergency_refusal for assessment in assessments]
    return notes + [f"{refusal.what} {refusal.todo}" for refusal in refusals if refusal is not None]
