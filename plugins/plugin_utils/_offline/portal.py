# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request page of an authority, as the controller uses it: request files up, response files down.

Whatever the page answers is data of a stranger until the realm's signature says otherwise: which request a response
belongs to is read from the response itself, and it is checked against that request before it is given to anybody.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION, documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.https import trust
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Document, Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    LicensingError,
    Problem,
    refuse,
    unsecret,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.exchange import check_response, refusal
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.folder import Request
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.portal_options import plain

GRANTED, REFUSED = "granted", "refused"
# Files in one call, and what one of them may come back as: a document in base64 with its particulars.
_FILES = 10
_REPLY = 2 * documents.MAX_BYTES
# Seconds before the second and the third attempt.
_PAUSES = (0.5, 2.0)
_LONGEST_PAUSE = 20.0
_BUSY = (429, 502, 503, 504)
_TOO_LARGE = 413
_UNREACHABLE = (OSError, HTTPException, UnicodeError)
_AGAIN = "Run the same command again: the same requests are handed over, and answered once."


@dataclass(frozen=True)
class Answer:
    """The realm's checked answer to a request.

    :ivar content: the response file
    :ivar problem: why the authority refused, or None where it granted
    :ivar mailed: whether the page says that it was sent by e-mail too
    :ivar repeated: whether it says that the request had been answered before
    """

    request: Request
    content: bytes
    problem: Problem | None
    mailed: bool
    repeated: bool = False

    @property
    def outcome(self) -> str:
        return REFUSED if self.problem else GRANTED


class Portal:
    """The request page of one authority.

    :param address: ``https://host[:port]``, as :func:`check_portal` returns it
    :param realm: the authority's, with its certificate
    :param email: where the page shall send the responses too, if anywhere
    :param timeout: seconds to wait for each sign of life of the page
    """

    def __init__(self, address: str, realm: Realm, email: str, timeout: float) -> None:
        self.address = address
        self._realm = realm
        self._email = email
        self._timeout = timeout

    def check(self) -> None:
        """Refuse unless the authority can be reached and is the realm's; nothing is handed over."""
        status, data = self._call("/v1/realm")
        found = _object(data)
        if status != 200 or not isinstance(found.get("key"), str):
            raise self._told(status, data)
        if found["key"] != self._realm.key:
            raise refuse(
                f"The page is of the realm {plain(found.get('name'))!r}, not of {self._realm.name!r}.",
                self.address,
                "Correct aims_license_server_portal or aims_license_server_realm.",
            )

    def hand_over(self, requests: Sequence[Request]) -> Iterator[tuple[list[Answer], list[Problem]]]:
        """Hand requests to the page, a few in each call; yield what each call brought.

        The answers are checked: each is the realm's to one of these very requests. A problem stands for each request
        that got none.
        """
        for at in range(0, len(requests), _FILES):
            yield from self._hand_over(requests[at : at + _FILES])

    def _hand_over(self, requests: Sequence[Request]) -> Iterator[tuple[list[Answer], list[Problem]]]:
        boundary = secrets.token_hex(16)
        status, data = self._call("/requests", _form(boundary, self._email, requests), boundary)
        if status == _TOO_LARGE and len(requests) > 1:
            for one in requests:
                yield from self._hand_over([one])
            return
        entries = _object(data).get("results")
        if status in _BUSY or not isinstance(entries, list):
            raise self._told(status, data)
        yield self._matched(requests, entries)

    def _matched(self, requests: Sequence[Request], entries: Sequence[Any]) -> tuple[list[Answer], list[Problem]]:
        answers: dict[str, Answer] = {}
        problems: dict[str, tuple[Problem, ...]] = {}
        for at, entry in enumerate(entries[: len(requests)]):
            given = entry if isinstance(entry, dict) else {}
            content = _content(given.get("content"))
            request = _asked(content, given, requests) or requests[at]
            try:
                if content is None:
                    raise LicensingError([self._problem(given.get("problem"), self._at(request))])
                response = check_response(content, request.content, self._realm, self._at(request))
            except LicensingError as error:
                problems[request.name] = error.problems
                continue
            refused = refusal(response)
            reason = refused.problems[0] if refused else None
            answers[request.name] = Answer(
                request, content, reason, given.get("mailed") is True, given.get("repeated") is True
            )
        for request in requests:
            if request.name not in answers and request.name not in problems:
                lost = Problem("The page returned no response to this request.", self._at(request), _AGAIN)
                problems[request.name] = (lost,)
        untold = [problem for name, told in problems.items() if name not in answers for problem in told]
        return list(answers.values()), untold

    def _at(self, request: Request) -> str:
        return f"{self.address}, {request.name}"

    def _told(self, status: int, data: bytes) -> LicensingError:
        """What a reply that carries no results says is wrong."""
        said = _object(data).get("problem")
        if isinstance(said, dict):
            return LicensingError([self._problem(said, self.address)])
        if status in _BUSY:
            return refuse(f"The request page is busy or being restarted (status {status}).", self.address, _AGAIN)
        if status == _TOO_LARGE:
            return refuse("The request is too large for the page.", self.address, "Take the original request file.")
        return refuse(
            f"This is not the reply of an authority's request page (status {status}).",
            self.address,
            "Correct the address (aims_license_server_portal): it is that of 'authority serve'.",
        )

    @staticmethod
    def _problem(said: object, where: str) -> Problem:
        """A problem as the page tells it, fit to be shown."""
        told = said if isinstance(said, dict) else {}
        if not isinstance(told.get("what"), str) or not plain(told["what"]):
            return Problem("The page returned no response to this request.", where, _AGAIN)
        todo = plain(told.get("todo")) or "Ask the authority's owner."
        return Problem(plain(told["what"]), f"{where}: {plain(told.get('where'))}", todo)

    # -- the wire

    def _call(self, path: str, form: bytes | None = None, boundary: str = "") -> tuple[int, bytes]:
        """Ask the page a bounded number of times; return status and body, or refuse where it cannot be reached."""
        pauses = list(_PAUSES)
        while True:
            try:
                status, data, wait = self._once(path, form, boundary)
                if status not in _BUSY or not pauses or wait > _LONGEST_PAUSE:
                    return status, data
            except _UNREACHABLE as error:
                self._raise_certificate(error)
                proxy = _proxy(self.address)
                if not pauses and proxy is not None:
                    raise refuse(
                        f"The request page cannot be reached by way of the proxy {proxy}: {_reason(error)}.",
                        self.address,
                        "Correct https_proxy in the controller's environment, or name the page's host in no_proxy. "
                        f"{_AGAIN}",
                    ) from None
                if not pauses:
                    raise refuse(
                        f"The request page cannot be reached: {_reason(error)}.",
                        self.address,
                        f"Check the address and the controller's way there (proxies, firewalls). {_AGAIN}",
                    ) from None
                wait = 0.0
            time.sleep(max(pauses.pop(0), wait))

    def _raise_certificate(self, error: Exception) -> None:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise refuse(
                f"The page does not prove to be the authority's: {cause.verify_message}.",
                self.address,
                "Check the address, and that aims_license_server_realm has the ca that 'authority init' printed. "
                "Nothing was handed over.",
            ) from None

    def _once(self, path: str, form: bytes | None, boundary: str) -> tuple[int, bytes, float]:
        headers = {"Accept": "application/json", "User-Agent": f"aims.licensing/{VERSION}"}
        if form is not None:
            headers["Content-Type"] = f"multipart/form-data; boundary={boundary}"
        call = urllib.request.Request(f"{self.address}{path}", form, headers)  # noqa: S310 - check_portal wants https
        # Ansible's own open_url writes the certificate into a temporary file, and the keys where SSLKEYLOGFILE says.
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=trust(self._realm.ca or "")), _Stay)
        try:
            reply = opener.open(call, timeout=self._timeout)
        except urllib.error.HTTPError as error:
            reply = error
        with reply:
            asked_for = str(reply.headers.get("Retry-After") or "")
            wait = float(asked_for) if asked_for.isascii() and asked_for.isdigit() and len(asked_for) < 7 else 0.0
            return int(reply.code), bytes(reply.read(_FILES * _REPLY)), wait


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it becomes the reply."""

    def redirect_request(self, *redirect: Any) -> None:
        return None


def _proxy(address: str) -> str | None:
    """The proxy that the controller's environment has for an address, without its login; None where there is none."""
    named = urllib.request.getproxies().get("https")
    if not named or urllib.request.proxy_bypass(urllib.parse.urlsplit(address).netloc):
        return None
    return plain(unsecret(named if "//" in named else f"//{named}"))


def _form(boundary: str, email: str, requests: Sequence[Request]) -> bytes:
    """What a browser would send for the page's form, with one file field per request."""
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="email"\r\n\r\n{email}\r\n'
    parts = [head.encode()]
    for request in requests:
        # The file's own name may be anything, and is for this controller alone.
        file = f"{digits(request.number)}.request"
        named = f'Content-Disposition: form-data; name="request"; filename="{file}"'
        parts.append(f"--{boundary}\r\n{named}\r\nContent-Type: application/octet-stream\r\n\r\n".encode())
        parts.append(request.content + b"\r\n")
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])


def _object(data: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _content(text: object) -> bytes | None:
    """A response file as the page returned it, or None where it returned none."""
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) and text else None
    except (binascii.Error, ValueError):
        return b""


def _asked(content: bytes | None, entry: Mapping[str, Any], requests: Sequence[Request]) -> Request | None:
    """The request that an entry of the reply belongs to, by the response itself, or else by the number it names."""
    try:
        response: Document | None = documents.read(content or b"", documents.RESPONSE, "")
    except LicensingError:
        response = None
    by_id = {request.body["id"]: request for request in requests}
    by_number = {request.number: request for request in requests}
    known = response.body.get("request_id") if response else None
    return by_id.get(str(known)) or by_number.get(str(entry.get("number")))


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    said = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return plain(said).rstrip(".")
