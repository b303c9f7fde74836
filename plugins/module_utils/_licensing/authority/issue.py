# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making rehearsal licenses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .. import documents
from ..documents import Realm
from ..errors import refuse
from ..model import License

# A code of random letters and digits has some 18 different ones, and hardly any that follow each other in the alphabet.
_FEWEST, _MOST_IN_ORDER = 8, 14


def check_code(number: str, code: str) -> str:
    """Return an activation code, or refuse one that somebody made up after a pattern: it can be guessed."""
    letters, groups = code.replace("-", ""), code.split("-")
    in_order = sum(abs(ord(one) - ord(next)) <= 1 for one, next in zip(letters, letters[1:]))
    if len(set(letters)) < _FEWEST or len(set(groups)) < len(groups) or in_order >= _MOST_IN_ORDER:
        raise refuse(
            f"The activation code of license {number} follows a pattern, so that it can be guessed.",
            f"license {number}",
            "Use a code of random letters and digits, such as 'authority issue' makes.",
        )
    return code


def code_key(realm: Realm, number: str, code: str) -> str:
    """Return what proves the code of a new license in a realm: the public half of the key that the code yields."""
    return documents.public_half(documents.key_from_code(number, check_code(number, code), realm.key))


def new_license(
    realm: Realm, number: str, code: str, particulars: Sequence[Any], maintenance_expiry: str | None = None
) -> License:
    """Return a license to issue, checked.

    :param particulars: type, seats, start and expiry
    """
    return proven_license(number, code_key(realm, number, code), particulars, maintenance_expiry)


def proven_license(number: str, key: str, particulars: Sequence[Any], maintenance_expiry: str | None = None) -> License:
    """Return a license whose code stays with the caller, checked but for its key.

    :param key: what :func:`code_key` gives for the ledger's realm, to be checked by :func:`check_key`
    :param particulars: type, seats, start and expiry
    """
    kind, seats, start, expiry = particulars
    grants = {"number": number, "type": kind, "seats": seats, "start": start, "expiry": expiry}
    ends = {"maintenance_expiry": maintenance_expiry or expiry, "var": False, "code_key": key}
    return License.from_dict({**grants, **ends}, f"license {number}")


def check_key(license: License) -> License:
    """Return a license to issue, or refuse one without a key: nobody could activate it, and its code stays for good."""
    if not documents.is_public_half(license.code_key):
        raise refuse(
            f"License {license.number} comes without the key that proves its activation code.",
            f"license {license.number}",
            "Issue it by a task of aims_license_authority, which derives the key, or by 'authority issue'.",
        )
    return license


def changed_license(license: License, **changes: Any) -> License:
    """Return a license that grants something else under the same number and code, checked.

    :param changes: type, seats, start, expiry, maintenance_expiry; what is None stays. Maintenance that ended with the
        license goes on doing so.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    if "expiry" in given and license.maintenance_expiry == license.expiry:
        given.setdefault("maintenance_expiry", given["expiry"])
    return License.from_dict(vars(replace(license, **given)), f"license {license.number}")
