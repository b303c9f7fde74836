# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The channel to an authority's service: HTTPS, authenticated by the realm's own CA.

A call that fails is retried a few times with the same bytes. This is safe, because the authority answers a repeated
request with the same response.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Callable

from .. import faults
from ..documents import Realm
from ..errors import LicensingError, Problem, refuse
from ..http import Answer, Call, Connection, Endpoint, Failure, Patience, ask_patiently, realm_context
from ..system import advice, reason
from .base import check_realm, service_address

REQUESTS = "/v1/requests"
STATUS = "/v1/status"
_CONNECT, _SILENCE = 10.0, 30.0
_PAUSES = (1.0, 2.0, 4.0)
_TOO_MANY = 429
# Bytes. A response has one license file and one account of transfers, about 3 KB.
_LIMIT = 256 * 1024


class Https:
    """An authority behind ``https://host:port``.

    :param realm: its ``ca`` is the only trusted CA
    :param pauses: seconds between two attempts; there is one more attempt than pauses
    :param sleep: waits for a number of seconds
    :raises LicensingError: the realm has no usable ``ca``
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
        checked = check_realm(authority, realm)
        self._endpoint = Endpoint(
            *service_address(authority),
            tls=realm_context(checked.ca if checked else None, authority),
            connect=_CONNECT,
            silence=_SILENCE,
            size=_LIMIT,
            is_length_announced=True,
        )
        self._patience = Patience(pauses)
        self._sleep = sleep

    def exchange(self, number: str, request: bytes) -> bytes | None:
        """Return the response to a request.

        :raises LicensingError: the service rejected the call, failed authentication or did not answer; the message
            says whether the outcome is unknown
        """
        return self._ask(number, Call("POST", REQUESTS, request, {"Content-Type": "application/json"}))

    def probe(self, dry: bool = False) -> None:
        """Check that the service is reachable and could answer a request.

        :raises LicensingError: it is unreachable, cannot answer, or failed authentication
        """
        self._ask(None, Call("GET", STATUS))

    def _ask(self, number: str | None, call: Call) -> bytes:
        outcome = ask_patiently(lambda: self._attempt(call), self._patience, self._sleep)
        last = outcome.last
        if isinstance(last, Answer) and last.status not in self._patience.busy:
            return self._read(last)
        if isinstance(last, Failure) and last.is_lasting:
            raise self._impossible(last)
        raise self._unanswered(number, last, outcome.is_sent)

    def _attempt(self, call: Call) -> Answer:
        with Connection(self._endpoint) as connection:
            faults.reach("channel.https.connect", self.where)
            connection.open()
            faults.reach("channel.https.send", self.where)
            connection.send(call)
            faults.reach("channel.https.sent", self.where)
            answer = connection.receive()
            faults.reach("channel.https.received", self.where)
            return answer

    def _read(self, answer: Answer) -> bytes:
        if answer.is_ok:
            return answer.content
        problem = _problem(answer)
        if problem is None:
            raise refuse(
                f"The service answered {answer.status} without a response of an authority.",
                self.where,
                "Correct the address: it must lead to an authority's service, not to a proxy or another web server.",
            )
        raise LicensingError([problem])

    def _impossible(self, failure: Failure) -> LicensingError:
        if failure.own is not None:
            what = f"This machine cannot call the authority: {reason(failure.own)}."
            return refuse(what, self.where, advice(failure.own))
        return refuse(
            f"The service is not the authority of realm {self.realm.id if self.realm else '?'}: {failure.certificate}.",
            self.where,
            "Correct the address (it must be one of the service's --host names), or declare the realm's ca: the "
            "content of ca.pem of 'authority serve'.",
        )

    def _unanswered(self, number: str | None, last: Answer | Failure, is_sent: bool) -> LicensingError:
        answer = last if isinstance(last, Answer) else None
        if answer and answer.status == _TOO_MANY and answer.pause is not None:
            what = f"The authority accepts no requests from this host for {answer.pause:.0f} seconds: {answer}."
            return refuse(what, self.where, "Wait that long, then run the same command again.")
        if is_sent and number is not None:
            return refuse(
                f"The authority did not answer the request for license {number}. It is unknown whether the authority "
                f"processed it: {last}.",
                self.where,
                "Run the same command again. It repeats the request under the same id, so no transfer is spent twice.",
            )
        problem = _problem(answer) if answer else None
        if problem is not None:
            return LicensingError([problem])
        return refuse(
            f"The authority cannot be reached: {last}.",
            self.where,
            "Check its address, that 'authority serve' runs there, and the network; then run the same command again.",
        )


def _problem(answer: Answer) -> Problem | None:
    """Return the problem in an error answer, or None. The service is authenticated, so its text can be shown."""
    said = answer.members().get("problem")
    if not isinstance(said, Mapping):
        return None
    words = [said.get(key) for key in ("what", "where", "todo")]
    if not all(isinstance(text, str) and 0 < len(text) <= 500 and text.isprintable() for text in words):
        return None
    return Problem(*(str(text) for text in words))
