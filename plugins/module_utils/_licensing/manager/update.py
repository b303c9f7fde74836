# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Updates: the license files of active licenses as the authority has them, fetched while they are served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from ..channel.base import Channel
from ..documents import Document
from ..home.journal import Intent
from ..home.state import State
from ..license_view import LicenseView, Status
from ..model import now_utc
from ..overview import Overview
from .forecast import granted, predict, updated
from .port import Change
from .preflight import check_updated
from .results import Action
from .session import HomeSession, change_of


@dataclass(frozen=True)
class PreparedUpdate:
    """An update as check mode and run know it before anything is changed.

    :ivar before: what the manager shows of the home
    :ivar due: the open exchanges that end first
    :ivar responses: the checked responses to these that are at hand, by license number
    """

    session: HomeSession
    numbers: Sequence[str]
    channel: Channel
    state: State
    before: Overview
    due: Sequence[Intent]
    responses: Mapping[str, Document]


def prepare(session: HomeSession, numbers: Sequence[str], *, channel: Channel) -> PreparedUpdate:
    """Look at the home; change nothing.

    :raises LicensingError: a license is not active here, or a response at hand is not usable
    """
    state = session.read()
    before = session.overview(state)
    check_updated(session.home, state, numbers=numbers, channel=channel)
    due = state.due(numbers, channel.online)
    responses = session.responses(state, due, channel=channel)
    return PreparedUpdate(session, numbers, channel, state, before, due, responses)


def forecast(prepared: PreparedUpdate) -> Change:
    """Return what the update would do; only the authority knows whether it has other license files."""
    state, channel, numbers = prepared.state, prepared.channel, prepared.numbers
    responses = granted(prepared.due, prepared.responses)
    results = updated(state, numbers, responses=responses, online=channel.online)
    after = prepared.session.foreseen(state, [i for i in prepared.due if channel.online or i.number in responses])
    pending = [number for number in results if results[number].action is Action.PENDING]
    after = predict(after, pending, status=Status.PENDING_UPDATE)
    return change_of(prepared.before, after, numbers=numbers, results=results, intents=state.intents)


def execute(prepared: PreparedUpdate) -> Change:
    """Finish what is pending, then fetch the license files; the home is to be held.

    :raises LicensingError: the authority refuses, or the outcome of a request is not known
    """
    session, numbers = prepared.session, prepared.numbers
    settlement, requests = session.settlement(prepared.state, prepared.channel)
    settlement.finish(prepared.due)
    state = session.read()
    for number in numbers:
        lock = state.installed[number].nodelock if state.is_active(number) else None
        if lock is not None and number not in settlement.results:
            settlement.begin(number, requests.update(number, lock.type))
    state = session.read()
    results = {n: result for n, result in settlement.results.items() if n not in state.intents}
    after = session.overview(state)
    return change_of(prepared.before, after, numbers=numbers, results=results, intents=state.intents)


@dataclass(frozen=True)
class Grant:
    """What a license grants, and until when."""

    type: str | None
    seats: int | None
    expiry: str | None
    maintenance_expiry: str | None

    @classmethod
    def of(cls, license: LicenseView) -> Grant:
        return cls(license.type, license.seats, license.expiry, license.maintenance_expiry)


@dataclass(frozen=True)
class Renewal:
    """A license whose file has changed."""

    number: str
    before: Grant
    after: Grant

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def updatable(overview: Overview, numbers: Sequence[str], *, within_days: int | None = None) -> list[str]:
    """Return which licenses are to be updated: those that are held here, or whose update is open.

    :param within_days: only those that end, or whose maintenance ends, by then, and those with an open exchange
    """
    open_numbers = {request.number for request in overview.pending if not request.is_move}
    chosen = []
    for number in numbers:
        license = overview.license(number)
        if number in open_numbers or (license is not None and license.is_held and _ends(license, within_days)):
            chosen.append(number)
    return chosen


def _ends(license: LicenseView, within_days: int | None) -> bool:
    if within_days is None:
        return True
    days = [date.fromisoformat(day) for day in (license.expiry, license.maintenance_expiry) if day is not None]
    return any((day - now_utc().date()).days <= within_days for day in days)


def renewed(change: Change) -> list[Renewal]:
    """Return what an update has changed."""
    grants = {license.number: Grant.of(license) for license in change.before.licenses}
    return [
        Renewal(license.number, grants[license.number], Grant.of(license))
        for license in change.after.licenses
        if license.number in grants and grants[license.number] != Grant.of(license)
    ]
