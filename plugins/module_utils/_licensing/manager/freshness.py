# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long ago a call was asked for: a change begins within seconds of that, or not at all.

A call may be late: it waits for a lock, its machine is suspended, its bytes hang on the way. Whoever made it may be
gone by then, and others may have done what contradicts it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Callable

from ..errors import refuse

# The 30 seconds that a call waits for the home's lock at most, and ten to come here.
LIMIT = 40.0


def uptime() -> float:
    """Seconds since the machine was started, those in which it was suspended among them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Freshness:
    """When a call was asked for.

    :param since: the uptime at that moment; now unless told
    :param is_heard: says whether anybody still listens to what the call will answer
    """

    def __init__(self, since: float | None = None, is_heard: Callable[[], bool] = lambda: True) -> None:
        now = uptime()
        self._since = now if since is None else since
        self._time = time.time() - (now - self._since)
        self._is_heard = is_heard

    @classmethod
    def of_process(cls, is_heard: Callable[[], bool] = lambda: True) -> Freshness:
        """A call that was asked for when this process began, which is before its input has come in whole."""
        return cls(_began(), is_heard)

    def renew(self) -> None:
        """Begin anew: whoever asked is seen to be here."""
        self._since, self._time = uptime(), time.time()

    @property
    def age(self) -> float:
        """Seconds since the call was asked for.

        By both clocks: that of a machine which goes on from a snapshot does not count the time between, and its time of
        day is set right at some moment.
        """
        return max(uptime() - self._since, abs(time.time() - self._time))

    @property
    def is_over(self) -> bool:
        """Whether nothing that cannot be undone may begin any more."""
        return self.age > LIMIT or not self._is_heard()

    def check(self, where: str) -> None:
        """Refuse a call that comes too late."""
        if self.age > LIMIT:
            raise refuse(
                f"This was asked for {self.age:.0f} seconds ago: the call was held up, and its caller may be gone.",
                where,
                "Nothing more was done. Run the same command again.",
            )

    def check_heard(self, where: str) -> None:
        """Refuse a call that comes too late, or whose answer nobody waits for any more."""
        self.check(where)
        if not self._is_heard():
            raise refuse(
                "Whoever made this call is gone: nobody waits for its answer.",
                where,
                "Nothing more was done. Run the same command again.",
            )


def _began() -> float:
    """The uptime at which this process began; now where the system does not tell."""
    now = uptime()
    try:
        # The name of the process, in parentheses, may hold anything.
        fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        began = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return now
    return began if 0 < began <= now else now
