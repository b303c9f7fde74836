# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module that hands requests to a page: what the realm answered is written, and nothing else that a page says."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
import socket
import sqlite3
import threading
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as Inbox
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from playbooks.page import Page, Twist, results
from playbooks.serving import Authority
from support.lab import NUMBERS, Lab
from support.runs import Run, must

STEMS = sorted(number.replace(".", "") for number in NUMBERS)
REQUESTS = [f"{stem}.request" for stem in STEMS]
RESPONSES = [f"{stem}.response" for stem in STEMS]
EMAIL = "licenses@example.com"


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


@pytest.fixture(scope="session")
def _asked(_rehearsed: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The source has fenced its licenses, and its requests wait in the folder."""
    made = _rehearsed.copy_to(tmp_path_factory.mktemp("asked") / "lab")
    made.go_offline()
    assert made.play("migrate").code != 0
    assert files(made.work / "offline") == REQUESTS
    return made


@pytest.fixture
def asked(_asked: Lab, tmp_path: Path) -> Lab:
    """Requests that wait in the folder of a laboratory."""
    return _asked.copy_to(tmp_path / "asked")


def request(lab: Lab, page: Page | Authority, *options: str, **changed: Any) -> tuple[Run, dict[str, Any]]:
    """Run the module; return the run and the module's result."""
    given = {"requests_dir": str(lab.work / "offline"), "portal": page.address, "realm": page.realm, "email": EMAIL}
    tasks: list[dict[str, Any]] = [
        {
            "name": "Exchange the requests for responses",
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


def brought(run: Run) -> list[str]:
    """The files that a run with --diff shows as new."""
    return re.findall(r"^\+(\d+\.\w+)$", run.output, re.MULTILINE)


def response_of(lab: Lab, stem: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((lab.work / "offline" / f"{stem}.response").read_bytes())["body"]
    return body


def test_requests_are_answered_once(asked: Lab) -> None:
    offline, one = asked.work / "offline", f"{NUMBERS[0].replace('.', '')}.response"
    with Authority(asked) as authority:
        before, answered = asked.tree(offline), authority.answered()
        run, result = request(asked, authority, "--check", "--diff")
        assert authority.answered() == answered and asked.tree(offline) == before
        assert (result["changed"], result["sent"], result["received"]) == (True, REQUESTS, RESPONSES)
        assert {one["outcome"] for one in result["results"]} == {"waiting"}
        assert brought(run) == RESPONSES

        _run, result = request(asked, authority, numbers=[NUMBERS[0]])
        assert (result["changed"], result["received"]) == (True, [one])
        assert result["results"] == [
            {
                "number": NUMBERS[0],
                "action": "deactivate",
                "outcome": "granted",
                "file": one,
                "mailed": False,
                "repeated": False,
                "problem": None,
            }
        ]
        first = (offline / one).read_bytes()

        _run, result = request(asked, authority)
        assert len(result["sent"]) == 2
        assert {one["outcome"] for one in result["results"]} == {"granted", "there"}
        assert files(offline) == sorted([*REQUESTS, *RESPONSES])
        assert (offline / one).read_bytes() == first
        assert {(offline / name).stat().st_mode & 0o777 for name in RESPONSES} == {0o600}

        settled = asked.tree(offline)
        _run, result = request(asked, authority)
        assert (result["changed"], result["sent"], result["received"]) == (False, [], [])
        assert asked.tree(offline) == settled

        # A response that got lost is the very same again.
        (offline / one).unlink()
        request(asked, authority)
        assert (offline / one).read_bytes() == first
        assert authority.answered() == answered + 3


def test_a_refusal_is_written_too(asked: Lab) -> None:
    # The authority's owner has released the licenses: there is nothing left to take back.
    with contextlib.closing(sqlite3.connect(asked.ledger)) as db:
        db.execute("UPDATE holding SET live = 0")
        db.commit()
    with Authority(asked) as authority:
        _run, result = request(asked, authority)
    assert result["changed"] and len(result["received"]) == 3
    assert {one["outcome"] for one in result["results"]} == {"refused"}
    assert all(one["problem"]["what"] for one in result["results"])
    assert {response_of(asked, stem)["outcome"] for stem in STEMS} == {"refused"}


class Mails(Inbox):
    """Keeps the mails that come."""

    def __init__(self) -> None:
        super().__init__()
        self.came = threading.Event()
        self.mails: list[Message] = []

    def handle_message(self, message: Message) -> None:
        self.mails.append(message)
        self.came.set()


def test_the_responses_are_mailed_too(asked: Lab) -> None:
    mails = Mails()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(mails, hostname="127.0.0.1", port=port)
    server.start()
    try:
        smtp = f"127.0.0.1:{port}"
        with Authority(asked, "--smtp", smtp, "--mail-from", "authority@example.com") as authority:
            run, result = request(asked, authority, "--diff")
            assert {one["mailed"] for one in result["results"]} == {True}
            assert brought(run) == RESPONSES
            assert mails.came.wait(30)
    finally:
        server.stop()
    (mail,) = mails.mails
    assert mail["To"] == EMAIL
    attached = {part.get_filename(): part.get_payload(decode=True) for part in mail.walk() if part.get_filename()}
    assert attached == {name: (asked.work / "offline" / name).read_bytes() for name in RESPONSES}


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
        "The response was changed",
    ),
    "truncated": (
        lambda lab: lambda asked, honest: results({name: one[:200] for name, one in honest.items()}),
        "truncated or damaged",
    ),
    "too_long": (
        lambda lab: lambda asked, honest: results({name: one * 99 for name, one in honest.items()}),
        "the maximum is 65536",
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
    "something_else": (lambda lab: lambda asked, honest: {"granted": True}, "not an authority's request page"),
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
            assert "TLS verification of the request page failed" in result["msg"] and portal in result["msg"]
        assert page.uploads == other.uploads == []
    assert files(asked.work / "offline") == REQUESTS


def test_requests_to_another_realm_are_not_handed_over(asked: Lab, tmp_path: Path) -> None:
    Ledger.create(str(tmp_path / "foreign.db"), "Elsewhere").close()
    with Page(asked.folder / "page", tmp_path / "foreign.db").serving() as page:
        _run, result = request(asked, page)
        assert page.uploads == []
    assert len(result["problems"]) == 3 and "The request is for realm" in result["msg"]


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
    "timeout": ({"timeout": "soon"}, "is not a valid number of seconds"),
    "numbers": ({"numbers": ["15"]}, "is not a license number"),
    "folder": ({"requests_dir": ""}, "No folder of requests is set"),
    "option": ({"code": "x"}, "Unknown option code"),
}


def test_mistakes_in_the_options_are_told(asked: Lab) -> None:
    with Page(asked.folder / "page", asked.ledger).serving() as page:
        for changed, words in MISTAKES.values():
            _run, result = request(asked, page, **changed)
            assert result["failed"] and words in result["msg"], result["msg"]
            assert "secret" not in result["msg"]
        assert page.uploads == []
