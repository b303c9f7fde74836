# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease of a drain: it keeps new seats from being granted, and ends by itself unless it is renewed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from .errors import quoted
from .model import parse_number, parse_time, render_time

# How long a drain lasts after its last renewal. A drain renews its lease every few seconds, so a
# connection may hang for half a minute.
LENGTH = timedelta(seconds=60)
# Tolerance for times in whole seconds and small corrections of the clock.
_SLACK = timedelta(seconds=5)
_LONGEST_TICKET = 64


@dataclass(frozen=True)
class Lease:
    """The lease of a drain, by the clock of its host. No new seats of its licenses are granted while it is valid.

    :ivar ticket: the id of the drain
    :ivar until: its end, UTC
    :ivar licenses: the sorted numbers of the licenses that are drained; None for the whole server
    """

    ticket: str
    until: datetime
    licenses: tuple[str, ...] | None = None

    def is_valid(self, now: datetime) -> bool:
        """Whether the lease is valid. A lease that is too long, because the clock was set back, is not."""
        return timedelta() < self.until - now <= LENGTH + _SLACK

    def renewed(self, now: datetime) -> Lease:
        """Return the lease, renewed from now."""
        return replace(self, until=now + LENGTH)

    def is_renewed_within(self, seconds: float, now: datetime) -> bool:
        """Whether the lease is valid and was renewed within the last seconds."""
        return self.is_valid(now) and self.until - now > LENGTH - timedelta(seconds=seconds)

    def covers(self, numbers: Collection[str]) -> bool:
        """Whether all of these licenses are drained."""
        return self.licenses is None or set(numbers) <= set(self.licenses)

    def as_dict(self) -> dict[str, Any]:
        """Return ``{ticket, until, licenses}`` for the configuration."""
        licenses = None if self.licenses is None else list(self.licenses)
        return {"ticket": self.ticket, "until": render_time(self.until), "licenses": licenses}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str) -> Lease:
        """Read a lease from ``{ticket, until, licenses}``; one without ``licenses`` drains the whole server.

        :raises ValueError: the ticket is invalid, or the licenses are no list
        :raises LicensingError: the time or a number is invalid
        """
        ticket = data.get("ticket")
        if not isinstance(ticket, str) or not 0 < len(ticket) <= _LONGEST_TICKET:
            raise ValueError(quoted(ticket))
        licenses = data.get("licenses")
        if licenses is not None:
            if not isinstance(licenses, list):
                raise ValueError(quoted(licenses))
            licenses = tuple(sorted({parse_number(number, where) for number in licenses}))
        return cls(ticket, parse_time(data.get("until"), where), licenses)
