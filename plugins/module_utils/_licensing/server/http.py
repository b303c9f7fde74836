# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The license server's side of HTTP, on tornado.

The clients' port is built on the framework's interface for messages, one step below its request handlers: an API of
a few fixed answers needs none of the templates, cookies and entity tags that those bring, and every seat would pay
for them. Classes are made in functions, because what they derive from is imported only where a server runs.
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

# Seconds that a connection may be idle or send its headers, and that a body may take.
_IDLE = 60
_BODY = 10
# Bytes. A body that is too large is read up to this, so that the refusal reaches the client; more is cut off.
_MAX_READ = 1 << 20
_MAX_HEADERS = 8192
_CHUNK = 8192
# Headers that browsers send for pages, beside those that begin with Sec-Fetch-.
_OF_PAGES = frozenset({"origin", "referer"})


def server(callback: Any, connections: int) -> HTTPServer:
    """Return a server for one port.

    :param callback: what requests go to, as tornado takes it
    :param connections: how many may be open at a time; a quarter of them from one address or, of IPv6, one network
    """
    from tornado import httpserver, httputil

    class Heard(httputil.HTTPMessageDelegate):
        """Passes a message on, and notes when it is whole."""

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

    class Limited(httpserver.HTTPServer):
        """Gives each connection a place, and has another one make way where there are too many."""

        def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
            # Here, and not with the first message: that is looked for later, when many more may have been accepted.
            places.take(stream, str(address[0]), stream.close)
            super().handle_stream(stream, address)

        def start_request(self, server_conn: Any, request_conn: HTTPConnection) -> Heard:
            places.answered(server_conn.stream)
            return Heard(server_conn.stream, super().start_request(server_conn, request_conn))

        def on_close(self, server_conn: Any) -> None:
            super().on_close(server_conn)
            places.leave(server_conn.stream)

    places = Places(connections, max(1, connections // 4))
    return Limited(
        callback,
        chunk_size=_CHUNK,
        max_header_size=_MAX_HEADERS,
        max_body_size=_MAX_READ,
        idle_connection_timeout=_IDLE,
        body_timeout=_BODY,
    )


def reader() -> Any:
    """Return a request handler for what is only read.

    The framework parses a form before it looks at the method, in a time that may grow with the square of its size.
    Nothing that is only read has a body, so whatever comes as one is passed over.
    """
    from tornado.web import RequestHandler, stream_request_body

    @stream_request_body
    class Reader(RequestHandler):
        """Passes over bodies."""

        def data_received(self, chunk: bytes) -> None:
            """Keep nothing."""

    return Reader


def is_of_page(headers: Iterable[str]) -> bool:
    """Whether a request's headers are those of a web page that a browser shows.

    A page anywhere could take every seat through a visitor's browser, by a name of its own that it lets point here
    after it was loaded (DNS rebinding). Browsers name the page in each request that does more than read; programs have
    no page to name. The name that a request is sent to tells nothing here: clients reach a license server by any name
    that its network gives it, which the machine itself does not know.
    """
    return any(name in _OF_PAGES or name.startswith("sec-fetch-") for name in map(str.lower, headers))


def clients(api: Api) -> HTTPServerConnectionDelegate:
    """Return what the requests of clients go to."""
    from tornado import httputil

    class Request(httputil.HTTPMessageDelegate):
        """One request, from its first line to its answer."""

        def __init__(self, connection: HTTPConnection) -> None:
            self.connection = connection
            self.method = self.path = ""
            self.body = b""
            self.size = 0
            self.is_of_page = False

        def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
            self.method, self.path = start_line.method, start_line.path
            self.is_of_page = is_of_page(headers)

        def data_received(self, chunk: bytes) -> None:
            self.size += len(chunk)
            if self.size <= MAX_BODY:
                self.body += chunk

        def finish(self) -> None:
            # Where the framework's own requests take the address from.
            address = str(getattr(getattr(self.connection, "context", None), "remote_ip", ""))
            body = self.body if self.size <= MAX_BODY else None
            if self.is_of_page:
                api.turn_away(self.send)
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
        """Makes a request of each message that comes in."""

        def start_request(self, server_conn: object, request_conn: HTTPConnection) -> Request:
            return Request(request_conn)

    return Clients()
