# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last 24 hours of use by license, for the console's charts.

A day has 144 slots of ten minutes. A slot has, by license, the most seats that were in use and the number of denied
takes. The history is kept beside the seats' record, and written at the end of each slot and of the server: a crash
costs at most the current slot.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ..documents import text_of
from ..errors import LicensingError
from ..files import Folder
from ..model import parse_number, render_time

FILE = "Seats/history.json"
# Seconds of a slot, and slots of a day.
SLOT = 600
SLOTS = 144
# Licenses that are kept of a slot.
_MOST = 256


@dataclass
class Use:
    """The use of a license in a slot.

    :ivar peak: the most seats that were in use at a time
    :ivar denied: takes that were refused because all seats were in use
    """

    peak: int = 0
    denied: int = 0


class History:
    """The use of the licenses in the last 24 hours.

    :param clock: returns the time, in seconds since 1970
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # Slot, counted since 1970; then license. A slot in which the server did not run is missing.
        self._slots: dict[int, dict[str, Use]] = {}

    def observe(self, in_use: Mapping[str, int]) -> bool:
        """Note the seats in use, also of seats that stay held. Return whether a slot has begun."""
        now = self._slot()
        is_new = now not in self._slots
        if is_new:
            self._slots = {slot: uses for slot, uses in self._slots.items() if now - SLOTS < slot < now}
            self._slots[now] = {}
        for license, seats in in_use.items():
            self.grant(license, seats)
        return is_new

    def grant(self, license: str, in_use: int) -> None:
        """Note that a seat was granted, and how many of its license are in use with it."""
        use = self._use(license)
        use.peak = max(use.peak, in_use)

    def deny(self, license: str) -> None:
        """Note that a take was refused because all seats were in use."""
        self._use(license).denied += 1

    def _slot(self) -> int:
        return int(self._clock() // SLOT)

    def _use(self, license: str) -> Use:
        uses = self._slots.setdefault(self._slot(), {})
        if license not in uses and len(uses) >= _MOST:
            return Use()
        return uses.setdefault(license, Use())

    def as_dict(self, licenses: Iterable[str]) -> dict[str, Any]:
        """Return ``{slot_seconds, until, licenses}``.

        Each license has ``in_use`` and ``denied``, the oldest slot first; in a slot in which the server did not run,
        both are None. ``until`` is the end of the last slot.

        :param licenses: licenses to show even if they were not used
        """
        now = self._slot()
        day = [self._slots.get(slot) for slot in range(now - SLOTS + 1, now + 1)]
        numbers = sorted({*licenses, *(number for uses in day if uses for number in uses)})
        none = Use()
        return {
            "slot_seconds": SLOT,
            "until": render_time(datetime.fromtimestamp((now + 1) * SLOT, timezone.utc)),
            "licenses": [
                {
                    "number": number,
                    "in_use": [None if uses is None else uses.get(number, none).peak for uses in day],
                    "denied": [None if uses is None else uses.get(number, none).denied for uses in day],
                }
                for number in numbers
            ],
        }

    def rendered(self) -> bytes:
        """Return the content of the file."""
        slots = {
            str(slot): {license: [use.peak, use.denied] for license, use in uses.items()}
            for slot, uses in self._slots.items()
        }
        return json.dumps({"slots": slots}).encode()

    def load(self, folder: Folder) -> bool:
        """Read the file. Return whether it could be read; a new home has none, which is no failure."""
        try:
            content = folder.find(FILE)
            slots = json.loads(text_of(content))["slots"] if content is not None else {}
            read = {
                int(slot): {parse_number(number, FILE): _read(use) for number, use in uses.items()}
                for slot, uses in slots.items()
            }
        except (LicensingError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return False
        now = self._slot()
        self._slots = {slot: uses for slot, uses in read.items() if now - SLOTS < slot <= now}
        return True


def _read(use: object) -> Use:
    if not isinstance(use, list) or len(use) != 2 or not all(map(_is_count, use)):
        raise ValueError("no use")
    return Use(*use)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
