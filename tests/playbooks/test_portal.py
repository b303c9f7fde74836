# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The offline way without a person: the controller hands the requests to the authority's page and goes on."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from lab import GRANTS, NUMBERS, Lab, Run, must, new_code
from playbooks.page import Page, Twist, results

STEMS = sorted(number.replace(".", "") for number in NUMBERS)
REQUESTS = [f"{stem}.request" for stem in STEMS]
RESPONSES = [f"{stem}.response" for stem in STEMS]
EMAIL = "licenses@example.com"


def walk(lab: Lab, page: Page, **changed: Any) -> None:
    """Let the inventory name no authority that a host could reach, and the page for the controller."""
    variables = lab.inventory["all"]["vars"]
    variables["aims_license_server_authority"] = "offline"
    variables["aims_license_server_portal"] = page.address
    variables["aims_license_server_portal_email"] = EMAIL
    variables["aims_license_server_realm"] = page.realm
    variables.update(changed)
    lab.write_inventory()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


def refused(run: Run, *words: str) -> str:
    """The run failed with one message that has these words; return its output on one line."""
    said = " ".join(run.output.split())
    assert run.code != 0
    assert "Traceback" not in run.output
    assert said.count("FAILED! =>") == 1, run.output
    for word in words:
        assert word in said, f"{word!r} is not in:\n{run.output}"
    return said


@pytest.fixture
def page(rehearsed: Lab) -> Iterator[Page]:
    """The request page of the rehearsed pair's authority."""
    with Page(rehearsed.folder / "page", rehearsed.ledger).serving() as serving:
        yield serving


# The roles


def test_a_migration_walks_by_itself(rehearsed: Lab, page: Page) -> None:
    walk(rehearsed, page)
    before = rehearsed.everything()
    must(rehearsed.play("migrate", "--check", "--diff"))
    assert rehearsed.everything() == before
    assert page.uploads == []

    must(rehearsed.play("migrate"))
    assert rehearsed.held("new") == set(NUMBERS) and rehearsed.held("old") == set()
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 1)
    assert page.uploads == [REQUESTS, REQUESTS] and set(page.emails) == {EMAIL}
    offline = rehearsed.work / "offline"
    assert files(offline) == [] and len(files(offline / "done")) == 12
    assert {path.stat().st_mode & 0o777 for path in (offline / "done").iterdir()} == {0o600}
    report = json.loads((rehearsed.work / "reports" / "old-to-new.json").read_text(encoding="utf-8"))
    assert sorted(report["moved"]) == sorted(NUMBERS) and report["pending"] == []

    before = rehearsed.everything()
    assert must(rehearsed.play("migrate")).changed == 0
    assert rehearsed.everything() == before
    assert len(page.uploads) == 2

    must(rehearsed.play("rollback"))
    assert rehearsed.held("old") == set(NUMBERS) and rehearsed.held("new") == set()
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 2)


def test_a_page_that_is_not_there_stops_the_run_before_anything_is_fenced(rehearsed: Lab, page: Page) -> None:
    walk(rehearsed, page, aims_license_server_portal="https://127.0.0.1:1")
    before = rehearsed.everything()
    for options in (["--check"], []):
        refused(rehearsed.play("migrate", *options), "The request page cannot be reached", "https://127.0.0.1:1")
        assert rehearsed.everything() == before
    walk(rehearsed, page)
    must(rehearsed.play("migrate"))
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 1)


def test_a_page_that_goes_down_half_way_is_told_and_the_same_command_completes(rehearsed: Lab, page: Page) -> None:
    walk(rehearsed, page)
    page.status = 503
    refused(rehearsed.play("migrate"), "The request page is busy or being restarted (status 503)", "the same command")
    assert rehearsed.held("old") == rehearsed.held("new") == set()
    asked = {name: (rehearsed.work / "offline" / name).read_bytes() for name in files(rehearsed.work / "offline")}
    assert sorted(asked) == REQUESTS
    page.status = 200
    must(rehearsed.play("migrate"))
    done = {path.read_bytes() for path in (rehearsed.work / "offline" / "done").glob("*.request")}
    assert set(asked.values()) < done and len(done) == 6
    assert rehearsed.held("new") == set(NUMBERS)
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 1)


def test_back_from_the_first_stop_waits_twice_in_one_step(rehearsed: Lab, page: Page) -> None:
    # What the source asked to give up is given up, then activated again, in one task of the role.
    walk(rehearsed, page, aims_license_server_portal="")
    assert rehearsed.play("migrate").code != 0
    walk(rehearsed, page)
    must(rehearsed.play("rollback"))
    assert rehearsed.held("old") == set(NUMBERS)
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 0)
    assert page.uploads == [REQUESTS, REQUESTS]


def test_activations_that_wait_on_the_giver_are_finished_and_given_up(rehearsed: Lab, page: Page) -> None:
    walk(rehearsed, page, aims_license_server_portal="")
    assert rehearsed.play("migrate").code != 0
    for request in (rehearsed.work / "offline").glob("*.request"):
        rehearsed.authority("process", str(request))
    assert rehearsed.play("migrate").code != 0
    assert {one["action"] for one in rehearsed.overview("new")["pending"]} == {"activate"}
    walk(rehearsed, page)
    must(rehearsed.play("rollback"))
    assert rehearsed.held("old") == set(NUMBERS) and rehearsed.held("new") == set()
    assert len(page.uploads) == 3


def test_a_fresh_host_is_brought_to_what_is_declared(lab: Lab) -> None:
    issue = {
        "name": "Issue the licenses",
        "aims.licensing.aims_license_authority": {
            "authority": "{{ aims_license_server_authority }}",
            "licenses": "{{ aims_license_server_licenses }}",
            "details": GRANTS,
        },
    }
    must(lab.play(lab.write_play("issue", lab.target, [issue])))
    with Page(lab.folder / "page", lab.ledger).serving() as page:
        walk(lab, page)
        must(lab.play("reconcile", "--check"))
        assert not lab.home("new").exists() and page.uploads == []
        must(lab.play("reconcile"))
        assert lab.held("new") == set(NUMBERS)
        assert page.uploads == [REQUESTS]
        before = lab.everything()
        assert must(lab.play("reconcile")).changed == 0
        assert lab.everything() == before


def test_a_refusal_is_archived_and_told(rehearsed: Lab, page: Page) -> None:
    # A code that is not this license's: the authority knows no such license.
    walk(rehearsed, page)
    rehearsed.target_vars["aims_license_server_licenses"][0]["activation_code"] = new_code()
    rehearsed.write_inventory()
    said = refused(
        rehearsed.play("reconcile"), f"The authority knows no license {NUMBERS[0]} with this activation code"
    )
    assert rehearsed.codes[NUMBERS[0]] not in said
    assert page.uploads == [REQUESTS]
    closed = [json.loads(path.read_bytes())["body"] for path in rehearsed.home("new").glob("Journal/closed/*.response")]
    assert {one["outcome"] for one in closed if one["number"] == NUMBERS[0]} == {"refused"}


def test_pairs_walk_side_by_side_through_one_folder(rehearsed: Lab, page: Page) -> None:
    # Two of the three licenses go from one source to two targets of two pairs; the second source is a copy's.
    walk(rehearsed, page)
    children = rehearsed.inventory["all"]["children"]
    declared = rehearsed.target_vars["aims_license_server_licenses"]
    for host in ("old2", "new2"):
        rehearsed.make_root(host)
    children["aims_license_sources"]["hosts"]["old2"] = {}
    children["aims_license_targets"]["hosts"]["new2"] = {
        "aims_license_migrate_source": "old2",
        "aims_license_server_licenses": [{**declared[0], "number": "015.120.070.001", "profile": "Second"}],
        "aims_license_migrate_rehearse_licenses": {"015.120.070.001": GRANTS[NUMBERS[0]]},
    }
    rehearsed.inventory["all"]["vars"]["aims_license_server_authority"] = f"ledger:{rehearsed.ledger}"
    rehearsed.write_inventory()
    must(rehearsed.play("rehearse", "--tags", "prepare", "--limit", "new2"))
    walk(rehearsed, page)
    must(rehearsed.play("migrate", "--forks", "10"))
    assert rehearsed.held("new") == set(NUMBERS)
    assert rehearsed.held("new2") == {"015.120.070.001"}
    assert set(rehearsed.transfers().values()) == {1}
    # Each pair handed over its own, twice.
    assert sorted(page.uploads) == sorted([REQUESTS, REQUESTS, ["015120070001.request"], ["015120070001.request"]])


# The module


@pytest.fixture(scope="session")
def _asked(_rehearsed: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The source has fenced its licenses, and its requests wait in the folder."""
    made = _rehearsed.copy_to(tmp_path_factory.mktemp("asked") / "lab")
    made.inventory["all"]["vars"]["aims_license_server_authority"] = "offline"
    made.write_inventory()
    assert made.play("migrate").code != 0
    assert files(made.work / "offline") == REQUESTS
    return made


@pytest.fixture
def asked(_asked: Lab, tmp_path: Path) -> Lab:
    """Requests that wait in the folder of a laboratory."""
    return _asked.copy_to(tmp_path / "asked")


def request(lab: Lab, page: Page, *options: str, **changed: Any) -> tuple[Run, dict[str, Any]]:
    """Run the module; return the run and the module's result."""
    given = {"requests_dir": str(lab.work / "offline"), "portal": page.address, "realm": page.realm, "email": EMAIL}
    tasks: list[dict[str, Any]] = [
        {
            "name": "Have the requests answered",
            "aims.licensing.aims_license_request": {**given, **changed},
            "register": "answered",
            "ignore_errors": True,
        },
        {
            "name": "Keep the result",
            "ansible.builtin.copy": {"content": "{{ answered | to_json }}", "dest": str(lab.folder / "result.json")},
            "check_mode": False,
            "diff": False,
        },
    ]
    run = must(lab.play(lab.write_play("request", "localhost", tasks), *options))
    return run, json.loads((lab.folder / "result.json").read_text(encoding="utf-8"))


def response_of(lab: Lab, stem: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((lab.work / "offline" / f"{stem}.response").read_bytes())["body"]
    return body


def test_requests_are_answered_once(asked: Lab) -> None:
    offline = asked.work / "offline"
    with Page(asked.folder / "page", asked.ledger).serving() as page:
        before = asked.tree(offline)
        run, result = request(asked, page, "--check", "--diff")
        assert page.uploads == [] and asked.tree(offline) == before
        assert (result["changed"], result["sent"], result["received"]) == (True, REQUESTS, RESPONSES)
        assert {one["outcome"] for one in result["results"]} == {"waiting"}
        assert "".join(f"+{name}" for name in RESPONSES) in "".join(
            line for line in run.output.splitlines() if line.startswith("+0")
        )

        _run, result = request(asked, page, "--diff", numbers=[NUMBERS[0]])
        assert result["changed"] and result["received"] == [f"{NUMBERS[0].replace('.', '')}.response"]
        assert result["results"] == [
            {
                "number": NUMBERS[0],
                "action": "deactivate",
                "outcome": "granted",
                "file": f"{NUMBERS[0].replace('.', '')}.response",
                "mailed": False,
                "problem": None,
            }
        ]
        first = (offline / result["received"][0]).read_bytes()

        _run, result = request(asked, page)
        assert len(result["sent"]) == 2
        assert {one["outcome"] for one in result["results"]} == {"granted", "there"}
        assert files(offline) == sorted([*REQUESTS, *RESPONSES])
        assert (offline / f"{NUMBERS[0].replace('.', '')}.response").read_bytes() == first
        assert {(offline / name).stat().st_mode & 0o777 for name in RESPONSES} == {0o600}

        settled = asked.tree(offline)
        _run, result = request(asked, page)
        assert (result["changed"], result["sent"], result["received"]) == (False, [], [])
        assert asked.tree(offline) == settled
        assert [len(names) for names in page.uploads] == [1, 2]

        # A response that got lost is the very same again.
        (offline / f"{NUMBERS[0].replace('.', '')}.response").unlink()
        request(asked, page)
        assert (offline / f"{NUMBERS[0].replace('.', '')}.response").read_bytes() == first


def test_a_refusal_is_written_too(asked: Lab) -> None:
    # The authority's owner has released the licenses: there is nothing left to take back.
    with contextlib.closing(sqlite3.connect(asked.ledger)) as db:
        db.execute("UPDATE holding SET live = 0")
        db.commit()
    with Page(asked.folder / "page", asked.ledger).serving() as page:
        _run, result = request(asked, page)
    assert result["changed"] and len(result["received"]) == 3
    assert {one["outcome"] for one in result["results"]} == {"refused"}
    assert all("is not live on this license server" in one["problem"]["what"] for one in result["results"])
    assert {response_of(asked, stem)["outcome"] for stem in STEMS} == {"refused"}


def resigned(lab: Lab, response: bytes, **changes: Any) -> bytes:
    """A response with other contents, signed by the realm itself."""
    with Ledger(str(lab.ledger)) as signer:
        return signer.sign("response", {**json.loads(response)["body"], **changes})


def edited(response: bytes) -> bytes:
    return response.replace(b'"outcome":"granted"', b'"outcome":"Granted"')


def without_content(honest: dict[str, bytes], **said: Any) -> dict[str, Any]:
    told = results(honest)
    for entry in told["results"]:
        entry.update(content=None, **said)
    return told


PROBLEM = {"what": "The desk\x1b[31m is closed.", "where": "desk 7", "todo": "Come again tomorrow."}
Make = Callable[[Lab], Twist]

# What a page may do to the responses, and what is said of each then.
LIES: dict[str, tuple[Make, str]] = {
    "altered": (
        lambda lab: lambda asked, honest: results({name: edited(one) for name, one in honest.items()}),
        "The response was altered",
    ),
    "truncated": (
        lambda lab: lambda asked, honest: results({name: one[:200] for name, one in honest.items()}),
        "truncated or damaged",
    ),
    "too_long": (
        lambda lab: lambda asked, honest: results({name: one * 99 for name, one in honest.items()}),
        "at most 65536 are expected",
    ),
    "of_another_request": (
        lambda lab: (
            lambda asked, honest: results(
                {name: resigned(lab, one, request_id="0" * 32) for name, one in honest.items()}
            )
        ),
        "answers another request",
    ),
    "of_another_number": (
        lambda lab: (
            lambda asked, honest: results(
                {name: resigned(lab, one, number="015.120.099.099") for name, one in honest.items()}
            )
        ),
        "does not fit its request",
    ),
    "for_another_machine": (
        lambda lab: (
            lambda asked, honest: results(
                {name: resigned(lab, one, fingerprint={"machine-id": "0" * 32}) for name, one in honest.items()}
            )
        ),
        "for another machine",
    ),
    "the_requests_themselves": (
        lambda lab: lambda asked, honest: results({name: one.strip() for name, one in asked.items()}),
        "not a response",
    ),
    "no_content": (lambda lab: lambda asked, honest: without_content(honest), "returned no response"),
    "a_problem_for_each": (
        lambda lab: lambda asked, honest: without_content(honest, problem=PROBLEM),
        "is closed.",
    ),
    "fewer_than_asked": (lambda lab: lambda asked, honest: {"results": []}, "returned no response"),
    "entries_that_are_none": (lambda lab: lambda asked, honest: {"results": [None, 7, "x"]}, "returned no response"),
    "something_else": (lambda lab: lambda asked, honest: {"granted": True}, "not the reply of an authority's"),
    "one_problem_for_all": (lambda lab: lambda asked, honest: {"problem": PROBLEM}, "is closed."),
}


@pytest.mark.parametrize("kind", list(LIES))
def test_what_is_no_answer_of_the_realm_is_not_written(asked: Lab, kind: str) -> None:
    make, words = LIES[kind]
    offline = asked.work / "offline"
    before = asked.tree(offline)
    with Page(asked.folder / "page", asked.ledger, make(asked)).serving() as page:
        run, result = request(asked, page)
    assert asked.tree(offline) == before
    assert result["failed"] and not result["changed"] and result["received"] == []
    assert words in result["msg"] and page.address in result["msg"]
    assert "\x1b" not in run.output
    everyone = kind not in ("something_else", "one_problem_for_all")
    assert len(result["problems"]) == (3 if everyone else 1)


def test_names_in_the_reply_are_not_trusted(asked: Lab) -> None:
    # Each response goes to the request that it answers, wherever the page says that it belongs.
    def swapped(asked: dict[str, bytes], honest: dict[str, bytes]) -> dict[str, Any]:
        told = results(dict(zip(honest, reversed(list(honest.values())))))
        for entry in told["results"]:
            entry["file"] = "../../../etc/passwd"
        return told

    with Page(asked.folder / "page", asked.ledger, swapped).serving() as page:
        _run, result = request(asked, page)
    assert result["changed"] and sorted(result["received"]) == RESPONSES
    assert [response_of(asked, stem)["number"].replace(".", "") for stem in STEMS] == STEMS


def test_the_good_ones_are_written_beside_a_bad_one(asked: Lab) -> None:
    bad = REQUESTS[1]

    def one_bad(asked: dict[str, bytes], honest: dict[str, bytes]) -> dict[str, Any]:
        return results({**honest, bad: edited(honest[bad])})

    with Page(asked.folder / "page", asked.ledger, one_bad).serving() as page:
        _run, result = request(asked, page)
    assert result["failed"] and result["changed"] and len(result["problems"]) == 1
    assert files(asked.work / "offline") == sorted([*REQUESTS, RESPONSES[0], RESPONSES[2]])


def test_a_response_that_is_there_is_never_replaced(asked: Lab) -> None:
    there = asked.work / "offline" / RESPONSES[0]
    there.write_bytes(b"whatever somebody put here\n")
    with Page(asked.folder / "page", asked.ledger).serving() as page:
        _run, result = request(asked, page)
        assert page.uploads == [REQUESTS[1:]]
    assert there.read_bytes() == b"whatever somebody put here\n"
    assert [one["outcome"] for one in result["results"]] == ["there", "granted", "granted"]


def test_a_page_without_the_realms_certificate_gets_nothing(asked: Lab) -> None:
    with (
        Page(asked.folder / "page", asked.ledger).serving() as page,
        Page(asked.folder / "other", asked.ledger, address="127.0.0.2").serving() as other,
    ):
        # Another certificate, and the right one under a name that it does not have.
        for portal in (other.address, page.address.replace("127.0.0.1", "localhost")):
            _run, result = request(asked, page, portal=portal)
            assert "The page does not prove to be the authority's" in result["msg"] and portal in result["msg"]
        assert page.uploads == other.uploads == []
    assert files(asked.work / "offline") == REQUESTS


def test_requests_to_another_realm_are_not_handed_over(asked: Lab, tmp_path: Path) -> None:
    Ledger.create(str(tmp_path / "foreign.db"), "Elsewhere").close()
    with Page(asked.folder / "page", tmp_path / "foreign.db").serving() as page:
        _run, result = request(asked, page)
        assert page.uploads == []
    assert len(result["problems"]) == 3 and "The request is for realm" in result["msg"]


def test_the_page_of_another_realm_is_told_before_anything_is_fenced(rehearsed: Lab, page: Page) -> None:
    Ledger.create(str(rehearsed.folder / "foreign.db"), "Elsewhere").close()
    with Page(rehearsed.folder / "page", rehearsed.folder / "foreign.db").serving() as foreign:
        walk(rehearsed, page, aims_license_server_portal=foreign.address)
        variables = rehearsed.inventory["all"]["vars"]
        variables["aims_license_server_realm"] = {**page.realm, "ca": foreign.realm["ca"]}
        rehearsed.write_inventory()
        before = rehearsed.everything()
        refused(rehearsed.play("migrate"), "The page is of the realm 'REHEARSAL Elsewhere'")
        assert rehearsed.everything() == before


def test_a_request_that_somebody_damaged_is_told_and_none_is_handed_over(asked: Lab) -> None:
    offline = asked.work / "offline"
    (offline / REQUESTS[0]).write_bytes((offline / REQUESTS[0]).read_bytes()[:100])
    shutil.copy(offline / REQUESTS[1], offline / "015120099099.request")
    with Page(asked.folder / "page", asked.ledger).serving() as page:
        _run, result = request(asked, page)
        assert page.uploads == []
    assert len(result["problems"]) == 2
    assert {Path(one["where"]).name for one in result["problems"]} == {REQUESTS[0], "015120099099.request"}


def test_a_page_that_takes_one_file_at_a_time(asked: Lab) -> None:
    with Page(asked.folder / "page", asked.ledger).serving() as page:
        page.most = 1
        _run, result = request(asked, page)
        assert [len(names) for names in page.uploads] == [3, 1, 1, 1]
        assert len(result["received"]) == 3


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "plain": ({"portal": "http://127.0.0.1:8443"}, "is not the address of a request page"),
    "path": ({"portal": "https://127.0.0.1:8443/requests"}, "is not the address of a request page"),
    "port": ({"portal": "https://127.0.0.1:99999"}, "is not the address of a request page"),
    "user": ({"portal": "https://me:secret@127.0.0.1"}, "is not the address of a request page"),
    "email": ({"email": "nobody"}, "is not an e-mail address"),
    "email_that_adds_a_header": ({"email": "a@example.com\r\nX: y"}, "is not an e-mail address"),
    "no_certificate": (
        {"realm": {"name": "REHEARSAL x", "key": base64.b64encode(bytes(32)).decode()}},
        "no certificate",
    ),
    "no_realm": ({"realm": {"name": "x"}}, "This is not a realm"),
    "timeout": ({"timeout": "soon"}, "is not a time to wait"),
    "numbers": ({"numbers": ["15"]}, "is not a license number"),
    "folder": ({"requests_dir": ""}, "No folder of requests is given"),
    "option": ({"code": "x"}, "Unknown option code"),
}


def test_mistakes_in_the_options_are_told(asked: Lab) -> None:
    with Page(asked.folder / "page", asked.ledger).serving() as page:
        for changed, words in MISTAKES.values():
            _run, result = request(asked, page, **changed)
            assert result["failed"] and words in result["msg"], result["msg"]
            assert "secret" not in result["msg"]
        assert page.uploads == []


def test_mistakes_in_the_inventory_are_told_at_once(rehearsed: Lab, page: Page) -> None:
    walk(rehearsed, page, aims_license_server_portal="http://here", aims_license_server_portal_email="nobody")
    del rehearsed.inventory["all"]["vars"]["aims_license_server_realm"]
    rehearsed.write_inventory()
    for playbook in ("migrate", "reconcile"):
        said = refused(rehearsed.play(playbook), "is not the address of a request page", "is not an e-mail address")
        assert "A request page is declared without its realm" in said
    walk(rehearsed, page)
    del rehearsed.inventory["all"]["vars"]["aims_license_server_portal_email"]
    rehearsed.inventory["all"]["vars"]["aims_license_server_realm"] = {**page.realm, "ca": None}
    rehearsed.write_inventory()
    said = refused(rehearsed.play("migrate"), "A request page is declared without an e-mail address")
    assert "The realm has no certificate to know its request page by" in said
