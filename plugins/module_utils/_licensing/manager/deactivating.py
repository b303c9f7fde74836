# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Giving licenses up: their clients waited for, the licenses fenced, and given back one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..channel import Channel
from ..model import MACHINE, render_time
from . import Change
from .arranging import predict
from .checking import check_given_up
from .draining import Drained
from .exchange import Requests
from .foreseeing import PENDING, given_up
from .maintaining import set_maintenance
from .managed import ManagedHome, change_of
from .overview import INACTIVE, PENDING_DEACTIVATION
from .settling import DEACTIVATED, Settling


def deactivate(
    managed: ManagedHome,
    numbers: Sequence[str],
    channel: Channel,
    drain_seconds: float | None = None,
    force: bool = False,
    dry: bool = False,
) -> Change:
    """See :meth:`LicenseManager.deactivate`."""
    managed.home.require()
    state = managed.read()
    check_given_up(managed.home, state, numbers, channel)
    if any(state.is_served(number) and not state.is_bridged(number) for number in numbers):
        # Before anybody loses his seat: where the authority cannot be reached, the server goes on serving.
        managed.realm(state, channel, None)
        channel.probe(dry)
    if drain_seconds is None:
        return _deactivate(managed, numbers, channel, {}, dry)
    before = managed.overview(state)
    # What is refused here has ended nobody's session either.
    finished = {} if dry else _finish(managed, numbers, channel)
    drained, maintenance = _emptied(managed, numbers, drain_seconds, force, dry)
    change = _deactivate(managed, numbers, channel, finished, dry)
    after = {**change.after, "server": {**change.after["server"], "maintenance": maintenance}}
    return replace(change, changed=before != after, before=before, after=after, drained=drained)


def _finish(managed: ManagedHome, numbers: Sequence[str], channel: Channel) -> dict[str, dict[str, Any]]:
    """Finish what is pending before licenses are given up, but for updates of these."""
    with managed.home.locked():
        state = managed.read().giving_up(numbers)
        todo = state.concerned(numbers)
        due = state.due(todo, channel) if todo else []
        if not due:
            return {}
        settling, _requests = managed.settling(state, channel, None)
        settling.finish(due)
        return settling.results


def _emptied(
    managed: ManagedHome, numbers: Sequence[str], seconds: float, force: bool, dry: bool
) -> tuple[Drained, bool]:
    """Have the seats of these licenses given back; return what that came to, and whether maintenance mode lasts."""
    state, drained = managed.read(), Drained()
    others = any(state.is_served(number) for number in state.installed if number not in numbers)
    if not others or any(state.is_served(number) for number in numbers):
        drained = set_maintenance(managed, True, seconds, force, dry, numbers if others else None).drained
    if not others:
        return drained, True
    if not state.concerned(numbers):
        return drained, state.config.maintenance
    if not dry:
        # Fenced, these licenses are given to nobody any more; the server goes on for the others.
        with managed.home.locked():
            _fence(managed, numbers)
        set_maintenance(managed, False)
    return drained, False


def _deactivate(
    managed: ManagedHome, numbers: Sequence[str], channel: Channel, finished: Mapping[str, dict[str, Any]], dry: bool
) -> Change:
    with managed.home.held(dry):
        state = managed.read()
        before = managed.overview(state)
        check_given_up(managed.home, state, numbers, channel)
        state = state.giving_up(numbers)
        todo = state.concerned(numbers)
        results: dict[str, dict[str, Any]] = {}
        if todo and not dry:
            settling, requests = managed.settling(state, channel, None)
            settling.finish(state.due(todo, channel))
            _give_up(managed, todo, settling, requests)
            state = managed.read()
            done = {**finished, **settling.results}
            results = {number: one for number, one in done.items() if number not in state.intents}
        after = managed.overview(state)
        if dry:
            results = given_up(state, todo, managed.responses(state, todo, channel), channel.online)
            now = render_time(managed.now())
            predict(after, [n for n in results if results[n]["action"] == DEACTIVATED], INACTIVE, now)
            predict(after, [n for n in results if results[n]["action"] == PENDING], PENDING_DEACTIVATION, now)
        return change_of(before, after, numbers, results, state.intents)


def _give_up(managed: ManagedHome, asked: Sequence[str], settling: Settling, requests: Requests) -> None:
    """Give these licenses back one after the other, those too that have just become active."""
    _fence(managed, asked)
    state = managed.read()
    for number in (number for number in asked if state.is_active(number)):
        lock = state.installed[number].nodelock
        if lock is not None and lock.until is not None:
            settling.end(number)
        else:
            settling.begin(number, requests.deactivate(number, lock.type if lock else MACHINE))


def _fence(managed: ManagedHome, numbers: Sequence[str]) -> None:
    """Stop giving seats of these licenses, of all at once, and drop their pending updates."""
    state = managed.read()
    managed.drop_updates(state, numbers)
    now = render_time(managed.now())
    fenced = {**{n: now for n in numbers if state.holds(n)}, **state.config.fenced}
    if fenced != state.config.fenced:
        managed.home.save(replace(state.config, fenced=fenced))
