# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making rehearsal licenses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

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


def changed_license(license: License, **changes: Any) -> License:
    """Return a license that grants something else under the same number and code, checked.

    :param changes: type, seats, start, expiry, maintenance_expiry; what is None stays. Maintenance that ended with the
        license goes on doing so.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    if "expiry" in given and license.maintenance_expiry == license.expiry:
        given.setdefault("maintenance_expiry", given["expiry"])
    return License.from_dict(vars(replace(license, **given)), f"license {license.number}")
