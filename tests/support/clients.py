# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of license servers, for rehearsals: each holds a seat, makes room when asked to, and finds another server."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from ansible_collections.aims.licensing.plugins.module_utils._licensing.client import SeatClient
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError

_EVERY = 0.1


class Client(threading.Thread):
    """One client at work: it takes a seat where there is one, and keeps it until its server goes into maintenance.

    :param servers: addresses to try, top to bottom
    :param finishing: seconds that it takes to end its session once its server says that it is in maintenance mode
    :ivar held: ``(server, since, until)`` of each seat it has had, in seconds of the monotonic clock; until is None
        while it is held
    """

    def __init__(self, user: str, profile: str, servers: Sequence[str], finishing: float = 0.0) -> None:
        super().__init__(name=user, daemon=True)
        self.user, self.profile, self.finishing = user, profile, finishing
        self.held: list[tuple[str, float, float | None]] = []
        self._servers = servers
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            for server in self._servers:
                self._work(server)
            self._ended.wait(_EVERY)

    def _work(self, address: str) -> None:
        """Take a seat of a server, if it has one, and hold it as long as it may be held."""
        server = SeatClient(address, timeout=2.0)
        seat = server.new_id()
        try:
            server.take(seat, self.profile, self.user, self.user.partition("\\")[2])
        except LicensingError:
            return
        since = time.monotonic()
        self.held.append((address, since, None))
        try:
            while not self._ended.wait(_EVERY):
                if server.heartbeat(seat)["maintenance"]:
                    self._ended.wait(self.finishing)
                    break
            server.release(seat)
        except LicensingError:
            pass  # The seat is gone, or the server: this session is over either way.
        self.held[-1] = (address, since, time.monotonic())

    def stop(self) -> None:
        """End the session, and wait until its seat is given back."""
        self._ended.set()
        self.join()


def wait_for(clients: Sequence[Client], server: str, seconds: float = 30.0) -> None:
    """Wait until each client holds a seat of a server."""
    until = time.monotonic() + seconds
    while not all(client.held and client.held[-1][0] == server and client.held[-1][2] is None for client in clients):
        if time.monotonic() > until:
            missing = [client.user for client in clients if not client.held or client.held[-1][0] != server]
            raise TimeoutError(f"No seat at {server} for {', '.join(missing)}.")
        time.sleep(0.02)


def without_seat(client: Client) -> float:
    """Return for how many seconds a client had no seat between the last two that it got."""
    before, after = client.held[-2], client.held[-1]
    return after[1] - (before[2] if before[2] is not None else after[1])
