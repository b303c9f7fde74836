# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host is sent the activation codes of the licenses that it is to ask for, and no other."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import read_declared_licenses
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._codes import without_codes
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.needed_codes import needless_codes
from support.worked_example import CODE
from support.worked_example import SERVER as NUMBER

HELD = {"number": NUMBER, "status": "Active", "fenced": None, "until": None, "protection": "Machine Nodelock"}
ASKED = {"number": NUMBER, "action": "activate"}


def read(shown: dict[str, Any]) -> Overview:
    return Overview.from_dict({"profiles": [], "users": [], **shown}, "seen")


def sent(seen: list[dict[str, Any]], pending: list[dict[str, Any]], anew: tuple[str, ...] = (), **other: Any) -> bool:
    """Whether the code of a license is sent to a host that shows this."""
    declared = [{"number": NUMBER.replace(".", ""), "activation_code": CODE, "profile": "PROServer", **other}]
    overview = read({"server": {"realm": None}, "licenses": seen, "pending": pending})
    (made,) = without_codes(declared, needless_codes(read_declared_licenses(declared, ""), overview, anew))
    assert {**made, "activation_code": CODE} == declared[0]
    return "activation_code" in made


@pytest.mark.parametrize("status", ["Active", "Expired", "Pending Update"])
def test_what_a_host_holds_as_declared_needs_no_code(status: str) -> None:
    assert not sent([{**HELD, "status": status}], [])


@pytest.mark.parametrize(
    "change",
    [
        {"status": "Inactive Nodelock"},
        {"fenced": "2026-01-01T00:00:00Z"},
        {"until": "2026-01-01T00:00:00Z"},
        {"protection": "Personal Nodelock"},
        {"protection": "None"},
        {"number": "015.120.055.014"},
    ],
)
def test_what_a_host_does_not_hold_for_good_or_not_as_declared_needs_its_code(change: dict[str, Any]) -> None:
    assert sent([{**HELD, **change}], [])
    assert sent([], [])


def test_what_is_pending_needs_no_code_unless_it_may_be_asked_for_anew() -> None:
    assert not sent([], [ASKED])
    assert sent([], [ASKED], anew=(NUMBER,))
    assert sent([], [{**ASKED, "action": "deactivate"}])


def test_a_code_that_stays_on_the_controller_is_judged_there() -> None:
    realm = {"name": "lab", "id": "0" * 16, "key": base64.b64encode(b"r" * 32).decode()}
    code_key = documents.public_half(documents.key_from_code(NUMBER, CODE, realm["key"]))
    overview = read({"server": {"realm": realm}, "licenses": [{**HELD, "code_key": code_key}], "pending": []})
    declared = [{"number": NUMBER, "activation_code": CODE}]
    assert without_codes(declared, needless_codes(read_declared_licenses(declared, ""), overview)) == [
        {"number": NUMBER}
    ]
    declared[0]["activation_code"] = "ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-99999"
    with pytest.raises(LicensingError, match=f"activation code declared for license {NUMBER} is not this license's"):
        needless_codes(read_declared_licenses(declared, ""), overview)


@pytest.mark.parametrize("seen", ["text", {}, {"licenses": []}, [], {"licenses": [{"number": NUMBER}], "pending": []}])
def test_what_is_no_overview_is_refused_in_words(seen: object) -> None:
    with pytest.raises(LicensingError, match="This is not an overview"):
        Overview.from_dict(seen, "seen")
