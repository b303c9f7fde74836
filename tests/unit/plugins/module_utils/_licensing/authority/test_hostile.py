# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slow, broken and hostile clients cost the service little, and learn nothing; good ones are served meanwhile."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority import ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http import guard, web
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http.guard import Guard, Window
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import Problem
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.service_lab import (
    Service,
    ServiceLab,
    until,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.test_service import (
    audited,
    outcome,
    requests_of,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    SERVER,
    SESSION,
    WRONG_CODE,
    CoreLab,
    declared,
)

HEAD = b"POST /v1/requests HTTP/1.1\r\nHost: x\r\n"


def closed(line: socket.socket) -> bool:
    """Whether the other side has closed a connection; waits for it."""
    try:
        while line.recv(65536):
            pass
    except OSError:
        pass
    return True


def memory(service: Service) -> int:
    """The service's resident memory in kB."""
    with open(f"/proc/{service.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def test_a_good_client_is_served_while_slow_ones_hold_all_the_connections_they_can_get(lab: ServiceLab) -> None:
    service = lab.serve()
    before = memory(service)
    with contextlib.ExitStack() as lines:
        slow = []
        for at in range(web.CONNECTIONS_PER_ADDRESS + 40):
            line = lines.enter_context(service.plug())
            slow.append(line)
            if at % 4 == 0:
                continue  # never begins with TLS
            tls = lines.enter_context(service.tls().wrap_socket(line, server_hostname="localhost"))
            slow[-1] = tls
            tls.sendall((HEAD, HEAD + b"Content-Length: 60000\r\n\r\n{", b"G")[at % 3])
        lab.old.manager.activate(Activation(declared(SERVER)), service.channel())
        assert lab.old.statuses() == {SERVER: "Active"}
        metrics = service.metrics()
        assert metrics["aims_authority_connections"] <= web.CONNECTIONS_PER_ADDRESS
        assert metrics["aims_authority_connections_evicted_total"] >= 40
        # The first to come were the first to go.
        assert all(closed(line) for line in slow[:40])
        assert memory(service) - before < 40_000


def test_slow_clients_of_many_addresses_make_way_too(lab: ServiceLab) -> None:
    service = lab.serve()
    with contextlib.ExitStack() as lines:
        for at in range(web.CONNECTIONS + 50):
            lines.enter_context(service.plug(f"127.0.{1 + at // 40}.{1 + at % 40}"))
        lab.old.manager.activate(Activation(declared(SERVER)), service.channel())
        assert service.metrics()["aims_authority_connections"] <= web.CONNECTIONS
    assert lab.old.statuses() == {SERVER: "Active"}


def test_a_header_or_a_body_that_does_not_come_ends_the_connection(lab: ServiceLab) -> None:
    service = lab.serve()
    with contextlib.ExitStack() as lines:
        bare = lines.enter_context(service.plug())
        header, body = (
            lines.enter_context(service.tls().wrap_socket(service.plug(), server_hostname="localhost"))
            for _which in range(2)
        )
        header.sendall(HEAD)
        body.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        for line in (bare, header, body):
            line.settimeout(web.BODY_SECONDS + 10)
            assert closed(line)
        assert service.metrics()["aims_authority_connections"] == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 2000,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /v1/requests HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/requests HTTP/1.1\r\nContent-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/requests HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"x" * 60_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"POST /v1/requests HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n",
    ],
)
def test_what_is_not_http_ends_the_connection_and_nothing_else(lab: ServiceLab, garbage: bytes) -> None:
    service = lab.serve()
    for line in (service.plug(), service.tls().wrap_socket(service.plug(), server_hostname="localhost")):
        with line:
            with contextlib.suppress(OSError):
                line.sendall(garbage)
            assert closed(line)
    assert service.call("GET", "/v1/status")[0] == 200
    assert "Traceback" not in service.log
    assert "process.py" not in service.log


@pytest.mark.parametrize(
    ("status", "method", "path", "body"),
    [
        (400, "POST", "/v1/requests", b""),
        (400, "POST", "/v1/requests", b"\xff\x00garbage"),
        (400, "POST", "/v1/requests", b"[" * 60_000),
        (400, "POST", "/v1/requests", b'{"format":"aims-licensing/1"}'),
        (413, "POST", "/v1/requests", b"x" * (documents.MAX_BYTES + 1)),
        (405, "POST", "/v1/realm", b""),
        (405, "GET", "/v1/requests", None),
        (405, "DELETE", "/v1/requests", None),
        (405, "PUT", "/requests", b"x"),
        (404, "GET", "/v1/requests/", None),
        (404, "GET", "/v1", None),
        (404, "GET", "/../../etc/passwd", None),
        (404, "GET", "/%2e%2e/authority.db", None),
        (404, "POST", "/nowhere", b"x" * 1000),
    ],
)
def test_wrong_calls_are_refused_in_words(
    lab: ServiceLab, status: int, method: str, path: str, body: bytes | None
) -> None:
    service = lab.serve()
    told = service.refused(status, method, path, body)
    assert set(told["problem"]) == {"what", "where", "todo"}
    assert str(lab.folder) not in json.dumps(told)
    assert service.call("GET", "/v1/status")[0] == 200
    assert "Traceback" not in service.log


def test_a_head_request_gets_the_head_alone(lab: ServiceLab) -> None:
    service = lab.serve()
    for path in ("/requests", "/v1/realm"):
        status, headers, body = service.call("HEAD", path)
        assert (status, body) == (200, b"") and int(headers["content-length"]) > 100
    assert "Traceback" not in service.log


def test_where_all_connections_wait_for_slow_answers_a_good_client_is_served_all_the_same(lab: ServiceLab) -> None:
    service = lab.serve()
    wrong = requests_of(lab, lab.old).quote(DeclaredLicense("999.999.999.999", WRONG_CODE))
    call = HEAD + f"Content-Length: {len(wrong)}\r\n\r\n".encode() + wrong
    with contextlib.ExitStack() as lines:
        for at in range(web.CONNECTIONS + 20):
            line = lines.enter_context(service.plug(f"127.0.{1 + at // 20}.{1 + at % 20}"))
            tls = lines.enter_context(service.tls().wrap_socket(line, server_hostname="localhost"))
            tls.sendall(call)
        lab.old.manager.activate(Activation(declared(SERVER)), service.channel())
    assert lab.old.statuses() == {SERVER: "Active"}


def test_a_ledger_that_fails_is_no_fault_of_the_clients_and_is_not_shown_to_them(lab: ServiceLab) -> None:
    service = lab.serve()
    request = requests_of(lab, lab.old).activate(declared(SERVER)[0])
    with contextlib.closing(sqlite3.connect(lab.ledger_path, isolation_level=None)) as db:
        db.execute("ALTER TABLE response RENAME TO hidden")
        status, headers, body = service.call("POST", "/v1/requests", request)
        assert (status, headers["retry-after"]) == (503, "5")
        assert b"cannot answer now" in body and b"response" not in body and str(lab.folder).encode() not in body
        assert "no such table" in service.log
        db.execute("ALTER TABLE hidden RENAME TO response")
    assert outcome(service.ask(request)) == "granted"


def test_a_wrong_code_and_an_unknown_number_are_answered_in_one_way_and_slowly(lab: ServiceLab) -> None:
    service = lab.serve()
    requests = requests_of(lab, lab.old)
    unknown = DeclaredLicense("999.999.999.999", WRONG_CODE)
    asked = {
        make.__name__ + one.number: make(one)
        for make in (requests.activate, requests.quote)
        for one in (declared(SERVER, code=WRONG_CODE)[0], unknown)
    }
    asked.update({f"deactivate{n}": requests.deactivate(n, "machine") for n in (SERVER, unknown.number)})

    def ask(at: int) -> tuple[float, dict[str, Any]]:
        begun = time.monotonic()
        answer = service.ask(list(asked.values())[at], f"127.0.0.{10 + at}")
        return time.monotonic() - begun, dict(documents.read(answer, documents.RESPONSE, "response").body)

    with ThreadPoolExecutor(len(asked)) as pool:
        answers = list(pool.map(ask, range(len(asked))))
    # The least that such an answer takes; how long it takes beyond that is nobody's promise.
    assert min(seconds for seconds, _body in answers) >= 1
    shapes: dict[str, set[str]] = {}
    for name, (_seconds, body) in zip(asked, answers):
        shape = json.dumps({**body, "request_id": 0, "request_digest": 0, "serial": 0, "issued": 0}, sort_keys=True)
        shapes.setdefault(name[:5], set()).add(shape.replace(body["number"], "N"))
    assert {name: len(found) for name, found in shapes.items()} == {"activ": 1, "quote": 1, "deact": 1}


def test_after_so_many_wrong_requests_an_address_is_turned_away_for_a_while_and_no_other(lab: ServiceLab) -> None:
    service = lab.serve()
    for _at in range(guard.FAILURES):
        service.refused(400, "POST", "/v1/requests", b"garbage")
    status, headers, body = service.call("POST", "/v1/requests", b"garbage")
    assert status == 429 and 0 < int(headers["retry-after"]) <= 600
    assert json.loads(body)["code"] == "too_many"
    right = requests_of(lab, lab.old).activate(declared(SERVER)[0])
    assert service.call("POST", "/v1/requests", right)[0] == 429
    assert service.call("GET", "/requests")[0] == 429
    assert outcome(service.ask(right, source="127.0.0.7")) == "granted"
    counted = service.call("GET", "/metrics", source="127.0.0.7")[2].decode()
    assert 'outcome="malformed"} 30' in counted and "turned_away_total 3" in counted


def test_strangers_make_neither_the_ledger_nor_its_audit_log_grow(lab: ServiceLab) -> None:
    service = lab.serve()
    requests = requests_of(lab, lab.old)
    wrong = [requests.activate(declared(SERVER, code=WRONG_CODE)[0]) for _at in range(60)]
    with ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(lambda at: service.ask(wrong[at], f"127.0.2.{at + 1}"), range(60)))
    assert {outcome(answer) for answer in answers} == {"refused"}
    strangers = [one for one in audited(service) if one["detail"].get("unproven")]
    # One an hour; the test may run over the end of one.
    assert 1 <= len(strangers) <= 2
    with contextlib.closing(sqlite3.connect(lab.ledger_path)) as db:
        assert db.execute("SELECT count(*) FROM response").fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM unproven").fetchone() == (60,)
    assert service.metrics()['aims_authority_requests_total{action="activate",outcome="unproven"}'] == 60


def test_only_so_many_requests_of_strangers_are_remembered(lab: CoreLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "REMEMBERED", 5)
    requests = requests_of(lab, lab.old)  # type: ignore[arg-type]
    asked = [requests.activate(declared(SERVER, code=WRONG_CODE)[0]) for _at in range(12)]
    answers = [lab.desk().answer(one) for one in asked]
    assert lab.ledger._rows("SELECT count(*) FROM unproven") == [(5,)]
    # Those that are forgotten are answered in the very same way all the same.
    assert [lab.desk().answer(one) for one in asked] == answers


def test_what_a_stranger_was_refused_stays_refused_when_he_is_none_any_more(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    early = requests_of(lab, lab.new).deactivate(SERVER, "machine")  # type: ignore[arg-type]
    first = lab.desk().answer(early)
    lab.deactivate(lab.old, SERVER)
    lab.activate(lab.new, SERVER)
    # The old request of a machine that holds the license by now: it is not given back by whoever still has that.
    assert lab.desk().answer(early) == first
    holding = lab.ledger.holding(SERVER)
    assert holding is not None and holding.live


def test_each_hour_with_strangers_leaves_one_record_and_the_number_of_the_hour_before(lab: CoreLab) -> None:
    requests = requests_of(lab, lab.old)  # type: ignore[arg-type]
    for count in (3, 2, 1):
        for _at in range(count):
            lab.desk().answer(requests.activate(declared(SERVER, code=WRONG_CODE)[0]))
        lab.clock.forward(hours=1)
    told = [one["detail"]["earlier"] for one in lab.ledger.audit() if one["detail"].get("unproven")]
    assert told == [0, 3, 2]


def test_the_guard_slows_down_and_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    watch = Guard(lambda: now[0])
    waits = [watch.failed("192.0.2.1", SERVER) for _at in range(25)]
    assert waits[:3] == [1.0, 1.5, 2.0] and waits[-1] == max(waits) == 10.0
    # The number counts from whatever address, and another number from another address begins anew.
    assert watch.failed("192.0.2.2", SERVER) == 10.0
    assert watch.failed("192.0.2.3", SESSION) == 1.0
    for _at in range(guard.FAILURES):
        watch.failed("2001:db8::1")
    for address in ("2001:db8::1", "2001:db8::ffff:2"):
        with pytest.raises(web.Refused) as refused:
            watch.admit(address)
        assert refused.value.status == 429 and refused.value.pause == 600
    watch.admit("2001:db8:0:1::1")
    now[0] = 601.0
    watch.admit("2001:db8::1")
    assert watch.failed("192.0.2.1", SERVER) == 1.0


def test_a_window_counts_up_to_its_limit_and_remembers_so_many_keys() -> None:
    now = [0.0]
    window = Window(3, 10.0, lambda: now[0])
    assert [window.add("a") for _at in range(5)] == [1, 2, 3, 3, 3]
    assert window.wait("a") == 10
    now[0] = 9.5
    assert window.wait("a") == 1
    now[0] = 10.0
    assert (window.wait("a"), window.count("a")) == (0, 0)
    for _at in range(10_050):
        window.add(uuid.uuid4().hex)
    assert len(window) == 10_000


def test_a_fleet_behind_one_address_is_served() -> None:
    watch: Any = Guard(lambda: 0.0)
    for _at in range(600):
        watch.admit("192.0.2.1")
    with pytest.raises(web.Refused) as refused:
        watch.admit("192.0.2.1")
    assert isinstance(refused.value.problem, Problem)
    assert until(lambda: watch.rejected, "the count") == 1
