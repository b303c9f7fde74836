# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory check knows is what the roles declare."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import DEFAULT_HOME
from ansible_collections.aims.licensing.plugins.plugin_utils import _inventory
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory import hosts, pairs
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import (
    DEFAULT_LEDGER,
    VARIABLES,
    HostVariables,
)
from support.worked_example import CODE

ROLES = Path(str(_inventory.__file__)).parents[3] / "roles"


def test_the_variables_that_are_known_are_those_of_the_roles() -> None:
    declared = set()
    for place in ROLES.glob("*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(place.read_text(encoding="utf-8"))["argument_specs"].values():
            declared |= set(entry["options"])
    assert declared == VARIABLES


def host(name: str, **variables: Any) -> HostVariables:
    given = {f"aims_license_{key}": value for key, value in variables.items()}
    return HostVariables(name, given, given.__getitem__, given.__getitem__, lambda part: part)


@pytest.mark.parametrize("users", ["AIMS\\old", ["AIMS\\old", "nobody"]])
def test_users_of_the_source_are_checked_as_a_rollback_registers_them(users: Any) -> None:
    license = {"number": "015.120.064.022", "activation_code": CODE}
    shared = {"server_authority": "ledger:/var/lib/authority.db"}
    new = host("new", migrate_source="old", server_licenses=[license], **shared)
    assert set(pairs.read_pairs(["new"], {"new": new, "old": host("old", server_users=None, **shared)})) == {"new"}
    with pytest.raises(LicensingError) as refused:
        pairs.read_pairs(["new"], {"new": new, "old": host("old", server_users=users, **shared)})
    assert [one.where for one in refused.value.problems] == ["inventory host old, aims_license_server_users"]


LEDGER = "ledger:/var/lib/authority.db"


def pair(**target: Any) -> dict[str, Any]:
    """The pair of the host new, whose licenses come from old; the host auth serves an authority."""
    new = {
        "migrate_source": "old",
        "server_authority": LEDGER,
        "server_licenses": [
            {"number": "015120064022", "activation_code": CODE, "profile": "PROServer"},
            {"number": "015.120.065.016", "activation_code": CODE, "default": True},
        ],
    }
    hosts = {
        "new": host("new", **{**new, **target}),
        "old": host("old", server_authority=LEDGER, server_home="/opt/old"),
        "auth": host("auth", authority_ledger="/srv/authority.db"),
    }
    return pairs.read_pairs(["new"], hosts, rehearsal=True)["new"][0]


def test_the_declared_licenses_are_returned_with_their_numbers_in_one_form_and_without_codes() -> None:
    found = pair(server_profiles=[{"name": "Spare", "license": "015120065016"}])
    assert found["licenses"] == [
        {"number": "015.120.064.022", "profile": "PROServer"},
        {"number": "015.120.065.016", "default": True},
    ]
    assert found["profiles"] == [{"name": "Spare", "license": "015.120.065.016"}]
    assert CODE not in str(found)


def test_what_the_modules_take_of_a_license_server_is_returned_as_their_options() -> None:
    assert pair()["migrate"]["source"]["options"] == {
        "home": "/opt/old",
        "root": "",
        "backend": "bundled",
        "authority": LEDGER,
    }


def test_a_rollback_swaps_source_and_target() -> None:
    declared = pair()
    hosts = {way: [declared[way][side]["host"] for side in ("source", "target")] for way in ("migrate", "rollback")}
    assert hosts == {"migrate": ["old", "new"], "rollback": ["new", "old"]}
    assert declared["rollback"]["target"] == declared["migrate"]["source"]


def test_a_single_host_has_its_options_and_its_licenses_too() -> None:
    license = {"number": "015120064022", "activation_code": CODE}
    new = host("new", server_authority=LEDGER, server_licenses=[license])
    found = hosts.read_hosts(["new"], {"new": new})["new"]
    assert found["licenses"] == [{"number": "015.120.064.022"}] and found["profiles"] == []
    assert found["options"]["home"] == DEFAULT_HOME


def test_a_rehearsals_licenses_are_issued_in_the_ledger_of_the_authoritys_host_or_in_that_of_the_pair() -> None:
    assert pair()["ledger"] == LEDGER
    assert pair(migrate_rehearse_authority="auth")["ledger"] == "ledger:/srv/authority.db"
    assert pair(migrate_rehearse_authority="old")["ledger"] == f"ledger:{DEFAULT_LEDGER}"


def test_a_rehearsals_authority_on_a_host_that_is_not_there_is_refused() -> None:
    with pytest.raises(LicensingError) as refused:
        pair(migrate_rehearse_authority="nowhere")
    assert [problem.what for problem in refused.value.problems] == [
        "The authority's host nowhere is not in the inventory."
    ]
    (group,) = re.findall(r"Name a host of the group (\w+)\.", str(refused.value))
    # The one that serves an authority is the host of that group.
    assert group == "aims_license_authorities"
    assert pair(migrate_rehearse_authority="auth")["ledger"] == "ledger:/srv/authority.db"
