# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations over HTTPS through a service that has the authority's certificate and gives other answers than it.

It hands each request on to the real authority's desk first: what is lost is the worst that can be lost.
"""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.processor import RequestProcessor
from playbooks.serving import Authority
from support.invariants import Host, Model, pair_of
from support.invariants import Ledger as Told
from support.lab import NUMBERS, Lab
from support.leaks import leaks
from support.runs import must

Falsify = Callable[[Lab, dict[str, Any], bytes], bytes]
FOREIGN = "foreign.db"


def signed(lab: Lab, ledger: str, response: bytes, **changes: Any) -> bytes:
    with Ledger(str(lab.folder / ledger)) as signer:
        return signer.sign("response", {**json.loads(response)["body"], "realm": signer.realm.id, **changes})


def earlier(lab: Lab, request: dict[str, Any], **wanted: Any) -> bytes:
    """The newest other answer that the authority has given, as it was given."""
    found = []
    archived = {name: Host(name, lab.root(name)).archived for name in ("old", "new")}
    for mark, data in {**Told(lab.ledger).answers, **archived["old"], **archived["new"]}.items():
        body = json.loads(data)["body"]
        if mark != request["id"] and body["outcome"] == "granted" and all(body[key] == wanted[key] for key in wanted):
            found.append((body["serial"], data))
    return max(found)[1]


def of_a_foreign_realm(lab: Lab, request: dict[str, Any], good: bytes) -> bytes:
    return signed(lab, FOREIGN, good)


def of_a_foreign_realm_that_says_it_is_ours(lab: Lab, request: dict[str, Any], good: bytes) -> bytes:
    return signed(lab, FOREIGN, good, realm=request["realm"])


def for_another_machine(lab: Lab, request: dict[str, Any], good: bytes) -> bytes:
    return signed(lab, lab.ledger.name, good, fingerprint={"machine-id": "0" * 32})


def to_another_request(lab: Lab, request: dict[str, Any], good: bytes) -> bytes:
    return signed(lab, lab.ledger.name, good, request_id="0" * 32)


def the_newest_of_this_license(lab: Lab, request: dict[str, Any], good: bytes) -> bytes:
    return earlier(lab, request, number=request["number"])


def the_newest_of_this_kind_and_machine(lab: Lab, request: dict[str, Any], good: bytes) -> bytes:
    return earlier(lab, request, **{key: request[key] for key in ("action", "number", "fingerprint")})


def altered(lab: Lab, request: dict[str, Any], good: bytes) -> bytes:
    document = json.loads(good)
    document["body"]["serial"] += 1
    return json.dumps(document).encode()


KINDS: dict[Falsify, str] = {
    of_a_foreign_realm: "of the foreign realm",
    of_a_foreign_realm_that_says_it_is_ours: "is not signed by the expected realm key",
    for_another_machine: "for another machine",
    to_another_request: "answers another request than the one that is pending",
    the_newest_of_this_license: "was applied before|is for another machine",
    altered: "The response was changed",
}


class Between:
    """The service that stands where the authority's should.

    :ivar action: of the requests whose answers it falsifies
    :ivar false: how
    :ivar count: of the answers that it has falsified
    """

    def __init__(self, lab: Lab) -> None:
        self.action, self.false, self.count = "", of_a_foreign_realm, 0
        self._lab = lab
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.tell(b"{}")

            def do_POST(self) -> None:
                self.tell(outer.answer(self.rfile.read(int(self.headers["Content-Length"]))))

            def tell(self, reply: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_told: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{lab.ledger}.tls/server.pem", f"{lab.ledger}.tls/server.key")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.address = f"https://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, content: bytes) -> bytes:
        with Ledger(str(self._lab.ledger)) as ledger:
            good = RequestProcessor(ledger, online=True).answer(content)
        request = json.loads(content)["body"]
        if request["action"] != self.action:
            return good
        self.count += 1
        return self.false(self._lab, request, good)

    @contextlib.contextmanager
    def serving(self) -> Iterator[Between]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


@pytest.fixture
def between(rehearsed: Lab) -> Iterator[Between]:
    """A service that hosts are told is the authority, with the certificate of the real one."""
    Ledger.create(str(rehearsed.folder / FOREIGN), "Elsewhere").close()
    with Authority(rehearsed, "--host", "127.0.0.1") as authority:
        authority.declare()
    with Between(rehearsed).serving() as made:
        rehearsed.inventory["all"]["vars"]["aims_license_server_authority"] = made.address
        rehearsed.write_inventory()
        yield made


def refused(lab: Lab, model: Model, between: Between, false: Falsify, told: str) -> None:
    """A run that meets a false answer says what is wrong with it, and applies nothing of it."""

    def applied() -> list[object]:
        return [(host.locks, host.archived) for host in pair_of(lab).hosts]

    between.false, between.count = false, 0
    before = applied()
    run = lab.play("migrate", "-vvvv", "--diff")
    assert run.code == 2 and between.count > 0, run.output
    assert re.search(told, run.output), run.output
    assert model.broken(run.output) == [] and leaks(lab, {"output": run.output.encode()}) == []
    assert applied() == before, false.__name__


@pytest.mark.parametrize("action", ["deactivate", "activate"])
def test_false_answers_are_refused_and_the_right_ones_end_it(rehearsed: Lab, between: Between, action: str) -> None:
    model = Model(rehearsed)
    between.action = action
    if action == "activate":
        # The source gives its licenses up first, and these answers are good.
        assert rehearsed.play("migrate").code == 2
        assert pair_of(rehearsed).hosts[0].locks == {}
    for false, told in KINDS.items():
        refused(rehearsed, model, between, false, told)
    between.action = ""
    must(rehearsed.play("migrate"))
    assert model.broken() == [] and model.unsettled() == []
    assert must(rehearsed.play("migrate")).changed == 0


def test_answers_that_were_applied_before_are_not_applied_again(rehearsed: Lab, between: Between) -> None:
    model = Model(rehearsed)
    must(rehearsed.play("migrate"))
    must(rehearsed.play("rollback"))
    assert rehearsed.held("old") == set(NUMBERS) and model.broken() == []
    for action in ("deactivate", "activate"):
        between.action = action
        if action == "activate":
            assert rehearsed.play("migrate").code == 2
        refused(rehearsed, model, between, the_newest_of_this_kind_and_machine, "The response was applied before")
    between.action = ""
    must(rehearsed.play("migrate"))
    assert model.broken() == []
    assert rehearsed.held("new") == set(NUMBERS)
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 3)
    assert not list(Path(rehearsed.folder).glob("hosts/*/opt/*/Journal/*.request"))
