# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the authority is asked before a pair is planned."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.preview import QuoteRequest, quote_request
from ansible_collections.aims.licensing.tests.support.plans import pair_of

NUMBER = "015.120.064.022"
NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
HOLDER, OTHER = "a2V5", "b3RoZXI="
REALM = {"name": "REHEARSAL lab", "id": "0" * 16, "key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}


def side(host: str, *licenses: dict[str, Any], **changes: Any) -> dict[str, Any]:
    overview = {
        "server": {"realm": changes.pop("realm", None)},
        "licenses": [{"number": NUMBER, "holder": None, "until": None, "fenced": None, **one} for one in licenses],
        "profiles": [],
        "users": [],
        "pending": changes.pop("pending", []),
    }
    return {"host": host, "overview": overview, **changes}


def asked(target: dict[str, Any], source: dict[str, Any] | None = None) -> QuoteRequest:
    """What the authority is asked; without a source, as where it cannot be reached."""
    shown = side("old") if source is None else source
    pair = pair_of(shown, target, [DeclaredLicense(NUMBER, None)], {}, None, NOW)
    return quote_request(pair, None if source is None else pair.source.overview)


@pytest.mark.parametrize(
    ("shown", "needed"),
    [
        ({"status": "Active"}, False),
        ({"status": "Expired"}, False),
        ({"status": "Pending Update"}, False),
        ({"status": "Pending Activation"}, False),
        ({"status": "Inactive Nodelock"}, True),
        ({"status": "Active", "fenced": "2026-05-01T12:00:00Z"}, True),
        ({"status": "Active", "until": "2026-06-08T12:00:00Z"}, True),
        ({"status": "Pending Activation", "until": "2026-06-08T12:00:00Z"}, True),
    ],
)
def test_the_authority_is_asked_about_what_the_target_does_not_have_for_good(
    shown: dict[str, Any], needed: bool
) -> None:
    assert asked(side("new", shown), side("old")).is_needed is needed


def test_without_its_source_a_target_asks_only_where_it_had_licenses_before() -> None:
    assert not asked(side("new")).is_needed
    request = asked(side("new", {"status": "Inactive Nodelock"}))
    assert request.is_needed and request.released_by == ("*",)


def test_what_the_source_holds_or_has_asked_for_will_be_released_by_it() -> None:
    pending = {"number": NUMBER, "action": "activate", "request_id": None, "made": None, "file": "", "holder": OTHER}
    source = side("old", {"status": "Active", "holder": HOLDER}, pending=[pending, {**pending, "holder": HOLDER}])
    assert asked(side("new"), source).released_by == (HOLDER, OTHER)


def test_the_realm_of_the_source_is_compared_only_where_the_target_reaches_an_authority() -> None:
    source = side("old", realm=REALM)
    named = {"name": REALM["name"], "key": REALM["key"]}
    assert asked(side("new", authority="ledger:/srv/authority.db"), source).as_dict() == {
        "needed": True,
        "realm": named,
        "released_by": [],
        "emergency": [],
    }
    assert asked(side("new", authority="offline"), source).realm == {}


@pytest.mark.parametrize("reachable", [True, False])
def test_a_declared_realm_is_named_in_place_of_that_of_the_source(reachable: bool) -> None:
    declared = {"name": "REHEARSAL other", "key": REALM["key"]}
    pair = pair_of(side("old", realm=REALM), side("new"), [DeclaredLicense(NUMBER, None)], {}, None, NOW)
    shown = pair.source.overview if reachable else None
    assert quote_request(pair, shown, declared).realm == declared


@pytest.mark.parametrize("emergency", [True, False])
def test_every_license_of_a_lost_source_is_asked_about_as_an_emergency_only_where_that_is_declared(
    emergency: bool,
) -> None:
    bundle = side("old", {"status": "Active", "holder": HOLDER})["overview"]
    declared = [DeclaredLicense(NUMBER, None)]
    pair = pair_of({"host": "old"}, side("new"), declared, {}, bundle, NOW, lost=True, emergency=emergency)
    assert quote_request(pair, pair.remembered).emergency == ((NUMBER,) if emergency else ())
