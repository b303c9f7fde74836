# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the realm of a license server may come from, by its authority, what it honours, and what is declared."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, Problem
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.realms import realm_problems
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.sides import Side


def realm(byte: int) -> dict[str, str]:
    return {"name": "A", "id": f"{byte}", "key": base64.b64encode(bytes([byte] * 32)).decode()}


def side(host: str, pinned: dict[str, str] | None, authority: str = "offline") -> Side:
    overview = {"server": {"realm": pinned}, "licenses": [], "profiles": [], "users": []}
    return Side.from_dict({"host": host, "overview": overview, "authority": authority}, host)


def problems(declared: Any, source: Side, target: Side, arrives: bool) -> list[Problem]:
    return realm_problems(Realm.from_dict(declared, "realm") if declared else None, source, target, arrives)


A, B = realm(1), realm(2)


@pytest.mark.parametrize(
    ("declared", "source", "target", "authority", "arrives", "named"),
    [
        (None, A, None, "offline", True, ["new"]),
        ({}, A, None, " offline", True, ["new"]),
        (None, A, None, "offline", False, []),
        (None, A, A, "offline", True, []),
        (None, A, None, "ledger:/a.db", True, []),
        (A, A, None, "offline", True, []),
        (A, None, None, "offline", True, []),
        (B, A, None, "offline", True, ["old"]),
        (B, A, A, "https://authority", True, ["old", "new"]),
        (B, A, A, "offline", False, []),
    ],
)
def test_a_realm_is_declared_or_known_and_no_other_is_honoured(
    declared: Any, source: Any, target: Any, authority: str, arrives: bool, named: list[str]
) -> None:
    found = problems(declared, side("old", source), side("new", target, authority), arrives)
    assert [problem.where for problem in found] == named


def test_a_declared_realm_that_is_none_is_told() -> None:
    with pytest.raises(LicensingError):
        problems({"name": "A"}, side("old", A), side("new", None), True)
