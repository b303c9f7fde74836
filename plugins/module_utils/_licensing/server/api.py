# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API for clients (docs/api.md): HTTP paths and JSON, independent of the web framework."""

from __future__ import annotations

import json
import re
from typing import Callable

from ..errors import LicensingError, Problem, refuse
from ..model import parse_profile, parse_user
from .allocator import SeatAllocator, SeatRequest
from .pool import Seat
from .refusals import STATUSES, Refusal

# Maximum size of a body in bytes.
MAX_BODY = 4096

_PATH = re.compile(r"/v1/seats/([0-9a-f]{32})(/heartbeat)?")
_METHODS = {None: "PUT, DELETE", "/heartbeat": "POST"}
_KEYS = {"profile", "user", "client"}
_CLIENT = re.compile(r"[!-~]{1,255}")

# Sends an answer: status, body, and the allowed methods if the request's method is not allowed.
Send = Callable[[int, str, str], None]


class Api:
    """Reads requests, passes them to the allocator, and writes the answers.

    :ivar waiting: number of requests without an answer
    :ivar answered: number of answered requests
    :ivar closing: whether clients are asked to close their connections
    """

    def __init__(self, allocator: SeatAllocator) -> None:
        self._allocator = allocator
        self._metrics = allocator.metrics
        self._lease = f"{allocator.pool.lease:g}"
        self.waiting = 0
        self.answered = 0
        self.closing = False

    def answer(self, method: str, path: str, body: bytes | None, address: str, send: Send) -> None:
        """Answer a request, at once or when its change is on disk.

        :param body: None if it has more than MAX_BODY bytes
        :param address: the client's IP address
        :param send: called once with the answer
        """
        self.waiting += 1
        try:
            match = _PATH.fullmatch(path)
            if match is None:
                raise _not_found()
            if body is None:
                raise _too_large()
            id, rest = match[1], match[2]
            if rest and method == "POST":
                self._heartbeat(id, send)
            elif method == "PUT" and not rest:
                self._take(id, body, address, send)
            elif method == "DELETE" and not rest:
                self._release(id, send)
            else:
                self._refuse(_wrong_method(method, _METHODS[rest]), send, _METHODS[rest])
        except Refusal as refusal:
            self._refuse(refusal, send)

    def reject_page(self, send: Send) -> None:
        """Refuse a request that a browser sends for a web page."""
        self.waiting += 1
        self._refuse(_from_page(), send)

    def _take(self, id: str, body: bytes, address: str, send: Send) -> None:
        counts = self._metrics.takes

        def reply(answer: Seat | Refusal) -> None:
            if isinstance(answer, Refusal):
                counts[answer.code] = counts.get(answer.code, 0) + 1
                self._refuse(answer, send)
                return
            counts["granted"] += 1
            # None of these values can contain characters that JSON escapes.
            self._send(
                send,
                f'{{"seat": "{id}", "profile": "{answer.profile}", "license": "{answer.license}", '
                f'"lease_seconds": {self._lease}, "since": "{answer.since}"}}',
            )

        try:
            self._allocator.take(bytes.fromhex(id), _read_request(body, address), reply)
        except Refusal as refusal:
            reply(refusal)

    def _heartbeat(self, id: str, send: Send) -> None:
        counts = self._metrics.heartbeats
        try:
            maintenance = self._allocator.heartbeat(bytes.fromhex(id))
        except Refusal as refusal:
            counts[refusal.code] = counts.get(refusal.code, 0) + 1
            raise
        counts["kept"] += 1
        flag = "true" if maintenance else "false"
        self._send(send, f'{{"seat": "{id}", "lease_seconds": {self._lease}, "maintenance": {flag}}}')

    def _release(self, id: str, send: Send) -> None:
        counts = self._metrics.releases

        def reply(answer: bool | Refusal) -> None:
            if isinstance(answer, Refusal):
                counts[answer.code] = counts.get(answer.code, 0) + 1
                self._refuse(answer, send)
                return
            counts["released" if answer else "not_held"] += 1
            self._send(send, f'{{"seat": "{id}", "released": {"true" if answer else "false"}}}')

        self._allocator.release(bytes.fromhex(id), reply)

    def _send(self, send: Send, body: str) -> None:
        self.waiting -= 1
        self.answered += 1
        send(200, body, "")

    def _refuse(self, refusal: Refusal, send: Send, allowed: str = "") -> None:
        self.waiting -= 1
        self.answered += 1
        send(
            STATUSES[refusal.code],
            json.dumps({"code": refusal.code, "problem": refusal.problem.as_dict()}),
            allowed,
        )


def _read_request(body: bytes, address: str) -> SeatRequest:
    """Read a client's request for a seat, or refuse."""
    try:
        data = json.loads(body.decode())
    except (ValueError, RecursionError):
        data = None
    try:
        if not isinstance(data, dict) or not data.keys() <= _KEYS:
            raise refuse(
                "The request is not a JSON object with profile, user and client.",
                "body",
                'Send {"profile": name or null, "user": "DOMAIN\\\\user", "client": host name}.',
            )
        profile, client = data.get("profile"), data.get("client")
        if profile is not None:
            profile = parse_profile(profile, "profile")
        user = parse_user(data.get("user"), "user")
        if not user.isprintable():
            raise refuse(f"{user!r} is not a registered user.", "user", "Write it as DOMAIN\\user.")
        if not isinstance(client, str) or not _CLIENT.fullmatch(client):
            raise refuse(
                f"{client!r} is not a client's name.", "client", "Use 1 to 255 ASCII characters without spaces."
            )
    except LicensingError as error:
        raise Refusal("malformed", error.problems[0]) from None
    return SeatRequest(profile, user, client, address)


def _wrong_method(method: str, allowed: str) -> Refusal:
    return Refusal("method_not_allowed", Problem(f"{method[:20]} is not allowed here.", "request", f"Use {allowed}."))


def _from_page() -> Refusal:
    what = "A web page sent this request: it has Origin, Referer or Sec-Fetch- headers."
    return Refusal("web_page", Problem(what, "request", "Take seats with a client of the license server."))


def _not_found() -> Refusal:
    return Refusal(
        "not_found",
        Problem(
            "This path does not exist.",
            "request",
            "Use /v1/seats/ID or /v1/seats/ID/heartbeat; ID is 32 lower-case hexadecimal digits.",
        ),
    )


def _too_large() -> Refusal:
    return Refusal(
        "too_large",
        Problem(f"The body has more than {MAX_BODY} bytes.", "body", "Send profile, user and client only."),
    )
