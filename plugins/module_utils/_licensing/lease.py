# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease of a drain: it keeps the server closed, and ends by itself unless it is renewed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from .errors import quoted
from .model import parse_time, render_time

# How long a drain keeps the server closed after its last renewal. A drain renews its lease every few seconds, so a
# connection may hang for half a minute.
LENGTH = timedelta(seconds=60)
# Tolerance for times in whole seconds and small corrections of the clock.
_SLACK = timedelta(seconds=5)
_LONGEST_TICKET = 64


@dataclass(frozen=True)
class Lease:
    """The lease of a drain, by the clock of its host. No new seats are granted while it is valid.

    :ivar ticket: the id of the drain
    :ivar until: its end, UTC
    """

    ticket: str
    until: datetime

    def is_valid(self, now: datetime) -> bool:
        """Whether the lease is valid. A lease that is too long, because the clock was set back, is not."""
        return timedelta() < self.until - now <= LENGTH + _SLACK

    def renewed(self, now: datetime) -> Lease:
        """Return the lease, renewed from now."""
        return replace(self, until=now + LENGTH)

    def is_renewed_within(self, seconds: float, now: datetime) -> bool:
        """Whether the lease is valid and was renewed within the last seconds."""
        return self.is_valid(now) and self.until - now > LENGTH - timedelta(seconds=seconds)

    def as_dict(self) -> dict[str, Any]:
        """Return ``{ticket, until}`` for the configuration."""
        return {"ticket": self.ticket, "until": render_time(self.until)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str) -> Lease:
        """Read a lease from ``{ticket, until}``.

        :raises ValueError: the ticket is invalid
        :raises LicensingError: the time is invalid
        """
        ticket = data.get("ticket")
        if not isinstance(ticket, str) or not 0 < len(ticket) <= _LONGEST_TICKET:
            raise ValueError(quoted(ticket))
        return cls(ticket, parse_time(data.get("until"), where))
