# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No activation code and no private key anywhere but where it belongs, at any verbosity, in any common disguise."""

from __future__ import annotations

import base64
import contextlib
import json
import sqlite3
from collections.abc import Callable

import pytest
from playbooks.serving import Authority
from support.events import Events, some
from support.lab import NUMBERS, Lab, new_code
from support.leaks import Watch, keys, leaks, seed
from support.runs import Run, must
from support.steps import LOUD, STEPS


def run_watched(lab: Lab, watch: Watch, playbook: str, *options: str, **environment: str) -> Run:
    started = lab.start(playbook, *LOUD, *options, **environment)
    with watch.over(started):
        return started.wait()


def test_the_search_finds_what_it_is_for(rehearsed: Lab) -> None:
    with Authority(rehearsed, "--host", "127.0.0.1"):
        assert leaks(rehearsed, {}) == []
    code, pems = rehearsed.codes[NUMBERS[0]], keys(rehearsed)
    # the realm's, the source's, and those of the service
    assert len(pems) == 4
    hidden = [
        code.encode(),
        b"x" + code.replace("-", "").encode() + b"x",
        base64.b64encode(b"{'code': '" + code.encode() + b"'}"),
        code.encode().hex().upper().encode(),
    ]
    for pem in pems.values():
        hidden += [pem, json.dumps(pem.decode()).encode(), seed(pem), seed(pem).hex().encode()]
        hidden += [base64.b64encode(b"some" + seed(pem) + b"thing")]
    for one in hidden:
        assert leaks(rehearsed, {"output": b"before " + one + b" after"}), one
    (rehearsed.folder / "left").write_bytes(b"..." + code.encode())
    assert leaks(rehearsed, {})


def kept(lab: Lab) -> dict[str, str]:
    """Settings that have Ansible keep a log and every fact, and copy its modules to the hosts as files.

    It removes these files itself; to have it leave them there (``keep_remote_files``) is to have it leave the codes.
    """
    return {
        "ANSIBLE_LOG_PATH": str(lab.folder / "ansible.log"),
        "ANSIBLE_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(lab.folder / "facts"),
        "ANSIBLE_PIPELINING": "false",
    }


@pytest.mark.parametrize("pipelining", ["true", "false"])
def test_nothing_leaks_at_any_verbosity(lab: Lab, pipelining: str) -> None:
    watch, outputs = Watch(), {}
    environment = {**kept(lab), "ANSIBLE_PIPELINING": pipelining}
    facts = [{"name": "Cache facts", "ansible.builtin.setup": {"gather_subset": ["env"]}}]
    must(lab.play(lab.write_play("facts", "all", facts), **environment))
    assert len(list((lab.folder / "facts").iterdir())) == 2
    prepared = must(run_watched(lab, watch, "rehearse", "--tags", "prepare", **environment))
    outputs["rehearse"] = prepared.output.encode()
    outputs["check"] = must(run_watched(lab, watch, "migrate", "--check", **environment)).output.encode()
    outputs["migrate"] = must(run_watched(lab, watch, "migrate", **environment)).output.encode()
    outputs["reconcile"] = must(run_watched(lab, watch, "reconcile", **environment)).output.encode()
    assert lab.held("new") == set(NUMBERS)
    assert len(watch.seen) > 5
    outputs["processes"] = b"\n".join(watch.seen)
    assert leaks(lab, outputs) == []


@pytest.mark.parametrize("pipelining", ["true", "false"])
def test_nothing_leaks_from_runs_that_fail(rehearsed: Lab, pipelining: str) -> None:
    watch, outputs = Watch(), {}
    environment = {"ANSIBLE_PIPELINING": pipelining}

    # the budget is spent
    with contextlib.closing(sqlite3.connect(rehearsed.ledger)) as ledger:
        at = ledger.execute("SELECT at FROM audit ORDER BY serial DESC LIMIT 1").fetchone()[0]
        ledger.executemany("INSERT INTO transfer VALUES (?, 'machine', ?)", [(NUMBERS[0], at)] * 3)
        ledger.commit()
    before = rehearsed.everything()
    run = run_watched(rehearsed, watch, "migrate", **environment)
    assert run.code != 0 and "has spent its 3 transfers" in run.output
    outputs["budget"] = run.output.encode()

    # the code is another license's, or nobody's: a code that was tried is a secret too
    licenses = rehearsed.target_vars["aims_license_server_licenses"]
    wrong = new_code()
    rehearsed.codes["a wrong code"] = wrong
    for at, code in enumerate((wrong, rehearsed.codes[NUMBERS[0]])):
        rehearsed.target_vars["aims_license_server_licenses"] = [
            licenses[0],
            {**licenses[1], "activation_code": "{{ tried }}"},
            licenses[2],
        ]
        rehearsed.write_inventory()
        secret = rehearsed.folder / "group_vars" / "all" / "vault.yml"
        kept = secret.read_bytes()
        vault = rehearsed.secrets()
        secret.write_bytes(vault.encrypt(vault.decrypt(kept) + f"tried: {code}\n".encode()))
        for playbook in ("migrate", "reconcile"):
            run = run_watched(rehearsed, watch, playbook, **environment)
            assert run.code != 0 and "activation code" in run.output, run.output
            outputs[f"{playbook} {at}"] = run.output.encode()
        secret.write_bytes(kept)
    outputs["processes"] = b"\n".join(watch.seen)
    assert leaks(rehearsed, outputs) == []
    after = rehearsed.everything()
    assert {place: seen for place, seen in after.items() if place.startswith("hosts/old/")} == {
        place: seen for place, seen in before.items() if place.startswith("hosts/old/")
    }
    assert rehearsed.held("old") == set(NUMBERS)


def test_nothing_leaks_from_runs_that_fail_at_each_step(
    rehearsed: Lab, record_property: Callable[[str, object], None]
) -> None:
    watch, outputs = Watch(), {}
    steps = some(STEPS, 1)
    for step in steps:
        # An option that nobody knows: each tells what it was given instead.
        started = Events(rehearsed).start("migrate", *LOUD, AIMS_EVENTS_SPOIL=f"start|{step}|1", **kept(rehearsed))
        with watch.over(started):
            run = started.wait()
        outputs[step] = run.output.encode()
        assert run.code != 0 and "spoiled" in run.output and "Traceback" not in run.output, run.output
        outputs["processes"] = b"\n".join(watch.seen)
        assert leaks(rehearsed, outputs) == [], step
    record_property("faults", f"secrets: searched after {len(steps)} of {len(STEPS)} steps failed, each in its own run")
    must(rehearsed.play("migrate"))
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 1)
