# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rate limits by address, counted in memory within sliding windows."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from typing import Callable

from ...connections import network
from ...errors import Problem
from .web import Refused

# Calls of an address per minute. A fleet of hosts behind one address makes a few calls per license.
_CALLS, _CALLS_WINDOW = 600, 60.0
# Unproven or invalid calls of an address per ten minutes.
FAILURES, _FAILURES_WINDOW = 30, 600.0
# Seconds of delay for the first wrong code, the increment for each further one in the window, and the maximum.
_SLOW, _SLOWER, _SLOWEST = 1.0, 0.5, 10.0
# Maximum number of keys. Beyond it, the keys with the oldest events are forgotten.
_KEYS = 10_000


class Window:
    """Counts events by key within a sliding window.

    :param limit: maximum of counted events per key
    :param seconds: length of the window
    """

    def __init__(self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._events: OrderedDict[str, deque[float]] = OrderedDict()

    def count(self, key: str) -> int:
        """Return the number of a key's events, at most the limit."""
        events, since = self._events.get(key), self._clock() - self._seconds
        while events and events[0] <= since:
            events.popleft()
        return len(events or ())

    def add(self, key: str) -> int:
        """Count an event. Return the key's new number of events."""
        events = self._events.setdefault(key, deque(maxlen=self._limit))
        self._events.move_to_end(key)
        events.append(self._clock())
        while len(self._events) > _KEYS:
            self._events.popitem(last=False)
        return self.count(key)

    def wait(self, key: str) -> int:
        """Return the seconds, rounded up, until a key is below the limit; 0 if it is."""
        if self.count(key) < self._limit:
            return 0
        return max(1, math.ceil(self._events[key][0] + self._seconds - self._clock()))

    def __len__(self) -> int:
        return len(self._events)


class Guard:
    """Rejects addresses with too many calls or failures, and computes the delay of answers to wrong codes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._calls = Window(_CALLS, _CALLS_WINDOW, clock)
        self._failures = Window(FAILURES, _FAILURES_WINDOW, clock)
        self._numbers = Window(FAILURES, _FAILURES_WINDOW, clock)
        self.rejected = 0

    def admit(self, address: str) -> None:
        """Count a call, or refuse it if its address has too many.

        :raises Refused: the limit is reached; has the seconds to wait
        """
        who = network(address)
        wait = self._calls.wait(who) or self._failures.wait(who)
        if wait:
            self.rejected += 1
            what = "This address sent too many requests, or too many wrong ones."
            raise Refused(429, "too_many", Problem(what, "address", f"Wait {wait} seconds."), wait)
        self._calls.add(who)

    def failed(self, address: str, number: str | None = None) -> float:
        """Count an unproven or invalid call. Return the delay of its answer in seconds.

        :param number: its license number, whether or not this license exists
        """
        count = max(self._failures.add(network(address)), self._numbers.add(number) if number else 0)
        return min(_SLOWEST, _SLOW + _SLOWER * (count - 1))
