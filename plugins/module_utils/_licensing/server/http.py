# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP for the license server's two ports, based on tornado.

The clients' port uses tornado's message interface, one level below request handlers: the API has a few fixed answers,
and templates, cookies and entity tags would slow down every request. Classes are defined inside functions, because
tornado is imported only where a server runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from http.client import responses
from typing import TYPE_CHECKING, Any

from ..connections import Places
from .api import MAX_BODY, Api

if TYPE_CHECKING:
    from tornado.httpserver import HTTPServer
    from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPMessageDelegate, HTTPServerConnectionDelegate
    from tornado.iostream import IOStream

# Seconds that a connection may be idle or take to send its headers, and that a body may take.
_IDLE = 60
_BODY = 10
# Bytes. A body that is too large is read up to this size, so that the refusal reaches the client.
_MAX_READ = 1 << 20
_MAX_HEADERS = 8192
_CHUNK = 8192
# Headers that browsers send for web pages, besides those that begin with Sec-Fetch-.
_PAGE_HEADERS = frozenset({"origin", "referer"})


def server(callback: Any, connections: int) -> HTTPServer:
    """Return a server for one port.

    :param callback: tornado's handler of requests
    :param connections: maximum of open connections; a quarter of them from one IPv4 address or one IPv6 network
    """
    from tornado import httpserver, httputil

    class TrackedMessage(httputil.HTTPMessageDelegate):
        """Forwards a message and notes when it is complete."""

        def __init__(self, key: Any, message: HTTPMessageDelegate) -> None:
            self.key = key
            self.message = message

        def headers_received(self, start_line: Any, headers: HTTPHeaders) -> Any:
            return self.message.headers_received(start_line, headers)

        def data_received(self, chunk: bytes) -> Any:
            return self.message.data_received(chunk)

        def on_connection_close(self) -> None:
            self.message.on_connection_close()

        def finish(self) -> None:
            places.heard(self.key)
            self.message.finish()

    class LimitedServer(httpserver.HTTPServer):
        """Limits connections: closes another connection if there are too many."""

        def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
            # Here, not at the first message: by then, many more connections may have been accepted.
            places.take(stream, str(address[0]), stream.close)
            super().handle_stream(stream, address)

        def start_request(self, server_conn: Any, request_conn: HTTPConnection) -> TrackedMessage:
            places.answered(server_conn.stream)
            return TrackedMessage(server_conn.stream, super().start_request(server_conn, request_conn))

        def on_close(self, server_conn: Any) -> None:
            super().on_close(server_conn)
            places.leave(server_conn.stream)

    places = Places(connections, max(1, connections // 4))
    return LimitedServer(
        callback,
        chunk_size=_CHUNK,
        max_header_size=_MAX_HEADERS,
        max_body_size=_MAX_READ,
        idle_connection_timeout=_IDLE,
        body_timeout=_BODY,
    )


def read_only_handler() -> Any:
    """Return the base class of read-only request handlers.

    Tornado parses a form before it checks the method, in quadratic time at worst. Read-only requests need no body, so
    these handlers discard it.
    """
    from tornado.web import RequestHandler, stream_request_body

    @stream_request_body
    class ReadOnlyHandler(RequestHandler):
        """Discards bodies."""

        def data_received(self, chunk: bytes) -> None:
            """Discard a part of the body."""

    return ReadOnlyHandler


def is_from_page(headers: Iterable[str]) -> bool:
    """Whether the headers show that a browser sends the request for a web page.

    This check prevents DNS rebinding: a foreign web page could take all seats through a visitor's browser. Browsers
    name the page in each request that does more than read; other programs do not. The Host header does not help here,
    because clients may use any alias of the license server, and the machine does not know its aliases.
    """
    return any(name in _PAGE_HEADERS or name.startswith("sec-fetch-") for name in map(str.lower, headers))


def clients(api: Api) -> HTTPServerConnectionDelegate:
    """Return the handler of the clients' port."""
    from tornado import httputil

    class Request(httputil.HTTPMessageDelegate):
        """One request, from its first line to its answer."""

        def __init__(self, connection: HTTPConnection) -> None:
            self.connection = connection
            self.method = self.path = ""
            self.body = b""
            self.size = 0
            self.is_from_page = False

        def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
            self.method, self.path = start_line.method, start_line.path
            self.is_from_page = is_from_page(headers)

        def data_received(self, chunk: bytes) -> None:
            self.size += len(chunk)
            if self.size <= MAX_BODY:
                self.body += chunk

        def finish(self) -> None:
            # Tornado's own requests take the address from here too.
            address = str(getattr(getattr(self.connection, "context", None), "remote_ip", ""))
            body = self.body if self.size <= MAX_BODY else None
            if self.is_from_page:
                api.reject_page(self.send)
            else:
                api.answer(self.method, self.path, body, address, self.send)

        def send(self, status: int, body: str, allowed: str) -> None:
            data = body.encode()
            headers = httputil.HTTPHeaders({"Content-Type": "application/json", "Content-Length": str(len(data))})
            if allowed:
                headers["Allow"] = allowed
            if api.closing:
                headers["Connection"] = "close"
            start = httputil.ResponseStartLine("HTTP/1.1", status, responses[status])
            self.connection.write_headers(start, headers, b"" if self.method == "HEAD" else data)
            self.connection.finish()

    class Clients(httputil.HTTPServerConnectionDelegate):
        """Creates a request for each message."""

        def start_request(self, server_conn: object, request_conn: HTTPConnection) -> Request:
            return Request(request_conn)

    return Clients()
