# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call would do with each license, for a dry run. Pure.

Online, an exchange ends in the call that begins it. Offline one ends where its response is at hand, and one that begins
is pending.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..declared import DeclaredLicense
from ..documents import Document
from ..home.nodelock import read_nodelock
from ..home.state import State
from ..license_view import Transfers
from ..model import ACTIVATE, DEACTIVATE, UPDATE
from .emergency import foreseen
from .results import DONE, Action, LicenseResult


def waits(licenses: Sequence[DeclaredLicense]) -> dict[str, LicenseResult]:
    """Give the results for licenses that are requested offline."""
    return {license.number: _waits(license.number) for license in licenses}


def _waits(number: str) -> LicenseResult:
    return LicenseResult(number, Action.PENDING)


def _answered(number: str, action: Action, response: Document | None) -> LicenseResult:
    body = response.body if response else {}
    return LicenseResult(number, action, body.get("spends"), Transfers.from_body(body))


def ended(
    state: State,
    wanted: Sequence[DeclaredLicense],
    responses: Mapping[str, Document],
    given_back: Sequence[str],
    online: bool,
) -> dict[str, LicenseResult]:
    """Give the results for wanted licenses whose pending exchange ends with the call.

    :param responses: those at hand, by license number
    :param given_back: numbers of licenses whose emergency activation is replaced offline
    """
    results: dict[str, LicenseResult] = {}
    for license in wanted:
        number = license.number
        intent, response = state.intents.get(number), responses.get(number)
        if intent is None or not (online or response):
            continue
        if intent.action == UPDATE:
            results[number] = _answered(number, Action.UPDATED, response)
        elif not online and (response is None or not _suits(license, intent.action, response, given_back)):
            results[number] = _waits(number)
        else:
            known = _answered(number, Action.ACTIVATED, response)
            until = response.body.get("until") if response else None
            results[number] = replace(known, until=until, quote=foreseen(number, None).quote)
    return results


def _suits(one: DeclaredLicense, action: str, response: Document, given_back: Sequence[str]) -> bool:
    """Whether a license is active as wanted by a response, so that no further request follows it."""
    if action != ACTIVATE:
        return False
    lock = read_nodelock(response)
    return one.number not in given_back if lock.until else lock.type == one.nodelock


def given_up(
    state: State, numbers: Sequence[str], responses: Mapping[str, Document], online: bool
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
    state: State, numbers: Sequence[str], responses: Mapping[str, Document], online: bool
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
