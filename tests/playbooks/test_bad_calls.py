# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that are called without the roles tell the mistakes that a role would have caught."""

from __future__ import annotations

from typing import Any

import pytest
from playbooks.bad_input import MISSING, SERVER, SESSION, Rehearsal
from playbooks.mistakes import BAD_CODE, COPY_CODE, WRITE_NUMBER


@pytest.fixture
def pair(undamaged: Rehearsal) -> Rehearsal:
    """The rehearsed pair with the inventory of the worked example."""
    undamaged.inventory = undamaged.worked_example()
    undamaged.write_inventory()
    return undamaged


# Modules that are called without the roles, which would catch these earlier.
LICENSE = {"number": SESSION, "activation_code": "ABCDE-FGHIJ-KLMNO-PQRST-UVWXY", "profile": "PROSession"}
CALLS: dict[str, tuple[str, dict[str, Any], str, str, str]] = {
    "activate_malformed_number": (
        "activate",
        {"licenses": [{**LICENSE, "number": "015.120"}]},
        "'015.120' is not a license number",
        "licenses[0].number",
        WRITE_NUMBER,
    ),
    "activate_malformed_code": (
        "activate",
        {"licenses": [{**LICENSE, "activation_code": BAD_CODE}]},
        "five groups of 5 or 6",
        "licenses[0].activation_code",
        COPY_CODE,
    ),
    "activate_number_twice": (
        "activate",
        {"licenses": [LICENSE, {**LICENSE, "profile": "Other"}]},
        f"License {SESSION} is declared 2 times",
        "licenses",
        "Keep one",
    ),
    "activate_two_licenses_for_one_profile": (
        "activate",
        {"licenses": [LICENSE, {**LICENSE, "number": SERVER}]},
        "Profile PROSession is claimed by licenses 2 times",
        "licenses",
        "Keep one",
    ),
    "activate_without_authority": (
        "activate",
        {"licenses": [LICENSE], "authority": "nonsense"},
        "'nonsense' is not an authority",
        "authority",
        "Use 'ledger:",
    ),
    "activate_over_https_without_its_certificate": (
        "activate",
        {"licenses": [LICENSE], "authority": "https://authority.example.com"},
        "the realm has no ca",
        "https://authority.example.com",
        "aims_license_server_realm",
    ),
    "deactivate_malformed_number": (
        "deactivate",
        {"licenses": ["015.120"], "bundle": "bundles/old/latest"},
        "'015.120' is not a license number",
        "licenses[0]",
        WRITE_NUMBER,
    ),
    "deactivate_number_twice": (
        "deactivate",
        {"licenses": [SERVER, SERVER], "bundle": "bundles/old/latest"},
        f"License {SERVER} is listed 2 times",
        "licenses",
        "Keep one",
    ),
    "profile_declared_twice": (
        "profile",
        {"profiles": [{"name": "Night", "license": SERVER}] * 2},
        "Profile Night is declared 2 times",
        "profiles",
        "Keep one",
    ),
    "profile_of_a_license_that_is_not_installed": (
        "profile",
        {"profiles": [{"name": "Night", "license": MISSING}]},
        f"Profile Night names license {MISSING}",
        "aims-license-server",
        "Install the license first",
    ),
    "profile_name": (
        "profile",
        {"profiles": [{"name": "-", "license": SERVER}]},
        "'-' is not a profile name",
        "profiles[0].name",
        "beginning with a letter or digit",
    ),
    "install_of_the_vendors_server": (
        "server_install",
        {"backend": "vendor"},
        "The vendor's license server is installed by its own package only",
        "vendor_package",
        "Name the package (vendor_package), or install it by hand",
    ),
    "maintenance_of_the_vendors_server": (
        "maintenance",
        {"backend": "vendor", "state": "enabled"},
        "this version neither enters nor leaves maintenance mode: that is a person's step",
        "usr/local/Aimms",
        "Maintenance > Maintenance mode",
    ),
    "info_relative_home": ("info", {"home": "opt/x", "root": "/"}, "not an absolute path", "home", "Write it as"),
    "info_relative_root": ("info", {"root": "hosts/old"}, "'hosts/old' is not an absolute path", "root", "full path"),
    "info_missing_root": ("info", {"root": "/nowhere"}, "The alternate root does not exist", "/nowhere", "Create it"),
    "install_nonsense_for_an_authority": (
        "server_install",
        {"authority": "nonsense"},
        "'nonsense' is not an authority",
        "authority",
        "Use 'ledger:",
    ),
    "authority_offline": (
        "authority",
        {"authority": "offline", "licenses": []},
        "'offline' names no ledger",
        "authority",
        "Use 'ledger:",
    ),
}


@pytest.mark.parametrize("call", CALLS)
def test_module_called_directly_tells_it_too(pair: Rehearsal, call: str) -> None:
    module, arguments, what, where, todo = CALLS[call]
    refusal = pair.refused_task("old", module, **arguments)
    assert refusal.problem
    assert refusal.tells(what, where, todo)


def test_module_called_directly_on_a_host_without_a_license_server(pair: Rehearsal) -> None:
    refusal = pair.refused_task("new", "activate", licenses=[LICENSE])
    assert refusal.tells("No license server is installed here", str(pair.home("new")), "aims_license_server_install")


@pytest.mark.parametrize(
    ("module", "option", "what", "todo"),
    [
        ("plan", "givr", "Unknown option givr", "Known options are accept_unauthenticated, bundles"),
        ("report", "afterwards", "Unknown option afterwards", "Known options are activated, address, after"),
        ("plan", "bundles", "Option licenses, source, target is missing", "Set it"),
        ("report", "bundle", "Option after, dest, planned, source, target is missing", "Set it"),
    ],
)
def test_module_without_a_host_tells_a_wrong_option(
    pair: Rehearsal, module: str, option: str, what: str, todo: str
) -> None:
    refusal = pair.refused_task("old", module, **{option: "x"})
    assert refusal.tells(what, f"aims_license_{module}", todo)
