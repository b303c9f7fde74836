# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP client: TLS contexts, calls with limits, and retries.

Trust, address and meaning of answers are up to the caller. Redirects are never followed. A proxy is used only if the
endpoint has one.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import ssl
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Callable
from urllib.parse import unquote, urlsplit

from .errors import refuse
from .system import is_own

_PART = 16 * 1024
# After an error of a gateway, it is unknown whether the call has arrived.
_GATEWAY = (502, 504)


class TooLarge(http.client.HTTPException):
    """The answer is longer than the endpoint's limit."""

    def __init__(self, status: int, size: int) -> None:
        super().__init__(f"the reply has over {size} bytes")
        self.status = status


def tls_context(ca: str | None = None) -> ssl.SSLContext:
    """Return the TLS context to authenticate a server.

    Unlike Python's default context, it ignores SSLKEYLOGFILE: connection keys are never logged, and an unwritable log
    cannot prevent connections.

    :param ca: the only trusted CA, PEM; None trusts the system's CAs
    :raises ssl.SSLError, ValueError: ``ca`` is not a certificate
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cadata=ca)
    return context


def realm_context(ca: str | None, where: str) -> ssl.SSLContext:
    """Return the TLS context for a realm's service. It trusts only the realm's CA.

    :raises LicensingError: the realm has no valid ``ca``
    """
    try:
        return tls_context(ca or "")
    except (ssl.SSLError, ValueError):
        raise refuse(
            "The realm's ca is not a certificate.",
            where,
            "Use ca as 'authority init' printed it: one certificate in PEM, from BEGIN to END.",
        ) from None


@dataclass(frozen=True)
class Proxy:
    """The HTTP proxy of a call.

    :ivar url: the URL from the environment
    :ivar address: ``host[:port]``
    :ivar login: the value of the Proxy-Authorization header, if needed
    """

    url: str = field(repr=False)
    address: str
    login: str | None = field(default=None, repr=False)


def environment_proxy(address: str) -> Proxy | None:
    """Return the environment's proxy for HTTPS to ``host[:port]``, if any."""
    url = urllib.request.getproxies().get("https")
    if not url or urllib.request.proxy_bypass(address):
        return None
    login, _at, via = urlsplit(url if "//" in url else f"//{url}").netloc.rpartition("@")
    user, _colon, password = login.partition(":")
    if not (user and password):
        return Proxy(url, unquote(via))
    encoded = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode("ascii")
    return Proxy(url, unquote(via), f"Basic {encoded}")


@dataclass(frozen=True)
class Endpoint:
    """The server of calls, and the limits of each call.

    :ivar tls: the TLS context; None for plain HTTP
    :ivar connect: seconds to wait for the connection
    :ivar silence: seconds to wait for each part of the answer
    :ivar whole: seconds for the complete body of an answer
    :ivar size: maximum size of a body in bytes
    :ivar is_length_announced: whether the server always sends the length of a good answer
    """

    host: str
    port: int
    tls: ssl.SSLContext | None = field(repr=False)
    connect: float
    silence: float
    size: int
    whole: float = 60.0
    is_length_announced: bool = False
    proxy: Proxy | None = None

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection, not yet open."""
        if self.tls is None:
            return http.client.HTTPConnection(self.host, self.port, timeout=self.connect)
        if self.proxy is None:
            return http.client.HTTPSConnection(self.host, self.port, timeout=self.connect, context=self.tls)
        connection = http.client.HTTPSConnection(self.proxy.address, timeout=self.connect, context=self.tls)
        headers = {"Proxy-Authorization": self.proxy.login} if self.proxy.login else {}
        connection.set_tunnel(self.host, self.port, headers)
        return connection


@dataclass(frozen=True)
class Call:
    """An HTTP request."""

    method: str
    path: str
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """A complete HTTP answer within the limits.

    :ivar pause: ``Retry-After`` in seconds, if present
    """

    status: int
    reason: str
    content: bytes
    pause: float | None = None

    @property
    def is_ok(self) -> bool:
        return self.status == 200

    def members(self) -> Mapping[str, Any]:
        """Return the members of the body's JSON object; empty if the body is anything else."""
        try:
            data = json.loads(self.content)
        except (ValueError, RecursionError):
            return {}
        return data if isinstance(data, dict) else {}

    def __str__(self) -> str:
        return f"it said {self.status} {self.reason}"[:80]


class Failure(Exception):
    """There is no usable answer. The text is the reason.

    :ivar error: the error that caused it
    :ivar is_sent: whether the call may have arrived
    """

    def __init__(self, error: Exception, is_sent: bool) -> None:
        super().__init__(_words(error))
        self.error = error
        self.is_sent = is_sent

    @property
    def certificate(self) -> str | None:
        """The problem of the server's certificate, if that is the cause."""
        return self.error.verify_message if isinstance(self.error, ssl.SSLCertVerificationError) else None

    @property
    def own(self) -> OSError | None:
        """The error, if this machine caused it, so that it says nothing about the server."""
        # The errno of a TLS error is OpenSSL's, not the system's.
        if isinstance(self.error, ssl.SSLError) or not isinstance(self.error, OSError):
            return None
        return self.error if is_own(self.error) else None

    @property
    def is_answered(self) -> bool:
        """Whether an answer came, but incomplete or too long."""
        return isinstance(self.error, (http.client.IncompleteRead, TooLarge))

    @property
    def is_lasting(self) -> bool:
        """Whether a retry is useless."""
        return self.certificate is not None or (self.own is not None and not self.is_sent)


class Connection:
    """A connection for one call. Use it as a context manager; errors inside become :class:`Failure`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._is_sent = False
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()
        if isinstance(error, (OSError, UnicodeError, http.client.HTTPException)):
            raise Failure(error, self._is_sent) from error

    def open(self) -> None:
        """Connect."""
        self._connection = self._endpoint.connection()
        self._connection.connect()
        self._connection.sock.settimeout(self._endpoint.silence)
        self._is_sent = True

    def send(self, call: Call) -> None:
        """Send the call over the open connection."""
        self._opened.request(call.method, call.path, call.content, dict(call.headers))

    def receive(self) -> Answer:
        """Receive the answer to the call."""
        # Closing only the connection would leave an answer of unknown length open.
        with contextlib.closing(self._opened.getresponse()) as reply:
            return Answer(reply.status, reply.reason, self._body(reply), _pause(reply.getheader("Retry-After")))

    @property
    def _opened(self) -> http.client.HTTPConnection:
        if self._connection is None:
            raise ConnectionError("the connection is not open")
        return self._connection

    def _body(self, reply: http.client.HTTPResponse) -> bytes:
        """Read a body to its announced end, within the limits of size and time."""
        until = time.monotonic() + self._endpoint.whole
        announced = reply.length
        if self._endpoint.is_length_announced and reply.status == 200 and announced is None and not reply.chunked:
            # The answer was cut off within its headers.
            raise http.client.IncompleteRead(b"")
        body = bytearray()
        while part := reply.read1(_PART):
            body += part
            if len(body) > self._endpoint.size:
                raise TooLarge(reply.status, self._endpoint.size)
            if time.monotonic() > until:
                raise TimeoutError("the reply takes too long")
        if announced is not None and len(body) < announced:
            raise http.client.IncompleteRead(bytes(body), announced - len(body))
        return bytes(body)


def ask(endpoint: Endpoint, call: Call) -> Answer:
    """Make one call. Return the answer, regardless of its status.

    :raises Failure: there is no usable answer
    """
    with Connection(endpoint) as connection:
        connection.open()
        connection.send(call)
        return connection.receive()


@dataclass(frozen=True)
class Patience:
    """The limits of retries.

    :ivar pauses: seconds between two attempts; there is one more attempt than pauses
    :ivar busy: the HTTP statuses that allow a retry
    :ivar longest: the longest accepted ``Retry-After`` in seconds
    """

    pauses: Sequence[float]
    busy: tuple[int, ...] = (429, 502, 503)
    longest: float = 20.0


@dataclass(frozen=True)
class Outcome:
    """The result of the last attempt.

    :ivar is_sent: whether the call may have arrived in any attempt
    """

    last: Answer | Failure
    is_sent: bool


def _sleep(seconds: float) -> None:
    time.sleep(seconds)


def ask_patiently(
    attempt: Callable[[], Answer], patience: Patience, sleep: Callable[[float], object] = _sleep
) -> Outcome:
    """Repeat a call until it has a final answer, a retry is useless, or the limits are reached.

    :param attempt: makes one call; may raise :class:`Failure`
    """
    is_sent = False
    pauses = list(patience.pauses)
    while True:
        last: Answer | Failure
        try:
            last = attempt()
        except Failure as failure:
            last, pause = failure, 0.0
            is_sent = is_sent or failure.is_sent
            is_final = failure.is_lasting
        else:
            pause = last.pause or 0.0
            is_sent = is_sent or last.status in _GATEWAY
            is_final = last.status not in patience.busy
        if is_final or not pauses:
            return Outcome(last, is_sent)
        pause = max(pauses.pop(0), pause)
        if pause > patience.longest:
            return Outcome(last, is_sent)
        sleep(pause)


def _pause(header: str | None) -> float | None:
    text = header or ""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None


def _words(error: Exception) -> str:
    if isinstance(error, http.client.IncompleteRead):
        return "the reply was cut off"
    if isinstance(error, http.client.RemoteDisconnected):
        return "the connection was closed without a reply"
    if isinstance(error, TimeoutError) and not error.args[1:]:
        return str(error) or "it timed out"
    said = (error.strerror if isinstance(error, OSError) else None) or str(error)[:200] or type(error).__name__
    return "".join(letter if letter.isprintable() else " " for letter in said)
