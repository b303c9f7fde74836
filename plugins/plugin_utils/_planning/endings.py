# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When licenses and their maintenance end. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView


@dataclass(frozen=True)
class DaysLeft:
    """For how many days a license and its maintenance are still valid, UTC.

    The last day counts as 0, the day after it as -1. None where the day is not known.
    """

    number: str
    license: int | None
    maintenance: int | None

    @classmethod
    def of(cls, license: LicenseView, today: date) -> DaysLeft:
        return cls(license.number, _days(license.expiry, today), _days(license.maintenance_expiry, today))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def _days(day: str | None, today: date) -> int | None:
    return None if day is None else (date.fromisoformat(day) - today).days


def endings(licenses: Iterable[LicenseView], *, today: date, within: int) -> list[str]:
    """Return a sentence for each held license that ends, or whose maintenance ends, within so many days."""
    sentences = []
    for license in licenses:
        left = DaysLeft.of(license, today)
        if not license.is_held:
            continue
        if left.license is not None and left.license <= within:
            what = f"License {license.number} {_when(left.license, license.expiry)}."
            sentences.append(f"{what} Have it renewed, then run the playbook renew.")
        elif left.maintenance is not None and left.maintenance <= within:
            what = f"The maintenance of license {license.number} {_when(left.maintenance, license.maintenance_expiry)}."
            sentences.append(f"{what} Have it renewed, then run the playbook renew.")
    return sentences


def _when(left: int, day: str | None) -> str:
    if left < 0:
        return f"ended on {day}"
    return f"ends on {day}, " + {0: "today", 1: "tomorrow"}.get(left, f"in {left} days")
