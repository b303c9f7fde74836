# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is sent to the license server, it answers in its own words, goes on, and changes nothing."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server import http
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.server.site import (
    Site,
    body,
    take,
    wait_until,
    why,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.licsrv import Server

ID = "0" * 32
KNOWN = {200, 400, 403, 404, 405, 409, 410, 413, 423}
OVER_THE_WIRE = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "profile": JSON | st.sampled_from(["PROSession", "Nobody", "\u0000", "a" * 65, " PROSession"]),
        "user": JSON
        | st.sampled_from(["AIMS\\anna", "AIMS\\a\ud800", "anna", "A\\b\\c", "A\\" + "x" * 65, "A\\\u202e"]),
        "client": JSON | st.sampled_from(["host", "", "a b", "h" * 256, "\u00e4"]),
        "more": JSON,
    },
)


@pytest.fixture
def server(site: Site) -> Server:
    return site.serve()


def told_well(status: int, answer: Any) -> None:
    """Check that an answer is one of the documented ones."""
    assert status in KNOWN
    if status != 200:
        assert set(answer) == {"code", "problem"}
        assert set(answer["problem"]) == {"what", "where", "todo"}
        assert all(answer["problem"].values())


@OVER_THE_WIRE
@given(content=st.binary(max_size=300) | JSON.map(lambda data: json.dumps(data).encode()))
@example(content=b"[" * 4096)
@example(content=b'{"profile": NaN, "user": 1e999}')
@example(content=b'"\\ud800"')
@example(content=b"\xff\xfe{\x00}\x00")
def test_any_body(server: Server, content: bytes) -> None:
    status, answer = server.ask("PUT", f"/v1/seats/{ID}", content)
    assert status == 400
    told_well(status, answer)
    assert answer["code"] == "malformed"


@OVER_THE_WIRE
@given(fields=FIELDS)
def test_any_fields(server: Server, fields: dict[str, Any]) -> None:
    seat = server.seats.new_id()
    status, answer = server.ask("PUT", f"/v1/seats/{seat}", json.dumps(fields).encode())
    told_well(status, answer)
    if status == 200:
        assert server.seats.release(seat)["released"] is True


@OVER_THE_WIRE
@given(
    path=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80),
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "TRACE"]),
)
@example(path="v1/seats/" + "0" * 32 + "?x=%00", method="POST")
@example(path="v1/seats/" + "g" * 32, method="PUT")
@example(path="%2e%2e/%2e%2e/etc/passwd", method="GET")
def test_any_path(server: Server, path: str, method: str) -> None:
    for port in (3400, 3401):
        status, answer = server.ask(method, f"/{path}", port=port)
        # The console's page is there to be read.
        page = port == 3401 and not path.partition("?")[0]
        assert status in ({200, 400, 404, 405} if page else {400, 404, 405})
        if isinstance(answer, dict):
            told_well(status, answer)


def raw(server: Server, content: bytes, port: int = 3400) -> bytes:
    """Send bytes as they are; return all that comes back until the server closes."""
    with socket.create_connection((server.address, port), timeout=30) as connection:
        received = b""
        # The server may close before it has been sent everything.
        with contextlib.suppress(OSError):
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                received += part
        return received


@OVER_THE_WIRE
@given(content=st.binary(max_size=200))
@example(content=b"PUT /v1/seats/" + ID.encode() + b" HTTP/1.1\r\nContent-Length: -1\r\n\r\n")
@example(content=b"PUT /v1/seats/" + ID.encode() + b" HTTP/1.1\r\nContent-Length: 1e9\r\n\r\n")
@example(content=b"PUT /v1/seats/" + ID.encode() + b" HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\nx")
@example(content=b"PUT /v1/seats/" + ID.encode() + b" HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc")
@example(content=b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n")
@example(content=b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n")
@example(content=b"GET / HTTP/9.9\r\n\r\n")
@example(content=b"\x16\x03\x01\x02\x00\x01\x00")
def test_any_bytes(server: Server, content: bytes) -> None:
    for port in (3400, 3401):
        answer = raw(server, content, port)
        assert not answer or answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 405", b"HTTP/1.1 403"))


def test_after_all_of_this_there_is_no_traceback_and_the_server_goes_on(site: Site, server: Server) -> None:
    for content in (b"", b"{", b"[" * 4000, b"\xff"):
        server.ask("PUT", f"/v1/seats/{ID}", content)
        raw(server, content)
    seat = take(server)["seat"]
    # A client that goes away while its seat is being taken.
    for _client in range(20):
        with socket.create_connection((server.address, 3400)) as connection:
            head = f"PUT /v1/seats/{server.seats.new_id()} HTTP/1.1\r\nContent-Length: {len(body())}\r\n\r\n"
            connection.sendall(head.encode() + body())
    assert why(server.seats.heartbeat, seat) == "granted"
    server.stop()
    assert "Traceback" not in server.errors + server.log.read_text(encoding="utf-8")


def asked(server: Server, connection: socket.socket, id: str = ID) -> bytes:
    """What a client with this connection is answered that takes a seat."""
    head = f"PUT /v1/seats/{id} HTTP/1.1\r\nContent-Length: {len(body())}\r\n\r\n"
    connection.settimeout(30)
    connection.sendall(head.encode() + body())
    return connection.recv(4096)


def test_many_idle_connections_from_one_address_keep_nobody_else_out(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(socket.create_connection((server.address, 3400))) for _one in range(1100)]
        # The first ones make way for the last ones.
        opened[0].settimeout(30)
        assert opened[0].recv(1) == b""
        assert asked(server, opened[-1], "1" * 32).startswith(b"HTTP/1.1 200")
        # Another client, from another address of the loopback network.
        other = socket.create_connection((server.address, 3400), source_address=("127.1.2.3", 0), timeout=30)
        stack.enter_context(other)
        assert asked(server, other).startswith(b"HTTP/1.1 200")
    assert server.management.clients()["clients"][0]["address"] == "127.1.2.3"


def test_silent_connections_from_everywhere_end_nobodys_seat(site: Site) -> None:
    server = site.serve(first="import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))")
    seat = take(server)["seat"]
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(socket.create_connection((server.address, 3400), source_address=("127.1.2.3", 0)))
        assert asked(server, kept).startswith(b"HTTP/1.1 200")
        for at in range(200):
            stack.enter_context(socket.create_connection((server.address, 3400), source_address=(f"127.3.{at}.1", 0)))
        time.sleep(2.1)
        for _heartbeat in range(20):
            # Over a connection of its own each: those that say nothing make way, not the one that has been of use.
            assert why(server.seats.heartbeat, seat) == "granted"
        assert asked(server, kept).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "header", ["Origin: http://rebound.example", "origin: null", "Sec-Fetch-Site: same-origin", "Referer: http://x/"]
)
def test_a_web_page_takes_no_seat(server: Server, header: str) -> None:
    head = f"PUT /v1/seats/{ID} HTTP/1.1\r\nHost: x\r\n{header}\r\nContent-Length: {len(body())}\r\n\r\n"
    answer = raw(server, head.encode() + body())
    assert answer.startswith(b"HTTP/1.1 403") and b'"web_page"' in answer
    assert server.management.clients()["total"] == 0
    # A name of the network's own is no sign of a page.
    alias = f"PUT /v1/seats/{ID} HTTP/1.1\r\nHost: licenses.example.com:3400\r\nContent-Length: {len(body())}\r\n\r\n"
    assert raw(server, alias.encode() + body()).startswith(b"HTTP/1.1 200")


def test_a_form_that_is_sent_to_the_management_port_is_read_by_nobody(server: Server) -> None:
    disposition = b'form-data; name="a"; x="' + b';"' * 300_000
    form = b"--b\r\nContent-Disposition: " + disposition + b'"\r\n\r\nx\r\n--b--\r\n'
    head = "POST /v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    head += f"Content-Length: {len(form)}\r\n\r\n"
    began = time.monotonic()
    assert raw(server, head.encode() + form, 3401).startswith(b"HTTP/1.1 405")
    assert raw(server, head.replace("localhost", "elsewhere").encode() + form, 3401).startswith(b"HTTP/1.1 403")
    assert raw(server, head.replace("/v1/status", "/").encode() + form, 3401).startswith(b"HTTP/1.1 405")
    assert time.monotonic() - began < 3


def test_where_few_files_may_be_open_fewer_connections_are(site: Site) -> None:
    server = site.serve(first="import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))")
    with contextlib.ExitStack() as stack:
        for at in range(200):
            stack.enter_context(socket.create_connection((server.address, 3400), source_address=(f"127.2.{at}.1", 0)))
        assert server.status()["ready"] is True
    # Until the server has seen all of them close, the next one may be turned away as well.
    wait_until(lambda: why(take, server, none="turned away") == "granted")
    server.stop()
    assert len(server.log.read_text(encoding="utf-8").splitlines()) == 2


@pytest.mark.parametrize("sent", [b"", b"PUT /v1/seats/", b"PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"])
def test_who_stops_sending_is_closed(site: Site, sent: bytes) -> None:
    server = site.serve(first=f"import {http.__name__} as wire; wire._IDLE = wire._BODY = 0.3")
    for port in (3400, 3401):
        with socket.create_connection((server.address, port), timeout=30) as connection:
            connection.sendall(sent)
            while connection.recv(4096):
                pass


def test_a_slow_client_holds_up_nobody(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        for _client in range(50):
            slow = stack.enter_context(socket.create_connection((server.address, 3400)))
            slow.sendall(f"PUT /v1/seats/{ID} HTTP/1.1\r\nContent-Length: 100\r\n\r\n{{".encode())
        assert why(take, server) == "granted"
        assert server.stop() == 0
