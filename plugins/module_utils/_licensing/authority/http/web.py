# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The authority's HTTP server, based on tornado, with limits on size, time and number of calls.

Each connection has one call and is then closed. It is closed earlier if the call takes too long to arrive, or if other
connections need its place (:mod:`connections`). The number of connections and the memory of each are limited.
"""

from __future__ import annotations

import asyncio
import http
import json
import logging
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, Callable

from ...connections import Places
from ...errors import LicensingError, Problem

LOG = logging.getLogger("aims.authority")
JSON = "application/json"
# Seconds for the TLS handshake and the header, for the body, and for a call including its answer.
HEADER_SECONDS, BODY_SECONDS, CALL_SECONDS = 10.0, 20.0, 90.0
# Maximum of open connections, in total and from one IPv4 address or IPv6 network.
CONNECTIONS, CONNECTIONS_PER_ADDRESS = 400, 64
_HEADER_BYTES = 16 * 1024
# Bytes. A body that is too long is read up to this size, so that the client receives the answer.
_DRAINED = 1024 * 1024
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Server": "aims.licensing",
}


@dataclass(frozen=True)
class Call:
    """A complete HTTP request.

    :ivar headers: by name in lower case
    :ivar address: the client's IP address
    :ivar arrived: the time of its completion, by the monotonic clock
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    address: str
    arrived: float


@dataclass(frozen=True)
class Reply:
    """The answer to a call."""

    status: int
    body: bytes
    kind: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A call is refused, independent of a ledger.

    :ivar code: a code for programs
    :ivar pause: seconds to wait before a repetition, or None
    """

    def __init__(self, status: int, code: str, problem: Problem, pause: int | None = None) -> None:
        super().__init__(problem.what)
        self.status = status
        self.code = code
        self.problem = problem
        self.pause = pause


def as_json(status: int, data: object, headers: Mapping[str, str] | None = None) -> Reply:
    """Return data as a JSON reply."""
    return Reply(status, json.dumps(data, ensure_ascii=False).encode() + b"\n", JSON, headers or {})


def refused_json(call: Call, refused: Refused) -> Reply:
    """Return a refusal as a JSON reply ``{code, problem}``."""
    return as_json(refused.status, {"code": refused.code, "problem": refused.problem.as_dict()})


@dataclass(frozen=True)
class Route:
    """The handlers of a path.

    :ivar methods: HTTP method → handler
    :ivar limit: maximum size of a body in bytes
    :ivar render_refusal: renders a refusal
    """

    methods: Mapping[str, Callable[[Call], Awaitable[Reply]]]
    limit: int = 0
    render_refusal: Callable[[Call, Refused], Reply] = refused_json


class Front:
    """Accepts calls and passes them to their routes.

    :param admit: raises :class:`Refused` for addresses beyond their rate limit
    """

    def __init__(self, routes: Mapping[str, Route], admit: Callable[[str], None]) -> None:
        self.routes = routes
        self.admit = admit
        self.places = Places(CONNECTIONS, CONNECTIONS_PER_ADDRESS)
        self._open: dict[object, Exchange] = {}

    def server(self, tls: Any) -> Any:
        """Return the HTTP server, not yet listening."""
        from tornado.httpserver import HTTPServer

        front = self

        class Server(HTTPServer):
            def start_request(self, server_conn: object, request_conn: Any) -> Any:
                return front.begin(server_conn, request_conn)

            def on_close(self, server_conn: Any) -> None:
                super().on_close(server_conn)
                front.end(server_conn)

        return Server(
            lambda request: None,
            no_keep_alive=True,
            ssl_options=tls,
            max_header_size=_HEADER_BYTES,
            idle_connection_timeout=HEADER_SECONDS,
            body_timeout=BODY_SECONDS,
            max_body_size=_DRAINED,
            max_buffer_size=_DRAINED + _HEADER_BYTES,
            chunk_size=16 * 1024,
        )

    def begin(self, key: object, connection: Any) -> Exchange:
        """Accept a connection. Close another connection if there are too many."""
        made = Exchange(self, key, connection)
        self._open[key] = made
        self.places.take(key, made.address, made.close)
        return made

    def end(self, key: object) -> None:
        """Forget a closed connection."""
        self.places.leave(key)
        gone = self._open.pop(key, None)
        if gone is not None:
            gone.closed()

    async def drained(self, seconds: float) -> None:
        """Wait until all complete calls are answered.

        :param seconds: maximum time to wait
        """
        until = time.monotonic() + seconds
        while any(not exchange.reading for exchange in self._open.values()) and time.monotonic() < until:
            await asyncio.sleep(0.02)


class Exchange:
    """One call on one connection. Tornado calls the methods as parts arrive."""

    def __init__(self, front: Front, key: object, connection: Any) -> None:
        self._front = front
        self._key = key
        self._connection = connection
        self.address = str(connection.context.remote_ip)
        self.reading = True
        self._gone = False
        self._task: asyncio.Future[None] | None = None
        self._method, self._path = "", ""
        self._headers: dict[str, str] = {}
        self._limit = 0
        self._body = b""
        self._long = False
        self._timer = asyncio.get_running_loop().call_later(CALL_SECONDS, self.close)

    def headers_received(self, start_line: Any, headers: Any) -> None:
        """Read the header."""
        self._method = str(start_line.method)
        self._path = str(start_line.path).partition("?")[0]
        self._headers = {str(name).lower(): str(value) for name, value in headers.get_all()}
        route = self._front.routes.get(self._path)
        self._limit = route.limit if route else 0

    def data_received(self, chunk: bytes) -> None:
        """Read a part of the body. Discard a body that is too long."""
        self._long = self._long or len(self._body) + len(chunk) > self._limit
        self._body = b"" if self._long else self._body + chunk

    def finish(self) -> None:
        """Answer the complete call."""
        self.reading = False
        self._front.places.heard(self._key)
        self._task = asyncio.ensure_future(self._answer())

    def on_connection_close(self) -> None:
        """Note that the client is gone. The call still runs to its end."""
        self._gone = True

    def closed(self) -> None:
        self._gone = True
        self.reading = False
        self._timer.cancel()

    def close(self) -> None:
        """Close the connection."""
        self._front.end(self._key)
        stream = self._connection.stream
        if stream is not None:
            stream.close()

    async def _answer(self) -> None:
        call = Call(self._method, self._path, self._headers, self._body, self.address, time.monotonic())
        route = self._front.routes.get(self._path)
        render_refusal = route.render_refusal if route else refused_json
        try:
            reply = await self._routed(call, route)
        except Refused as refused:
            reply = render_refusal(call, refused)
            if refused.pause is not None:
                reply = Reply(
                    reply.status, reply.body, reply.kind, {**reply.headers, "Retry-After": str(refused.pause)}
                )
        except LicensingError as error:
            reply = render_refusal(call, Refused(400, "refused", error.problems[0]))
        except Exception:
            LOG.exception("a call of %s could not be answered", self.address)
            problem = Problem(
                "The authority failed to answer.", self._path[:40], "Report this to the authority's owner."
            )
            reply = render_refusal(call, Refused(500, "failed", problem))
        self._write(reply)

    async def _routed(self, call: Call, route: Route | None) -> Reply:
        self._front.admit(call.address)
        if route is None:
            todo = "The request page is at /requests, the service for license servers at /v1/requests."
            raise Refused(404, "not_found", Problem("This path does not exist.", "address", todo))
        act = route.methods.get("GET" if call.method == "HEAD" else call.method)
        if act is None:
            problem = Problem("This method is not allowed here.", "method", f"Use {', '.join(route.methods)}.")
            return as_json(
                405, {"code": "method", "problem": problem.as_dict()}, {"Allow": ", ".join(sorted(route.methods))}
            )
        if self._long:
            todo = "Send unchanged request files of a license server; each has about a thousand bytes."
            raise Refused(413, "too_large", Problem(f"The body is longer than {route.limit} bytes.", "request", todo))
        return await act(call)

    def _write(self, reply: Reply) -> None:
        if self._gone:
            return
        from tornado.httputil import HTTPHeaders, ResponseStartLine

        headers = HTTPHeaders({**_ALWAYS, **reply.headers})
        headers["Content-Type"] = reply.kind
        headers["Content-Length"] = str(len(reply.body))
        line = ResponseStartLine("HTTP/1.1", reply.status, http.HTTPStatus(reply.status).phrase)
        self._connection.write_headers(line, headers, b"" if self._method == "HEAD" else reply.body)
        self._connection.finish()
