# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients of an inventory: their license servers by the addresses of their lists, and every mistake at once."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.clients import read_clients
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import HostVariables

NEW = {"migrate_source": "old"}


def host(name: str, reached: dict[str, Any] | None = None, **variables: Any) -> HostVariables:
    given = {**(reached or {}), **{f"aims_license_{key}": value for key, value in variables.items()}}
    return HostVariables(name, given, given.__getitem__, given.__getitem__, lambda part: part)


def servers(*hosts: HostVariables, clients: tuple[str, ...] = ("desk",)) -> list[dict[str, str]]:
    known = {one.host: one for one in hosts}
    return read_clients(clients, [name for name in ("new",) if name in known], known)


def refusal(*hosts: HostVariables, **options: Any) -> str:
    with pytest.raises(LicensingError) as refused:
        servers(*hosts, **options)
    return str(refused.value)


def test_the_addresses_are_those_of_ansible_unless_clients_have_others() -> None:
    old = host("old", {"ansible_host": "OLD.example.com"})
    assert servers(host("desk"), old, host("new", **NEW)) == [{"source": "old.example.com:3400", "target": "new:3400"}]
    new = host("new", {"ansible_host": "10.0.0.2"}, client_address="licenses.example.com:3500", **NEW)
    assert servers(host("desk"), old, new)[0]["target"] == "licenses.example.com:3500"


def test_a_list_without_clients_or_targets_says_where_to_put_them() -> None:
    assert "No host is in the group aims_license_clients." in refusal(clients=())
    words = refusal(host("desk"))
    assert "Put the new license server into the group aims_license_targets, with aims_license_migrate_source." in words
    assert servers(host("desk"), host("old"), host("new", **NEW))
    assert servers(host("desk", client_entries=["new:3400"])) == []
    assert "No host is in the group aims_license_targets." in refusal(
        host("desk", client_entries=["new:3400"], client_remove_source="yes")
    )


def test_everything_that_is_wrong_is_told_at_once() -> None:
    desk = host(
        "desk",
        client_path="Config",
        client_entries=["new"],
        client_first="perhaps",
        client_pathh="x",
        client_remove_source=3,
    )
    windows = host("win", {"ansible_shell_type": "cmd"}, client_path="/usr/x", client_entries="new:3400")
    new = host("new", {"ansible_host": "old"}, client_addres="x", **NEW)
    words = refusal(desk, windows, host("old"), new, clients=("desk", "win"))
    for part in (
        "'Config' is not the whole path of a file. [inventory host desk, aims_license_client_path]",
        "'new' is not an entry of a client's list. [inventory host desk, aims_license_client_entries[0]]",
        "'perhaps' is neither true nor false. [inventory host desk, aims_license_client_first]",
        "3 is neither true nor false. [inventory host desk, aims_license_client_remove_source]",
        "There is no variable aims_license_client_pathh. [inventory host desk] Did you mean aims_license_client_path?",
        "'/usr/x' is not a path on a drive of a Windows host. [inventory host win, aims_license_client_path]",
        "The entries are a str, not a list. [inventory host win, aims_license_client_entries]",
        "There is no variable aims_license_client_addres. [inventory host new]",
        "Source and target have one address, old:3400.",
    ):
        assert part in words
    broken = host("new", client_address="a b", **NEW)
    assert "'a b' is not the address of a license server. [inventory host new, aims_license_client_address]" in refusal(
        host("desk"), host("old"), broken
    )
