# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the licenses of a target come from: one source for all of them, or a source of its own for a license."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, Problem
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.hosts import read_hosts
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.moves import read_moves
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.pairs import read_pairs
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.profiles import declared_profiles
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import HostVariables
from support.worked_example import CLIENT, CODES, SERVER, SESSION

PROFILES = {SERVER: "PROServer", SESSION: "PROSession", CLIENT: "Client"}


def host(name: str, backend: str = "bundled", **variables: Any) -> HostVariables:
    given = {"aims_license_server_authority": "" if backend == "vendor" else "ledger:/srv/authority.db"}
    given["aims_license_server_backend"] = backend
    given |= {f"aims_license_{key}" if "ansible" not in key else key: value for key, value in variables.items()}
    return HostVariables(name, given, given.__getitem__, given.__getitem__, lambda part: part)


def licenses(*numbers: str, **sources: str) -> list[dict[str, Any]]:
    """Declared licenses; ``client="old2"`` names the source of that profile's license."""
    declared = []
    for number in numbers:
        license = {"number": number, "activation_code": CODES[number], "profile": PROFILES[number]}
        source = sources.get(PROFILES[number].lower())
        declared.append(license if source is None else {**license, "source": source})
    return declared


def problems_of(*hosts: HostVariables) -> list[Problem]:
    with pytest.raises(LicensingError) as refused:
        read_pairs(["new"], {host.host: host for host in hosts})
    return list(refused.value.problems)


def test_each_source_of_a_target_is_a_pair_with_the_licenses_that_come_from_it() -> None:
    further = [{"name": "Night", "license": CLIENT}, {"name": "Day", "license": SERVER}]
    declared = licenses(SERVER, SESSION, CLIENT, client="old2")
    new = host("new", migrate_source="old", server_licenses=declared, server_profiles=further)
    pairs = read_pairs(["new"], {"new": new, "old": host("old"), "old2": host("old2")})["new"]
    assert [pair["migrate"]["source"]["host"] for pair in pairs] == ["old", "old2"]
    assert [pair["rollback"]["target"]["host"] for pair in pairs] == ["old", "old2"]
    assert [[license["number"] for license in pair["licenses"]] for pair in pairs] == [[SERVER, SESSION], [CLIENT]]
    assert [[profile["name"] for profile in pair["profiles"]] for pair in pairs] == [["Day"], ["Night"]]
    assert "source" not in pairs[1]["licenses"][0]
    order = [(place["license"], place["name"]) for place in pairs[0]["order"]]
    assert order == [*PROFILES.items(), (CLIENT, "Night"), (SERVER, "Day")] and pairs[1]["order"] == pairs[0]["order"]


def test_a_target_needs_no_source_of_its_own_where_each_license_names_one() -> None:
    new = host("new", server_licenses=licenses(SERVER, proserver="old"))
    (pair,) = read_pairs(["new"], {"new": new, "old": host("old")})["new"]
    assert pair["migrate"]["source"]["host"] == "old"
    (problem,) = problems_of(host("new", server_licenses=licenses(SERVER, CLIENT, client="old")), host("old"))
    assert problem.what == "The target names no source."


def test_several_targets_may_have_one_source() -> None:
    targets = {
        "new": host("new", migrate_source="old", server_licenses=licenses(SERVER)),
        "new2": host("new2", migrate_source="old", server_licenses=licenses(CLIENT)),
    }
    pairs = read_pairs(["new", "new2"], {**targets, "old": host("old")})
    assert {name: pair["migrate"]["source"]["host"] for name, (pair,) in pairs.items()} == dict.fromkeys(pairs, "old")


def test_a_loss_is_the_sources_or_that_of_a_targets_only_source() -> None:
    declared = licenses(SERVER, CLIENT, client="old2")
    new = host("new", migrate_source="old", server_licenses=declared)
    lost = host("old2", migrate_source_lost=True)
    pairs = read_pairs(["new"], {"new": new, "old": host("old"), "old2": lost})["new"]
    assert [pair["lost"] for pair in pairs] == [False, True]
    new = host("new", migrate_source="old", server_licenses=licenses(SERVER), migrate_source_lost=True)
    assert read_pairs(["new"], {"new": new, "old": host("old")})["new"][0]["lost"] is True


def test_which_of_several_sources_is_lost_is_declared_where_the_message_says() -> None:
    declared = licenses(SERVER, CLIENT, client="old2")
    new = host("new", migrate_source="old", server_licenses=declared, migrate_source_lost=True)
    (problem,) = problems_of(new, host("old"), host("old2"))
    ((name, value),) = re.findall(r"Set aims_license_(\w+): (true) for the source that is lost", problem.todo)
    new = host("new", migrate_source="old", server_licenses=declared)
    hosts = {"new": new, "old": host("old"), "old2": host("old2", **{name: value})}
    assert [pair["lost"] for pair in read_pairs(["new"], hosts)["new"]] == [False, True]


def test_one_license_server_under_two_names_has_the_same_settings() -> None:
    def hosts(**settings: Any) -> list[HostVariables]:
        return [
            host("new", migrate_source="old", server_licenses=licenses(SERVER), ansible_host="192.0.2.1", **settings),
            host("new2", migrate_source="old", server_licenses=licenses(CLIENT), ansible_host="192.0.2.1"),
            host("old"),
        ]

    listen = {"clients": "192.0.2.1"}
    with pytest.raises(LicensingError) as refused:
        read_pairs(["new", "new2"], {host.host: host for host in hosts(server_listen=listen)})
    (problem,) = refused.value.problems
    assert problem.what == "new and new2 are the same license server, with different settings."
    named = re.search(r"Declare the same aims_license_(server_listen)", problem.todo)
    assert named is not None
    same = hosts(**{named.group(1): listen})
    same[1] = host(
        "new2",
        migrate_source="old",
        server_licenses=licenses(CLIENT),
        ansible_host="192.0.2.1",
        **{named.group(1): listen},
    )
    assert set(read_pairs(["new", "new2"], {host.host: host for host in same})) == {"new", "new2"}
    apart = hosts(server_listen=listen, server_home="/opt/second")
    assert set(read_pairs(["new", "new2"], {host.host: host for host in apart})) == {"new", "new2"}


def test_the_vendors_licenses_have_several_sources_too() -> None:
    declared = licenses(SERVER, CLIENT, client="old2")
    hosts = {
        "new": host("new", "vendor", migrate_source="old", server_licenses=declared),
        "old": host("old", "vendor"),
        "old2": host("old2", "vendor"),
    }
    moves = read_moves(["new"], hosts)["new"]
    assert [move["migrate"]["source"]["host"] for move in moves] == ["old", "old2"]
    assert [[license["number"] for license in move["licenses"]] for move in moves] == [[SERVER], [CLIENT]]
    assert [set(move["codes"]) for move in moves] == [{SERVER}, {CLIENT}]
    # Each source has the profiles of what leaves it.
    assert [profile.name for profile in declared_profiles("old2", ["new"], hosts.__getitem__)] == ["Client"]


def test_reconcile_compares_the_vendors_server_with_one_source_until_they_are_removed() -> None:
    sources = {"old": host("old", "vendor"), "old2": host("old2", "vendor")}
    declared = licenses(SERVER, CLIENT, proserver="old", client="old2")
    with pytest.raises(LicensingError) as refused:
        read_hosts(["new"], {"new": host("new", "vendor", server_licenses=declared), **sources})
    (problem,) = refused.value.problems
    assert "reconcile can compare with one host only" in problem.what
    assert "then remove the sources from the inventory" in problem.todo
    new = host("new", "vendor", server_licenses=licenses(SERVER, CLIENT))
    assert read_hosts(["new"], {"new": new, **sources})["new"]["source"] is None
