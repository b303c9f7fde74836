# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both ends of a line on the loopback: one that replies whatever it is told to, and a service that is sent anything."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import logging
import os
import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from typing import Any, Callable

from ansible_collections.aims.licensing.tests.fuzz.shapes import EDIT, edited, mostly
from hypothesis import strategies as st

# Seconds that a service may take to answer what is complete, on a host that has other things to do too.
_PATIENCE = 15.0
# Seconds after which what has no answer is taken to be incomplete.
_SOON = 0.1
_GO_ON = b"HTTP/1.1 100 "
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


class Replying:
    """A server that reads a request and sends :attr:`reply`, byte for byte, until it is closed.

    :param tls: to speak TLS, or None
    """

    def __init__(self, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1", port: int = 0) -> None:
        self.reply = b""
        self._tls = tls
        self._listening = socket.create_server((address, port))
        self.port = int(self._listening.getsockname()[1])
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def close(self) -> None:
        # Closing alone would leave the thread waiting for somebody to come.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join(_PATIENCE)
        self._listening.close()

    def _work(self) -> None:
        while True:
            try:
                taken, _address = self._listening.accept()
            except OSError:
                return
            taken.settimeout(_PATIENCE)
            with contextlib.suppress(OSError), contextlib.closing(taken):
                stream = self._tls.wrap_socket(taken, server_side=True) if self._tls else taken
                with contextlib.closing(stream):
                    _request(stream)
                    stream.sendall(self.reply)


def _request(stream: socket.socket) -> None:
    """Read a whole request: a connection that is closed before would be reset."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = stream.recv(65536)
        if not part:
            return
        data += part
    head, _end, _body = data.partition(b"\r\n\r\n")
    found = _LENGTH.search(head)
    left = len(head) + 4 + int(found[1] if found else 0) - len(data)
    while left > 0:
        part = stream.recv(65536)
        if not part:
            return
        left -= len(part)


def own_address() -> str:
    """Return an address of the loopback that no other process of the tests uses."""
    number = os.getpid()
    return f"127.77.{number >> 8 & 255}.{number & 255}"


# What a number of seconds may look like to a program that is not strict.
_PAUSES = ["", "0", "1", "-1", "\u00b2", "1\u00b9", "1e9", "nan", "999999", "9" * 400, "Wed, 21 Oct 2026 07:28:00 GMT"]
_REASONS = ["OK", "", "\x1b[2J", "x" * 3000, "\u00e4", "a\tb"]
_HEADERS = [
    "",
    "Transfer-Encoding: chunked",
    "Content-Encoding: gzip",
    "Location: https://127.0.0.1:1/",
    "Content-Length: 5",
    "Content-Length: -1",
    "Content-Length: 999999999999",
    "x" * 70000,
    "\u00e4: \u00e4",
    "\0: \0",
    "a\r\n b",
    *(f"Retry-After: {pause}" for pause in _PAUSES),
]
# Status, numbers of a reason and a header line, and what is done to the whole: an edit or nothing.
FRAMES = st.tuples(
    st.sampled_from([200] * 12 + [0, 99, 100, 204, 301, 302, 304, 400, 401, 404, 413, 423, 429, 500, 502, 503, 504]),
    st.sampled_from([0] * 8 + list(range(len(_REASONS)))),
    st.sampled_from([0] * 8 + list(range(len(_HEADERS)))),
    mostly(None, EDIT, 3),
)
PLAIN = (200, 0, 0, None)


def reply(body: bytes, frame: Any) -> bytes:
    """Return a reply to an HTTP request with something about it that is wrong, or not."""
    status, reason, header_at, edit = frame
    header = _HEADERS[header_at]
    lines = [f"HTTP/1.1 {status} {_REASONS[reason]}", "Content-Type: application/json", "Connection: close"]
    if not header.startswith(("Content-Length", "Transfer-Encoding")):
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join([*lines, *([header] if header else [])])
    whole = head.encode("latin-1") + b"\r\n\r\n" + body
    return edited(whole, edit) if edit is not None else whole


@dataclass(frozen=True)
class Answer:
    """What a service answered, its body as far as it came."""

    status: int
    headers: Any
    body: bytes


def ask(port: int, data: bytes) -> Answer | None:
    """Send bytes to a service; return its answer, or None where it closed the connection without one."""
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE) as line:
        try:
            line.sendall(data)
            came = select.select([line], [], [], _SOON)[0]
            if came and line.recv(len(_GO_ON), socket.MSG_PEEK) == _GO_ON:
                # That is no answer yet, and what it asks for may never have been sent.
                time.sleep(_SOON)
                came = []
            if not came:
                line.shutdown(socket.SHUT_WR)
            reply = http.client.HTTPResponse(line, method="HEAD" if data.startswith(b"HEAD ") else None)
            try:
                reply.begin()
                return Answer(reply.status, reply.headers, reply.read())
            except http.client.IncompleteRead as error:
                return Answer(reply.status, reply.headers, error.partial)
            finally:
                reply.close()
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException):
            return None


class Failures(logging.Handler):
    """Keeps what a service logs of errors of its own: each stands for an input that it did not expect."""

    NAMES = ("tornado.application", "tornado.general", "asyncio", "licsrv", "aims.authority")

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            self.told.append(logging.Formatter().format(record))

    @contextlib.contextmanager
    def listening(self) -> Iterator[Failures]:
        loggers = [logging.getLogger(name) for name in self.NAMES]
        for logger in loggers:
            logger.addHandler(self)
        try:
            yield self
        finally:
            for logger in loggers:
                logger.removeHandler(self)


@contextlib.contextmanager
def serving(run: Callable[[Callable[..., None], asyncio.Event], Awaitable[None]]) -> Iterator[Any]:
    """Run a service in a thread with a loop of its own until the block ends; yield what it says it is ready with.

    :param run: serves until the event is set; calls its first argument once when it is ready
    """
    ready, found = threading.Event(), []
    made: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def work() -> None:
        ended = asyncio.Event()
        made.append((asyncio.get_running_loop(), ended))

        def is_ready(what: Any) -> None:
            found.append(what)
            ready.set()

        try:
            await run(is_ready, ended)
        finally:
            ready.set()

    thread = threading.Thread(target=asyncio.run, args=(work(),))
    thread.start()
    try:
        assert ready.wait(_PATIENCE) and found
        yield found[0]
    finally:
        loop, ended = made[0]
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(ended.set)
        thread.join(_PATIENCE)
        assert not thread.is_alive()
