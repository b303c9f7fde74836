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
from ..home.store import Home
from ..hosting.liveness import running
from ..lease import Lease
from ..model import now_utc, parse_seconds
from .drain import STEP, Drained, Step, drain, still_held
from .freshness import LIMIT
from .port import Change
from .session import HomeSession


def set_maintenance(
    managed: HomeSession,
    enabled: bool,
    drain_seconds: float | None = None,
    force: bool = False,
    dry: bool = False,
    step: Step | None = None,
) -> Change:
    """See :meth:`LicenseManager.set_maintenance`."""
    if drain_seconds is not None:
        parse_seconds(drain_seconds, "drain_seconds")
    emptied = None
    if enabled and drain_seconds is not None and not dry:
        emptied = empty(managed, drain_seconds, force, step)
    with managed.held(dry):
        state = managed.read()
        if emptied is not None and not emptied.is_over:
            seen = managed.overview(state)
            return Change(False, seen, seen, drained=emptied.drained, again=emptied.ticket)
        if not enabled and not state.config.is_closed():
            return managed.configured(state, state.config, dry)
        # A drain is no maintenance mode that would have been entered before.
        before = replace(state, config=replace(state.config, drain=None)) if enabled else state
        config = replace(state.config, maintenance=enabled, drain=None)
        change = managed.configured(before, config, dry)
        if not dry and config == before.config != state.config:
            # Somebody had entered maintenance mode before, so that only the drain has to go.
            managed.home.save(config)
    if not enabled and not dry:
        _restart(managed.home, config)
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
    managed: HomeSession, seconds: float, force: bool, step: Step | None, numbers: Sequence[str] | None = None
) -> Emptied:
    """Keep new seats from being given, and wait until those in use are given back.

    With a step, for a few seconds only, and it is over in a call that finds no seat in use: who has waited goes back to
    his controller, who may be gone by now. The home is free meanwhile: clients may take their time.

    :param numbers: only seats of these licenses are waited for; None for all
    :raises LicensingError: there are seats in use when the time is over, and no force; the drain has ended then
    """
    began, waited = time.monotonic(), step.waited if step is not None else 0.0
    lease, is_known = _enter(managed, step or Step(secrets.token_hex(16)))
    try:
        while True:
            config, left = managed.read().config, seconds - waited - (time.monotonic() - began)
            drained = drain(managed.home, config, max(0.0, min(STEP, left)), numbers, waits=False)
            at_once = drained.is_over
            if not at_once and drained.seconds < min(STEP, left):
                drained = drain(managed.home, config, min(STEP, left) - drained.seconds, numbers)
            took = waited + time.monotonic() - began
            drained = replace(drained, seconds=round(took, 2))
            if not drained.is_over and took >= seconds and not force:
                end_drain(managed, lease.ticket)
                if not config.maintenance:
                    _restart(managed.home, config)
                raise still_held(managed.home, drained, back=not config.maintenance)
            may_go_on = drained.is_over or took >= seconds
            if step is not None:
                may_go_on = may_go_on and is_known and (at_once or took >= seconds)
            if may_go_on or step is not None:
                return Emptied(drained, lease.ticket, may_go_on)
            if managed.freshness is not None:
                managed.freshness.renew()
            lease, is_known = _enter(managed, Step(lease.ticket, took))
    except BaseException:
        # Ctrl-C among others; who is killed instead keeps the server closed for a minute.
        with suppress(LicensingError):
            end_drain(managed, lease.ticket)
        raise


def _enter(managed: HomeSession, step: Step) -> tuple[Lease, bool]:
    """Keep new seats from being given for a while from now on.

    :return: until when; and whether this drain was heard of seconds ago, or begins here: a call that was held up on its
        way to the host, while its controller went away, is neither
    """
    with managed.held():
        config, now = managed.read().config, now_utc()
        found = config.drain if config.drain is not None and config.drain.is_valid(now) else None
        begins = step.waited == 0
        if found is not None and (begins or found.ticket == step.ticket):
            # Two controllers that drain one server do it together.
            lease, is_known = found.renewed(now), begins or found.is_renewed_within(LIMIT, now)
        else:
            lease, is_known = Lease(step.ticket if begins else secrets.token_hex(16), now).renewed(now), begins
        managed.home.save(replace(config, drain=lease))
    return lease, is_known


def end_drain(managed: HomeSession, ticket: str) -> Change:
    """See :meth:`LicenseManager.end_drain`."""
    with managed.home.locked():
        state = managed.read()
        ours = state.config.drain is not None and state.config.drain.ticket == ticket
        return managed.configured(state, replace(state.config, drain=None) if ours else state.config, False)


def holds(config: Config, ticket: str) -> bool:
    """Whether a drain lasts that keeps new seats from being given."""
    return config.drain is not None and config.drain.ticket == ticket and config.drain.is_valid(now_utc())


def _restart(home: Home, config: Config) -> None:
    """Restart what runs the server, as leaving maintenance mode does (docs/domain.md#maintenance-mode)."""
    # Imported here, as only this call of the manager has to do with systemd.
    from ..hosting.service import service_of, wait_until_healthy

    service = service_of(home, config)
    status = running(home, config) if service is not None else None
    if service is not None and status is not None:
        service.restart()
        wait_until_healthy(home, config, service, None, since=status)
