# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often who may ask: counts in memory, bounded, of what happened within a window."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from typing import Callable

from ...connections import network
from ...errors import Problem
from .web import Refused

# Calls of one address in a minute; a fleet behind one address has a few for each license.
_CALLS, _CALLS_WINDOW = 600, 60.0
# Calls of one address that prove nothing, in ten minutes.
FAILURES, _FAILURES_WINDOW = 30, 600.0
# Seconds that the first wrong code is answered after; each further one within the window takes half a second more.
_SLOW, _SLOWER, _SLOWEST = 1.0, 0.5, 10.0
# Keys that are remembered; of more, those go that were quiet for longest.
_KEYS = 10_000


class Window:
    """Counts events by key within a sliding window.

    :param limit: events that a key may have in it
    :param seconds: its length
    """

    def __init__(self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._events: OrderedDict[str, deque[float]] = OrderedDict()

    def count(self, key: str) -> int:
        """Return how many events a key has, at most its limit."""
        events, since = self._events.get(key), self._clock() - self._seconds
        while events and events[0] <= since:
            events.popleft()
        return len(events or ())

    def add(self, key: str) -> int:
        """Count an event; return how many the key has now."""
        events = self._events.setdefault(key, deque(maxlen=self._limit))
        self._events.move_to_end(key)
        events.append(self._clock())
        while len(self._events) > _KEYS:
            self._events.popitem(last=False)
        return self.count(key)

    def wait(self, key: str) -> int:
        """Return the whole seconds until a key is below its limit again, 0 where it is."""
        if self.count(key) < self._limit:
            return 0
        return max(1, math.ceil(self._events[key][0] + self._seconds - self._clock()))

    def __len__(self) -> int:
        return len(self._events)


class Guard:
    """Turns away addresses that ask too often or prove too little, and says how slowly a wrong code is answered."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._calls = Window(_CALLS, _CALLS_WINDOW, clock)
        self._failures = Window(FAILURES, _FAILURES_WINDOW, clock)
        self._numbers = Window(FAILURES, _FAILURES_WINDOW, clock)
        self.turned_away = 0

    def admit(self, address: str) -> None:
        """Count a call; refuse it where its address had too many.

        :raises Refused: with the seconds to wait
        """
        who = network(address)
        wait = self._calls.wait(who) or self._failures.wait(who)
        if wait:
            self.turned_away += 1
            what = "Too many requests came from this address, or too many that were wrong."
            raise Refused(429, "too_many", Problem(what, "address", f"Wait {wait} seconds."), wait)
        self._calls.add(who)

    def failed(self, address: str, number: str | None = None) -> float:
        """Count a call that proved nothing; return the seconds after which it is to be answered.

        :param number: the license that it named, whether or not there is one
        """
        count = max(self._failures.add(network(address)), self._numbers.add(number) if number else 0)
        return min(_SLOWEST, _SLOW + _SLOWER * (count - 1))
