# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's addresses for programs."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Mapping
from typing import Callable

from ... import VERSION, documents
from ...errors import Problem
from .guard import Guard
from .ledger_worker import LedgerWorker
from .mail import Mailer
from .web import Call, Refused, Reply, Route, as_json


class Api:
    """Answers requests, and tells of the realm, the service and its counts.

    :ivar connections: gives how many are open, and how many had to go
    """

    def __init__(self, clerk: LedgerWorker, guard: Guard, mailer: Mailer) -> None:
        self._clerk = clerk
        self._guard = guard
        self._mailer = mailer
        self._started = time.time()
        self.connections: Callable[[], tuple[int, int]] = lambda: (0, 0)

    def routes(self) -> Mapping[str, Route]:
        """Return what each path does."""
        return {
            "/v1/requests": Route({"POST": self._requests}, documents.MAX_BYTES),
            "/v1/realm": Route({"GET": self._realm}),
            "/v1/status": Route({"GET": self._status}),
            "/metrics": Route({"GET": self._metrics}),
        }

    async def _requests(self, call: Call) -> Reply:
        answer = await self._clerk.ask(call.body, call, online=True)
        return Reply(200, answer.content)

    async def _realm(self, call: Call) -> Reply:
        return as_json(200, self._clerk.realm.as_dict())

    async def _status(self, call: Call) -> Reply:
        # Who is told that all is well gives his licenses up next.
        await self._clerk.check()
        told = {"product": "aims.licensing", "version": VERSION, "realm": self._clerk.realm.id, "ready": True}
        return as_json(200, told)

    async def _metrics(self, call: Call) -> Reply:
        if not ipaddress.ip_address(call.address.partition("%")[0]).is_loopback:
            problem = Problem("The metrics are for this machine only.", "address", "Ask for them on the loopback.")
            raise Refused(403, "forbidden", problem)
        connections, evicted = self.connections()
        lines = [
            "# HELP aims_authority_requests_total Requests that reached the desk.",
            "# TYPE aims_authority_requests_total counter",
            *(
                f'aims_authority_requests_total{{action="{action}",outcome="{outcome}"}} {count}'
                for (action, outcome), count in sorted(self._clerk.counts.items())
            ),
            "# HELP aims_authority_turned_away_total Calls refused because their address asked too often.",
            "# TYPE aims_authority_turned_away_total counter",
            f"aims_authority_turned_away_total {self._guard.turned_away}",
            "# HELP aims_authority_mails_total Mails by what became of them.",
            "# TYPE aims_authority_mails_total counter",
            *(
                f'aims_authority_mails_total{{outcome="{outcome}"}} {count}'
                for outcome, count in sorted(self._mailer.counts.items())
            ),
            "# HELP aims_authority_connections Open connections.",
            "# TYPE aims_authority_connections gauge",
            f"aims_authority_connections {connections}",
            "# HELP aims_authority_connections_evicted_total Connections that were closed to make room.",
            "# TYPE aims_authority_connections_evicted_total counter",
            f"aims_authority_connections_evicted_total {evicted}",
            "# HELP process_start_time_seconds When the service began, seconds since 1970.",
            "# TYPE process_start_time_seconds gauge",
            f"process_start_time_seconds {self._started:.3f}",
        ]
        return Reply(200, "".join(f"{line}\n" for line in lines).encode(), "text/plain; version=0.0.4; charset=utf-8")
