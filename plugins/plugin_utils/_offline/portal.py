# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's client for the request page of an authority: uploads request files, downloads response files.

The page's answer is untrusted until the realm's signature is verified. A response itself names the request that it
answers, and is checked against that request before it is used.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION, documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import parse_service
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Document, Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    LicensingError,
    Problem,
    redact,
    refuse,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.http import (
    Answer as Reply,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.http import (
    Call,
    Endpoint,
    Failure,
    Patience,
    Proxy,
    TooLarge,
    ask,
    ask_patiently,
    environment_proxy,
    realm_context,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.exchange import check_response, refusal
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.folder import Request
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.portal_options import plain

GRANTED, REFUSED = "granted", "refused"
# Files per call, and the largest reply for a file: a document in base64 with its details.
_FILES = 10
_REPLY = 2 * documents.MAX_BYTES
_HTTPS_PORT = 443
_PATIENCE = Patience((0.5, 2.0), busy=(429, 502, 503, 504))
_TOO_LARGE = 413
_AGAIN = "Run the same command again: it uploads the same requests, and each is answered once."


@dataclass(frozen=True)
class Answer:
    """A response to a request, after its signature was verified.

    :ivar content: the response file
    :ivar problem: why the authority refused, or None where it granted
    :ivar mailed: whether the page says that the mail server accepted a mail with it
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
    :param email: the address to which the page also sends the responses, or empty
    :param timeout: seconds to wait for each answer of the page
    """

    def __init__(self, address: str, realm: Realm, email: str, timeout: float) -> None:
        self.address = address
        self._realm = realm
        self._email = email
        proxy = environment_proxy(address.removeprefix("https://"))
        self._proxy = proxy
        self._endpoint = Endpoint(
            *parse_service(address, _HTTPS_PORT),
            tls=realm_context(realm.ca, address),
            connect=timeout,
            silence=timeout,
            size=_FILES * _REPLY,
            proxy=proxy,
        )

    def check(self) -> None:
        """Refuse a page that cannot be reached, or belongs to another realm; upload nothing."""
        reply = self._ask("/v1/realm")
        realm = reply.members()
        if not reply.is_ok or not isinstance(realm.get("key"), str):
            raise self._unusable(reply)
        if realm["key"] != self._realm.key:
            raise refuse(
                f"The page belongs to realm {plain(realm.get('name'))!r}, not to {self._realm.name!r}.",
                self.address,
                "Correct aims_license_server_portal or aims_license_server_realm.",
            )

    def hand_over(self, requests: Sequence[Request]) -> Iterator[tuple[list[Answer], list[Problem]]]:
        """Upload requests, a few in each call; yield the answers and problems of each call.

        Each answer is verified: the realm signed it for one of these requests. Each request without an answer has a
        problem.
        """
        for at in range(0, len(requests), _FILES):
            yield from self._hand_over(requests[at : at + _FILES])

    def _hand_over(self, requests: Sequence[Request]) -> Iterator[tuple[list[Answer], list[Problem]]]:
        boundary = secrets.token_hex(16)
        reply = self._ask("/requests", _form(boundary, self._email, requests), boundary)
        if reply.status == _TOO_LARGE and len(requests) > 1:
            for request in requests:
                yield from self._hand_over([request])
            return
        entries = reply.members().get("results")
        if reply.status in _PATIENCE.busy or not isinstance(entries, list):
            raise self._unusable(reply)
        yield self._matched(requests, entries)

    def _matched(self, requests: Sequence[Request], entries: Sequence[Any]) -> tuple[list[Answer], list[Problem]]:
        answers: dict[str, Answer] = {}
        problems: dict[str, tuple[Problem, ...]] = {}
        for at, entry in enumerate(entries[: len(requests)]):
            data = entry if isinstance(entry, dict) else {}
            content = _content(data.get("content"))
            request = _asked(content, data, requests) or requests[at]
            try:
                if content is None:
                    raise LicensingError([self._problem(data.get("problem"), self._at(request))])
                response = check_response(content, request.content, realm=self._realm, where=self._at(request))
            except LicensingError as error:
                problems[request.name] = error.problems
                continue
            refused = refusal(response)
            reason = refused.problems[0] if refused else None
            answers[request.name] = Answer(
                request, content, reason, data.get("mailed") is True, data.get("repeated") is True
            )
        for request in requests:
            if request.name not in answers and request.name not in problems:
                lost = Problem("The page returned no response to this request.", self._at(request), _AGAIN)
                problems[request.name] = (lost,)
        unhandled = [problem for name, listed in problems.items() if name not in answers for problem in listed]
        return list(answers.values()), unhandled

    def _at(self, request: Request) -> str:
        return f"{self.address}, {request.name}"

    def _unusable(self, reply: Reply) -> LicensingError:
        """Return the error for a reply without results."""
        said = reply.members().get("problem")
        if isinstance(said, dict):
            return LicensingError([self._problem(said, self.address)])
        if reply.status in _PATIENCE.busy:
            return refuse(f"The request page is busy or being restarted (status {reply.status}).", self.address, _AGAIN)
        if reply.status == _TOO_LARGE:
            return refuse("The request is too large for the page.", self.address, "Use the original request file.")
        return refuse(
            f"The server at this address is not an authority's request page (status {reply.status}).",
            self.address,
            "Correct the address (aims_license_server_portal): use that of 'authority serve'.",
        )

    @staticmethod
    def _problem(said: object, where: str) -> Problem:
        """Return a problem from the page, safe to display."""
        problem = said if isinstance(said, dict) else {}
        if not isinstance(problem.get("what"), str) or not plain(problem["what"]):
            return Problem("The page returned no response to this request.", where, _AGAIN)
        todo = plain(problem.get("todo")) or "Ask the authority's owner."
        return Problem(plain(problem["what"]), f"{where}: {plain(problem.get('where'))}", todo)

    # -- the wire

    def _ask(self, path: str, form: bytes | None = None, boundary: str = "") -> Reply:
        """Ask the page a limited number of times; refuse if it cannot be reached."""
        headers = {"Accept": "application/json", "User-Agent": f"aims.licensing/{VERSION}"}
        if form is not None:
            headers["Content-Type"] = f"multipart/form-data; boundary={boundary}"
        call = Call("GET" if form is None else "POST", path, form, headers)
        last = ask_patiently(lambda: ask(self._endpoint, call), _PATIENCE).last
        if isinstance(last, Failure) and isinstance(last.error, TooLarge):
            raise self._unusable(Reply(last.error.status, "", b""))
        if isinstance(last, Failure):
            raise self._unreachable(last)
        return last

    def _unreachable(self, failure: Failure) -> LicensingError:
        reason = plain(failure).rstrip(".")
        if failure.certificate is not None:
            return refuse(
                f"TLS verification of the request page failed: {failure.certificate}.",
                self.address,
                "Check the address, and that aims_license_server_realm has the ca that 'authority init' printed. "
                "Nothing was uploaded.",
            )
        if self._proxy is not None:
            return refuse(
                f"The request page cannot be reached through the proxy {_shown(self._proxy)}: {reason}.",
                self.address,
                f"Correct https_proxy in the controller's environment, or name the page's host in no_proxy. {_AGAIN}",
            )
        return refuse(
            f"The request page cannot be reached: {reason}.",
            self.address,
            f"Check the address and the route to it from the controller (proxies, firewalls). {_AGAIN}",
        )


def _shown(proxy: Proxy) -> str:
    """Return the URL of a proxy without its login."""
    return plain(redact(proxy.url if "//" in proxy.url else f"//{proxy.url}"))


def _form(boundary: str, email: str, requests: Sequence[Request]) -> bytes:
    """Return the form data that a browser would send, with a file field per request."""
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="email"\r\n\r\n{email}\r\n'
    parts = [head.encode()]
    for request in requests:
        # The file's own name may be anything, and stays on this controller.
        file = f"{digits(request.number)}.request"
        named = f'Content-Disposition: form-data; name="request"; filename="{file}"'
        parts.append(f"--{boundary}\r\n{named}\r\nContent-Type: application/octet-stream\r\n\r\n".encode())
        parts.append(request.content + b"\r\n")
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])


def _content(text: object) -> bytes | None:
    """Return the content of a response file, or None if the page returned none."""
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) and text else None
    except (binascii.Error, ValueError):
        return b""


def _asked(content: bytes | None, entry: Mapping[str, Any], requests: Sequence[Request]) -> Request | None:
    """Return the request that an entry of the reply answers, by the response itself or else by the license number."""
    try:
        response: Document | None = documents.read(content or b"", documents.RESPONSE, "")
    except LicensingError:
        response = None
    by_id = {request.id: request for request in requests}
    by_number = {request.number: request for request in requests}
    known = response.body.get("request_id") if response else None
    return by_id.get(str(known)) or by_number.get(str(entry.get("number")))
