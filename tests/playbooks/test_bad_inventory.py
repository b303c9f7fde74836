# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventories with mistakes: all of them are told at once, before any host is touched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest
from playbooks.bad_input import CLIENT, MISSING, SERVER, SESSION, Rehearsal

LICENSES = "aims_license_server_licenses"
PROFILES = "aims_license_server_profiles"
SOURCE = "aims_license_migrate_source"
AUTHORITY = "aims_license_server_authority"
WRITE_NUMBER = "four groups of three digits"
COPY_CODE = "Copy the code again"
BAD_CODE = "ABCDE-FGHIJ-KLMNO"

Change = Callable[[Rehearsal], Any]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    """A rehearsed pair; the tests here leave everything but its inventory unchanged."""
    return Rehearsal(tmp_path_factory.mktemp("inventory"))


@pytest.fixture
def pair(shared: Rehearsal) -> Iterator[Rehearsal]:
    """The rehearsed pair with the inventory of the worked example."""
    shared.inventory = shared.worked_example()
    shared.write_inventory()
    yield shared


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
        "Known keys are activation_code, default, nodelock, number, profile",
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
        "Profile Client is declared for a license already",
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
    "two_targets_with_one_source": (
        lambda pair: pair.add_pair("new2", "old2").update({SOURCE: "old"}),
        "new, new2 share the source old",
        "inventory",
        "a source of its own",
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
        "The vendor backend is not part of this version",
        "host new, aims_license_server_backend",
        "by hand for now",
    ),
    "unknown_backend": (
        lambda pair: pair.target_vars.update(aims_license_server_backend="bundeld"),
        "'bundeld' is not a backend",
        "host new, aims_license_server_backend",
        "Use 'bundled'",
    ),
    "authority_over_https_without_its_certificate": (
        lambda pair: pair.target_vars.update({AUTHORITY: "https://authority.example.com:8443"}),
        "its realm has no ca",
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


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_told_before_any_host_is_touched(pair: Rehearsal, mistake: str) -> None:
    make, what, where, todo = MISTAKES[mistake]
    with pair.declaring():
        make(pair)
    refusal = pair.refused(secret=BAD_CODE)
    assert refusal.tells(what, where, todo)
    assert "TASK [Check the inventory]" in refusal.output
    assert refusal.output.count("TASK [") == 1


def test_mistake_in_what_all_hosts_share_is_told_for_each(pair: Rehearsal) -> None:
    with pair.declaring():
        del pair.common[AUTHORITY]
    refusal = pair.refused()
    for host in ("old", "new"):
        assert refusal.tells("No authority is given", f"host {host}, {AUTHORITY}", "Use 'ledger:")


@pytest.mark.parametrize("playbook", ["rollback", "rehearse", "reconcile"])
def test_mistake_is_told_by_every_playbook(pair: Rehearsal, playbook: str) -> None:
    with pair.declaring():
        first(pair, number="015.120.064", profil="PROServer")
        pair.target_vars["aims_license_server_licences"] = []
    refusal = pair.refused(playbook)
    assert refusal.tells("'015.120.064' is not a license number", f"host new, {LICENSES}[0].number", WRITE_NUMBER)
    assert refusal.tells("Unknown key profil", f"host new, {LICENSES}[0]", "Known keys are")
    assert refusal.tells("no variable aims_license_server_licences", "host new", f"Did you mean {LICENSES}?")


def test_check_mode_tells_the_same(pair: Rehearsal) -> None:
    with pair.declaring():
        first(pair, number="015.120.064")
    assert pair.refused("migrate", "--check").text == pair.refused("migrate").text


def test_all_mistakes_of_an_inventory_are_told_at_once(pair: Rehearsal) -> None:
    with pair.declaring():
        far = pair.add_pair("new2", "old2")
        pair.add_pair("new3", "old3").update({SOURCE: "old2"})
        far[LICENSES][0].update(number=CLIENT, activation_code="{{ vault_far }}")
        far["aims_license_server_hom"] = "/opt/x"
        far[AUTHORITY] = "nonsense"
        pair.target_vars[SOURCE] = "odl"
        pair.target_vars["aims_license_server_root"] = "hosts/new"
        pair.target_vars["aims_license_server_users"] = ["jane", "CORP\\joe", "bob"]
        pair.target_vars[PROFILES] = [
            {"name": "/", "license": SERVER},
            {"name": "Day", "license": CLIENT},
            {"name": "Day", "license": CLIENT},
            {"name": "Client", "license": CLIENT},
        ]
        first(pair, number="1.2.3", activation_code=BAD_CODE, profil="x", nodelock="floating")
        pair.declared[1].update(profile="Client", activation_code="{{ vault_prosesion }}")
        pair.declared[2].update(default="perhaps")
    refusal = pair.refused(secret=BAD_CODE)
    for what, where in (
        ("'1.2.3' is not a license number", f"host new, {LICENSES}[0].number"),
        ("five groups of 5 or 6", f"host new, {LICENSES}[0].activation_code"),
        ("Unknown key profil", f"host new, {LICENSES}[0]"),
        ("'floating' is not a nodelock", f"host new, {LICENSES}[0].nodelock"),
        ("'vault_prosesion' is undefined", f"host new, {LICENSES}[1].activation_code"),
        ("'perhaps' is neither true nor false", f"host new, {LICENSES}[2].default"),
        ("'vault_far' is undefined", f"host new2, {LICENSES}[0].activation_code"),
        ("The source odl is not in the inventory", f"host new, {SOURCE}"),
        ("new2, new3 share the source old2", "inventory"),
        ("'hosts/new' is not an absolute path", "host new, aims_license_server_root"),
        ("'jane' is not a registered user", "host new, aims_license_server_users"),
        ("'bob' is not a registered user", "host new, aims_license_server_users"),
        (f"License {CLIENT} is declared for new and new2", "inventory"),
        ("Profile Client is declared for a license already", f"host new, {PROFILES}"),
        ("'/' is not a profile name", f"host new, {PROFILES}[0].name"),
        ("Profile Day is declared 2 times", f"host new, {PROFILES}"),
        ("no variable aims_license_server_hom", "host new2"),
        ("'nonsense' is not an authority", f"host new2, {AUTHORITY}"),
    ):
        assert refusal.tells(what, where, "")
    assert refusal.text.count("\n") + 1 == len(refusal.problems) == len({str(one) for one in refusal.problems})


def test_every_vault_variable_that_is_missing_is_told(pair: Rehearsal) -> None:
    with pair.declaring():
        for license in pair.declared:
            license["activation_code"] = f"{{{{ absent_{license['profile'].lower()} }}}}"
    refusal = pair.refused()
    for at, name in enumerate(("proserver", "prosession", "client")):
        where = f"host new, {LICENSES}[{at}].activation_code"
        assert refusal.tells(f"'absent_{name}' is undefined", where, "Define what it refers to")


def test_no_vault_password(pair: Rehearsal) -> None:
    with pair.declaring():
        for license in pair.declared:
            license["activation_code"] = pair.codes[license["number"]]
    vault, config = pair.folder / "group_vars" / "all" / "vault.yml", pair.folder / "ansible.cfg"
    encrypted, settings = vault.read_bytes(), config.read_text(encoding="utf-8")
    vault.unlink()
    config.write_text("".join(f"{line}\n" for line in settings.splitlines() if "vault" not in line), encoding="utf-8")
    try:
        refusal = pair.refused()
        assert "No vault password is given" in refusal.problem["what"]
        assert "controller" in refusal.problem["where"]
        assert "--vault-password-file" in refusal.problem["todo"]
        # A variable of the command line is a text. There is no pair, and none is asked for.
        with pair.declaring():
            del pair.target_vars[SOURCE]
        unneeded = pair.task("old", "inventory", vault="{{ needed }}", pairs="{{ needed }}", hosts=["new"])
        pair.succeeds(unneeded, "-e", "needed=no")
        refused = pair.refused_task("old", "backup", dest="bundles")
        assert "No vault password is given" in refused.problem["what"]
        assert "--vault-password-file" in refused.problem["todo"]
    finally:
        vault.write_bytes(encrypted)
        config.write_text(settings, encoding="utf-8")


# Modules that are called without the roles, which would catch these earlier.
WANTED = {"number": SESSION, "activation_code": "ABCDE-FGHIJ-KLMNO-PQRST-UVWXY", "profile": "PROSession"}
CALLS: dict[str, tuple[str, dict[str, Any], str, str, str]] = {
    "activate_malformed_number": (
        "activate",
        {"licenses": [{**WANTED, "number": "015.120"}]},
        "'015.120' is not a license number",
        "licenses[0].number",
        WRITE_NUMBER,
    ),
    "activate_malformed_code": (
        "activate",
        {"licenses": [{**WANTED, "activation_code": BAD_CODE}]},
        "five groups of 5 or 6",
        "licenses[0].activation_code",
        COPY_CODE,
    ),
    "activate_number_twice": (
        "activate",
        {"licenses": [WANTED, {**WANTED, "profile": "Other"}]},
        f"License {SESSION} is declared 2 times",
        "licenses",
        "Keep one",
    ),
    "activate_two_licenses_for_one_profile": (
        "activate",
        {"licenses": [WANTED, {**WANTED, "number": SERVER}]},
        "Profile PROSession is claimed by licenses 2 times",
        "licenses",
        "Keep one",
    ),
    "activate_without_authority": (
        "activate",
        {"licenses": [WANTED], "authority": "nonsense"},
        "'nonsense' is not an authority",
        "authority",
        "Use 'ledger:",
    ),
    "activate_over_https_without_its_certificate": (
        "activate",
        {"licenses": [WANTED], "authority": "https://authority.example.com"},
        "its realm has no ca",
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
        f"License {SERVER} is given 2 times",
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
    "info_vendor": ("info", {"backend": "vendor"}, "The vendor backend is not part", "backend", "by hand for now"),
    "info_relative_home": ("info", {"home": "opt/x", "root": "/"}, "not an absolute path", "home", "Write it as"),
    "info_relative_root": ("info", {"root": "hosts/old"}, "'hosts/old' is not an absolute path", "root", "full path"),
    "info_missing_root": ("info", {"root": "/nowhere"}, "The alternate root is not there", "/nowhere", "Create it"),
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
        "Give 'ledger:",
    ),
}


@pytest.mark.parametrize("call", CALLS)
def test_module_called_directly_tells_it_too(pair: Rehearsal, call: str) -> None:
    module, arguments, what, where, todo = CALLS[call]
    refusal = pair.refused_task("old", module, **arguments)
    assert refusal.problem
    assert refusal.tells(what, where, todo)


def test_module_called_directly_on_a_host_without_a_license_server(pair: Rehearsal) -> None:
    refusal = pair.refused_task("new", "activate", licenses=[WANTED])
    assert refusal.tells("No license server is installed here", str(pair.home("new")), "aims_license_server_install")


@pytest.mark.parametrize(
    ("module", "given", "what", "todo"),
    [
        ("plan", "givr", "Unknown option givr", "Known options are accept_unauthenticated, bundles"),
        ("report", "afterwards", "Unknown option afterwards", "Known options are activated, address, after"),
        ("plan", "bundles", "Option licenses, source, target is missing", "Give it"),
        ("report", "bundle", "Option after, dest, planned, source, target is missing", "Give it"),
    ],
)
def test_module_without_a_host_tells_a_wrong_option(
    pair: Rehearsal, module: str, given: str, what: str, todo: str
) -> None:
    refusal = pair.refused_task("old", module, **{given: "x"})
    assert refusal.tells(what, f"aims_license_{module}", todo)


@pytest.mark.parametrize(
    ("playbook", "group", "wrong", "right"),
    [
        ("backup", "sources", "aims_license_migrate_dri", "aims_license_migrate_dir"),
        ("authority", "authorities", "aims_license_authority_prot", "aims_license_authority_port"),
    ],
)
def test_misspelt_variable_of_a_host_without_a_pair(
    pair: Rehearsal, playbook: str, group: str, wrong: str, right: str
) -> None:
    with pair.declaring():
        pair.inventory["all"]["children"].setdefault(f"aims_license_{group}", {"hosts": {}})
        pair.add_host("away", f"aims_license_{group}", **{wrong: "there"})
    refusal = pair.refused(playbook)
    assert refusal.tells(f"no variable {wrong}", "host away", f"Did you mean {right}?")


@pytest.mark.parametrize("playbook", ["migrate", "rollback", "rehearse", "reconcile", "backup"])
def test_an_inventory_without_any_host(pair: Rehearsal, playbook: str) -> None:
    empty = pair.folder / "empty.yml"
    empty.write_text("all: {}\n", encoding="utf-8")
    before = pair.everything()
    run = pair.play(playbook, "-i", str(empty))
    assert run.code != 0
    assert "No host is" in run.output and "group aims_license_" in run.output and "Traceback" not in run.output
    assert pair.everything() == before
