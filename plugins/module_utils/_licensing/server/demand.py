# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients asked for when all seats were in use."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Mapping
from typing import Callable

# Seconds after its last refusal that a client counts as waiting.
PATIENCE = 60.0
# How many waiting clients are remembered.
_MOST = 10_000


class Demand:
    """The takes that were refused because all seats were in use, and the clients that still wait for one.

    The server has no queue: a client waits if it was refused for lack of a seat and has got none since.

    :param clock: a monotonic clock, in seconds
    :ivar denied: number of refused takes by license and profile
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.denied: Counter[tuple[str, str]] = Counter()
        # License, user and client of the refused; then the profile and the time. The oldest first.
        self._waiting: OrderedDict[tuple[str, str, str], tuple[str, float]] = OrderedDict()

    def refuse(self, license: str, profile: str, *, user: str, client: str) -> None:
        """Note a take that was refused because all seats were in use."""
        self.denied[license, profile] += 1
        key = (license, user, client)
        self._waiting[key] = (profile, self._clock())
        self._waiting.move_to_end(key)
        if len(self._waiting) > _MOST:
            self._waiting.popitem(last=False)

    def grant(self, license: str, *, user: str, client: str) -> None:
        """Note that a client has got a seat, and waits no more."""
        if self._waiting:
            self._waiting.pop((license, user, client), None)

    def waiting(self) -> Mapping[tuple[str, str], int]:
        """Return the number of waiting clients by license and profile."""
        until = self._clock() - PATIENCE
        while self._waiting and next(iter(self._waiting.values()))[1] <= until:
            self._waiting.popitem(last=False)
        return Counter((license, profile) for (license, _user, _client), (profile, _at) in self._waiting.items())
