# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a pair: what was confirmed, and which transfers are known to be spent. Pure.

It is the controller's memory, and not the authority's word: transfers that nobody declared or made here are unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import (
    Account,
    parse_time,
    render_time,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.confirmations import (
    Confirmation,
    read_confirmations,
)


@dataclass(frozen=True)
class Record:
    """What the controller remembers of a pair.

    :ivar confirmed: by the id of the step
    :ivar moved: when each license was first seen on the target, UTC, by number
    :ivar earlier: the days of earlier moves in this direction, by number
    :ivar before: the digests of the target's nodelocks before the source gave anything up; None until they were seen
    """

    source: str
    target: str
    confirmed: Mapping[str, Confirmation] = field(default_factory=dict)
    moved: Mapping[str, str] = field(default_factory=dict)
    earlier: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    before: Mapping[str, str] | None = None

    def days(self, number: str) -> tuple[str, ...]:
        """Return the days on which a license was moved in this direction."""
        return (*self.earlier.get(number, ()), *([self.moved[number][:10]] if number in self.moved else []))

    def ended(self) -> Record:
        """Return what is left of the record when the licenses move the other way: the transfers."""
        return Record(self.source, self.target, earlier={number: self.days(number) for number in self.known})

    @property
    def known(self) -> list[str]:
        """The licenses that moved in this direction."""
        return sorted({*self.earlier, *self.moved})

    def as_dict(self) -> dict[str, Any]:
        return {
            "pair": {"source": self.source, "target": self.target},
            "confirmed": {id: confirmation.as_dict() for id, confirmation in self.confirmed.items()},
            "moved": dict(self.moved),
            "earlier": {number: list(days) for number, days in self.earlier.items()},
            "before": None if self.before is None else dict(self.before),
        }

    @classmethod
    def from_dict(cls, data: Any, source: str, target: str) -> Record:
        """Read a record; what is damaged in it is not remembered."""
        rows = data if isinstance(data, Mapping) else {}
        moved, earlier, before = rows.get("moved"), rows.get("earlier"), rows.get("before")
        return cls(
            source,
            target,
            read_confirmations(rows.get("confirmed")),
            {
                str(number): str(at)
                for number, at in (moved.items() if isinstance(moved, Mapping) else ())
                if _is_time(at)
            },
            {
                str(number): tuple(day for day in days if _is_day(day))
                for number, days in (earlier.items() if isinstance(earlier, Mapping) else ())
                if isinstance(days, list)
            },
            {str(name): str(digest) for name, digest in before.items()} if isinstance(before, Mapping) else None,
        )


def _is_time(text: object) -> bool:
    try:
        parse_time(text, "")
    except LicensingError:
        return False
    return True


def _is_day(text: object) -> bool:
    return isinstance(text, str) and len(text) == len("2026-01-01") and _is_time(f"{text}T00:00:00Z")


@dataclass(frozen=True)
class Budget:
    """The transfers of a license, as far as the record knows.

    :ivar spent: days that still count, ISO dates
    :ivar returns: the day on which the next one comes back; None if none is spent
    :ivar back: the day from which the license can be moved back after this move; None if it can at once
    """

    number: str
    spent: tuple[str, ...]
    left: int
    returns: str | None
    is_moved: bool
    back: str | None = None

    def as_dict(self) -> dict[str, Any]:
        spent = list(self.spent)
        return {"number": self.number, "spent": spent, "left": self.left, "returns": self.returns, "back": self.back}


def budget_of(
    number: str, nodelock: str, declared: Sequence[str], moved: Sequence[str], *, is_moved: bool, now: datetime
) -> Budget:
    """Judge what is left of a license's transfers (docs/domain.md#nodelock-rules).

    :param declared: the days that the operator declares
    :param moved: the days of the records; there and back on one day are two transfers
    :param is_moved: whether the move of this license is done
    """
    # A day that is declared and recorded is one transfer.
    days = [*moved, *({*declared} - {*moved})]
    # A day is worth its end: the authority counts hours that nobody has written down.
    times = tuple(datetime.fromisoformat(f"{day}T23:59:59").replace(tzinfo=timezone.utc) for day in days)
    account = Account(nodelock, times)
    after = account if is_moved else Account(nodelock, (*times, now))
    returns, back = account.returns(now), after.reopens(now)
    return Budget(
        number,
        tuple(render_time(moment)[:10] for moment in account.within(now)),
        account.left(now),
        render_time(returns)[:10] if returns else None,
        is_moved,
        render_time(back)[:10] if back else None,
    )
