# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creates and changes rehearsal licenses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .. import documents
from ..documents import Realm
from ..errors import refuse
from ..model import License

# A random code has about 18 different characters, and almost no neighbours that follow each other in the alphabet.
_FEWEST, _MOST_IN_ORDER = 8, 14


def check_code(number: str, code: str) -> str:
    """Return the activation code. Refuse a code with a pattern, because it can be guessed."""
    letters, groups = code.replace("-", ""), code.split("-")
    in_order = sum(abs(ord(letter) - ord(following)) <= 1 for letter, following in zip(letters, letters[1:]))
    if len(set(letters)) < _FEWEST or len(set(groups)) < len(groups) or in_order >= _MOST_IN_ORDER:
        raise refuse(
            f"The activation code of license {number} follows a pattern and can be guessed.",
            f"license {number}",
            "Use a code of random letters and digits, such as 'authority issue' generates.",
        )
    return code


def code_key(realm: Realm, number: str, code: str) -> str:
    """Return the public half of the key derived from code, number and realm. It verifies proofs of the code."""
    return documents.public_half(documents.key_from_code(number, check_code(number, code), realm.key))


def new_license(
    realm: Realm, number: str, code: str, particulars: Sequence[Any], maintenance_expiry: str | None = None
) -> License:
    """Return a checked license to issue.

    :param particulars: type, seats, start and expiry
    """
    return proven_license(number, code_key(realm, number, code), particulars, maintenance_expiry)


def proven_license(number: str, key: str, particulars: Sequence[Any], maintenance_expiry: str | None = None) -> License:
    """Return a license whose code the caller keeps. All values but the key are checked.

    :param key: result of :func:`code_key` for the ledger's realm; check it with :func:`check_key`
    :param particulars: type, seats, start and expiry
    """
    kind, seats, start, expiry = particulars
    grants = {"number": number, "type": kind, "seats": seats, "start": start, "expiry": expiry}
    ends = {"maintenance_expiry": maintenance_expiry or expiry, "var": False, "code_key": key}
    return License.from_dict({**grants, **ends}, f"license {number}")


def check_key(license: License) -> License:
    """Return the license. Refuse a license without a valid key, because nobody could ever activate it."""
    if not documents.is_public_half(license.code_key):
        raise refuse(
            f"License {license.number} lacks the key that verifies its activation code.",
            f"license {license.number}",
            "Issue it with a task of aims_license_authority, which derives the key, or with 'authority issue'.",
        )
    return license


def changed_license(license: License, **changes: Any) -> License:
    """Return a checked license with changed grants and the same number and code.

    :param changes: type, seats, start, expiry, maintenance_expiry; None keeps a value. If maintenance ends with the
        license, a new expiry applies to both.
    """
    changed = {name: value for name, value in changes.items() if value is not None}
    if "expiry" in changed and license.maintenance_expiry == license.expiry:
        changed.setdefault("maintenance_expiry", changed["expiry"])
    return License.from_dict(vars(replace(license, **changed)), f"license {license.number}")
