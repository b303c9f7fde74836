# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maintenance mode: no new seats, those in use waited for, and the restart with which it ends."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from ..errors import LicensingError
from ..home.config import Config
from ..home.state import State
from ..home.store import Home
from ..hosting.liveness import running
from ..lease import Lease
from ..model import OPERATOR, now_utc
from .drain import STEP, Drained, DrainOptions, Step, drain, still_held
from .freshness import LIMIT
from .port import Change, Maintenance
from .session import HomeSession, change_to


@dataclass(frozen=True)
class PreparedMaintenance:
    """A change of maintenance mode as check mode and run know it before anything is changed.

    :ivar state: the home; where maintenance mode is entered, without the drain of the whole server that leads to it
    :ivar config: its configuration afterwards
    """

    session: HomeSession
    maintenance: Maintenance
    state: State
    config: Config


def prepare(session: HomeSession, maintenance: Maintenance) -> PreparedMaintenance:
    """Look at the home; change nothing."""
    state = session.read()
    if not maintenance.enabled and not state.config.is_closed():
        return PreparedMaintenance(session, maintenance, state, state.config)
    # The drains of licenses that leave are others' and go on.
    without = state.config.without_drain_of_all()
    config = without.in_maintenance(OPERATOR) if maintenance.enabled else without.out_of_maintenance()
    if maintenance.enabled:
        state = replace(state, config=without)
    return PreparedMaintenance(session, maintenance, state, config)


def forecast(prepared: PreparedMaintenance) -> Change:
    """Return what entering or leaving maintenance mode would do."""
    return change_to(prepared.session, prepared.config, before=prepared.state)


def execute(prepared: PreparedMaintenance) -> Change:
    """Wait for clients where that is asked for, then enter maintenance mode; or leave it and restart the server.

    :raises LicensingError: there are seats in use when the time is over, and no force
    """
    session, maintenance, emptied = prepared.session, prepared.maintenance, None
    if maintenance.enabled and maintenance.drain is not None:
        emptied = empty(session, maintenance.drain, step=maintenance.step)
    with session.held():
        if emptied is not None and not emptied.is_over:
            seen = session.overview(session.read())
            return Change(False, seen, seen, drained=emptied.drained, again=emptied.ticket)
        # What was seen before the home was held, or before clients were waited for, may have changed.
        prepared = prepare(session, maintenance)
        change = forecast(prepared)
        if prepared.config != session.home.config():
            session.home.save(prepared.config)
    if change.changed and not maintenance.enabled:
        _restart(session.home, prepared.config)
    return change if emptied is None else replace(change, drained=emptied.drained)


@dataclass(frozen=True)
class Emptied:
    """What became of the seats in use.

    :ivar ticket: of the drain, which keeps new seats from being given
    :ivar is_over: whether licenses may be given up now; or else the call is to be made again
    """

    drained: Drained
    ticket: str
    is_over: bool


def empty(
    session: HomeSession, options: DrainOptions, *, step: Step | None, numbers: Sequence[str] | None = None
) -> Emptied:
    """Keep new seats from being given, and wait until those in use are given back.

    With a step, for a few seconds only, and it is over in a call that finds no seat in use: who has waited goes back to
    his controller, who may be gone by now. The home is free meanwhile: clients may take their time.

    :param numbers: only these licenses are drained; None for the whole server
    :raises LicensingError: there are seats in use when the time is over, and no force; the drain has ended then
    """
    licenses = None if numbers is None else tuple(sorted(numbers))
    began, waited, seconds = time.monotonic(), step.waited if step is not None else 0.0, options.seconds
    lease, is_known = _enter(session, step or Step(secrets.token_hex(16)), licenses)
    try:
        while True:
            config, left = session.read().config, seconds - waited - (time.monotonic() - began)
            drained = drain(session.home, config, seconds=max(0.0, min(STEP, left)), numbers=numbers, waits=False)
            at_once = drained.is_over
            if not at_once and drained.seconds < min(STEP, left):
                drained = drain(session.home, config, seconds=min(STEP, left) - drained.seconds, numbers=numbers)
            took = waited + time.monotonic() - began
            drained = replace(drained, seconds=round(took, 2))
            if not drained.is_over and took >= seconds and not options.force:
                end_drain(session, lease.ticket)
                if licenses is None and not config.maintenance:
                    _restart(session.home, config)
                raise still_held(session.home, drained, back=not config.maintenance)
            may_go_on = drained.is_over or took >= seconds
            if step is not None:
                may_go_on = may_go_on and is_known and (at_once or took >= seconds)
            if may_go_on or step is not None:
                return Emptied(drained, lease.ticket, may_go_on)
            if session.freshness is not None:
                session.freshness.renew()
            lease, is_known = _enter(session, Step(lease.ticket, took), licenses)
    except BaseException:
        # Ctrl-C among others; after a kill the drain lasts for a minute.
        with suppress(LicensingError):
            end_drain(session, lease.ticket)
        raise


def _enter(session: HomeSession, step: Step, licenses: tuple[str, ...] | None) -> tuple[Lease, bool]:
    """Keep new seats of these licenses from being given for a while from now on; None for the whole server.

    :return: until when; and whether this drain was heard of seconds ago, or begins here: a call that was held up on its
        way to the host, while its controller went away, is neither
    """
    with session.held():
        config, now = session.read().config, now_utc()
        begins = step.waited == 0
        # Two controllers that drain the same licenses do it together.
        lasting = config.lease_of(licenses, now) if begins else config.lease(step.ticket, now)
        if lasting is not None and lasting.licenses == licenses:
            lease, is_known = lasting.renewed(now), begins or lasting.is_renewed_within(LIMIT, now)
        else:
            ticket = step.ticket if begins else secrets.token_hex(16)
            lease, is_known = Lease(ticket, now, licenses).renewed(now), begins
        session.home.save(config.with_lease(lease, now))
    return lease, is_known


def end_drain(session: HomeSession, ticket: str) -> Change:
    """See :meth:`LicenseManager.end_drain`."""
    with session.home.locked():
        state = session.read()
        config = state.config.without_lease(ticket)
        if config != state.config:
            session.home.save(config)
        return change_to(session, config, before=state)


def holds(config: Config, ticket: str, *, numbers: Sequence[str]) -> bool:
    """Whether this drain still keeps new seats of these licenses from being given."""
    lease = config.lease(ticket)
    return lease is not None and lease.covers(numbers)


def _restart(home: Home, config: Config) -> None:
    """Restart what runs the server, as leaving maintenance mode does (docs/domain.md#maintenance-mode)."""
    # Imported here, as only this call of the manager has to do with systemd.
    from ..hosting.service import service_of, wait_until_healthy

    service = service_of(home, config)
    status = running(home, config) if service is not None else None
    if service is not None and status is not None:
        service.restart()
        wait_until_healthy(home, config, service, None, since=status)
