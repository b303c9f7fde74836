# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Giving licenses up: their clients waited for, the licenses fenced, and given back one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from .. import faults
from ..channel.base import Channel
from ..errors import LicensingError, refuse
from ..home.state import State
from ..license_view import Status
from ..model import MACHINE, parse_seconds, render_time
from .drain import Drained, Step
from .exchange import Requests
from .forecast import given_up
from .maintenance import empty, end_drain, holds
from .port import Change
from .preflight import check_given_up
from .profiles import predict
from .results import Action, LicenseResult
from .session import HomeSession, change_of
from .settlement import Settlement

# Of a call that is to be made again without any seats to wait for.
_NO_TICKET = ""


def deactivate(
    managed: HomeSession,
    numbers: Sequence[str],
    channel: Channel,
    drain_seconds: float | None = None,
    force: bool = False,
    dry: bool = False,
    step: Step | None = None,
) -> Change:
    """See :meth:`LicenseManager.deactivate`."""
    if drain_seconds is not None:
        parse_seconds(drain_seconds, "drain_seconds")
    managed.home.require()
    state = managed.read()
    check_given_up(managed.home, state, numbers, channel)
    if step is None or step.waited == 0:
        # Before anybody loses his seat: where the authority cannot be reached, the server goes on serving.
        _probe(managed, state, numbers, channel, dry)
    if drain_seconds is None:
        return _deactivate(managed, numbers, channel, {}, dry)
    # A drain is no maintenance mode that would have been entered before.
    before = managed.overview(replace(state, config=replace(state.config, drain=None)))
    # What is refused here has ended nobody's session either.
    finished = {} if dry else _finish(managed, numbers, channel)
    state, emptied = managed.read(), None
    keeps = any(state.is_served(number) for number in state.installed if number not in numbers)
    if not dry and any(state.is_served(number) for number in numbers):
        emptied = empty(managed, drain_seconds, force, step, numbers if keeps else None)
        if not emptied.is_over or not _closed(managed, numbers, channel, step, emptied.ticket, keeps):
            seen = managed.overview(managed.read())
            return Change(False, before, seen, drained=emptied.drained, again=emptied.ticket)
    elif not dry:
        _close(managed, numbers, None, keeps)
    change = _deactivate(managed, numbers, channel, finished, dry)
    closed = not keeps or state.config.maintenance
    after = replace(change.after, server=replace(change.after.server, maintenance=closed))
    drained = emptied.drained if emptied else Drained()
    return replace(change, changed=before != after, before=before, after=after, drained=drained)


def _probe(managed: HomeSession, state: State, numbers: Sequence[str], channel: Channel, dry: bool) -> None:
    """See that the authority is there, if any of these licenses is to be given back to it."""
    if any(state.is_served(number) and not state.is_bridged(number) for number in numbers):
        managed.realm(state, channel, None)
        channel.probe(dry)


def _finish(managed: HomeSession, numbers: Sequence[str], channel: Channel) -> dict[str, LicenseResult]:
    """Finish what is pending before licenses are given up, but for updates of these."""
    with managed.held():
        state = managed.read().giving_up(numbers)
        todo = state.concerned(numbers)
        due = state.due(todo, channel.online) if todo else []
        if not due:
            return {}
        settling, _requests = managed.settling(state, channel, None)
        settling.finish(due)
        return settling.results


def _closed(
    managed: HomeSession,
    numbers: Sequence[str],
    channel: Channel,
    step: Step | None,
    ticket: str,
    keeps: bool,
) -> bool:
    """Fence licenses whose seats are back; return whether they are, or else the call is to be made again."""
    try:
        if step is not None and step.waited > 0:
            _probe(managed, managed.read(), numbers, channel, False)
        if _close(managed, numbers, ticket, keeps):
            return True
        if step is not None:
            return False
        raise refuse(
            "The drain ended before the licenses were fenced: another run ended it, or the host's clock was set.",
            managed.home.where,
            "Nothing was given up. Run the same command again.",
        )
    except LicensingError:
        with suppress(LicensingError):
            end_drain(managed, ticket)
        raise


def _close(managed: HomeSession, numbers: Sequence[str], ticket: str | None, keeps: bool) -> bool:
    """Fence licenses, with which the drain is over; return whether they are, as none is where the drain has ended.

    :param ticket: of the drain, without which none of them is served any more
    :param keeps: whether the server has other licenses to serve, which it goes on with; or else it stays closed
    """
    with managed.held():
        state = managed.read()
        if any(state.is_served(number) for number in numbers):
            if managed.freshness is not None:
                managed.freshness.check_heard(managed.home.where)
            if ticket is None or not holds(state.config, ticket):
                return False
        faults.reach("deactivating.close", str(keeps))
        _fence(managed, numbers, not keeps or state.config.maintenance)
    return True


def _deactivate(
    managed: HomeSession, numbers: Sequence[str], channel: Channel, finished: Mapping[str, LicenseResult], dry: bool
) -> Change:
    with managed.held(dry):
        state = managed.read()
        before = managed.overview(state)
        check_given_up(managed.home, state, numbers, channel)
        state = state.giving_up(numbers)
        todo = state.concerned(numbers)
        results: dict[str, LicenseResult] = {}
        is_all = True
        if todo and not dry:
            settling, requests = managed.settling(state, channel, None)
            settling.finish(state.due(todo, channel.online))
            is_all = _give_up(managed, todo, settling, requests)
            state = managed.read()
            done = {**finished, **settling.results}
            results = {number: result for number, result in done.items() if number not in state.intents}
        if not dry:
            after = managed.overview(state)
        else:
            results = given_up(state, todo, managed.responses(state, todo, channel), channel.online)
            after = managed.foreseen(state, state.due_of_others(todo, channel.online) if todo else ())
            now = render_time(managed.now())
            ended = [n for n in results if results[n].action is Action.DEACTIVATED]
            after = predict(after, ended, Status.INACTIVE, now)
            asked = [n for n in results if results[n].action is Action.PENDING]
            after = predict(after, asked, Status.PENDING_DEACTIVATION, now)
        change = change_of(before, after, numbers, results, state.intents)
        return change if is_all else replace(change, again=_NO_TICKET)


def _give_up(managed: HomeSession, asked: Sequence[str], settling: Settlement, requests: Requests) -> bool:
    """Give these licenses back one after the other, those too that have just become active.

    :return: whether all are; those that were not begun in time stay fenced, for who asks for them again
    """
    state = managed.read()
    if managed.freshness is not None and any(state.is_served(number) for number in asked):
        managed.freshness.check_heard(managed.home.where)
    _fence(managed, asked)
    state = managed.read()
    for number in (number for number in asked if state.is_active(number)):
        if managed.freshness is not None and managed.freshness.is_over:
            return False
        lock = state.installed[number].nodelock
        if lock is not None and lock.until is not None:
            settling.end(number)
        else:
            settling.begin(number, requests.deactivate(number, lock.type if lock else MACHINE))
    return True


def _fence(managed: HomeSession, numbers: Sequence[str], closed: bool | None = None) -> None:
    """Stop giving seats of these licenses, of all at once, and drop their pending updates.

    :param closed: whether the server is in maintenance mode once the drain has ended with this; None where none does
    """
    state = managed.read()
    managed.drop_updates(state, numbers)
    now = render_time(managed.now())
    fenced = {**{n: now for n in numbers if state.holds(n)}, **state.config.fenced}
    config = replace(state.config, fenced=fenced)
    if closed is not None:
        config = replace(config, maintenance=closed, drain=None)
    if config != state.config:
        managed.home.save(config)
