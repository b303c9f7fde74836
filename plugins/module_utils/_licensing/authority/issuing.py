# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making rehearsal licenses."""

from __future__ import annotations

from .. import documents
from ..model import License


def new_license(
    number: str, code: str, kind: str, seats: int, start: str, expiry: str, maintenance_expiry: str | None = None
) -> License:
    """Return a license to issue, checked."""
    key = documents.public_half(documents.key_from_code(number, code))
    particulars = {"number": number, "type": kind, "seats": seats, "start": start, "expiry": expiry}
    ends = {"maintenance_expiry": maintenance_expiry or expiry, "var": False, "code_key": key}
    return License.from_dict({**particulars, **ends}, f"license {number}")
