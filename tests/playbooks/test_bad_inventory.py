# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventories with mistakes: all of them are told at once, before any host is touched."""

from __future__ import annotations

import pytest
from playbooks.bad_input import CLIENT, SERVER, Rehearsal
from playbooks.mistakes import AUTHORITY, BAD_CODE, LICENSES, MISTAKES, PROFILES, SOURCE, WRITE_NUMBER, first


@pytest.fixture
def pair(undamaged: Rehearsal) -> Rehearsal:
    """The rehearsed pair with the inventory of the worked example."""
    undamaged.inventory = undamaged.worked_example()
    undamaged.write_inventory()
    return undamaged


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
        assert refusal.tells("No authority is set", f"host {host}, {AUTHORITY}", "Use 'ledger:")


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
        ("'hosts/new' is not an absolute path", "host new, aims_license_server_root"),
        ("'jane' is not a registered user", "host new, aims_license_server_users"),
        ("'bob' is not a registered user", "host new, aims_license_server_users"),
        (f"License {CLIENT} is declared for new and new2", "inventory"),
        ("Profile Client is already declared for a license", f"host new, {PROFILES}"),
        ("'/' is not a profile name", f"host new, {PROFILES}[0].name"),
        ("Profile Day is declared 2 times", f"host new, {PROFILES}"),
        ("no variable aims_license_server_hom", "host new2"),
        ("'nonsense' is not an authority", f"host new2, {AUTHORITY}"),
    ):
        assert refusal.tells(what, where, "")
    assert refusal.text.count("\n") + 1 == len(refusal.problems) == len({str(problem) for problem in refusal.problems})


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
