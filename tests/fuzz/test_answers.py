# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever answers at the other end of a line: a value that can be used or a message, nothing is written elsewhere."""

from __future__ import annotations

import base64
import json
import math
import ssl
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.action.aims_license_request import _exchange
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import CLIENTS_PORT, MANAGEMENT_PORT
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.certificates import Certificates
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.https import Https
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client import Management, SeatClient
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.liveness import running
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.drain import drain, still_held
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.exchange import check_response
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits, now_utc
from ansible_collections.aims.licensing.plugins.plugin_utils._offline import portal as _portal
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.folder import Request
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.portal import Portal
from ansible_collections.aims.licensing.tests.fuzz.counting import give, runs
from ansible_collections.aims.licensing.tests.fuzz.lines import FRAMES, PLAIN, Replying, own_address, reply
from ansible_collections.aims.licensing.tests.fuzz.shapes import EDIT, batch, rewritten, text_of
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    NUMBERS,
    SERVER,
    CoreLab,
    Host,
    declared,
)
from hypothesis import given
from hypothesis import strategies as st

_BATCH = 25
INPUTS = batch(st.tuples(FRAMES, EDIT), _BATCH)


def replies(body: Any, inputs: list[Any]) -> Iterator[bytes]:
    """Yield replies whose body is wrong, whose frame is, or both."""
    for at, (frame, edit) in enumerate(inputs):
        changed = body if at % 4 == 0 else rewritten(body, edit)
        yield reply(text_of(changed), frame if at % 3 == 0 else (frame[0] if at % 5 == 0 else 200, 0, 0, None))


# -- the license server's two ports


@dataclass
class Server:
    """A host whose license server is somebody who replies anything."""

    host: Host
    ports: list[Replying]
    good: dict[str, Any]

    def say(self, data: bytes) -> None:
        for port in self.ports:
            port.reply = data


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, new_ledger: bytes) -> Iterator[Server]:
    lab = CoreLab(tmp_path_factory.mktemp("server"), new_ledger)
    host, address = lab.old, own_address()
    lab.activate(host)
    config = json.loads(host.read("Config/server.json"))
    config.update(service="process", maintenance=True, listen={"clients": address, "management": address})
    host.write("Config/server.json", json.dumps(config))
    ports = [Replying(address=address, port=port) for port in (CLIENTS_PORT, MANAGEMENT_PORT)]
    client = {"client": "a", "address": "b", "user": "D\\u", "profile": "PROServer", "license": SERVER, "since": "2026"}
    good = {
        "seat": "0" * 32,
        "profile": "PROServer",
        "license": SERVER,
        "lease_seconds": 60,
        "since": "2026-01-01T12:00:00Z",
        "maintenance": False,
        "released": True,
        "home_id": host.home.home_id,
        "pid": 4_000_000,
        "instance": "a",
        "listen": config["listen"],
        "server": {"home_id": host.home.home_id},
        "licenses": [{"number": number, "in_use": 1} for number in NUMBERS],
        "profiles": [{"name": "PROServer", "in_use": 1}],
        "clients": [client],
        "clients_total": 1,
        "next": None,
        "total": 1,
        "code": "no_seat",
        "problem": {"what": "a", "where": "b", "todo": "c"},
    }
    yield Server(host, ports, good)
    for port in ports:
        port.close()
    lab.close()


def ask_a_seat(server: Server, at: int) -> None:
    """Ask as ``licman`` does, and use what comes of it."""
    seats = SeatClient(server.host.home.config().listen.clients)
    if at % 3 == 0:
        found = seats.take("0" * 32, None, "D\\u", "client")
        assert found["lease_seconds"] > 0 and math.isfinite(found["lease_seconds"]) and isinstance(found["seat"], str)
    elif at % 3 == 1:
        seats.heartbeat("0" * 32)
    else:
        assert isinstance(seats.release("0" * 32)["released"], bool)


def ask_the_management(server: Server, at: int) -> None:
    """Ask as the modules do, and use what comes of it."""
    host = server.host
    config = host.home.config()
    if at % 5 == 0:
        json.dumps(host.overview, ensure_ascii=False).encode()
    elif at % 5 == 1:
        found = drain(host.home, config, seconds=0.0)
        if found.total:
            raise still_held(host.home, found, back=False)
    elif at % 5 == 2:
        host.manager.verify(served=True)
    elif at % 5 == 3:
        status = running(host.home, config)
        assert status is None or status["pid"] > 1
    else:
        Management(config.listen.management).clients()


@pytest.mark.parametrize("use", [ask_a_seat, ask_the_management])
def test_any_answer_of_a_license_server_is_used_or_told(server: Server, use: Any) -> None:
    server.say(reply(text_of(server.good), PLAIN))
    for at in range(5):
        use(server, at) if use is ask_a_seat or at != 1 else None
    before = server.host.files()

    @runs(250, _BATCH)
    @given(INPUTS)
    def check(inputs: list[Any]) -> None:
        for at, data in enumerate(replies(server.good, inputs)):
            server.say(data)
            give(f"answer: {use.__name__[4:].replace('_', ' ')}", lambda at=at: use(server, at))
        assert server.host.files() == before

    check()


# -- the authority's service and its request page


@dataclass
class Authority:
    """Somebody who has the realm's certificate and replies anything, and what the realm itself would answer."""

    line: Replying
    realm: Realm
    requests: list[Request]
    honest: dict[str, bytes]

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.line.port}"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory, new_ledger: bytes) -> Iterator[Authority]:
    lab = CoreLab(tmp_path_factory.mktemp("authority"), new_ledger)
    asked: dict[str, bytes] = {}
    for number in NUMBERS:
        # One of these is answered before the next may be in doubt.
        host = lab.host(number, digits(number) + "0" * 20)
        asked.update(host.manager.activate(Activation(declared(number), realm=lab.realm), lab.offline()).requests)
    honest = lab.process(asked)
    certificates = Certificates(str(lab.ledger_path))
    certificates.make("test", ["127.0.0.1"], now_utc())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.load(context)
    realm = Realm(lab.realm.name, lab.realm.key, certificates.ca())
    line = Replying(context)
    requests = [Request.read(f"{digits(n)}.request", data, realm, n) for n, data in asked.items()]
    yield Authority(line, realm, requests, honest)
    line.close()
    lab.close()


def test_any_answer_of_an_authority_over_https_is_its_answer_to_this_request_or_told(authority: Authority) -> None:
    request = authority.requests[0]
    good = json.loads(authority.honest[request.number])
    refused = {"code": "refused", "problem": {"what": "a", "where": "b", "todo": "c"}}
    channel = Https(authority.address, authority.realm, pauses=())

    def exchange() -> Any:
        data = channel.exchange(request.number, request.content)
        return check_response(data or b"", request.content, realm=authority.realm, where="here").body

    authority.line.reply = reply(authority.honest[request.number], PLAIN)
    assert exchange() == good["body"]

    @runs(150, _BATCH)
    @given(INPUTS, st.booleans())
    def check(inputs: list[Any], refusing: bool) -> None:
        for at, data in enumerate(replies(refused if refusing else good, inputs)):
            intact = at % 8 == 0 and not refusing
            frame = inputs[at][0]
            authority.line.reply = reply(authority.honest[request.number], frame) if intact else data
            outcome = give("answer: authority, HTTPS", exchange)
            assert isinstance(outcome, LicensingError) or outcome == good["body"]

    check()


CONTENTS: list[Any] = [None, "", "=", "AAA", "AAAA", "!", 5, [], "A" * 100_000, "\ud800", "AAAA\nAAAA"]
NAMED: list[Any] = ["../x", "/etc/passwd", "015.120.064.022", "999.999.999.999", 15120064022, None, "x" * 5000, "\0"]


def test_any_reply_of_a_request_page_is_its_answer_to_these_requests_or_told(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers go into the folder under the request's own name, and only those of the realm to these requests."""
    monkeypatch.setattr(_portal, "_PATIENCE", replace(_portal._PATIENCE, pauses=()))
    place = tmp_path / "requests"
    folder = Folder(place)
    folder.make(mode=0o700)
    for request in authority.requests:
        folder.write(request.name, request.content)
    asked = {request.name: request.content for request in authority.requests}
    honest = {request.response_name: authority.honest[request.number] for request in authority.requests}
    entries = [
        {
            "number": request.number,
            "action": "activate",
            "outcome": "granted",
            "file": request.response_name,
            "content": base64.b64encode(authority.honest[request.number]).decode(),
            "mailed": False,
            "problem": None,
        }
        for request in authority.requests
    ]
    portal = Portal(authority.address, authority.realm, "", 30)

    def hand_over() -> list[str]:
        answers, problems = _exchange(portal, folder, authority.requests)
        if problems:
            raise LicensingError(problems)
        return list(answers)

    authority.line.reply = reply(text_of({"results": entries}), PLAIN)
    assert sorted(hand_over()) == sorted(asked)
    forms = st.tuples(
        FRAMES,
        EDIT,
        st.permutations(range(len(NUMBERS))),
        st.sampled_from([{}, {"content": True}, {"number": True}, {"content": True, "number": True}]),
        st.integers(0, len(CONTENTS) - 1),
        st.integers(0, len(NAMED) - 1),
        st.sampled_from(["results", "realm", "problem"]),
    )

    @runs(150, _BATCH)
    @given(batch(forms, _BATCH))
    def check(inputs: list[Any]) -> None:
        for at, (frame, edit, order, what, content, named, kind) in enumerate(inputs):
            body: Any = {"results": [entries[one] for one in order]}
            wrong = {"content": CONTENTS[content], "number": NAMED[named], "file": NAMED[named]}
            body["results"][0] = {**body["results"][0], **{key: wrong[key] for key in what}}
            if kind == "problem":
                body["problem"] = {"what": "a", "where": "b", "todo": "c"}
                del body["results"]
            if at % 2:
                body = rewritten(body, edit)
            for left in honest:
                folder.remove(left)
            if kind == "realm":
                told = {"name": "x", "key": authority.realm.key, "problem": {"what": NAMED[named]}}
                authority.line.reply = reply(text_of(rewritten(told, edit)), frame)
                give("answer: request page", portal.check)
                continue
            authority.line.reply = reply(text_of(body), frame if at % 3 == 0 else PLAIN)
            give("answer: request page", hand_over)
            there = {path.name: path.read_bytes() for path in place.iterdir()}
            assert {name: there.pop(name) for name in asked} == asked
            assert all(honest[name] == data for name, data in there.items())
        assert [path.name for path in tmp_path.iterdir()] == ["requests"]

    check()


@pytest.mark.parametrize("size", [1 << 20, 1 << 26])
def test_a_reply_of_any_size_takes_no_more_memory_than_its_bound(
    authority: Authority, server: Server, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_portal, "_PATIENCE", replace(_portal._PATIENCE, pauses=()))
    huge = reply(b'{"results": [' + b" " * size + b"]}", PLAIN)
    request = authority.requests[0]
    for line, call in (
        (authority.line, lambda: list(Portal(authority.address, authority.realm, "", 30).hand_over([request]))),
        (
            authority.line,
            lambda: Https(authority.address, authority.realm, pauses=()).exchange(request.number, request.content),
        ),
        (server.ports[1], lambda: Management(server.host.home.config().listen.management).status()),
    ):
        line.reply = huge
        tracemalloc.start()
        try:
            give("answer: huge", call)
            assert tracemalloc.get_traced_memory()[1] < 40 << 20
        finally:
            tracemalloc.stop()


def test_the_documents_that_are_used_here_are_in_order(authority: Authority) -> None:
    for request in authority.requests:
        assert documents.read(authority.honest[request.number], documents.RESPONSE, "here").body["outcome"] == "granted"
