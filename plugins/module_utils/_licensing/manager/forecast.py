# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call would do with each license, and what the manager would show afterwards. Pure.

Online, an exchange ends in the call that begins it. Offline one ends where its response is at hand, and one that begins
is pending.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..declared import DeclaredLicense
from ..documents import Document
from ..errors import LicensingError, Problem
from ..home.journal import Intent
from ..home.nodelock import read_nodelock
from ..home.state import State
from ..license_view import LicenseView, Status, Transfers
from ..model import ACTIVATE, DEACTIVATE, UPDATE, digits
from ..overview import Overview, PendingRequest
from .emergency import foreseen
from .exchange import hindrance
from .results import DONE, Action, LicenseResult

_PENDING = {
    Status.PENDING_ACTIVATION: ACTIVATE,
    Status.PENDING_DEACTIVATION: DEACTIVATE,
    Status.PENDING_UPDATE: UPDATE,
}


def granted(due: Sequence[Intent], responses: Mapping[str, Document]) -> dict[str, Document]:
    """Return those of the responses at hand that grant what was asked for.

    :param due: the open exchanges that are finished
    :param responses: the checked responses to these, by license number
    :raises LicensingError: one of them refuses. One that refuses and was archived does not count: what it refused is
        over with the next run, which can then ask anew.
    """
    granting: dict[str, Document] = {}
    problems: list[Problem] = []
    for intent in due:
        response = responses.get(intent.number)
        refused = hindrance(response) if response is not None else None
        if response is not None and refused is None:
            granting[intent.number] = response
        elif refused is not None and intent.response is None:
            problems.extend(refused.problems)
    if problems:
        raise LicensingError(problems)
    return granting


def waits(licenses: Sequence[DeclaredLicense]) -> dict[str, LicenseResult]:
    """Give the results for licenses that are requested offline."""
    return {license.number: _waits(license.number) for license in licenses}


def _waits(number: str) -> LicenseResult:
    return LicenseResult(number, Action.PENDING)


def _answered(number: str, action: Action, *, response: Document | None) -> LicenseResult:
    body = response.body if response else {}
    return LicenseResult(number, action, body.get("spends"), Transfers.from_body(body))


def ended(
    state: State,
    licenses: Sequence[DeclaredLicense],
    *,
    responses: Mapping[str, Document],
    returned: Sequence[str],
    online: bool,
) -> dict[str, LicenseResult]:
    """Give the results for declared licenses whose pending exchange ends with the call.

    :param responses: those at hand, by license number
    :param returned: numbers of licenses whose emergency activation is replaced offline
    """
    results: dict[str, LicenseResult] = {}
    for license in licenses:
        number = license.number
        intent, response = state.intents.get(number), responses.get(number)
        if intent is None or not (online or response):
            continue
        if intent.action == UPDATE:
            results[number] = _answered(number, Action.UPDATED, response=response)
        elif not online and (
            response is None or not _suits(license, intent.action, response=response, returned=returned)
        ):
            results[number] = _waits(number)
        else:
            known = _answered(number, Action.ACTIVATED, response=response)
            until = response.body.get("until") if response else None
            results[number] = replace(known, until=until, quote=foreseen(number, None).quote)
    return results


def _suits(license: DeclaredLicense, action: str, *, response: Document, returned: Sequence[str]) -> bool:
    """Whether a license is active as declared by a response, so that no further request follows it."""
    if action != ACTIVATE:
        return False
    lock = read_nodelock(response)
    return license.number not in returned if lock.until else lock.type == license.nodelock


def deactivated(
    state: State, numbers: Sequence[str], *, responses: Mapping[str, Document], online: bool
) -> dict[str, LicenseResult]:
    """Give the results for licenses that are to be given back; none for one that goes on waiting for its response."""
    results: dict[str, LicenseResult] = {}
    for number in numbers:
        intent, response = state.intents.get(number), responses.get(number)
        if intent is not None and not online and response is None:
            continue
        installed = state.installed.get(number)
        until = installed.nodelock.until if installed and installed.nodelock else None
        if intent is not None and intent.action == ACTIVATE:
            until = read_nodelock(response).until if response else None
        # What bridges is ended here, and nobody is asked.
        ends = online or until is not None or (intent is not None and intent.action == DEACTIVATE)
        results[number] = LicenseResult(number, Action.DEACTIVATED) if ends else _waits(number)
    return results


def updated(
    state: State, numbers: Sequence[str], *, responses: Mapping[str, Document], online: bool
) -> dict[str, LicenseResult]:
    """Give the results for licenses whose files are to be fetched; none for one that waits for its response.

    Only the authority knows whether it has another license file; it is asked in earnest alone.
    """
    results: dict[str, LicenseResult] = {}
    for number in numbers:
        intent = state.intents.get(number)
        if intent is None:
            results[number] = LicenseResult(number, Action.UPDATED) if online else _waits(number)
        elif online or number in responses:
            results[number] = LicenseResult(number, DONE[intent.action])
    return results


def predict(
    overview: Overview,
    numbers: Sequence[str],
    *,
    status: Status,
    fenced: str | None = None,
    until: Mapping[str, str | None] | None = None,
) -> Overview:
    """Return an overview in which licenses have the status that they will have.

    :param until: when those end that are activated in an emergency, by license number
    """
    # Whatever was pending of them is over by then, or makes room for the next.
    pending = [request for request in overview.pending if request.number not in numbers]
    action = _PENDING.get(status)
    if action:
        # What is foreseen has no request.
        pending += [PendingRequest(n, action, None, None, f"{digits(n)}.request") for n in numbers]
    licenses = [
        _predicted(license, status, fenced=fenced, until=(until or {}).get(license.number))
        if license.number in numbers
        else license
        for license in overview.licenses
    ]
    if status is not Status.PENDING_ACTIVATION:
        # A license file comes with the response.
        here = {license.number for license in licenses}
        licenses += [LicenseView(n, status, fenced, until.get(n) if until else None) for n in numbers if n not in here]
    ordered = sorted(pending, key=lambda request: request.number)
    return replace(overview, licenses=tuple(licenses), pending=tuple(ordered))


def _predicted(license: LicenseView, status: Status, *, fenced: str | None, until: str | None) -> LicenseView:
    if status is Status.PENDING_UPDATE:
        return replace(license, status=status)
    if status is Status.PENDING_ACTIVATION:
        return replace(license, status=status, until=None)
    return replace(license, status=status, fenced=fenced and (license.fenced or fenced), until=until)
