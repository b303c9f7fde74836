# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The channel to an authority's service: the request POSTed over TLS, against the realm's own certificate.

What fails on the way is tried again a few times with the very same bytes: the authority answers a request that it has
answered before with the very same response, so that asking twice is asking once.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from .. import faults
from ..documents import Realm
from ..errors import LicensingError, Problem, refuse
from ..system import advice, is_own, reason
from .base import check_realm, service_address

REQUESTS = "/v1/requests"
STATUS = "/v1/status"
_CONNECT, _READ, _WHOLE = 10.0, 30.0, 60.0
_PAUSES = (1.0, 2.0, 4.0)
_LONGEST_PAUSE = 20.0
_TOO_MANY = 429
_BUSY = (_TOO_MANY, 502, 503)
# A response carries one license file and one account of transfers: some 3 KB.
_LIMIT = 256 * 1024


class _Again(Exception):
    """An attempt that may be made again.

    :ivar sent: whether the request may have arrived
    :ivar pause: the seconds that the service asked to wait, if it did
    :ivar status: what it answered, 0 where it did not
    :ivar problem: what it said is wrong, if it did
    """

    def __init__(
        self, reason: str, sent: bool, pause: float | None = None, status: int = 0, problem: Problem | None = None
    ) -> None:
        super().__init__(reason)
        self.sent = sent
        self.pause = pause
        self.status = status
        self.problem = problem


class Https:
    """An authority behind ``https://host:port``.

    :param realm: its ``ca`` is the only certificate that the service's is checked against
    :param pauses: seconds between two attempts; there is one attempt more than pauses
    :param sleep: waits that long
    :raises LicensingError: there is no realm with a usable ``ca``
    """

    online = True

    def __init__(
        self,
        authority: str,
        realm: Realm | None,
        pauses: Sequence[float] = _PAUSES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.realm = realm
        self.where = authority
        self._host, self._port = service_address(authority)
        self._pauses = tuple(pauses)
        self._sleep = sleep
        self._tls = _context(realm, authority)

    def exchange(self, number: str, request: bytes) -> bytes | None:
        """Return the response to a request.

        :raises LicensingError: the service refused to look at it, is not the realm's, or did not answer; the message
            says whether the outcome is unknown
        """
        return self._tried(number, "POST", REQUESTS, request)

    def probe(self, dry: bool = False) -> None:
        """Ask the service whether it could answer a request now.

        :raises LicensingError: it could not, is not there, or is not the realm's
        """
        self._tried(None, "GET", STATUS, None)

    def _tried(self, number: str | None, method: str, path: str, content: bytes | None) -> bytes | None:
        sent = False
        for pause in (*self._pauses, None):
            try:
                return self._attempt(method, path, content)
            except _Again as failed:
                sent = sent or failed.sent
                wait = max(pause or 0.0, failed.pause or 0.0)
                if pause is None or wait > _LONGEST_PAUSE:
                    raise self._unanswered(number, failed, sent) from None
            self._sleep(wait)
        return None

    def _unanswered(self, number: str | None, failed: _Again, sent: bool) -> LicensingError:
        if failed.status == _TOO_MANY and failed.pause is not None:
            what = f"The authority answers no more requests from here for {failed.pause:.0f} seconds: {failed}."
            return refuse(what, self.where, "Wait that long, then run the same command again.")
        if sent and number is not None:
            return refuse(
                f"No answer came to the request for license {number}, and whether the authority acted on it is "
                f"unknown: {failed}.",
                self.where,
                "Run the same command again: it asks under the same id, and nothing is spent twice.",
            )
        if failed.problem is not None:
            return LicensingError([failed.problem])
        return refuse(
            f"The authority cannot be reached: {failed}.",
            self.where,
            "Check its address, that 'authority serve' runs there, and the network; then run the same command again.",
        )

    def _attempt(self, method: str, path: str, content: bytes | None) -> bytes:
        connection = http.client.HTTPSConnection(self._host, self._port, timeout=_CONNECT, context=self._tls)
        sent = False
        with contextlib.closing(connection):
            try:
                faults.reach("channel.https.connect", self.where)
                connection.connect()
                connection.sock.settimeout(_READ)
                sent = True
                faults.reach("channel.https.send", self.where)
                connection.request(method, path, content, {"Content-Type": "application/json"} if content else {})
                faults.reach("channel.https.sent", self.where)
                with contextlib.closing(connection.getresponse()) as reply:
                    body = _body(reply)
                    faults.reach("channel.https.received", self.where)
                    return self._read(reply, body)
            except ssl.SSLCertVerificationError as error:
                raise refuse(
                    f"The service is not the authority of realm {self.realm.id if self.realm else '?'}: "
                    f"{error.verify_message}.",
                    self.where,
                    "Correct the address (it must be one of the service's --host names), or give the realm's ca as "
                    "'authority serve' keeps it in ca.pem.",
                ) from None
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, OSError) and is_own(error) and not sent:
                    what = f"This machine cannot ask the authority: {reason(error)}."
                    raise refuse(what, self.where, advice(error)) from None
                raise _Again(_words(error), sent) from None

    def _read(self, reply: http.client.HTTPResponse, body: bytes) -> bytes:
        if reply.status == 200:
            return body
        problem = _problem(body)
        if reply.status in _BUSY:
            said = f"it said {reply.status} {reply.reason}"[:80]
            raise _Again(said, reply.status == 502, _seconds(reply), reply.status, problem)
        if problem is None:
            raise refuse(
                f"The service answered {reply.status} and no response of an authority.",
                self.where,
                "Correct the address: it must be an authority's service, not a proxy or another web server.",
            )
        raise LicensingError([problem])


def trust(ca: str | None = None) -> ssl.SSLContext:
    """Return what a TLS server is checked by.

    Unlike with Python's own default, no keys of the connections are written where SSLKEYLOGFILE says, and a place of
    that name that cannot be written keeps nothing from being reached.

    :param ca: the only certificate that vouches for it, in PEM; None takes those of the system
    :raises ssl.SSLError, ValueError: this is no certificate
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cadata=ca)
    return context


def _context(realm: Realm | None, where: str) -> ssl.SSLContext:
    checked = check_realm(where, realm)
    try:
        return trust(checked.ca if checked and checked.ca else "")
    except (ssl.SSLError, ValueError):
        raise refuse(
            "The realm's ca is not a certificate.",
            where,
            "Give ca as 'authority init' printed it: one certificate in PEM, from BEGIN to END.",
        ) from None


def _body(reply: http.client.HTTPResponse) -> bytes:
    """Read a reply to the end that it announced, within size and time."""
    until = time.monotonic() + _WHOLE
    announced = reply.length
    if reply.status == 200 and announced is None and not reply.chunked:
        # The authority announces what it sends: this reply was cut off in its headers.
        raise http.client.IncompleteRead(b"")
    data = b""
    while part := reply.read1(16384):
        data += part
        if len(data) > _LIMIT:
            raise http.client.HTTPException(f"the reply has over {_LIMIT} bytes")
        if time.monotonic() > until:
            raise TimeoutError("the reply takes too long")
    if announced is not None and len(data) < announced:
        raise http.client.IncompleteRead(data, announced - len(data))
    return data


def _problem(body: bytes) -> Problem | None:
    """The problem that the service's error holds; words of a service whose certificate was checked."""
    try:
        data: Any = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    told = data.get("problem") if isinstance(data, Mapping) else None
    if not isinstance(told, Mapping):
        return None
    words = [told.get(key) for key in ("what", "where", "todo")]
    if not all(isinstance(text, str) and 0 < len(text) <= 500 and text.isprintable() for text in words):
        return None
    return Problem(*(str(text) for text in words))


def _seconds(reply: http.client.HTTPResponse) -> float | None:
    text = reply.getheader("Retry-After") or ""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None


def _words(error: Exception) -> str:
    if isinstance(error, http.client.IncompleteRead):
        return "the reply was cut off"
    if isinstance(error, http.client.RemoteDisconnected):
        return "the connection was closed without a reply"
    if isinstance(error, TimeoutError) and not error.args[1:]:
        return str(error) or "it timed out"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)[:200] or type(error).__name__
