# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The moves of the vendor's license server that an inventory declares."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.moves import read_moves
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.pairs import read_pairs
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import HostVariables
from support.worked_example import CODE, SERVER

LICENSE = {"number": SERVER, "activation_code": CODE, "profile": "PROServer"}


def host(name: str, **variables: Any) -> HostVariables:
    """A host with the vendor's license server; a value None leaves a variable out."""
    values = {"aims_license_server_backend": "vendor"}
    if name == "new":
        values |= {"aims_license_migrate_source": "old", "aims_license_server_licenses": [LICENSE]}
    values = {key: value for key, value in {**values, **variables}.items() if value is not None}
    written = {**values, "aims_license_server_licenses": [{**LICENSE, "activation_code": "{{ vault_code }}"}]}
    return HostVariables(name, values, values.__getitem__, written.__getitem__, lambda part: part)


def moves(new: dict[str, Any] | None = None, old: dict[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    return read_moves(["new"], {"new": host("new", **(new or {})), "old": host("old", **(old or {}))})


def refused(new: dict[str, Any] | None = None, old: dict[str, Any] | None = None) -> str:
    with pytest.raises(LicensingError) as error:
        moves(new, old)
    return str(error.value)


def test_a_move_has_both_servers_and_names_the_variable_of_a_code_and_has_no_code() -> None:
    move = moves({"ansible_host": "new.example.com"}, {"ansible_shell_type": "cmd"})["new"][0]
    place = {"host": "old", "platform": "windows", "address": "old", "home": r"C:\ProgramData\AIMMS"}
    assert place.items() <= move["migrate"]["source"].items()
    assert move["rollback"] == {"source": move["migrate"]["target"], "target": move["migrate"]["source"]}
    place = {"host": "new", "platform": "linux", "address": "new.example.com", "home": "/usr/local/Aimms"}
    assert place.items() <= move["migrate"]["target"].items()
    assert move["codes"] == {SERVER: "vault_code"}
    assert move["licenses"] == [{"number": SERVER, "profile": "PROServer", "transfers_spent": []}]
    assert (move["users"], move["pro_nodes"], move["offline"]) == (None, None, False)
    assert CODE not in str(move)


@pytest.mark.parametrize(
    ("variables", "platform"),
    [
        ({}, "linux"),
        ({"ansible_shell_type": "powershell"}, "windows"),
        ({"ansible_connection": "winrm"}, "windows"),
        ({"ansible_connection": "ssh"}, "linux"),
        ({"aims_license_server_copy": "/srv/copies/old", "ansible_shell_type": "cmd"}, "copy"),
    ],
)
def test_how_ansible_reaches_a_host_tells_what_it_runs(variables: dict[str, Any], platform: str) -> None:
    assert moves(old=variables)["new"][0]["migrate"]["source"]["platform"] == platform


def test_a_copy_is_read_where_it_lies() -> None:
    assert (
        moves(old={"aims_license_server_copy": "/srv/copies/old"})["new"][0]["migrate"]["source"]["home"]
        == "/srv/copies/old"
    )


def test_days_of_earlier_transfers_may_be_dates_or_texts() -> None:
    spent = ["2026-03-01", datetime.date(2026, 1, 2)]
    move = moves({"aims_license_server_licenses": [{**LICENSE, "transfers_spent": spent}]})["new"][0]
    assert move["licenses"][0]["transfers_spent"] == ["2026-01-02", "2026-03-01"]


def test_the_way_offline_and_the_nodes_of_pro_are_as_declared() -> None:
    move = moves({"aims_license_server_authority": "offline", "aims_license_pro_nodes": ["pro1"]})["new"][0]
    assert (move["offline"], move["pro_nodes"]) == (True, ["pro1"])


MISTAKES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "days": ({"aims_license_server_licenses": [{**LICENSE, "transfers_spent": "2026"}]}, {}, "is not a list of days"),
    "day": ({"aims_license_server_licenses": [{**LICENSE, "transfers_spent": ["x"]}]}, {}, "'x' is not a date"),
    "source of ours": ({}, {"aims_license_server_backend": "bundled"}, "and the source has not"),
    "copy of the target": ({"aims_license_server_copy": "/srv/new"}, {}, "cannot stand for the target"),
    "no source": ({"aims_license_migrate_source": None}, {}, "The target names no source."),
    "nodes": ({"aims_license_pro_nodes": "pro1"}, {}, "'pro1' is not a list of hosts"),
    "home on Linux": ({"aims_license_server_home": "Aimms"}, {}, "not an absolute path"),
    "home on Windows": (
        {},
        {"aims_license_server_home": "/x", "ansible_shell_type": "cmd"},
        "is not a folder of Windows",
    ),
    "commands": (
        {},
        {"aims_license_server_vendor_commands": {"deactivate": ["rm", "--force", "{number}"]}},
        "inventory host old, aims_license_server_vendor_commands.deactivate",
    ),
    "copy": ({}, {"aims_license_server_copy": "copies"}, "inventory host old, aims_license_server_copy"),
    "misspelt": ({"aims_license_pro_node": []}, {}, "There is no variable aims_license_pro_node"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told(mistake: str) -> None:
    new, old, message = MISTAKES[mistake]
    assert message in refused(new, old)


def test_an_inventory_without_the_vendors_server_has_no_runbook_until_it_is_set() -> None:
    bundled = {name: host(name, aims_license_server_backend="bundled") for name in ("new", "old")}
    assert read_moves(["new"], bundled) == {}
    with pytest.raises(LicensingError) as error:
        read_moves(["new"], bundled, required=True)
    message = str(error.value)
    assert "No host of aims_license_targets has the vendor's license server." in message
    assert "Set aims_license_server_backend: vendor for both hosts" in message
    assert set(moves()) == {"new"}


def test_what_moves_licenses_refuses_the_vendors_server_and_names_the_runbook() -> None:
    hosts = {name: host(name, aims_license_server_authority="ledger:/a.db") for name in ("new", "old")}
    with pytest.raises(LicensingError) as error:
        read_pairs(["new"], hosts)
    assert "does not work with the vendor's license server on one host only" in str(error.value)
    assert "for source and target, then run migrate" in str(error.value)
    assert set(moves()) == {"new"}
    bundled = {"aims_license_server_authority": "ledger:/a.db", "aims_license_server_backend": "bundled"}
    assert set(read_pairs(["new"], {name: host(name, **bundled) for name in ("new", "old")})) == {"new"}


def test_days_of_transfers_are_no_part_of_what_the_roles_hand_to_hosts() -> None:
    bundled = {"aims_license_server_authority": "ledger:/a.db", "aims_license_server_backend": "bundled"}
    licenses = [{**LICENSE, "transfers_spent": ["2026-03-01"]}]
    hosts = {"new": host("new", aims_license_server_licenses=licenses, **bundled), "old": host("old", **bundled)}
    assert read_pairs(["new"], hosts)["new"][0]["licenses"] == [{"number": SERVER, "profile": "PROServer"}]
