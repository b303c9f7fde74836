# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that returns more or other things than its modules do: nothing of that reaches another host, or a template."""

from __future__ import annotations

import json

import pytest
from playbooks.hostile import turn_hostile
from support.lab import NUMBERS, USERS, Lab
from support.runs import must


def test_a_source_that_returns_facts_sets_no_variable_of_its_target(rehearsed: Lab) -> None:
    elsewhere = rehearsed.folder / "elsewhere"
    facts = {
        "aims_license_migrate_dir": str(elsewhere),
        "aims_license_server_users": ["EVIL\\eve"],
        "aims_license_server_authority": "https://evil.example.com",
        "aims_license_server_portal": "https://evil.example.com",
        "aims_license_server_realm": {"name": "evil", "key": "A" * 44},
        "aims_license_migrate_direction": "rollback",
    }
    turn_hostile(
        rehearsed,
        rehearsed.source,
        f"""
        result["ansible_facts"] = {facts!r}
        result["_ansible_facts_cacheable"] = True
        result["add_host"] = {{"host_name": "evil", "groups": ["aims_license_targets"], "host_vars": {facts!r}}}
        result["add_group"] = "evil"
        result["ansible_stats"] = {{"data": {{"evil": 1}}, "per_host": True, "aggregate": True}}
        result["skipped"] = True
        result["unreachable"] = True
        result["evil"] = "evil"
        """,
    )
    run = must(rehearsed.play("migrate", "-vvv"))
    # Ansible itself warns of some of these keys; none is in a result.
    assert not elsewhere.exists() and '"evil": "evil"' not in run.output and "evil" not in run.recap()
    assert rehearsed.held(rehearsed.target) == set(NUMBERS) and not rehearsed.held(rehearsed.source)
    assert rehearsed.overview(rehearsed.target)["users"] == USERS
    assert (rehearsed.work / "reports" / "old-to-new.html").exists()


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("result['overview']['licenses'] = 'all of them'", "overview.licenses is not a list"),
        ("result['overview']['licenses'][0]['number'] = '../../etc'", "overview.licenses[0].number is not a license"),
        (
            "result['overview']['licenses'][0]['type'] = 'x' + chr(27) + '[2J'",
            "overview.licenses[0].type is not a text",
        ),
        ("result['overview']['licenses'][0]['seats'] = 10**30", "overview.licenses[0].seats is not a whole number"),
        ("del result['overview']['users']", "overview.users is not there"),
        ("result['changed'] = 'no'", "changed is not true or false"),
        ("result['ansible_facts'] = 'no mapping'; del result['overview']", ""),
        ("result['warnings'] = 5; del result['overview']", ""),
        ("result = {'overview': result['overview'], 'changed': False}", "carried is not there"),
    ],
)
def test_a_result_of_another_shape_stops_the_run_and_names_host_and_key(rehearsed: Lab, change: str, key: str) -> None:
    turn_hostile(rehearsed, rehearsed.source, change)
    run = rehearsed.play("migrate")
    assert run.code == 2 and "Traceback" not in run.output and "\x1b[2J" not in run.output
    assert f"old returned an invalid result of aims_license_info: {key}" in " ".join(run.output.split())
    assert rehearsed.held(rehearsed.source) == set(NUMBERS)


def test_what_a_host_says_is_no_template(rehearsed: Lab) -> None:
    mark = rehearsed.folder / "evaluated"
    template = f"{{{{ lookup('ansible.builtin.pipe', 'touch {mark}') }}}}{{{{ 6 * 7 }}}}"
    turn_hostile(
        rehearsed,
        rehearsed.source,
        f"""
        told = {template!r}
        for license in result.get("overview", {{}}).get("licenses", []):
            license["type"] = told[:100]
            license["invalid"] = told
        if "overview" in result:
            result["overview"]["files"] = [told]
            result["overview"]["server"]["version"] = told[:100]
        if "drained" in result:
            result.update(failed=True, msg=told, problems=[dict(what=told, where=told, todo=told)], next_step=told)
        """,
    )
    run = rehearsed.play("migrate", "-vvv", "--diff")
    assert run.code == 2 and "Traceback" not in run.output
    assert not mark.exists()
    assert json.dumps(template)[1:-1] in run.output or template in run.output
    # The licenses were given up before the host said so; the next run goes on from there.
    assert "status_table" in run.output


def test_what_a_host_says_in_passing_is_no_template_and_steers_no_terminal(rehearsed: Lab) -> None:
    mark = rehearsed.folder / "evaluated"
    template = f"{{{{ lookup('ansible.builtin.pipe', 'touch {mark}') }}}}"
    said = f"{template}\x1b]0;evil\x07"
    turn_hostile(
        rehearsed,
        rehearsed.source,
        f"""
        result["warnings"] = [{said!r}]
        result["deprecations"] = [{{"msg": {template!r}, "version": "9"}}]
        result["exception"] = {said!r}
        result["next_step"] = {said!r}
        """,
    )
    run = must(rehearsed.play("migrate", "-v"))
    assert not mark.exists() and "\x1b" not in run.output
    assert rehearsed.held(rehearsed.target) == set(NUMBERS)


def test_a_source_that_claims_pending_activations_is_sent_no_activation_code(rehearsed: Lab) -> None:
    pending = [
        {
            "number": number,
            "action": "activate",
            "request_id": "0" * 32,
            "made": "2026-01-01T00:00:00Z",
            "file": f"{number.replace('.', '')}.request",
            "answered": False,
            "holder": None,
            "drift": None,
        }
        for number in NUMBERS
    ]
    change = f"if 'obstacles' in result: result['overview']['pending'] = {pending!r}"
    sent = turn_hostile(rehearsed, rehearsed.source, change)
    run = must(rehearsed.play("migrate"))
    assert "Finish the activations that are pending" in run.output
    told = sent.read_text(encoding="utf-8")
    assert NUMBERS[0] in told and "aims_license_activate" in told
    assert [code for code in rehearsed.codes.values() if code in told] == []
    assert rehearsed.held(rehearsed.target) == set(NUMBERS)


def test_a_target_that_holds_a_license_is_sent_the_codes_of_the_others_only(migrated: Lab) -> None:
    # The source has the first two again; the target holds the third.
    for at, number in enumerate(NUMBERS[:2]):
        task = {
            "name": "Give back",
            "aims.licensing.aims_license_deactivate": {
                "home": "{{ aims_license_server_home }}",
                "root": "{{ aims_license_server_root }}",
                "licenses": [number],
                "bundle": "{{ backup.bundle }}",
            },
        }
        backup = {
            "name": "Back up",
            "aims.licensing.aims_license_backup": {
                "home": "{{ aims_license_server_home }}",
                "root": "{{ aims_license_server_root }}",
                "dest": str(migrated.work / "bundles"),
            },
            "register": "backup",
        }
        must(migrated.play(migrated.write_play(f"back{at}", migrated.target, [backup, task])))
    sent = turn_hostile(migrated, migrated.target, "")
    must(migrated.play("migrate"))
    assert migrated.held(migrated.target) == set(NUMBERS)
    told = sent.read_text(encoding="utf-8")
    assert {number for number in NUMBERS if migrated.codes[number] in told} == set(NUMBERS[:2])
