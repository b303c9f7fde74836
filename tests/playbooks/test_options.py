# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of ansible-playbook that leave a playbook nothing to do, and settings by which one host stops others."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from support.lab import CHECKOUT, NUMBERS, Lab, new_code
from support.runs import must

PLAYBOOKS = sorted(file.stem for file in (CHECKOUT / "playbooks").glob("*.yml"))
TARGETS = "aims_license_targets"
GROUPS = {
    "authority": ["aims_license_authorities"],
    "backup": ["aims_license_sources"],
    "cut_over": ["aims_license_clients"],
    "info": ["aims_license_sources", TARGETS],
}


def with_all_groups(lab: Lab) -> None:
    lab.inventory["all"]["children"]["aims_license_authorities"] = {"hosts": {"desk": {}}}
    lab.inventory["all"]["children"]["aims_license_clients"] = {"hosts": {"client": {}}}
    lab.write_inventory()


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_limit_that_leaves_nothing_to_do_is_refused(lab: Lab, playbook: str) -> None:
    with_all_groups(lab)
    before = lab.everything()
    groups = GROUPS.get(playbook, [TARGETS])
    declared = [host for group in groups for host in lab.inventory["all"]["children"][group]["hosts"]]
    for limit in {"old", "new", "desk"}.difference(declared):
        run = lab.play(playbook, "--limit", limit)
        assert run.code == 2 and "Traceback" not in run.output, run.output
        assert f"The limit '{limit}' excludes every host of the group {' and '.join(groups)}." in run.output
    assert lab.everything() == before


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_tags_that_leave_nothing_to_do_are_refused(lab: Lab, playbook: str) -> None:
    with_all_groups(lab)
    before = lab.everything()
    for options in (["--tags", "prepared"], ["--tags", "prepared,migrate"], ["--skip-tags", "untagged,prepare"]):
        run = lab.play(playbook, *options)
        if playbook == "rehearse" and options[0] == "--skip-tags":
            continue  # its one tag is prepare
        assert run.code == 2 and "skip the whole playbook: nothing was done" in run.output, run.output
    assert lab.everything() == before


def test_a_playbook_that_imports_ours_may_have_tags_of_its_own(lab: Lab) -> None:
    mark = {"name": "Do what is mine", "ansible.builtin.debug": {"msg": "mine"}, "tags": ["mine"]}
    plays: list[dict[str, Any]] = [
        {"name": "Mine", "hosts": "localhost", "gather_facts": False, "tasks": [mark]},
        {"name": "Theirs", "import_playbook": "aims.licensing.migrate", "tags": ["licenses"]},
    ]
    (lab.folder / "site.yml").write_text(yaml.safe_dump(plays, sort_keys=False), encoding="utf-8")
    run = must(lab.play("site.yml", "--tags", "mine"))
    assert '"msg": "mine"' in run.output
    assert "skip the whole playbook: nothing was done" in " ".join(run.output.split())
    # By their own tag they run, and find that the source has no licenses.
    run = lab.play("site.yml", "--tags", "licenses")
    assert run.code == 2 and "nothing was done" not in run.output and "Read the source's overview" in run.output


@pytest.fixture
def two_pairs(rehearsed: Lab) -> Lab:
    """A second pair, whose target cannot be brought to what is declared: its code is nobody's."""
    children = rehearsed.inventory["all"]["children"]
    for host in ("old2", "new2"):
        rehearsed.make_root(host)
    children["aims_license_sources"]["hosts"]["old2"] = {}
    children["aims_license_targets"]["hosts"]["new2"] = {
        "aims_license_migrate_source": "old2",
        "aims_license_server_licenses": [{"number": "015.120.066.001", "activation_code": new_code()}],
    }
    rehearsed.write_inventory()
    return rehearsed


@pytest.mark.parametrize("strategy", ["linear", "free", "ansible.builtin.host_pinned"])
def test_a_pair_that_fails_does_not_stop_one_that_is_healthy(two_pairs: Lab, strategy: str) -> None:
    role = [{"role": "aims.licensing.aims_license_migrate"}]
    play = {"name": "Move", "hosts": "aims_license_targets", "gather_facts": False, "strategy": strategy}
    play |= {"any_errors_fatal": True, "roles": role}
    if strategy == "linear":
        play["serial"] = 2
    (two_pairs.folder / "own.yml").write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
    run = two_pairs.play("own.yml", "-f", "1", ANSIBLE_ANY_ERRORS_FATAL="true")
    assert run.code == 2 and "is undefined" not in run.output and "Traceback" not in run.output, run.output
    assert run.recap()["new2"]["failed"] == 1 and run.recap()["new"]["failed"] == 0
    assert two_pairs.held("new") == set(NUMBERS)


def test_a_host_that_others_stop_says_so_and_where_it_stands(two_pairs: Lab) -> None:
    role = [{"role": "aims.licensing.aims_license_migrate"}]
    play = {"name": "Move", "hosts": "aims_license_targets", "gather_facts": False, "roles": role}
    play["max_fail_percentage"] = 0
    (two_pairs.folder / "own.yml").write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
    run = two_pairs.play("own.yml")
    assert run.code == 2 and "is undefined" not in run.output and "Traceback" not in run.output, run.output
    must(two_pairs.play("migrate", "--limit", "new"))
    assert two_pairs.held("new") == set(NUMBERS)


@pytest.mark.parametrize("setting", ["any_errors_fatal", "max_fail_percentage"])
def test_a_host_that_fails_does_not_stop_the_reconciliation_of_another(two_pairs: Lab, setting: str) -> None:
    must(two_pairs.play("migrate", "--limit", "new"))
    value: Any = {"any_errors_fatal": True, "max_fail_percentage": 0}[setting]
    role = [{"role": "aims.licensing.aims_license_server"}]
    play = {"name": "Bring", "hosts": "aims_license_targets", "gather_facts": False, setting: value, "roles": role}
    (two_pairs.folder / "own.yml").write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
    run = two_pairs.play("own.yml")
    assert run.code == 2 and "is undefined" not in run.output and "Traceback" not in run.output, run.output
    assert two_pairs.held("new") == set(NUMBERS)
