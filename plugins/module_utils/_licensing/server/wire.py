# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The license server's side of HTTP, on tornado.

The clients' port is built on the framework's interface for messages, one step below its request handlers: an API of
a few fixed answers needs none of the templates, cookies and entity tags that those bring, and every seat would pay
for them. Classes are made in functions, because what they derive from is imported only where a server runs.
"""

from __future__ import annotations

from http.client import responses
from typing import TYPE_CHECKING, Any

from .api import MAX_BODY, Api

if TYPE_CHECKING:
    from tornado.httpserver import HTTPServer
    from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPServerConnectionDelegate
    from tornado.iostream import IOStream

# Seconds that a connection may be idle or send its headers, and that a body may take.
_IDLE = 60
_BODY = 10
# Bytes. A body that is too large is read up to this, so that the refusal reaches the client; more is cut off.
_MAX_READ = 1 << 20
_MAX_HEADERS = 8192
_CHUNK = 8192


def server(callback: Any, connections: int) -> HTTPServer:
    """Return a server for one port.

    :param callback: what requests go to, as tornado takes it
    :param connections: how many may be open at a time; a quarter of them from one address
    """
    from tornado import httpserver

    class Limited(httpserver.HTTPServer):
        """Closes connections beyond the limits at once."""

        def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
            peer = address[0]
            if peers.total >= connections or peers.count(peer) >= max(1, connections // 4):
                stream.close()
                return
            peers.add(peer)
            super().handle_stream(stream, address)

        def on_close(self, server_conn: Any) -> None:
            super().on_close(server_conn)
            peers.remove(server_conn.context.address[0])

    peers = _Peers()
    return Limited(
        callback,
        chunk_size=_CHUNK,
        max_header_size=_MAX_HEADERS,
        max_body_size=_MAX_READ,
        idle_connection_timeout=_IDLE,
        body_timeout=_BODY,
    )


class _Peers:
    """Counts open connections, in all and by address."""

    def __init__(self) -> None:
        self.total = 0
        self._by_address: dict[str, int] = {}

    def count(self, address: str) -> int:
        return self._by_address.get(address, 0)

    def add(self, address: str) -> None:
        self.total += 1
        self._by_address[address] = self.count(address) + 1

    def remove(self, address: str) -> None:
        self.total -= 1
        left = self._by_address.pop(address) - 1
        if left:
            self._by_address[address] = left


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

        def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
            self.method, self.path = start_line.method, start_line.path

        def data_received(self, chunk: bytes) -> None:
            self.size += len(chunk)
            if self.size <= MAX_BODY:
                self.body += chunk

        def finish(self) -> None:
            # Where the framework's own requests take the address from.
            address = str(getattr(getattr(self.connection, "context", None), "remote_ip", ""))
            body = self.body if self.size <= MAX_BODY else None
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
