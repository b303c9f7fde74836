# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No activation code is shown by any of Ansible's ways to show more: task headers, debugging, callbacks, registered
results, facts. What fails still says why."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.lab import NUMBERS, Lab, new_code
from support.leaks import leaks
from support.runs import must
from support.steps import LOUD

CALLBACKS = Path(__file__).parents[1] / "callback_plugins"
STDOUT = ["default", "minimal", "oneline"]


def talkative(lab: Lab, callback: str = "default") -> dict[str, str]:
    """Settings that have Ansible show whatever it can, and hand everything to callbacks that write files."""
    return {
        "ANSIBLE_STDOUT_CALLBACK": callback,
        "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "true",
        "ANSIBLE_DEBUG": "1",
        "ANSIBLE_CHECK_MODE_MARKERS": "true",
        "ANSIBLE_DISPLAY_OK_HOSTS": "true",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
        "ANSIBLE_CALLBACKS_ENABLED": "aims_everything,ansible.builtin.tree,ansible.builtin.junit",
        "AIMS_EVERYTHING": str(lab.folder / "everything.log"),
        "ANSIBLE_CALLBACK_TREE_DIR": str(lab.folder / "tree"),
        "JUNIT_OUTPUT_DIR": str(lab.folder / "junit"),
        "ANSIBLE_LOG_PATH": str(lab.folder / "ansible.log"),
        "ANSIBLE_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(lab.folder / "facts"),
        "ANSIBLE_RETRY_FILES_ENABLED": "true",
        "ANSIBLE_RETRY_FILES_SAVE_PATH": str(lab.folder / "retry"),
    }


@pytest.mark.parametrize("callback", STDOUT)
def test_no_callback_is_given_a_code(lab: Lab, callback: str) -> None:
    settings, outputs = talkative(lab, callback), {}
    for name, *options in (
        ["rehearse", "--tags", "prepare"],
        ["migrate", "--check"],
        ["migrate"],
        ["reconcile"],
        ["rollback"],
    ):
        run = must(lab.play(name, *LOUD, *options, **settings))
        outputs[" ".join([name, *options])] = run.output.encode()
    everything = (lab.folder / "everything.log").read_text(encoding="utf-8")
    # What was given to callbacks is what this is about.
    assert everything.count("aims_license_server_licenses") > 5 and NUMBERS[0] in everything
    assert leaks(lab, outputs) == []


def test_what_fails_says_why_and_shows_no_code(rehearsed: Lab) -> None:
    """Also to a playbook of somebody's own, which shows what Ansible keeps of a task that failed."""
    lab, settings = rehearsed, talkative(rehearsed)
    wrong = new_code()
    lab.codes["a wrong code"] = wrong
    secret = lab.folder / "group_vars" / "all" / "vault.yml"
    vault = lab.secrets()
    secret.write_bytes(vault.encrypt(vault.decrypt(secret.read_bytes()) + f"tried: {wrong}\n".encode()))
    licenses = lab.target_vars["aims_license_server_licenses"]
    lab.target_vars["aims_license_server_licenses"] = [{**licenses[0], "activation_code": "{{ tried }}"}, *licenses[1:]]
    lab.write_inventory()
    shown = [
        {"name": "Show what failed", "ansible.builtin.debug": {"var": "ansible_failed_task"}},
        {"name": "Show how", "ansible.builtin.debug": {"var": "ansible_failed_result"}},
        {
            "name": "Keep the result",
            "ansible.builtin.set_fact": {"kept": "{{ ansible_failed_task.args }}", "cacheable": True},
        },
        {"name": "Show each", "ansible.builtin.debug": {"var": "item"}, "loop": "{{ kept | dict2items }}"},
    ]
    role = {"name": "Run the role", "ansible.builtin.include_role": {"name": "aims.licensing.aims_license_server"}}
    outputs = {}
    for name in ("migrate", "reconcile"):
        run = lab.play(name, *LOUD, **settings)
        assert run.code != 0 and "activation code" in run.output
        outputs[name] = run.output.encode()
    own = lab.write_play("own", "new", [{"name": "Try", "block": [role], "rescue": shown}])
    run = lab.play(own, *LOUD, **settings)
    outputs["own"] = run.output.encode()
    assert "ansible_failed_task" in run.output and "with this activation code" in run.output, run.output[-3000:]
    assert leaks(lab, outputs) == []


def test_a_task_of_ones_own_names_the_variable_of_the_codes(rehearsed: Lab) -> None:
    lab, settings = rehearsed, talkative(rehearsed)
    task = {
        "name": "Quote",
        "aims.licensing.aims_license_activate": {
            "root": "{{ aims_license_server_root }}",
            "authority": "{{ aims_license_server_authority }}",
            "licenses": [{"number": number} for number in NUMBERS],
            "codes_from": "aims_license_server_licenses",
            "released_by": ["*"],
        },
        "check_mode": True,
        "register": "quote",
    }
    show = {"name": "Show", "ansible.builtin.debug": {"var": "quote"}}
    run = must(lab.play(lab.write_play("own", "new", [task, show]), *LOUD, **settings))
    assert "'spends': 1" in run.output or '"spends": 1' in run.output or "spends: 1" in run.output
    assert leaks(lab, {"own": run.output.encode()}) == []
    task["aims.licensing.aims_license_activate"]["codes_from"] = "nobody_declares_this"  # type: ignore[index]
    run = lab.play(lab.write_play("own", "new", [task]))
    assert run.code != 0 and "'nobody_declares_this' is not a variable of this host." in run.output


def test_the_search_finds_a_code_in_a_task(rehearsed: Lab) -> None:
    """What the tests above rely on: a task that has codes, as in a playbook of somebody's own, shows them."""
    task = {
        "name": "Carry codes",
        "aims.licensing.aims_license_pair_info": {
            "target": {"host": "new", "authority": "", "info": {}},
            "licenses": "{{ aims_license_server_licenses }}",
        },
    }
    run = rehearsed.play(rehearsed.write_play("own", "new", [task]), *LOUD, **talkative(rehearsed))
    assert run.code == 0 and leaks(rehearsed, {"own": run.output.encode()})
