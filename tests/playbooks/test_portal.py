# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The offline way without a person: the controller hands the requests to the authority's page and goes on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from playbooks.page import Page
from playbooks.serving import Authority
from support.lab import GRANTS, NUMBERS, Lab, new_code
from support.runs import Run, must

REQUESTS = sorted(f"{number.replace('.', '')}.request" for number in NUMBERS)


class Served(Protocol):
    """A request page, the authority's own or another."""

    address: str

    @property
    def realm(self) -> dict[str, Any]: ...


def walk(lab: Lab, page: Served, **changed: Any) -> None:
    """Let the inventory name no authority that a host could reach, and the page for the controller."""
    variables = lab.inventory["all"]["vars"]
    variables["aims_license_server_authority"] = "offline"
    variables["aims_license_server_portal"] = page.address
    variables["aims_license_server_realm"] = page.realm
    variables.update(changed)
    lab.write_inventory()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


def refused(run: Run, *words: str) -> str:
    """The run failed with one message that has these words, and maybe the table; return its output on one line."""
    said = " ".join(run.output.split())
    assert run.code != 0
    assert "Traceback" not in run.output
    assert said.count("FAILED! =>") == 1 + said.count('"status_table"'), run.output
    for word in words:
        assert word in said, f"{word!r} is not in:\n{run.output}"
    return said


def issue(lab: Lab) -> None:
    """Issue the target's licenses, active nowhere."""
    task = {
        "name": "Issue the licenses",
        "aims.licensing.aims_license_authority": {
            "authority": "{{ aims_license_server_authority }}",
            "licenses": "{{ aims_license_server_licenses }}",
            "details": GRANTS,
        },
    }
    must(lab.play(lab.write_play("issue", lab.target, [task])))


@pytest.fixture
def authority(rehearsed: Lab) -> Iterator[Authority]:
    """The rehearsed pair's authority as a service."""
    with Authority(rehearsed) as serving:
        yield serving


def test_a_migration_walks_by_itself(rehearsed: Lab, authority: Authority) -> None:
    walk(rehearsed, authority)
    before, answered = rehearsed.everything(), authority.answered()
    must(rehearsed.play("migrate", "--check", "--diff"))
    assert rehearsed.everything() == before

    must(rehearsed.play("migrate"))
    assert rehearsed.held("new") == set(NUMBERS) and rehearsed.held("old") == set()
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 1)
    assert authority.answered() == answered + 6
    offline = rehearsed.work / "offline"
    assert files(offline) == [] and len(files(offline / "done")) == 12
    assert {path.stat().st_mode & 0o777 for path in (offline / "done").iterdir()} == {0o600}
    report = json.loads((rehearsed.work / "reports" / "old-to-new.json").read_text(encoding="utf-8"))
    assert sorted(report["moved"]) == sorted(NUMBERS) and report["pending"] == []

    before = rehearsed.everything()
    assert must(rehearsed.play("migrate")).changed == 0
    assert rehearsed.everything() == before

    must(rehearsed.play("rollback"))
    assert rehearsed.held("old") == set(NUMBERS) and rehearsed.held("new") == set()
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 2)


def test_a_page_that_is_not_there_stops_the_run_before_anything_is_fenced(rehearsed: Lab, authority: Authority) -> None:
    walk(rehearsed, authority)
    authority.stop()
    before = rehearsed.everything()
    for options in (["--check"], []):
        refused(rehearsed.play("migrate", *options), "The request page cannot be reached", authority.address)
        assert rehearsed.everything() == before
    authority.start()
    must(rehearsed.play("migrate"))
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 1)


def test_a_page_that_goes_down_half_way_is_told_and_the_same_command_completes(rehearsed: Lab) -> None:
    with Page(rehearsed.folder / "page", rehearsed.ledger).serving() as page:
        walk(rehearsed, page)
        page.status = 503
        refused(rehearsed.play("migrate"), "The request page is busy or being restarted (status 503)", "same command")
        assert rehearsed.held("old") == rehearsed.held("new") == set()
        asked = {name: (rehearsed.work / "offline" / name).read_bytes() for name in files(rehearsed.work / "offline")}
        assert sorted(asked) == REQUESTS
        page.status = 200
        must(rehearsed.play("migrate"))
    done = {path.read_bytes() for path in (rehearsed.work / "offline" / "done").glob("*.request")}
    assert set(asked.values()) < done and len(done) == 6
    assert rehearsed.held("new") == set(NUMBERS)
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 1)


def test_back_from_the_first_stop_waits_twice_in_one_step(rehearsed: Lab, authority: Authority) -> None:
    # What the source asked to give up is given up, then activated again, in one task of the role.
    walk(rehearsed, authority, aims_license_server_portal="")
    assert rehearsed.play("migrate").code != 0
    answered = authority.answered()
    walk(rehearsed, authority)
    must(rehearsed.play("rollback"))
    assert rehearsed.held("old") == set(NUMBERS)
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 0)
    assert authority.answered() == answered + 6


def test_activations_that_wait_on_the_source_are_finished_and_given_up(rehearsed: Lab, authority: Authority) -> None:
    walk(rehearsed, authority, aims_license_server_portal="")
    assert rehearsed.play("migrate").code != 0
    for request in (rehearsed.work / "offline").glob("*.request"):
        rehearsed.authority("process", str(request))
    assert rehearsed.play("migrate").code != 0
    assert {one["action"] for one in rehearsed.overview("new")["pending"]} == {"activate"}
    walk(rehearsed, authority)
    must(rehearsed.play("rollback"))
    assert rehearsed.held("old") == set(NUMBERS) and rehearsed.held("new") == set()


def test_a_fresh_host_is_brought_to_what_is_declared(lab: Lab) -> None:
    issue(lab)
    with Authority(lab) as authority:
        walk(lab, authority)
        must(lab.play("reconcile", "--check"))
        assert not lab.home("new").exists() and authority.answered() == 0
        must(lab.play("reconcile"))
        assert lab.held("new") == set(NUMBERS)
        assert authority.answered() == 3
        before = lab.everything()
        assert must(lab.play("reconcile")).changed == 0
        assert lab.everything() == before


def test_a_refusal_is_archived_and_told(rehearsed: Lab, authority: Authority) -> None:
    # A code that is not this license's: the authority does not say which of the two is wrong.
    walk(rehearsed, authority)
    wrong = new_code()
    rehearsed.target_vars["aims_license_server_licenses"][0]["activation_code"] = wrong
    rehearsed.write_inventory()
    said = refused(
        rehearsed.play("reconcile"), f"The authority knows no license {NUMBERS[0]} with this activation code"
    )
    assert wrong not in said
    closed = [json.loads(path.read_bytes())["body"] for path in rehearsed.home("new").glob("Journal/closed/*.response")]
    assert {one["outcome"] for one in closed if one["number"] == NUMBERS[0]} == {"refused"}
    done = files(rehearsed.work / "offline" / "done")
    assert not any(re.match(r"\d{12}\.response", name) for name in done)


def test_pairs_walk_side_by_side_through_one_folder(rehearsed: Lab, authority: Authority) -> None:
    declared = rehearsed.target_vars["aims_license_server_licenses"]
    children = rehearsed.inventory["all"]["children"]
    for host in ("old2", "new2"):
        rehearsed.make_root(host)
    children["aims_license_sources"]["hosts"]["old2"] = {}
    children["aims_license_targets"]["hosts"]["new2"] = {
        "aims_license_migrate_source": "old2",
        "aims_license_server_licenses": [{**declared[0], "number": "015.120.070.001", "profile": "Second"}],
        "aims_license_migrate_rehearse_licenses": {"015.120.070.001": GRANTS[NUMBERS[0]]},
    }
    rehearsed.write_inventory()
    must(rehearsed.play("rehearse", "--tags", "prepare", "--limit", "new2"))
    walk(rehearsed, authority)
    answered = authority.answered()
    must(rehearsed.play("migrate", "--forks", "10"))
    assert rehearsed.held("new") == set(NUMBERS)
    assert rehearsed.held("new2") == {"015.120.070.001"}
    assert set(rehearsed.transfers().values()) == {1}
    assert authority.answered() == answered + 8


def test_the_page_of_another_realm_is_told_before_anything_is_fenced(rehearsed: Lab, authority: Authority) -> None:
    Ledger.create(str(rehearsed.folder / "foreign.db"), "Elsewhere").close()
    with Page(rehearsed.folder / "page", rehearsed.folder / "foreign.db").serving() as foreign:
        realm = {**authority.realm, "ca": foreign.realm["ca"]}
        walk(rehearsed, authority, aims_license_server_portal=foreign.address, aims_license_server_realm=realm)
        before = rehearsed.everything()
        refused(rehearsed.play("migrate"), "The page belongs to realm 'REHEARSAL Elsewhere'")
        assert rehearsed.everything() == before


def test_mistakes_in_the_inventory_are_told_at_once(rehearsed: Lab, authority: Authority) -> None:
    walk(rehearsed, authority, aims_license_server_portal="http://here", aims_license_server_portal_email="nobody")
    del rehearsed.inventory["all"]["vars"]["aims_license_server_realm"]
    rehearsed.write_inventory()
    for playbook in ("migrate", "reconcile"):
        said = refused(rehearsed.play(playbook), "is not the address of a request page", "is not an e-mail address")
        assert "A request page is declared without its realm" in said
    without = {key: value for key, value in authority.realm.items() if key != "ca"}
    walk(rehearsed, authority, aims_license_server_portal_email="a@example.com", aims_license_server_realm=without)
    refused(rehearsed.play("migrate"), "The realm has no certificate (ca) to verify the request page with")
