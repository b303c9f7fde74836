# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rate limit of a license: whoever knows its code must not make the ledger grow without end.

Each answer is stored for ever, because a repeated id gets the same answer. Therefore a request beyond the limit gets no
answer, as if the authority were unreachable. Its id stays unused, and the host repeats it later.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from ..errors import LicensingError, Problem
from ..model import parse_time
from .ledger import Ledger

# Maximum answers for a license in an hour and in a day. A move takes two.
BOUNDS = ((100, timedelta(hours=1)), (300, timedelta(days=1)))


class RateLimited(LicensingError):
    """The rate limit of a license is exceeded.

    :ivar seconds: seconds to wait
    """

    def __init__(self, problem: Problem, seconds: int) -> None:
        super().__init__([problem])
        self.seconds = seconds


def check_rate(ledger: Ledger, number: str, now: datetime) -> None:
    """Refuse if a license has reached its rate limit. Call this within :meth:`Ledger.change`.

    :raises RateLimited: the limit is reached; record nothing
    """
    for limit, window in BOUNDS:
        times = ledger.answered(number, now - window, now, limit)
        if len(times) >= limit:
            seconds = max(1, math.ceil((parse_time(times[-1], ledger.path) + window - now).total_seconds()))
            what = f"License {number} had {limit} requests within {_words(window)}."
            todo = f"Wait {seconds} seconds, then run the same command again. It repeats the request under the same id."
            raise RateLimited(Problem(what, f"license {number}", todo), seconds)


def _words(window: timedelta) -> str:
    return "a day" if window >= timedelta(days=1) else "an hour"
