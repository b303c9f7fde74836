# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serializes ledger access on one thread, off the event loop.

Answers to unproven requests are delayed to a fixed time after their arrival. So neither text nor time of an answer
reveals whether a license exists. The delay does not block the thread.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, TypeVar

from ...documents import Realm
from ...errors import LicensingError, Problem
from ..ledger import Ledger
from ..processor import Answer, RequestProcessor
from ..rate_limit import RateLimited
from .guard import Guard
from .web import LOG, Call, Refused

_WAITING = 200
# Seconds that a check of the ledger stays valid, so that frequent status calls do not wear the disk.
_FRESH = 1.0
T = TypeVar("T")


class LedgerWorker:
    """Processes requests with one ledger.

    :ivar counts: number of answers by ``(action, outcome)``
    """

    def __init__(self, path: str, guard: Guard) -> None:
        self._path = path
        self._guard = guard
        # A SQLite connection belongs to the thread that opened it.
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._waiting = 0
        self._ledger: Ledger | None = None
        self._processors: dict[bool, RequestProcessor] = {}
        self._looked = -_FRESH
        self._failing: LicensingError | None = None
        self.realm = Realm("", "")
        self.counts: Counter[tuple[str, str]] = Counter()

    async def open(self) -> None:
        """Open the ledger."""

        def act() -> Realm:
            self._ledger = Ledger(self._path)
            self._processors = {online: RequestProcessor(self._ledger, online) for online in (True, False)}
            return self._ledger.realm

        self.realm = await self._run(act)

    async def close(self) -> None:
        """Finish running work, and close the ledger."""
        if self._ledger is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._ledger.close)
        self._thread.shutdown()

    async def ask(self, data: bytes, call: Call, online: bool, where: str = "request") -> Answer:
        """Return the answer to a request.

        :raises LicensingError: the request is invalid
        :raises Refused: the ledger is unusable, the rate limit is exceeded, or too many requests are waiting
        """
        try:
            answer = await self._run(lambda: self._processors[online].process(data, where))
        except RateLimited as error:
            self.counts["any", "too_often"] += 1
            raise Refused(429, "too_many", error.problems[0], error.seconds) from None
        except LicensingError as error:
            if any(problem.where == self._path for problem in error.problems):
                LOG.error("the ledger failed: %s", error)
                self.counts["any", "failed"] += 1
                raise _not_now() from None
            self._guard.failed(call.address)
            self.counts["any", "malformed"] += 1
            raise
        outcome = answer.outcome if answer.proven else "unproven"
        self.counts[answer.action, outcome] += 1
        LOG.info("%s %s %s %s", call.address, answer.action, answer.number, outcome)
        if not answer.proven:
            due = call.arrived + self._guard.failed(call.address, answer.number)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        return answer

    async def check(self) -> None:
        """Check that a request could be answered now.

        :raises Refused: the ledger is not writable, or too many requests are waiting
        """

        def act() -> LicensingError | None:
            if self._ledger is not None and time.monotonic() - self._looked >= _FRESH:
                self._failing = None
                try:
                    self._ledger.check_writable()
                except LicensingError as error:
                    LOG.error("the ledger failed: %s", error)
                    self._failing = error
                self._looked = time.monotonic()
            return self._failing

        if await self._run(act) is not None:
            raise _not_now()

    async def _run(self, act: Callable[[], T]) -> T:
        if self._waiting >= _WAITING:
            problem = Problem("The authority is overloaded.", "service", "Run the same command again later.")
            raise Refused(503, "busy", problem, 2)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, act)
        finally:
            self._waiting -= 1


def _not_now() -> Refused:
    todo = "Run the same command again later. The service's journal has the cause, for the authority's owner."
    return Refused(503, "not_now", Problem("The authority cannot answer now.", "ledger", todo), 5)
