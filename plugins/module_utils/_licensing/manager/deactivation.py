# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deactivation: clients are waited for, the licenses fenced, and given back one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from .. import faults
from ..channel.base import Channel
from ..documents import Document
from ..errors import LicensingError, refuse
from ..home.journal import Intent
from ..home.state import State
from ..license_view import Status
from ..model import FENCE, MACHINE, render_time
from ..overview import Overview
from .drain import Drained
from .exchange import Requests
from .forecast import deactivated, granted, predict
from .maintenance import empty, end_drain, holds
from .port import Change, Deactivation
from .preflight import check_deactivated
from .results import Action, LicenseResult
from .session import HomeSession, change_of
from .settlement import Settlement

# Of a call that is to be made again without any seats to wait for.
_NO_TICKET = ""


@dataclass(frozen=True)
class PreparedDeactivation:
    """A deactivation as check mode and run know it before anything is changed.

    :ivar read: the home as it was read
    :ivar before: what the manager shows of the home
    :ivar concerned: the licenses that are active here, or of which something is pending
    :ivar due: the open exchanges that end first
    :ivar responses: the checked responses to these that are at hand, by license number
    """

    session: HomeSession
    deactivation: Deactivation
    channel: Channel
    read: State
    before: Overview
    concerned: Sequence[str]
    due: Sequence[Intent]
    responses: Mapping[str, Document]

    @property
    def state(self) -> State:
        """The home without the updates that the deactivation drops."""
        return self.read.giving_up(self.deactivation.numbers)

    @property
    def keeps_serving(self) -> bool:
        """Whether the server has other licenses to serve."""
        return _keeps_serving(self.read, self.deactivation.numbers)

    @property
    def is_serving(self) -> bool:
        """Whether any of the licenses is served."""
        return any(self.read.is_served(number) for number in self.deactivation.numbers)


def prepare(session: HomeSession, deactivation: Deactivation, *, channel: Channel) -> PreparedDeactivation:
    """Look at the home; change nothing.

    :raises LicensingError: a license cannot be given back here, or a response at hand is not usable
    """
    session.home.require()
    read = session.read()
    check_deactivated(session.home, read, numbers=deactivation.numbers, channel=channel)
    state = read.giving_up(deactivation.numbers)
    concerned = state.concerned(deactivation.numbers)
    due = state.due(concerned, channel.online) if concerned else []
    responses = session.responses(state, due, channel=channel)
    return PreparedDeactivation(session, deactivation, channel, read, session.overview(read), concerned, due, responses)


def forecast(prepared: PreparedDeactivation) -> Change:
    """Return what the deactivation would do; refuse where the authority cannot be reached."""
    session, state, online = prepared.session, prepared.state, prepared.channel.online
    _probe(prepared, dry=True)
    responses = granted(prepared.due, prepared.responses)
    results = deactivated(state, prepared.concerned, responses=responses, online=online)
    after = session.foreseen(state, [i for i in prepared.due if i.number not in prepared.concerned])
    now = render_time(session.now())
    done = [number for number in results if results[number].action is Action.DEACTIVATED]
    after = predict(after, done, status=Status.INACTIVE, fenced=now)
    pending = [number for number in results if results[number].action is Action.PENDING]
    after = predict(after, pending, status=Status.PENDING_DEACTIVATION, fenced=now)
    change = change_of(
        prepared.before, after, numbers=prepared.deactivation.numbers, results=results, intents=state.intents
    )
    if prepared.deactivation.drain is None or prepared.keeps_serving:
        return change
    # Where nothing is left to serve, the drain ends in maintenance mode.
    server = change.after.server
    if not prepared.read.config.maintenance:
        server = replace(server, maintenance=True, maintenance_by=FENCE)
    after = replace(change.after, server=server)
    return replace(change, changed=change.before != after, after=after)


def execute(prepared: PreparedDeactivation) -> Change:
    """Wait for clients where that is asked for, then fence the licenses and give them back.

    :raises LicensingError: the authority cannot be reached, with the server as it was; it refuses, or the outcome of a
        request is not known, with the licenses fenced
    """
    # Before anybody loses his seat: where the authority cannot be reached, the server goes on serving.
    _probe(prepared)
    if prepared.deactivation.drain is None:
        return _give_back(prepared)
    # What is refused here has ended nobody's session either.
    finished = _finish(prepared)
    settled = replace(prepared, read=prepared.session.read())
    emptied = None
    if settled.is_serving:
        emptied = empty(
            settled.session,
            prepared.deactivation.drain,
            step=prepared.deactivation.step,
            numbers=prepared.deactivation.numbers,
        )
        if not emptied.is_over or not _closed(settled, emptied.ticket):
            seen = settled.session.overview(settled.session.read())
            return Change(False, prepared.before, seen, drained=emptied.drained, again=emptied.ticket)
    else:
        _close(settled, None)
    change = _give_back(prepared, finished)
    drained = emptied.drained if emptied else Drained()
    return replace(change, changed=prepared.before != change.after, before=prepared.before, drained=drained)


def _probe(prepared: PreparedDeactivation, *, dry: bool = False) -> None:
    """Refuse unless the authority is there, if any of these licenses is to be given back to it.

    Once for each drain: a step that goes on with it finds the authority in :func:`_closed`.
    """
    step = prepared.deactivation.step
    if step is None or step.waited == 0:
        _require_authority(prepared, prepared.read, dry=dry)


def _require_authority(prepared: PreparedDeactivation, state: State, *, dry: bool = False) -> None:
    numbers = prepared.deactivation.numbers
    if any(state.is_served(number) and not state.is_bridged(number) for number in numbers):
        prepared.session.realm(state, prepared.channel)
        prepared.channel.probe(dry)


def _finish(prepared: PreparedDeactivation) -> dict[str, LicenseResult]:
    """Finish what is pending before licenses are given back, but for updates of these."""
    session, channel = prepared.session, prepared.channel
    with session.held():
        # What was pending may be over by the time that the home is held.
        held = prepare(session, prepared.deactivation, channel=channel)
        if not held.due:
            return {}
        settlement, _requests = session.settlement(held.state, channel)
        settlement.finish(held.due)
        return settlement.results


def _closed(prepared: PreparedDeactivation, ticket: str) -> bool:
    """Fence licenses whose seats are back; return whether they are, or else the call is to be made again."""
    session, step = prepared.session, prepared.deactivation.step
    try:
        if step is not None and step.waited > 0:
            _require_authority(prepared, session.read())
        if _close(prepared, ticket):
            return True
        if step is not None:
            return False
        raise refuse(
            "The drain ended before the licenses were fenced: another run ended it, or the host's clock was set.",
            session.home.where,
            "Nothing was given up. Run the same command again.",
        )
    except LicensingError:
        with suppress(LicensingError):
            end_drain(session, ticket)
        raise


def _close(prepared: PreparedDeactivation, ticket: str | None) -> bool:
    """Fence licenses, with which the drain is over; return whether they are, as none is where the drain has ended.

    A server that has other licenses to serve goes on with these, and one that has none enters maintenance mode.

    :param ticket: of the drain; None where none of the licenses is served any more
    """
    session, numbers, step = prepared.session, prepared.deactivation.numbers, prepared.deactivation.step
    with session.held():
        state = session.read()
        if any(state.is_served(number) for number in numbers):
            if session.freshness is not None:
                session.freshness.check_heard(session.home.where)
            if ticket is None or not holds(state.config, ticket, numbers=numbers):
                return False
        keeps_serving = _keeps_serving(state, numbers)
        faults.reach("deactivating.close", str(keeps_serving))
        ended = ticket or (step.ticket if step is not None else "")
        _fence(session, numbers, ended=ended, closed=not keeps_serving)
    return True


def _keeps_serving(state: State, numbers: Sequence[str]) -> bool:
    """Whether a server without these licenses has others to serve."""
    return any(state.is_served(number) for number in state.installed if number not in numbers)


def _give_back(waited: PreparedDeactivation, finished: Mapping[str, LicenseResult] | None = None) -> Change:
    """Fence the licenses and give them back, with the home held from the last look on.

    :param waited: what was known before the home was held, or before clients were waited for
    :param finished: what ended before clients were waited for
    """
    session, deactivation, channel = waited.session, waited.deactivation, waited.channel
    numbers = deactivation.numbers
    with session.held():
        prepared = prepare(session, replace(deactivation, drain=None), channel=channel)
        results, is_all = dict(finished or {}), True
        if prepared.concerned:
            settlement, requests = session.settlement(prepared.state, channel)
            settlement.finish(prepared.due)
            is_all = _give_up(session, prepared.concerned, settlement=settlement, requests=requests)
            results.update(settlement.results)
        state = session.read()
        results = {number: result for number, result in results.items() if number not in state.intents}
        after = session.overview(state)
        change = change_of(prepared.before, after, numbers=numbers, results=results, intents=state.intents)
        return change if is_all else replace(change, again=_NO_TICKET)


def _give_up(session: HomeSession, numbers: Sequence[str], *, settlement: Settlement, requests: Requests) -> bool:
    """Give licenses back one after the other, those too that have just become active.

    :return: whether all are; those that were not begun in time stay fenced, for the call that asks for them again
    """
    state, freshness = session.read(), session.freshness
    if freshness is not None and any(state.is_served(number) for number in numbers):
        freshness.check_heard(session.home.where)
    _fence(session, numbers)
    state = session.read()
    for number in (number for number in numbers if state.is_active(number)):
        if freshness is not None and freshness.is_over:
            return False
        lock = state.installed[number].nodelock
        if lock is not None and lock.until is not None:
            settlement.end(number)
        else:
            settlement.begin(number, requests.deactivate(number, lock.type if lock else MACHINE))
    return True


def _fence(session: HomeSession, numbers: Sequence[str], *, ended: str = "", closed: bool = False) -> None:
    """Stop giving seats of these licenses, of all at once, and drop their pending updates.

    :param ended: the ticket of the drain that ends with this; the drains of other licenses go on
    :param closed: whether the server enters maintenance mode with this
    """
    state = session.read()
    session.drop_updates(state, numbers)
    now = render_time(session.now())
    fenced = {**{n: now for n in numbers if state.holds(n)}, **state.config.fenced}
    config = replace(state.config.without_lease(ended), fenced=fenced)
    if closed:
        config = config.in_maintenance(FENCE)
    if config != state.config:
        session.home.save(config)
