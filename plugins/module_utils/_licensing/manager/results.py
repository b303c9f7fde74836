# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call came to for each license, or in a dry run would come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..license_view import Transfers
from ..model import ACTIVATE, DEACTIVATE, UPDATE, Word
from ..quote import Quote


class Action(Word):
    """What became of a license."""

    ACTIVATED = "activated"
    DEACTIVATED = "deactivated"
    UPDATED = "updated"
    PENDING = "pending"
    UNCHANGED = "unchanged"


# What a granted exchange came to.
DONE: Mapping[str, Action] = {
    ACTIVATE: Action.ACTIVATED,
    DEACTIVATE: Action.DEACTIVATED,
    UPDATE: Action.UPDATED,
}


@dataclass(frozen=True)
class LicenseResult:
    """What a call came to for one license.

    :ivar spends: transfers; None where only the authority knows
    :ivar transfers: the account afterwards, where the authority's answer is at hand
    :ivar fenced_since: since when the license is not served, UTC
    :ivar until: when its emergency activation ends, UTC
    :ivar quote: of a dry activation: what the authority says of the license now; offline it is not known
    :ivar note: why there was nothing to give back
    """

    number: str
    action: Action
    spends: int | None = 0
    transfers: Transfers | None = None
    fenced_since: str | None = None
    until: str | None = None
    quote: Quote | None = None
    note: str | None = None

    @property
    def live(self) -> bool | None:
        """Whether a machine holds the license, as the quote says."""
        return self.quote.live if self.quote else None

    @property
    def holder(self) -> str | None:
        """The public key of that machine."""
        return self.quote.holder if self.quote else None

    @property
    def is_over(self) -> bool:
        """Whether an exchange ended with the call."""
        return self.action not in (Action.PENDING, Action.UNCHANGED)

    def as_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {"number": self.number, "action": self.action.value, "spends": self.spends}
        if self.is_over or self.quote:
            result["transfers"] = self.transfers.as_dict() if self.transfers else None
        if self.quote:
            refused = self.quote.emergency_refusal
            result.update(live=self.live, holder=self.holder, refused=refused.as_dict() if refused else None)
        if self.until:
            result["until"] = self.until
        if self.note:
            result["note"] = self.note
        return {**result, "fenced_since": self.fenced_since}
