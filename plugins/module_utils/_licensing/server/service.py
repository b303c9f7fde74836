# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the license server, from opening its home to the last answer."""

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
from ..home.store import Home
from ..model import now_utc, render_time
from ..terminal import notify
from .allocator import SeatAllocator
from .api import Api
from .entitlements import Entitlements
from .http import clients, server
from .listening import bind
from .management import application
from .metrics import Metrics
from .pool import Pool
from .process import allow_files, alone, collect_rarely, fingerprint, logging_to
from .running import Running
from .seat_store import FILE, SeatStore

if TYPE_CHECKING:
    from tornado.httpserver import HTTPServer

log = logging.getLogger("licsrv")

# Open connections at a time.
_CLIENTS = 4096
_VISITORS = 256
# Seconds that requests under way may take when the server is stopped.
_PATIENCE = 5.0
# Hundredths of a second without a request after which none is taken to be under way.
_QUIET = 5


@dataclass(frozen=True)
class Options:
    """How the server is started.

    :ivar lease: seconds that a seat is held without a sign of life
    :ivar stop_after: seconds after which it stops by itself; None for never
    :ivar fingerprint_file: where root has written this machine's fingerprint, or None to read it
    """

    home: str
    root: str = ""
    lease: float = 60.0
    stop_after: float | None = None
    fingerprint_file: str | None = None


def serve(options: Options) -> bool:
    """Run the license server until it is stopped; return whether it is to be started anew.

    :raises LicensingError: it cannot start
    """
    os.umask(0o077)
    home = Home(options.home, options.root)
    home.require()
    with logging_to(home), alone(home):
        try:
            return asyncio.run(_Service(home, options).run())
        except LicensingError as error:
            for problem in error.problems:
                logging.getLogger("licsrv.start").error("%s", problem)
            raise


class _Service:
    """A license server that is running."""

    def __init__(self, home: Home, options: Options) -> None:
        self._home = home
        self._options = options
        self._config = home.config()
        self._again = False

    async def run(self) -> bool:
        """Serve until a signal or the end of its time; return whether to start anew."""
        ended = asyncio.Event()
        self._heed_signals(ended)
        desk, register = self._open()
        try:
            api = Api(desk)
            servers = self._servers(api, desk, register)
            collect_rarely()
            log.warning("Version %s serves %s, %d seats are held.", VERSION, self._home.where, len(desk.pool))
            notify("READY=1")
            await self._until(ended, desk)
            notify("STOPPING=1")
            await _close(servers, api)
        finally:
            await register.close()
        log.warning("Stopped; %d seats stay held.", len(desk.pool))
        return self._again

    async def _until(self, ended: asyncio.Event, desk: SeatAllocator) -> None:
        """Keep the seats until the server is to end; what goes wrong with that is raised."""
        tasks = [asyncio.ensure_future(ended.wait()), asyncio.ensure_future(self._keep_up(desk))]
        done, others = await asyncio.wait(tasks, timeout=self._options.stop_after, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        for task in done:
            task.result()

    def _open(self) -> tuple[SeatAllocator, SeatStore]:
        options = self._options
        grants = Entitlements(self._home, fingerprint(options.root, options.fingerprint_file))
        desk = SeatAllocator(Pool(options.lease), grants, Metrics(), lambda: render_time(now_utc()))
        register = SeatStore(self._home.folder.path / FILE, desk.written)
        desk.open(register)
        return desk, register

    def _servers(self, api: Api, desk: SeatAllocator, register: SeatStore) -> list[HTTPServer]:
        """Listen on both ports."""
        listen, package = self._config.listen, self._home.package()
        running = Running(
            home=self._home,
            home_id=self._home.home_id,
            desk=desk,
            register=register,
            listen=listen,
            digest=str(package["digest"]) if package else None,
            started=render_time(now_utc()),
        )
        files = allow_files()
        sockets = bind(listen.clients, CLIENTS_PORT), bind(listen.management, MANAGEMENT_PORT)
        # Each connection is an open file; a quarter is left for everything else.
        servers = [
            server(clients(api), min(_CLIENTS, files // 2)),
            server(application(running), min(_VISITORS, files // 4)),
        ]
        for one, made in zip(servers, sockets):
            one.add_sockets(made)
        return servers

    def _heed_signals(self, ended: asyncio.Event) -> None:
        def end(again: bool) -> None:
            self._again = again
            ended.set()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end, False)
        loop.add_signal_handler(signal.SIGHUP, end, True)

    async def _keep_up(self, desk: SeatAllocator) -> None:
        """End what has run out, and log what changed in the home, several times in each lease.

        Time in which the server itself stood still is not held against the clients.
        """
        pause = min(1.0, self._options.lease / 10)
        told: tuple[object, bool] = ((), False)
        woken = time.monotonic()
        while True:
            late = time.monotonic() - woken
            if late > pause + self._options.lease / 4:
                # The host was suspended, or its disk hung: the clients' signs of life wait to be read.
                desk.pool.forgive(late)
            woken = time.monotonic()
            count = desk.expire()
            if count:
                log.info("%d seats have ended without a sign of life.", count)
            count = desk.revoke()
            if count:
                log.warning("%d seats have ended with their licenses, which are served no more.", count)
            snapshot = desk.grants.look()
            state = (snapshot.problems, snapshot.maintenance)
            if state != told:
                for problem in snapshot.problems:
                    log.error("Nothing is granted: %s", problem)
                if not snapshot.problems:
                    log.warning("Seats are granted%s.", ", but for maintenance mode" if snapshot.maintenance else "")
            told = state
            await asyncio.sleep(pause)


async def _close(servers: list[HTTPServer], api: Api) -> None:
    """Take no more connections, and answer what has come in."""
    for one in servers:
        one.stop()
    api.closing = True
    until, quiet = time.monotonic() + _PATIENCE, 0
    # Requests may have arrived that were not read yet.
    while quiet < _QUIET and time.monotonic() < until:
        answered = api.answered
        await asyncio.sleep(0.01)
        quiet = 0 if api.waiting or api.answered != answered else quiet + 1
    for one in servers:
        await one.close_all_connections()
