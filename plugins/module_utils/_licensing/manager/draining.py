# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting, for a bounded time, until the clients of a license server have given their seats back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import LicensingError, refuse
from ..store import UNMANAGED, Config, Home
from .running import running

_EVERY = 0.25
_NAMED = 10


@dataclass(frozen=True)
class Drained:
    """What a drain came to.

    :ivar seconds: how long it took
    :ivar total: how many seats are still in use
    :ivar clients: who holds them, the first hundred
    """

    seconds: float = 0.0
    total: int = 0
    clients: Sequence[Mapping[str, Any]] = ()


def drain(home: Home, config: Config, seconds: float, numbers: Sequence[str] | None = None) -> Drained:
    """Wait until no seat of this home's server is in use, for at most so many seconds.

    :param numbers: only seats of these licenses are waited for; None for all

    A server that does not run has no clients to wait for: they cannot keep their seats alive either.
    """
    started = time.monotonic()
    while True:
        page = _held(home, config, numbers)
        took = time.monotonic() - started
        if not page["total"] or took >= seconds:
            return Drained(round(took, 2), page["total"], page["clients"])
        time.sleep(min(_EVERY, max(0.0, seconds - took)))


def _held(home: Home, config: Config, numbers: Sequence[str] | None) -> Mapping[str, Any]:
    nobody: Mapping[str, Any] = {"total": 0, "clients": []}
    if config.service == UNMANAGED or running(home, config) is None:
        return nobody
    from ..client import Management

    management = Management(config.listen.reachable.management)
    if numbers is None:
        return management.clients()
    seen = management.overview()
    return {
        "total": sum(one["in_use"] or 0 for one in seen["licenses"] if one["number"] in numbers),
        "clients": [one for one in seen["clients"] if one["license"] in numbers],
    }


def still_held(home: Home, left: Drained, back: bool) -> LicensingError:
    """Return the error for seats that were not given back in time.

    :param back: whether the server was taken back into service
    """
    named = [
        f"{one['profile']} by {one['user']} on {one['client'] or one['address']} since {one['since']}"
        for one in left.clients[:_NAMED]
    ]
    more = f", and {left.total - len(named)} more" if left.total > len(named) else ""
    state = "The server is back in service, and nothing was given up." if back else "The server is in maintenance mode."
    return refuse(
        f"{left.total} seats are still in use after {left.seconds:g} seconds: {', '.join(named)}{more}.",
        home.where,
        f"{state} Ask them to end their sessions and run this again; wait longer (aims_license_migrate_drain_seconds), "
        "or end the sessions with aims_license_migrate_drain_force: true.",
    )
