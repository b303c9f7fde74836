# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory check knows is what the roles declare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.plugin_utils import _inventory

ROLES = Path(_inventory.__file__).parents[2] / "roles"


def test_the_variables_that_are_known_are_those_of_the_roles() -> None:
    declared = set()
    for place in ROLES.glob("*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(place.read_text(encoding="utf-8"))["argument_specs"].values():
            declared |= set(entry["options"])
    assert declared == _inventory.VARIABLES


def host(name: str, **variables: Any) -> _inventory.HostVariables:
    given = {f"aims_license_{key}": value for key, value in variables.items()}
    return _inventory.HostVariables(name, given, given.__getitem__, given.__getitem__, lambda part: part)


@pytest.mark.parametrize("users", ["AIMS\\old", ["AIMS\\old", "nobody"]])
def test_users_of_the_source_are_checked_as_a_rollback_registers_them(users: Any) -> None:
    license = {"number": "015.120.064.022", "activation_code": "AAAAA-BBBBB-CCCCC-DDDDD-22222"}
    shared = {"server_authority": "ledger:/var/lib/authority.db"}
    new = host("new", migrate_source="old", server_licenses=[license], **shared)
    assert set(_inventory.read_pairs(["new"], {"new": new, "old": host("old", server_users=None, **shared)})) == {"new"}
    with pytest.raises(LicensingError) as refused:
        _inventory.read_pairs(["new"], {"new": new, "old": host("old", server_users=users, **shared)})
    assert [one.where for one in refused.value.problems] == ["inventory host old, aims_license_server_users"]
