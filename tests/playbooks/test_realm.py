# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The realm that a license server honours for good: of the authority that it reaches, or declared, never a host's."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import pytest
from support.lab import NUMBERS, Lab
from support.runs import Run, must
from support.unreachable import switch_off

UNDECLARED = "No realm is declared for {}, and offline no authority tells it whose responses to honour."


def undeclared(lab: Lab) -> Lab:
    """Take the way over files, without saying whose responses count."""
    lab.inventory["all"]["vars"]["aims_license_server_authority"] = "offline"
    lab.write_inventory()
    return lab


def config(lab: Lab, host: str) -> Path:
    return lab.home(host) / "Config" / "server.json"


def hostile(lab: Lab, host: str) -> None:
    """Have a host name a realm whose key is somebody else's."""
    found = json.loads(config(lab, host).read_text(encoding="utf-8"))
    found["realm"]["key"] = base64.b64encode(bytes(range(32))).decode()
    config(lab, host).write_text(json.dumps(found), encoding="utf-8")


def refused(lab: Lab, run: Run, text: str) -> None:
    output = " ".join(run.output.replace("\\n", " ").split())
    assert run.code != 0 and text in output and "Traceback" not in output, run.output


@pytest.mark.parametrize("options", [["--check"], []], ids=["check", "run"])
def test_offline_no_source_names_the_realm_that_its_target_honours(rehearsed: Lab, options: list[str]) -> None:
    named = config(rehearsed, "old").read_bytes()
    hostile(undeclared(rehearsed), "old")
    before = rehearsed.everything()
    refused(rehearsed, rehearsed.play("migrate", *options), UNDECLARED.format("new"))
    assert rehearsed.everything() == before
    # What the message says is enough, once the source honours the authority's realm.
    config(rehearsed, "old").write_bytes(named)
    rehearsed.go_offline()
    must(rehearsed.play("migrate", "--check"))


def test_a_source_of_another_realm_than_the_declared_one_is_named(rehearsed: Lab) -> None:
    rehearsed.go_offline()
    hostile(rehearsed, "old")
    before = rehearsed.everything()
    refused(rehearsed, rehearsed.play("migrate"), "which is not the declared one")
    assert rehearsed.everything() == before


def test_a_target_that_honours_a_realm_already_needs_none_and_is_compared(migrated: Lab) -> None:
    undeclared(migrated)
    assert "3 request(s) wait in" in " ".join(migrated.play("rollback").output.split())
    must(migrated.play("migrate", "--check"))
    migrated.inventory["all"]["vars"]["aims_license_server_realm"] = {
        "name": "another",
        "key": base64.b64encode(bytes(32)).decode(),
    }
    migrated.write_inventory()
    before = migrated.everything()
    refused(migrated, migrated.play("rollback"), "which is not the declared one")
    assert migrated.everything() == before


def test_no_bundle_names_it_for_a_source_that_is_lost(rehearsed: Lab) -> None:
    must(rehearsed.play("backup"))
    switch_off(undeclared(rehearsed), "old")
    before = rehearsed.everything()
    run = rehearsed.play("migrate", "-e", "aims_license_migrate_source_lost=true")
    refused(rehearsed, run, UNDECLARED.format("new"))
    assert rehearsed.everything() == before


def test_on_the_way_back_no_target_names_it_for_a_source_that_was_built_anew(migrated: Lab) -> None:
    shutil.rmtree(migrated.home("old"))
    before = undeclared(migrated).everything()
    refused(migrated, migrated.play("rollback"), UNDECLARED.format("old"))
    assert migrated.everything() == before


def test_where_the_target_reaches_the_ledger_that_says_which_realm_it_is(rehearsed: Lab) -> None:
    hostile(rehearsed, "old")
    before = rehearsed.everything()
    refused(rehearsed, rehearsed.play("migrate"), "honours realm")
    assert rehearsed.everything() == before and not config(rehearsed, "new").exists()
    assert rehearsed.held("new") == set()


def test_no_host_names_it_for_the_source_of_a_rehearsal(lab: Lab) -> None:
    variables = undeclared(lab).inventory["all"]["vars"]
    variables["aims_license_migrate_rehearse_authority"] = "old"
    variables["aims_license_authority_ledger"] = str(lab.ledger)
    lab.write_inventory()
    refused(lab, lab.play("rehearse", "--tags", "prepare"), UNDECLARED.format("old"))
    assert not config(lab, "old").exists() and lab.held("old") == set() and len(NUMBERS) == 3
