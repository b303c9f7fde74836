# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of many pairs, in a process of their own: for how long each pair granted no seats, as its clients see it.

watch.py, with a JSON list of ``[source, target]`` addresses on standard input. Each client holds a seat on every
profile of its source, gives them back as soon as one is announced to end or is gone, and asks the target until it has a
seat on every profile there. Prints a line when all sources are held, and at the end of standard input a JSON list: the
seconds between the two for each pair, null where the pair did not move.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
import threading
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / ".build" / "collections"))

from ansible_collections.aims.licensing.plugins.module_utils._licensing.client import SeatClient  # noqa: E402
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError  # noqa: E402

PROFILES = ("PROServer", "PROSession", "Client")
USER = "AIMS\\anna"
# Seconds between two looks, by which what is measured is uncertain: at least, and for each pair, for the looks cost the
# machine something too.
LEAST, PER_PAIR = 0.2, 0.02


class Client(threading.Thread):
    """The client of one pair.

    :ivar held: whether it has its seats at the source
    :ivar without: seconds from the first look that found the source's seats ending to the last seat at the target
    """

    def __init__(self, source: str, target: str, every: float, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self.held = threading.Event()
        self.without: float | None = None
        self._source, self._target = SeatClient(source, timeout=5), SeatClient(target, timeout=5)
        self._every, self._ended = every, ended

    def run(self) -> None:
        seats = self._take(self._source)
        self.held.set()
        turns = itertools.cycle(seats)
        while not self._ended.wait(self._every):
            try:
                if self._source.heartbeat(next(turns))["maintenance"]:
                    break
            except LicensingError:
                break
        else:
            self._release(self._source, seats)
            return
        since = time.monotonic()
        self._release(self._source, seats)
        seats = self._take(self._target)
        if len(seats) == len(PROFILES):
            self.without = time.monotonic() - since
        self._release(self._target, seats)

    def _take(self, server: SeatClient) -> list[str]:
        """Take a seat on each profile, however often that has to be tried; fewer if the end comes first."""
        seats: list[str] = []
        while len(seats) < len(PROFILES) and not self._ended.is_set():
            seat = server.new_id()
            try:
                server.take(seat, PROFILES[len(seats)], USER, "client")
                seats.append(seat)
            except LicensingError:
                self._ended.wait(self._every)
        return seats

    def _release(self, server: SeatClient, seats: list[str]) -> None:
        for seat in seats:
            with contextlib.suppress(LicensingError):
                server.release(seat)


def main() -> None:
    ended = threading.Event()
    pairs = json.loads(sys.stdin.readline())
    every = max(LEAST, PER_PAIR * len(pairs))
    clients = [Client(source, target, every, ended) for source, target in pairs]
    for client in clients:
        client.start()
    for client in clients:
        client.held.wait()
    print("held", flush=True)
    sys.stdin.read()
    ended.set()
    for client in clients:
        client.join()
    print(json.dumps([client.without for client in clients]))


if __name__ == "__main__":
    main()
