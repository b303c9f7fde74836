# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often one license is dealt with: whoever knows its code shall not make the ledger grow without end.

Each answer to such a request is kept for good, so that its id gets it again. Therefore a request beyond the bound gets
none, as if the authority were away: its id stays free, and the host asks under it again later.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from ..errors import LicensingError, Problem
from ..model import parse_time
from .ledger import Ledger

# Answers that one license may have in an hour and in a day. A move takes two of them.
BOUNDS = ((100, timedelta(hours=1)), (300, timedelta(days=1)))


class TooOften(LicensingError):
    """A license was asked for too often.

    :ivar seconds: after which it may be asked for again
    """

    def __init__(self, problem: Problem, seconds: int) -> None:
        super().__init__([problem])
        self.seconds = seconds


def check_pace(ledger: Ledger, number: str, now: datetime) -> None:
    """Refuse where a license had so many answers lately. To be called within :meth:`Ledger.change`.

    :raises TooOften: nothing is to be recorded then
    """
    for limit, window in BOUNDS:
        times = ledger.answered(number, now - window, now, limit)
        if len(times) >= limit:
            seconds = max(1, math.ceil((parse_time(times[-1], ledger.path) + window - now).total_seconds()))
            what = f"License {number} was asked for {limit} times within {_words(window)}."
            todo = f"Wait {seconds} seconds, then run the same command again: it asks under the same id."
            raise TooOften(Problem(what, f"license {number}", todo), seconds)


def _words(window: timedelta) -> str:
    return "a day" if window >= timedelta(days=1) else "an hour"
