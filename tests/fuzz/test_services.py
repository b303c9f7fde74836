# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a service is sent, it answers as documented or closes the connection, and answers the next one."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.audit import check_ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http import guard, page
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http.api import Api as AuthorityApi
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http.ledger_worker import LedgerWorker
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http.mail import Mailer
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http.web import Front
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.allocator import SeatAllocator
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.api import Api
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.entitlements import Entitlements
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.http import clients, server
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.management import application
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.metrics import Metrics
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.pool import Pool
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.refusals import STATUSES
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.running import Running
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.seat_store import FILE, SeatStore
from ansible_collections.aims.licensing.tests.fuzz.counting import count, runs
from ansible_collections.aims.licensing.tests.fuzz.lines import Answer, Failures, ask, serving
from ansible_collections.aims.licensing.tests.fuzz.shapes import (
    EDIT,
    JSON,
    SELDOM,
    batch,
    edited,
    mapping,
    mostly,
    rewritten,
    text_of,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    GRANTS,
    NUMBERS,
    SERVER,
    SESSION,
    CoreLab,
    declared,
)
from hypothesis import given
from hypothesis import strategies as st
from tornado.netutil import bind_sockets

_BATCH = 25
# What the framework itself answers where what came is no HTTP: 400, and 431 where the header is too long.
NO_HTTP = {400, 431}
TARGETS = ["", "/", "//", "/../../etc/passwd", "/%00", "/\u00e4", "*", "http://x/", "/v1/seats/" + "g" * 32, "/?a=b"]
METHODS = ["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PATCH", "get", "X" * 300, "\u00e4"]
HEADERS = [
    "",
    "Host: ",
    "Host: evil.example.com",
    "Host: [::1]:99999",
    "Content-Length: 5",
    "Content-Length: -1",
    "Content-Length: 99999999999",
    "Content-Length: 1\r\nContent-Length: 2",
    "Transfer-Encoding: chunked",
    "Expect: 100-continue",
    "Connection: Upgrade\r\nUpgrade: websocket",
    "Content-Type: \u00e4",
    "Accept: application/json",
    "x: " + "x" * 20000,
    "X-Forwarded-For: ::",
    "\0: \0",
    " folded",
]
# Numbers of a method, a target and a header that are wrong, or none; and what is done to the whole.
FRAMES = st.tuples(
    st.sampled_from([None] * 9 + list(range(len(METHODS)))),
    st.sampled_from([None] * 9 + list(range(len(TARGETS)))),
    st.sampled_from([0] * 9 + list(range(len(HEADERS)))),
    mostly(None, EDIT, 3),
)


def request(method: str, target: str, body: bytes, frame: Any, *more: str) -> bytes:
    """Return an HTTP request with something about it that is wrong, or not."""
    wrong_method, wrong_target, wrong_header, edit = frame
    line = f"{method if wrong_method is None else METHODS[wrong_method]} "
    line += f"{target if wrong_target is None else TARGETS[wrong_target]} HTTP/1.1"
    lines = [line, "Host: 127.0.0.1", "Connection: close", *more]
    if not HEADERS[wrong_header].startswith(("Content-Length", "Transfer-Encoding")):
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join([*lines, *filter(None, [HEADERS[wrong_header]])])
    whole = head.encode("latin-1", "replace") + b"\r\n\r\n" + body
    return edited(whole, edit) if edit is not None else whole


def check_answer(format: str, answer: Answer | None, statuses: set[int]) -> Any:
    """Count an input; assert that it was answered in a form that is documented; return the answer's data."""
    count(format, refused=answer is None or answer.status >= 400)
    if answer is None:
        return None
    assert answer.status in statuses | NO_HTTP, answer
    if not answer.body or "json" not in str(answer.headers.get("Content-Type")):
        return None
    found = json.loads(answer.body) if len(answer.body) == int(answer.headers["Content-Length"]) else {}
    if answer.status >= 400 and found:
        assert isinstance(found["code"], str) and found["problem"]["what"] and found["problem"]["todo"]
    return found


# -- the license server


@dataclass
class Licsrv:
    """The two ports of a license server in this process."""

    seats: int
    management: int
    pool: Pool


@pytest.fixture(scope="module")
def licsrv(tmp_path_factory: pytest.TempPathFactory, new_ledger: bytes) -> Iterator[Licsrv]:
    lab = CoreLab(tmp_path_factory.mktemp("licsrv"), new_ledger)
    lab.activate(lab.old)
    home = lab.old.home
    pool = Pool(60.0)

    async def run(ready: Any, ended: asyncio.Event) -> None:
        desk = SeatAllocator(
            pool, Entitlements(home, lab.old.manager.fingerprint(), lab.clock), Metrics(), lambda: "2026"
        )
        register = SeatStore(home.folder.path / FILE, desk.written)
        desk.open(register)
        running = Running(home, home.home_id, desk, register, home.config().listen, None, "2026-11-21T12:00:00Z")
        made = [server(clients(Api(desk)), 4096), server(application(running), 4096)]
        sockets = [bind_sockets(0, "127.0.0.1") for _server in made]
        for one, bound in zip(made, sockets):
            one.add_sockets(bound)
        ready(Licsrv(*(bound[0].getsockname()[1] for bound in sockets), pool))
        await ended.wait()
        for one in made:
            one.stop()
            await one.close_all_connections()
        await register.close()

    with Failures().listening() as failures, serving(run) as found:
        yield found
        assert not failures.told, failures.told[0]
    lab.close()


WISHES = mapping(profile="PROSession", user="D\\user", client="workstation-1") | st.sampled_from(
    [{"profile": name, "user": f"D\\{name}", "client": "c"} for name in ("PROServer", "PROSession", "Client", None)]
)
PATHS = st.tuples(
    st.sampled_from(["PUT"] * 3 + ["DELETE", "POST"]), st.integers(0, 40), st.sampled_from(["", "", "/heartbeat"])
)


def test_whatever_a_client_sends_it_is_answered_as_documented(licsrv: Licsrv) -> None:
    statuses = {200, *STATUSES.values()}

    @runs(750, _BATCH)
    @given(batch(st.tuples(FRAMES, PATHS, WISHES | SELDOM, EDIT), _BATCH))
    def check(inputs: list[Any]) -> None:
        for at, (frame, (method, seat, rest), wish, edit) in enumerate(inputs):
            body = _bytes(wish)
            sent = edited(body, edit) if at % 4 == 0 else body
            path = f"/v1/seats/{seat:032x}{'/heartbeat' if method == 'POST' else rest if at % 5 == 0 else ''}"
            data = request(method, path, sent, frame if at % 3 == 0 else (None, None, 0, None))
            found = check_answer("request: seats", ask(licsrv.seats, data), statuses)
            if found and "code" in found:
                assert found["code"] in STATUSES
        assert licsrv.pool.in_use(SESSION) <= GRANTS[SESSION][1]
        good = request("DELETE", f"/v1/seats/{'f' * 32}", b"", (None, None, 0, None))
        answer = ask(licsrv.seats, good)
        assert answer is not None and answer.status == 200

    check()


def _bytes(value: Any) -> bytes:
    try:
        return json.dumps(value).encode()
    except (TypeError, ValueError):
        return b"\xff"


LOOKS = st.tuples(
    st.sampled_from(["/v1/status", "/v1/overview", "/v1/clients", "/metrics", "/", "/console.js", "/v1/", "/v1/x"]),
    st.sampled_from(["", "", "?limit={}", "?after={}", "?limit=1&after={}", "?{}", "#{}"]),
    st.sampled_from(["0", "1", "-1", "\u0661", "%b2", "9" * 18, "9" * 19, "9" * 500, "%ff%00", "a&limit=b", "1.5", ""])
    | st.text("0123456789%&=abcdef", max_size=8),
)
_METRIC = re.compile(
    r'(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{([a-z]+="[^"\\\n]*(\\.[^"\\\n]*)*",?)+\})? (-?[0-9.e+-]+|\+Inf|NaN))'
)


def test_whatever_is_asked_of_the_management_port_it_is_answered_as_documented(licsrv: Licsrv) -> None:
    statuses = {200, 304, 400, 403, 404, 405, 503}

    @runs(250, _BATCH)
    @given(batch(st.tuples(FRAMES, LOOKS), _BATCH))
    def check(inputs: list[Any]) -> None:
        for at, (frame, (path, query, value)) in enumerate(inputs):
            data = request("GET", path + query.format(value), b"", frame if at % 3 == 0 else (None, None, 0, None))
            answer = ask(licsrv.management, data)
            check_answer("request: management", answer, statuses)
            asked = data.startswith(b"GET /metrics HTTP")
            if asked and answer is not None and answer.status == 200 and answer.body:
                assert all(_METRIC.fullmatch(line) for line in answer.body.decode().splitlines())

    check()


# -- the authority


@dataclass
class Authority:
    """The authority's service in this process, and requests that are in order."""

    port: int
    ledger: Path
    realm: documents.Realm
    requests: list[bytes]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory, new_ledger: bytes) -> Iterator[Authority]:
    lab = CoreLab(tmp_path_factory.mktemp("authority"), new_ledger)
    made = []
    for number in NUMBERS:
        host = lab.host(number, number.replace(".", "") + "0" * 20)
        made += host.manager.activate(Activation(declared(number), realm=lab.realm), lab.offline()).requests.values()
    lab.close()

    async def run(ready: Any, ended: asyncio.Event) -> None:
        now = [0.0]

        def later() -> float:
            now[0] += 1000.0
            return now[0]

        # As if everybody had waited before he asked again: how often one may ask is not what is looked for.
        watch = guard.Guard(later)
        clerk = LedgerWorker(str(lab.ledger_path), watch)
        mailer = Mailer(None)
        await clerk.open()
        routes = {**page.Page(clerk, mailer).routes(), **AuthorityApi(clerk, watch, mailer).routes()}
        made = Front(routes, watch.admit).server(None)
        sockets = bind_sockets(0, "127.0.0.1")
        made.add_sockets(sockets)
        ready(sockets[0].getsockname()[1])
        await ended.wait()
        made.stop()
        await made.close_all_connections()
        await clerk.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "_SLOW", 0.0)
        patch.setattr(page, "_UPLOADS", 1 << 30)
        with Failures().listening() as failures, serving(run) as port:
            yield Authority(port, lab.ledger_path, lab.realm, made)
            assert not failures.told, failures.told[0]
    with Ledger(str(lab.ledger_path)) as ledger:
        check_ledger(ledger)
        assert ledger.account(SERVER, "machine").times == ()


def broken_request(original: bytes, kind: int, edit: Any, value: Any) -> bytes:
    """Return a request file in order, with bytes or parts changed, or any JSON instead of one."""
    if kind == 0:
        return original
    if kind == 1:
        return edited(original, edit)
    return text_of(rewritten(json.loads(original), edit)) if kind == 2 else _bytes(value)


STATUSES_OF_THE_AUTHORITY = {200, 303, 400, 403, 404, 405, 413, 429, 503}


def test_whatever_is_sent_to_the_authority_it_is_answered_as_documented(authority: Authority) -> None:
    @runs(250, _BATCH)
    @given(batch(st.tuples(FRAMES, EDIT, st.integers(0, len(NUMBERS) - 1), JSON), _BATCH))
    def check(inputs: list[Any]) -> None:
        for at, (frame, edit, which, value) in enumerate(inputs):
            body = broken_request(authority.requests[which], at % 4, edit, value)
            data = request("POST", "/v1/requests", body, frame if at % 3 == 0 else (None, None, 0, None))
            found = check_answer("request: authority", ask(authority.port, data), STATUSES_OF_THE_AUTHORITY)
            if found and "body" in found:
                documents.read(text_of(found), documents.RESPONSE, "here").check("realm", authority.realm.key)

    check()


BOUNDARY = "b" * 16
FILES = st.lists(
    st.tuples(
        st.sampled_from(["request"] * 9 + ["email", "", "x", "request; name=x"]),
        st.sampled_from(
            ["015120064022.request"] * 9
            + [None, "../../x", "\u202ex", "", "a\r\nb", '"', "x" * 5000, "\u00e4", "<b>{{1}}"]
        ),
        st.sampled_from(["application/octet-stream", "text/html", "", "\u00e4", "x" * 300]),
        st.integers(0, len(NUMBERS) - 1),
        mostly(None, EDIT, 3),
    ),
    max_size=4,
)
TYPES = [
    f"multipart/form-data; boundary={BOUNDARY}",
    f'multipart/form-data; boundary="{BOUNDARY}"',
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=x; boundary=y",
    f"multipart/form-data; charset*=x'y'%ff; boundary={BOUNDARY}",
    "application/x-www-form-urlencoded",
    "application/json",
]


def form(authority: Authority, files: list[Any]) -> bytes:
    """Return the form of the request page as a browser, or somebody else, would send it."""
    parts = []
    for name, filename, kind, which, edit in files:
        named = "" if filename is None else f'; filename="{filename}"'
        content = authority.requests[which]
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\nContent-Type: {kind}\r\n\r\n'
        parts.append(head.encode() + (edited(content, edit) if edit is not None else content) + b"\r\n")
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def test_whatever_is_uploaded_the_request_page_answers_as_documented(authority: Authority) -> None:
    accepts = ["Accept: application/json", "Accept: text/html", "Accept: \u00e4"]

    @runs(250, _BATCH)
    @given(
        batch(
            st.tuples(
                FRAMES,
                FILES,
                EDIT,
                st.sampled_from([0] * 30 + list(range(len(TYPES)))),
                st.integers(0, len(accepts) - 1),
            ),
            _BATCH,
        )
    )
    def check(inputs: list[Any]) -> None:
        for at, (frame, files, edit, kind, accept) in enumerate(inputs):
            body = form(authority, files)
            data = request(
                "POST",
                "/requests",
                edited(body, edit) if at % 4 == 0 else body,
                frame if at % 3 == 0 else (None, None, 0, None),
                f"Content-Type: {TYPES[kind]}",
                accepts[accept],
            )
            answer = ask(authority.port, data)
            found = check_answer("request: page", answer, STATUSES_OF_THE_AUTHORITY)
            for one in (found or {}).get("results", []):
                assert one["file"] is None or re.fullmatch(r"[0-9]{12}\.response", one["file"])
            if answer is not None and b"<!DOCTYPE" in answer.body:
                assert b"<b>" not in answer.body and "\u202e".encode() not in answer.body

    check()
