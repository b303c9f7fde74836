# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three licenses of the product's documentation (docs/domain.md), which the tests move."""

from __future__ import annotations

import secrets
from typing import Any

HOME = "/opt/aims-license-server"
SERVER, SESSION, CLIENT = "015.120.064.022", "015.120.065.016", "015.120.055.014"
NUMBERS = [SERVER, SESSION, CLIENT]
# The dates are relative to today, because the real ones lie in the past.
WORKED_EXAMPLE: list[dict[str, Any]] = [
    {"number": SERVER, "profile": "PROServer"},
    {"number": SESSION, "profile": "PROSession", "default": True},
    {"number": CLIENT, "profile": "Client", "default": True},
]
GRANTS = {
    SERVER: {"type": "AIMMS - PRO Server", "seats": 100},
    SESSION: {"type": "AIMMS Network - PRO Session", "seats": 8},
    CLIENT: {"type": "AIMMS Network - PRO Client", "seats": 10},
}
# Activation codes of the documented form, the same in each run, and one that no license has.
CODES = {
    SERVER: "K7QXM-2RVTA-9HWCP-DE4NZ-J6S8B",
    SESSION: "W3HDU-8PZKE-5MJYF-QA6TX-N2C9R",
    CLIENT: "F5VTB-6NQGS-R8KXA-2YHPW-7DZ4M",
}
CODE = "AAAAA-BBBBB-CCCCC-DDDDD-22222"
WRONG_CODE = "ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-99999"
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def new_code() -> str:
    """Return an activation code of the documented form."""
    return "-".join("".join(secrets.choice(_ALPHABET) for place in range(5)) for group in range(5))
