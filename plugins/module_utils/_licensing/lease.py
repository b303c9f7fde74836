# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maintenance mode that a drain has entered: it ends by itself unless it is renewed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from .errors import shown
from .model import parse_time, render_time

# How long a drain keeps the server closed after it was last heard of. It is heard of every few seconds; a connection
# that hangs for half a minute does not end it.
LENGTH = timedelta(seconds=60)
# Times are written in whole seconds, and a clock is corrected now and then.
_SLACK = timedelta(seconds=5)
_LONGEST_TICKET = 64


@dataclass(frozen=True)
class Lease:
    """How long a drain keeps new seats from being given, by the clock of its host.

    :ivar ticket: tells this drain from any other
    :ivar until: when it ends, UTC
    """

    ticket: str
    until: datetime

    def is_valid(self, now: datetime) -> bool:
        """Whether it lasts. A clock that was set back makes none longer: more is left than any was entered for."""
        return timedelta() < self.until - now <= LENGTH + _SLACK

    def renewed(self, now: datetime) -> Lease:
        """The same drain's lease, counted from now."""
        return replace(self, until=now + LENGTH)

    def is_renewed_within(self, seconds: float, now: datetime) -> bool:
        """Whether it lasts, and was renewed so lately."""
        return self.is_valid(now) and self.until - now > LENGTH - timedelta(seconds=seconds)

    def as_dict(self) -> dict[str, Any]:
        """Give the lease as it stands in the configuration."""
        return {"ticket": self.ticket, "until": render_time(self.until)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str) -> Lease:
        """Read a lease.

        :raises ValueError: the ticket is none
        :raises LicensingError: the time is none
        """
        ticket = data.get("ticket")
        if not isinstance(ticket, str) or not 0 < len(ticket) <= _LONGEST_TICKET:
            raise ValueError(shown(ticket))
        return cls(ticket, parse_time(data.get("until"), where))
