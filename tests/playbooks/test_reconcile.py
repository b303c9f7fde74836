# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing a host to what is declared for it: from nothing, and after somebody changed it by hand."""

from __future__ import annotations

import json
import re

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION
from playbooks.hostile import turn_hostile
from support.lab import GRANTS, NUMBERS, WORKED_EXAMPLE, Lab
from support.runs import Run, must
from support.worked_example import WRONG_CODE


@pytest.fixture(scope="session")
def _reconciled(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A fresh host, and licenses that were issued but never active anywhere, after the first reconciliation."""
    made = Lab(tmp_path_factory.mktemp("reconciled") / "lab")
    issue = {
        "name": "Issue the licenses",
        "aims.licensing.aims_license_authority": {
            "authority": "{{ aims_license_server_authority }}",
            "licenses": "{{ aims_license_server_licenses }}",
            "details": GRANTS,
        },
    }
    must(made.play(made.write_play("issue", made.target, [issue])))
    made.target_vars["aims_license_server_users"] = ["AIMS\\dora"]
    made.target_vars["aims_license_server_profiles"] = [{"name": "Nightly", "license": NUMBERS[1]}]
    made.write_inventory()
    before = made.everything()
    predicted = must(made.play("reconcile", "--check", "--diff"))
    assert made.everything() == before
    assert predicted.changed > 0
    assert must(made.play("reconcile", "--diff")).changed == predicted.changed
    return made


@pytest.fixture
def reconciled(_reconciled: Lab, request: pytest.FixtureRequest) -> Lab:
    """A host that was brought to what is declared for it."""
    return _reconciled.copy_to(request.getfixturevalue("tmp_path") / "reconciled")


def profiles(lab: Lab) -> list[tuple[str, bool]]:
    return [(one["name"], one["default"]) for one in lab.overview("new")["profiles"]]


DECLARED = [*((one["profile"], one.get("default", False)) for one in WORKED_EXAMPLE), ("Nightly", False)]


def shown(run: Run) -> list[str]:
    """What a run with ``--diff`` shows of what it changes."""
    heads = ("---", "+++")
    marks = ("-", "+", "restore ", "write ", "start ")
    return [line for line in run.output.splitlines() if line.startswith(marks) and not line.startswith(heads)]


def mended(lab: Lab) -> Run:
    """Check mode predicts the mending and changes nothing; the run mends; a second one has nothing to do.

    :returns: the run that mended, which shows the difference that check mode showed
    """
    before = lab.everything()
    predicted = must(lab.play("reconcile", "--check", "--diff"))
    assert lab.everything() == before
    run = must(lab.play("reconcile", "--diff"))
    assert run.changed == predicted.changed == 1
    assert shown(run) == shown(predicted)
    settled = lab.everything()
    assert must(lab.play("reconcile")).changed == 0
    assert lab.everything() == settled
    return run


def test_a_fresh_host_gets_everything(reconciled: Lab) -> None:
    assert reconciled.held("new") == set(NUMBERS)
    # The first machine that a license is activated on is not a transfer.
    assert reconciled.transfers() == dict.fromkeys(NUMBERS, 0)
    assert profiles(reconciled) == DECLARED
    assert reconciled.overview("new")["users"] == ["AIMS\\dora"]
    assert not reconciled.home("old").exists()

    before = reconciled.everything()
    assert must(reconciled.play("reconcile")).changed == 0
    assert reconciled.everything() == before


def test_a_renamed_and_a_removed_profile_come_back(reconciled: Lab) -> None:
    reconciled.licman("new", "--profile-remove", "Client")
    reconciled.licman("new", "--profile-add", "Customer", "--license", NUMBERS[2])
    reconciled.licman("new", "--profile-remove", "PROSession")
    reconciled.licman("new", "--profile-remove", "Nightly")
    assert ("Customer", False) in profiles(reconciled)
    run = mended(reconciled)
    assert profiles(reconciled) == DECLARED
    assert any(line.startswith("-") and "Customer" in line for line in shown(run))
    assert any(line.startswith("+") and "PROSession" in line for line in shown(run))


def test_the_files_of_the_package_come_back(reconciled: Lab) -> None:
    licman = reconciled.home("new") / "Bin" / "licman"
    original = reconciled.tree(licman.parent, times=False)
    licman.chmod(0o777)
    assert shown(mended(reconciled)) == [f"restore the files of {VERSION}"]
    assert reconciled.tree(licman.parent, times=False) == original
    licman.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    mended(reconciled)
    assert reconciled.tree(licman.parent, times=False) == original
    assert reconciled.held("new") == set(NUMBERS)


def test_the_settings_of_the_server_and_its_facts_are_brought_to_what_is_declared(reconciled: Lab) -> None:
    reconciled.target_vars.update(
        aims_license_server_allowed_hosts=["Licenses.example.com"], aims_license_server_usage_log=False
    )
    reconciled.write_inventory()
    assert "answer under the names licenses.example.com" in mended(reconciled).output
    config = json.loads((reconciled.home("new") / "Config" / "server.json").read_text(encoding="utf-8"))
    assert (config["allowed_hosts"], config["usage_log"]) == (["licenses.example.com"], False)
    folder = reconciled.home("new").parents[1] / "etc" / "ansible" / "facts.d"
    (folder / "aims_license_server.fact").write_text("{", encoding="utf-8")
    assert shown(mended(reconciled)) == ["write the facts /etc/ansible/facts.d/aims_license_server.fact"]
    # As Ansible gathers them.
    gathered = [
        {"ansible.builtin.setup": {"fact_path": str(folder), "gather_subset": ["!all", "!min", "local"]}},
        {
            "ansible.builtin.debug": {
                "msg": "{{ ansible_local.aims_license_server.servers | map(attribute='version') }}"
            }
        },
    ]
    assert f'"{VERSION}"' in must(reconciled.play(reconciled.write_play("facts", "new", gathered))).output


def test_maintenance_mode_is_nobodys_declaration(reconciled: Lab) -> None:
    # Somebody put the server into maintenance mode for a reason; reconciling does not end the running PRO jobs.
    reconciled.licman("new", "--maintenance", "on")
    before = reconciled.everything()
    assert must(reconciled.play("reconcile")).changed == 0
    assert reconciled.everything() == before


def test_offline_check_mode_tells_which_requests_will_wait_and_makes_none(reconciled: Lab) -> None:
    reconciled.licman("new", "--nodelock-deactivate", NUMBERS[0])
    reconciled.go_offline()
    request = reconciled.work / "offline" / f"{NUMBERS[0].replace('.', '')}.request"

    def foretold(status: str) -> Run:
        before = reconciled.everything()
        run = must(reconciled.play("reconcile", "--check", "--diff"))
        assert reconciled.everything() == before
        told = re.search(rf"1 request\(s\) (will )?wait in {request.parent}: {request.name}\.", run.output)
        assert (told is not None) is (status != "Active")
        return run

    # The first run makes the request, further ones wait for its response, the last one has it.
    changed = [any(f'"{NUMBERS[0]}": "Pending Activation' in line for line in shown(foretold("Pending Activation")))]
    for _run in range(2):
        run = reconciled.play("reconcile", "--diff")
        assert run.code != 0 and "1 request(s) wait in" in run.output
        changed.append(any(f'"{NUMBERS[0]}": "Pending Activation' in line for line in shown(run)))
        foretold("Pending Activation")
    assert changed == [True, True, False]
    reconciled.authority("process", str(request), host="new")
    predicted = foretold("Active")
    run = must(reconciled.play("reconcile", "--diff"))
    assert shown(run) == shown(predicted) and reconciled.held("new") == set(NUMBERS)


def test_a_license_that_is_held_is_judged_by_both_playbooks_the_same(migrated: Lab) -> None:
    migrated.target_vars["aims_license_server_licenses"][1]["activation_code"] = WRONG_CODE
    migrated.write_inventory()
    before = migrated.everything()
    for arguments in (("migrate", "--check"), ("migrate",), ("reconcile", "--check"), ("reconcile",)):
        run = migrated.play(*arguments)
        output = " ".join(run.output.split())
        assert run.code == 2 and WRONG_CODE not in output and "Nothing is left to do" not in output
        assert f"The activation code declared for license {NUMBERS[1]} is not this license's." in output
    assert migrated.everything() == before


def test_a_host_that_holds_its_licenses_is_sent_no_activation_code(migrated: Lab) -> None:
    sent = turn_hostile(migrated, migrated.target, "")
    assert must(migrated.play("reconcile")).changed == 0
    told = sent.read_text(encoding="utf-8")
    assert NUMBERS[0] in told and [code for code in migrated.codes.values() if code in told] == []
