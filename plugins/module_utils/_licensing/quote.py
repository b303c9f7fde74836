# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The quote: an authority's forecast of an activation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import Problem
from .fields import Fields, Kind
from .license_view import Transfers

KIND = Kind("a quote", "Give the results that aims_license_activate returned in check mode.")


@dataclass(frozen=True)
class Quote:
    """The authority's forecast of an activation. A quote changes nothing at the authority.

    :ivar spends: transfers that the activation would spend; None if the authority was not asked (offline)
    :ivar live: whether a machine holds the license; None if the authority was not asked
    :ivar holder: the public key of that machine
    :ivar refusal: the reason for a refusal, or None
    :ivar until: the end of a possible emergency activation, UTC, or None
    :ivar emergency_refusal: the reason for refusing a requested emergency activation, or None
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
            _problem(body.get("reason")),
            emergency.get("until"),
            _problem(emergency.get("reason")),
        )

    @classmethod
    def from_result(cls, data: object, where: str) -> Quote:
        """Read a quote from a result of ``aims_license_activate`` in check mode.

        :raises LicensingError: it is not one; the message names the first field that is wrong
        """
        fields = Fields.of(data, KIND, where)
        transfers, refused = fields.part_or_none("transfers"), fields.part_or_none("refused")
        return cls(
            fields.text("number"),
            fields.whole_or_none("spends"),
            Transfers.read(transfers) if transfers else None,
            fields.flag_or_none("live"),
            fields.text_or_none("holder"),
            None,
            fields.time_or_none("until"),
            Problem(*(refused.text(part, "") for part in ("what", "where", "todo"))) if refused else None,
        )


def _problem(data: object) -> Problem | None:
    if not data:
        return None
    if not isinstance(data, Mapping):
        return Problem(str(data), "", "")
    return Problem(str(data.get("what") or ""), str(data.get("where") or ""), str(data.get("todo") or ""))
