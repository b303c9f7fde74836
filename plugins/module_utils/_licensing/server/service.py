# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a license server, from opening its home to its last answer."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import VERSION
from ..addresses import CLIENTS_PORT, MANAGEMENT_PORT
from ..errors import LicensingError
from ..files import PRIVATE
from ..home.store import Home
from ..model import now_utc, render_time
from ..terminal import notify
from .allocator import SeatAllocator
from .api import Api
from .entitlements import Entitlements, Snapshot
from .history import FILE as HISTORY
from .history import History
from .http import clients, server
from .listening import bind
from .management import application
from .metrics import Metrics
from .pool import Pool
from .process import fingerprint, logging_to, raise_file_limit, seats_locked, tune_collector
from .running import Running
from .seat_store import FILE, Batch, SeatStore
from .usage_log import FILE as USAGE
from .usage_log import UsageLog

if TYPE_CHECKING:
    from tornado.httpserver import HTTPServer

log = logging.getLogger("licsrv")

# Maximum of open connections on the clients' and on the management port.
_CLIENTS = 4096
_VISITORS = 256
# Seconds that open requests may take when the server stops.
_PATIENCE = 5.0
# Hundredths of a second without a request, after which no request is expected any more.
_QUIET = 5


@dataclass(frozen=True)
class Options:
    """The options of the server.

    :ivar lease: seconds that a seat is held without a heartbeat
    :ivar stop_after: seconds after which it stops; None for never
    :ivar fingerprint_file: file with this machine's fingerprint, written by root; None to read the hardware
    """

    home: str
    root: str = ""
    lease: float = 60.0
    stop_after: float | None = None
    fingerprint_file: str | None = None


def serve(options: Options) -> bool:
    """Run the license server until it stops. Return whether to restart it.

    :raises LicensingError: it cannot start
    """
    os.umask(0o077)
    home = Home(options.home, options.root)
    home.require()
    with logging_to(home), seats_locked(home):
        try:
            return asyncio.run(_Service(home, options).run())
        except LicensingError as error:
            for problem in error.problems:
                logging.getLogger("licsrv.start").error("%s", problem)
            raise


class _Service:
    """A running license server."""

    def __init__(self, home: Home, options: Options) -> None:
        self._home = home
        self._options = options
        self._config = home.config()
        self._restart = False

    async def run(self) -> bool:
        """Serve until a signal or ``stop_after``. Return whether to restart."""
        ended = asyncio.Event()
        self._handle_signals(ended)
        allocator, store = self._open()
        try:
            api = Api(allocator)
            servers = self._servers(api, allocator, store)
            tune_collector()
            log.warning("Version %s serves %s, %d seats are held.", VERSION, self._home.where, len(allocator.pool))
            notify("READY=1")
            await self._until(ended, allocator)
            notify("STOPPING=1")
            await _close(servers, api)
        finally:
            await store.close()
            await self._keep(allocator.metrics.history)
        log.warning("Stopped; %d seats stay held.", len(allocator.pool))
        return self._restart

    async def _until(self, ended: asyncio.Event, allocator: SeatAllocator) -> None:
        """Maintain the seats until the server has to stop. Raise errors of the maintenance."""
        tasks = [asyncio.ensure_future(ended.wait()), asyncio.ensure_future(self._maintain(allocator))]
        done, others = await asyncio.wait(tasks, timeout=self._options.stop_after, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        for task in done:
            task.result()

    def _open(self) -> tuple[SeatAllocator, SeatStore]:
        options = self._options
        entitlements = Entitlements(self._home, fingerprint(options.root, options.fingerprint_file))
        metrics, path = Metrics(), self._home.folder.path
        allocator = SeatAllocator(Pool(options.lease), entitlements, metrics, _now)
        usage = UsageLog(path / USAGE, lambda: entitlements.current().config.usage_log, _now, metrics)

        def written(batch: Batch) -> None:
            # Who hears that a seat has ended finds its row.
            if batch.error is None:
                usage.add(batch.ended)
            allocator.written(batch)

        store = SeatStore(path / FILE, written)
        allocator.open(store)
        if not metrics.history.load(self._home.folder):
            log.warning("The history of the use cannot be read; it begins anew.")
        return allocator, store

    def _servers(self, api: Api, allocator: SeatAllocator, store: SeatStore) -> list[HTTPServer]:
        """Listen on both ports."""
        listen, package = self._config.listen, self._home.package()
        running = Running(
            home=self._home,
            home_id=self._home.home_id,
            allocator=allocator,
            store=store,
            listen=listen,
            digest=str(package["digest"]) if package else None,
            started=_now(),
        )
        files = raise_file_limit()
        sockets = bind(listen.clients, CLIENTS_PORT), bind(listen.management, MANAGEMENT_PORT)
        # Each connection is an open file. A quarter of the limit remains for other files.
        servers = [
            server(clients(api), min(_CLIENTS, files // 2)),
            server(application(running), min(_VISITORS, files // 4)),
        ]
        for port, listeners in zip(servers, sockets):
            port.add_sockets(listeners)
        return servers

    def _handle_signals(self, ended: asyncio.Event) -> None:
        def end(restart: bool) -> None:
            self._restart = restart
            ended.set()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end, False)
        loop.add_signal_handler(signal.SIGHUP, end, True)

    async def _maintain(self, allocator: SeatAllocator) -> None:
        """End seats and log changes of the home, several times per lease.

        Leases do not run while the server itself is suspended.
        """
        pause = min(1.0, self._options.lease / 10)
        logged: tuple[object, ...] = ((), False, frozenset())
        woken = time.monotonic()
        while True:
            late = time.monotonic() - woken
            if late > pause + self._options.lease / 4:
                # The host was suspended, or its disk hung: heartbeats are still waiting to be read.
                allocator.pool.extend_leases(late)
            woken = time.monotonic()
            count = allocator.expire()
            if count:
                log.info("%d seats have ended without a heartbeat.", count)
            count = allocator.revoke()
            if count:
                log.warning("%d seats have ended, because their licenses are no longer served.", count)
            snapshot = allocator.entitlements.current()
            state = (snapshot.problems, snapshot.maintenance, snapshot.draining)
            if state != logged:
                _log_state(snapshot)
            logged = state
            if allocator.metrics.history.observe(allocator.pool.licenses()):
                await self._keep(allocator.metrics.history)
            await asyncio.sleep(pause)

    async def _keep(self, history: History) -> None:
        """Write the history, in a thread, because clients must not wait for the disk."""
        write, content = self._home.folder.write, history.rendered()
        try:
            await asyncio.get_running_loop().run_in_executor(None, write, HISTORY, content, PRIVATE)
        except LicensingError as error:
            log.error("The history of the use cannot be written: %s", error)


def _now() -> str:
    return render_time(now_utc())


def _log_state(snapshot: Snapshot) -> None:
    """Log what is granted from now on."""
    for problem in snapshot.problems:
        log.error("Nothing is granted: %s", problem)
    if snapshot.problems:
        return
    if snapshot.maintenance:
        log.warning("No new seats are granted: maintenance mode is on.")
    elif snapshot.draining:
        drained = ", ".join(sorted(snapshot.draining))
        log.warning("No new seats are granted of licenses that are about to leave: %s.", drained)
    else:
        log.warning("Seats are granted.")


async def _close(servers: list[HTTPServer], api: Api) -> None:
    """Accept no more connections, and answer the received requests."""
    for port in servers:
        port.stop()
    api.closing = True
    until, quiet = time.monotonic() + _PATIENCE, 0
    # Some requests may have arrived, but are not read yet.
    while quiet < _QUIET and time.monotonic() < until:
        answered = api.answered
        await asyncio.sleep(0.01)
        quiet = 0 if api.waiting or api.answered != answered else quiet + 1
    for port in servers:
        await port.close_all_connections()
