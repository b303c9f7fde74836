# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the authority would answer to an activation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import Problem
from .license_view import Transfers, maybe


@dataclass(frozen=True)
class Quote:
    """What the authority would answer to an activation. It changes nothing there.

    :ivar spends: transfers; None where it was not asked, as offline
    :ivar live: whether a machine holds the license; None where it was not asked
    :ivar holder: the public key of that machine
    :ivar refusal: why an activation would be refused
    :ivar until: when an emergency activation would end, UTC; None where none would be granted, or was asked about
    :ivar emergency_refusal: why none would be granted, where one was asked about
    """

    number: str
    spends: int | None = None
    transfers: Transfers | None = None
    live: bool | None = None
    holder: str | None = None
    refusal: Problem | None = None
    until: str | None = None
    emergency_refusal: Problem | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether another machine holds the license."""
        return bool(self.live and self.spends)

    @property
    def is_free(self) -> bool:
        """Whether no machine holds the license."""
        return self.live is False

    @property
    def is_known(self) -> bool:
        """Whether the authority was asked."""
        return self.live is not None

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Quote:
        """Read the body of an authority's response to a quote."""
        asked = body.get("emergency")
        emergency = asked if isinstance(asked, Mapping) else {}
        return cls(
            str(body.get("number")),
            body.get("spends"),
            Transfers.from_body(body),
            body.get("live"),
            body.get("holder"),
            maybe(_problem, body.get("reason")),
            emergency.get("until"),
            maybe(_problem, emergency.get("reason")),
        )

    @classmethod
    def from_result(cls, data: Mapping[str, Any]) -> Quote:
        """Read it from a result of ``aims_license_activate`` in check mode."""
        return cls(
            str(data["number"]),
            data.get("spends"),
            maybe(Transfers.from_dict, data.get("transfers")),
            data.get("live"),
            data.get("holder"),
            None,
            data.get("until"),
            maybe(_problem, data.get("refused")),
        )


def _problem(data: object) -> Problem:
    if not isinstance(data, Mapping):
        return Problem(str(data), "", "")
    return Problem(str(data.get("what") or ""), str(data.get("where") or ""), str(data.get("todo") or ""))
