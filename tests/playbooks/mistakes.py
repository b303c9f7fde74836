# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mistakes in inventories, and the three parts of the message that each of them gets."""

from __future__ import annotations

from typing import Any, Callable

from playbooks.bad_input import CLIENT, MISSING, SERVER, Rehearsal

LICENSES = "aims_license_server_licenses"
PROFILES = "aims_license_server_profiles"
SOURCE = "aims_license_migrate_source"
AUTHORITY = "aims_license_server_authority"
WRITE_NUMBER = "four groups of three digits"
COPY_CODE = "Copy the code again"
BAD_CODE = "ABCDE-FGHIJ-KLMNO"
Change = Callable[[Rehearsal], Any]


def first(pair: Rehearsal, **changed: Any) -> None:
    pair.declared[0].update(changed)


MISTAKES: dict[str, tuple[Change, str, str, str]] = {
    "malformed_license_number": (
        lambda pair: first(pair, number="015.120.064"),
        "'015.120.064' is not a license number",
        f"host new, {LICENSES}[0].number",
        WRITE_NUMBER,
    ),
    "license_number_read_as_a_float": (
        lambda pair: first(pair, number=15.12),
        "15.12 is not a license number",
        f"host new, {LICENSES}[0].number",
        "in quotes",
    ),
    "license_number_twice_in_one_host": (
        lambda pair: pair.declared[1].update(number=SERVER),
        f"License {SERVER} is declared 2 times",
        f"host new, {LICENSES}",
        "Keep one",
    ),
    "license_number_for_two_targets": (
        lambda pair: pair.add_pair("new2", "old2")[LICENSES][0].update(number=SERVER),
        f"License {SERVER} is declared for new and new2",
        "inventory",
        "one target only",
    ),
    "malformed_activation_code": (
        lambda pair: pair.declared[1].update(activation_code=BAD_CODE),
        "five groups of 5 or 6",
        f"host new, {LICENSES}[1].activation_code",
        COPY_CODE,
    ),
    "no_activation_code": (
        lambda pair: pair.declared[1].pop("activation_code"),
        "five groups of 5 or 6",
        f"host new, {LICENSES}[1].activation_code",
        COPY_CODE,
    ),
    "activation_code_of_a_vault_variable_that_is_missing": (
        lambda pair: first(pair, activation_code="{{ vault_proservr }}"),
        "'vault_proservr' is undefined",
        f"host new, {LICENSES}",
        "Define what it refers to",
    ),
    "misspelt_key_in_a_license": (
        lambda pair: first(pair, profil="PROServer"),
        "Unknown key profil",
        f"host new, {LICENSES}[0]",
        "Known keys are activation_code, default, nodelock, number, profile, source, transfers_spent",
    ),
    "licenses_that_are_no_list": (
        lambda pair: pair.target_vars.update({LICENSES: "015.120.064.022"}),
        "not a list",
        f"host new, {LICENSES}",
        "Declare a list",
    ),
    "license_that_is_no_mapping": (
        lambda pair: pair.declared.append("015.120.064.022"),
        "not a mapping",
        f"host new, {LICENSES}[3]",
        "Write {number:",
    ),
    "default_that_is_neither_true_nor_false": (
        lambda pair: first(pair, default="perhaps"),
        "'perhaps' is neither true nor false",
        f"host new, {LICENSES}[0].default",
        "Use true or false",
    ),
    "unknown_nodelock": (
        lambda pair: first(pair, nodelock="floating"),
        "'floating' is not a nodelock",
        f"host new, {LICENSES}[0].nodelock",
        "Use machine or personal",
    ),
    "two_licenses_for_one_profile": (
        lambda pair: pair.declared[1].update(profile="PROServer"),
        "Profile PROServer is claimed by licenses 2 times",
        f"host new, {LICENSES}",
        "Keep one",
    ),
    "profile_declared_twice": (
        lambda pair: pair.target_vars.update({PROFILES: [{"name": "Night", "license": SERVER}] * 2}),
        "Profile Night is declared 2 times",
        f"host new, {PROFILES}",
        "Keep one",
    ),
    "profile_of_a_license_declared_again": (
        lambda pair: pair.target_vars.update({PROFILES: [{"name": "Client", "license": CLIENT}]}),
        "Profile Client is already declared for a license",
        f"host new, {PROFILES}",
        "Keep one",
    ),
    "profile_of_a_license_that_is_not_declared": (
        lambda pair: pair.target_vars.update({PROFILES: [{"name": "Night", "license": MISSING}]}),
        f"Profile Night names license {MISSING}",
        f"host new, {PROFILES}[0]",
        "Install the license first",
    ),
    "profiles_that_are_no_list": (
        lambda pair: pair.target_vars.update({PROFILES: "Night"}),
        "not a list",
        f"host new, {PROFILES}",
        "Declare a list",
    ),
    "source_that_is_the_target": (
        lambda pair: pair.target_vars.update({SOURCE: "new"}),
        "Source and target are the same host",
        f"host new, {SOURCE}",
        "Name the other host",
    ),
    "source_that_is_missing": (
        lambda pair: pair.target_vars.update({SOURCE: "odl"}),
        "The source odl is not in the inventory",
        f"host new, {SOURCE}",
        "did you mean old?",
    ),
    "source_that_is_missing_and_like_no_host": (
        lambda pair: pair.target_vars.update({SOURCE: "licenses.example.com"}),
        "The source licenses.example.com is not in the inventory",
        f"host new, {SOURCE}",
        "Add it to the group aims_license_sources",
    ),
    "license_with_a_source_that_is_missing": (
        lambda pair: pair.declared[0].update(source="odl"),
        "The source odl is not in the inventory",
        f"host new, {LICENSES}",
        "did you mean old?",
    ),
    "license_with_a_source_that_is_no_name": (
        lambda pair: pair.declared[0].update(source=["old"]),
        "['old'] is not the name of a host",
        f"host new, {LICENSES}[0].source",
        "Name a host of the inventory",
    ),
    "a_loss_of_one_of_two_sources": (
        lambda pair: (
            pair.add_host("old2", "aims_license_sources"),
            pair.declared[0].update(source="old2"),
            pair.target_vars.update(aims_license_migrate_source_lost=True),
        ),
        "does not say which is lost",
        "host new, aims_license_migrate_source_lost",
        "for the source that is lost",
    ),
    "one_server_under_two_names": (
        lambda pair: pair.add_pair(
            "new2", "old2", aims_license_server_root=f"{pair.folder}/hosts/new", aims_license_server_service="none"
        ),
        "new and new2 are the same license server, with different settings",
        "host new2",
        "Declare the same",
    ),
    "target_without_a_source": (
        lambda pair: pair.target_vars.pop(SOURCE),
        "The target names no source",
        f"host new, {SOURCE}",
        "Name the host that the licenses come from",
    ),
    "no_target": (
        lambda pair: pair.inventory["all"]["children"].update(
            aims_license_targets={}, spare={"hosts": {"new": pair.target_vars}}
        ),
        "No host is in the group aims_license_targets",
        "inventory",
        "Put the new hosts into the group",
    ),
    "misspelt_licenses": (
        lambda pair: pair.target_vars.update(aims_license_server_licences=pair.target_vars.pop(LICENSES)),
        "There is no variable aims_license_server_licences",
        "host new",
        f"Did you mean {LICENSES}?",
    ),
    "misspelt_source": (
        lambda pair: pair.target_vars.update(aims_license_migrate_sorce=pair.target_vars.pop(SOURCE)),
        "There is no variable aims_license_migrate_sorce",
        "host new",
        f"Did you mean {SOURCE}?",
    ),
    "misspelt_variable_of_the_source": (
        lambda pair: pair.inventory["all"]["children"]["aims_license_sources"]["hosts"].update(
            old={"aims_license_server_hom": "/opt/other"}
        ),
        "There is no variable aims_license_server_hom",
        "host old",
        "Did you mean aims_license_server_home?",
    ),
    "vendor_backend": (
        lambda pair: pair.target_vars.update(aims_license_server_backend="vendor"),
        "The target has the vendor's license server, and the source has not",
        "host old, aims_license_server_backend",
        "Set it to vendor for both hosts of the pair",
    ),
    "unknown_backend": (
        lambda pair: pair.target_vars.update(aims_license_server_backend="bundeld"),
        "'bundeld' is not a backend",
        "host new, aims_license_server_backend",
        "Use 'bundled'",
    ),
    "authority_over_https_without_its_certificate": (
        lambda pair: pair.target_vars.update({AUTHORITY: "https://authority.example.com:8443"}),
        "the realm has no ca",
        f"host new, {AUTHORITY}",
        "aims_license_server_realm",
    ),
    "authority_over_https_with_a_path": (
        lambda pair: pair.target_vars.update({AUTHORITY: "https://authority.example.com/v1"}),
        "'https://authority.example.com/v1' is not the address of an authority's service",
        f"host new, {AUTHORITY}",
        "Write it as 'https://host:8443'",
    ),
    "nonsense_for_an_authority": (
        lambda pair: pair.target_vars.update({AUTHORITY: "the internet"}),
        "'the internet' is not an authority",
        f"host new, {AUTHORITY}",
        "Use 'ledger:/absolute/path/authority.db' or 'offline'",
    ),
    "ledger_with_a_relative_path": (
        lambda pair: pair.target_vars.update({AUTHORITY: "ledger:authority.db"}),
        "'ledger:authority.db' is not an authority",
        f"host new, {AUTHORITY}",
        "Use 'ledger:/absolute/path/authority.db' or 'offline'",
    ),
    "relative_home": (
        lambda pair: pair.target_vars.update(aims_license_server_home="opt/licenses"),
        "'opt/licenses' is not an absolute path",
        "host new, aims_license_server_home",
        "full path",
    ),
    "relative_root": (
        lambda pair: pair.target_vars.update(aims_license_server_root="hosts/new"),
        "'hosts/new' is not an absolute path",
        "host new, aims_license_server_root",
        "full path",
    ),
    "user_without_a_domain": (
        lambda pair: pair.target_vars.update(aims_license_server_users=["jane"]),
        "'jane' is not a registered user",
        "host new, aims_license_server_users",
        "DOMAIN\\user",
    ),
    "users_that_are_no_list": (
        lambda pair: pair.target_vars.update(aims_license_server_users="CORP\\jane"),
        "not a list",
        "host new, aims_license_server_users",
        "DOMAIN\\user",
    ),
    "realm_that_is_none": (
        lambda pair: pair.target_vars.update(aims_license_server_realm={"name": "REHEARSAL", "key": "?"}),
        "This is not a realm",
        "host new, aims_license_server_realm",
        "'authority init'",
    ),
}
