# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting, for a bounded time, until the clients of a license server have given their seats back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import LicensingError, refuse
from ..home.config import Config
from ..home.store import Home
from ..hosting.liveness import running
from ..model import parse_seconds
from ..overview import ClientView, Usage

_EVERY = 0.25
# Seconds that a call waits for seats before it answers who still holds them.
STEP = 3.0
_NAMED = 10
# Seconds without a server after which none follows: a restart has its seats held by nobody for less.
_RETURN = 1.0


@dataclass(frozen=True)
class Step:
    """Where a drain stands that its controller makes in many short calls.

    :ivar ticket: of the drain; one that begins proposes it
    :ivar waited: for how many seconds it has waited before this call; 0 for the one that begins it
    """

    ticket: str
    waited: float = 0.0


@dataclass(frozen=True)
class DrainOptions:
    """How the seats in use are waited for.

    :ivar seconds: how long
    :ivar force: go on with seats still in use; else the server is taken back into service, and the call refuses
    :raises LicensingError: the seconds are no time
    """

    seconds: float
    force: bool = False

    def __post_init__(self) -> None:
        parse_seconds(self.seconds, "drain_seconds")


@dataclass(frozen=True)
class Drained:
    """What a drain came to.

    :ivar seconds: how long it took
    :ivar total: how many seats are still in use
    :ivar clients: who holds them, the first hundred
    :ivar answered: whether the server said so; one that runs and does not answer may have any number of clients
    """

    seconds: float = 0.0
    total: int = 0
    clients: tuple[ClientView, ...] = ()
    answered: bool = True

    @property
    def is_over(self) -> bool:
        """Whether nobody uses a seat any more."""
        return self.answered and not self.total


def drain(
    home: Home, config: Config, *, seconds: float, numbers: Sequence[str] | None = None, waits: bool = True
) -> Drained:
    """Wait until no seat of this home's server is in use, for at most so many seconds.

    :param numbers: only seats of these licenses are waited for; None for all
    :param waits: whether to wait for seats; or else only until the server says whether there are any

    A server that does not run, and is not about to, has no clients to wait for: they cannot keep their seats alive
    either. One that runs and does not answer has, and so has one between its end and the start that follows it.
    """
    # Imported here, as a server that nothing runs should not cost every module what has to do with systemd.
    from ..hosting.service import service_of

    service = service_of(home, config)
    if service is None:
        return Drained()
    started = up = time.monotonic()
    while True:
        usage = _held(home, config, numbers=numbers)
        now = time.monotonic()
        if usage is not None or service.is_up():
            up = now
        over = not usage.clients_total if usage is not None else now - up >= min(_RETURN, seconds)
        took = round(now - started, 2)
        if over:
            return Drained(took)
        if usage is not None and (now - started >= seconds or not waits):
            return Drained(took, usage.clients_total, usage.clients)
        if now - started >= seconds:
            return Drained(took, answered=False)
        time.sleep(min(_EVERY, max(0.0, started + seconds - now)))


def _held(home: Home, config: Config, *, numbers: Sequence[str] | None) -> Usage | None:
    """Return the seats in use and who holds them, or None where the server does not say."""
    if running(home, config) is None:
        return None
    from ..client import Management

    management = Management(config.listen.reachable.management)
    try:
        return management.holders() if numbers is None else management.usage().of_licenses(numbers)
    except LicensingError:
        return None


def still_held(home: Home, left: Drained, *, back: bool) -> LicensingError:
    """Return the error for seats that were not given back in time.

    :param back: whether the server was taken back into service
    """
    named = [
        f"{client.profile} by {client.user} on {client.client or client.address} since {client.since}"
        for client in left.clients[:_NAMED]
    ]
    more = f", and {left.total - len(named)} more" if left.total > len(named) else ""
    state = "The server is back in service, and nothing was given up." if back else "The server is in maintenance mode."
    if not left.answered:
        return refuse(
            f"The license server runs, but did not say within {left.seconds:g} seconds who uses its seats.",
            home.where,
            f"{state} See why it does not answer (Logging/LicenseServer.log in the home), or restart it, and run this "
            "again; aims_license_migrate_drain_force: true goes on, and ends its clients' sessions.",
        )
    return refuse(
        f"{left.total} seats are still in use after {left.seconds:g} seconds: {', '.join(named)}{more}.",
        home.where,
        f"{state} Ask them to end their sessions and run this again; wait longer (aims_license_migrate_drain_seconds), "
        "or end the sessions with aims_license_migrate_drain_force: true.",
    )
