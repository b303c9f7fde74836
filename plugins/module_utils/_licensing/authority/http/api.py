# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's API for programs."""

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
    """Answers requests, and shows the realm, the status and the metrics.

    :ivar connections: returns the numbers of open and of evicted connections
    """

    def __init__(self, worker: LedgerWorker, guard: Guard, mailer: Mailer) -> None:
        self._worker = worker
        self._guard = guard
        self._mailer = mailer
        self._started = time.time()
        self.connections: Callable[[], tuple[int, int]] = lambda: (0, 0)

    def routes(self) -> Mapping[str, Route]:
        """Return the route of each path."""
        return {
            "/v1/requests": Route({"POST": self._requests}, documents.MAX_BYTES),
            "/v1/realm": Route({"GET": self._realm}),
            "/v1/status": Route({"GET": self._status}),
            "/metrics": Route({"GET": self._metrics}),
        }

    async def _requests(self, call: Call) -> Reply:
        answer = await self._worker.ask(call.body, call, online=True)
        return Reply(200, answer.content)

    async def _realm(self, call: Call) -> Reply:
        return as_json(200, self._worker.realm.as_dict())

    async def _status(self, call: Call) -> Reply:
        # A client may fence licenses after this answer, so verify that the ledger is writable.
        await self._worker.check()
        status = {"product": "aims.licensing", "version": VERSION, "realm": self._worker.realm.id, "ready": True}
        return as_json(200, status)

    async def _metrics(self, call: Call) -> Reply:
        if not ipaddress.ip_address(call.address.partition("%")[0]).is_loopback:
            problem = Problem("The metrics are for this machine only.", "address", "Read them on loopback (127.0.0.1).")
            raise Refused(403, "forbidden", problem)
        connections, evicted = self.connections()
        lines = [
            "# HELP aims_authority_requests_total Requests by action and outcome.",
            "# TYPE aims_authority_requests_total counter",
            *(
                f'aims_authority_requests_total{{action="{action}",outcome="{outcome}"}} {count}'
                for (action, outcome), count in sorted(self._worker.counts.items())
            ),
            "# HELP aims_authority_turned_away_total Calls refused because of the rate limit of their address.",
            "# TYPE aims_authority_turned_away_total counter",
            f"aims_authority_turned_away_total {self._guard.rejected}",
            "# HELP aims_authority_mails_total Mails by outcome.",
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
            "# HELP process_start_time_seconds Start of the service, seconds since 1970.",
            "# TYPE process_start_time_seconds gauge",
            f"process_start_time_seconds {self._started:.3f}",
        ]
        return Reply(200, "".join(f"{line}\n" for line in lines).encode(), "text/plain; version=0.0.4; charset=utf-8")
