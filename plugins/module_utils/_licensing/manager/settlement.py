# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settling exchanges: ask, archive, apply, close."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Callable

from .. import documents, faults
from ..channel.base import Channel
from ..documents import Document, Realm
from ..errors import LicensingError, Problem, refuse
from ..home.journal import Intent, Journal
from ..home.nodelock import read_nodelock
from ..home.store import Home
from ..license_view import Transfers
from ..model import ACTIVATE, DEACTIVATE, UPDATE, License
from .exchange import check_pending, check_response, hindrance, is_void, refusal
from .results import DONE, Action, LicenseResult


class Settlement:
    """The exchanges of one call, of one home with one authority.

    Each step may be the last before a crash; the next call takes it up from what is on disk. The home is to be held
    locked.

    :param arrival: called with the number of each license that is about to become active, its response archived
    :ivar results: of what was granted, by license number
    """

    def __init__(
        self, home: Home, channel: Channel, *, realm: Realm, arrival: Callable[[str], None] | None = None
    ) -> None:
        self._home = home
        self._journal = Journal(home.folder)
        self._channel = channel
        self._realm = realm
        self._arrival = arrival
        self.results: dict[str, LicenseResult] = {}

    def finish(self, intents: Sequence[Intent]) -> None:
        """Finish what is pending; offline, look at every response that is at hand before applying the first.

        :raises LicensingError: with all that the authority refused; the others are finished all the same, as nothing
            of them is in doubt
        """
        self.look(intents)
        refusals = [self._settle(intent) for intent in intents]
        problems = [problem for refused in refusals if refused is not None for problem in refused.problems]
        if problems:
            raise LicensingError(problems)

    def look(self, intents: Sequence[Intent]) -> dict[str, Document]:
        """Return the responses that are at hand, checked, by license number; nobody is asked, and nothing is changed.

        :raises LicensingError: one of them is not usable, or was asked of another realm
        """
        responses: dict[str, Document] = {}
        problems: list[Problem] = []
        for intent in intents:
            try:
                check_pending(intent, self._realm)
                data = intent.response
                if data is None and not self._channel.online:
                    data = self._channel.exchange(intent.number, intent.request)
                if data is not None:
                    responses[intent.number] = self._checked(intent, data)
            except LicensingError as error:
                problems.extend(error.problems)
        if problems:
            raise LicensingError(problems)
        return responses

    def begin(self, number: str, request: bytes) -> None:
        """Write the intent of an exchange; online, take it to its end. Offline, no response can be at hand yet."""
        intent = self._journal.begin(number, request)
        refused = self._settle(intent) if self._channel.online else None
        if refused is not None:
            raise refused

    def end(self, number: str) -> None:
        """End an emergency activation: by the authority's account this machine never held the license."""
        self._home.drop_nodelock(number)
        self.results[number] = LicenseResult(number, Action.DEACTIVATED)

    def _settle(self, intent: Intent) -> LicensingError | None:
        """Take one exchange as far as it goes; what was asked before is asked again under the same id.

        :return: the authority's refusal; the exchange is then closed, and nothing was applied. What it refused to take
            back stays fenced: by its account this machine does not hold it (invariant I1). Where by its account nobody
            does, there is nothing to take back, and the nodelock goes as if it had been.
        :raises LicensingError: the outcome is not known
        """
        data = intent.response
        if data is None:
            data = self._channel.exchange(intent.number, intent.request)
            if data is None:
                return None
        response = self._checked(intent, data)
        if intent.response is None:
            # What is archived has the bytes that the authority signed, whatever was made of them on the way.
            self._journal.answered(intent, response.normal)
        refused = hindrance(response)
        if refused is None:
            self._apply(intent, response)
        self._journal.close(intent)
        if refused is None:
            self.results[intent.number] = _result(intent, response)
        return refused

    def _checked(self, intent: Intent, data: bytes) -> Document:
        file = intent.file.replace(".request", ".response")
        where = file if self._channel.online else f"{self._channel.where}/{file}"
        response = check_response(data, intent.request, realm=self._realm, where=where, journal=self._journal)
        if intent.action in (ACTIVATE, UPDATE) and refusal(response) is None:
            self._license(intent.number, response)
            read_nodelock(response)
        return response

    def _license(self, number: str, response: Document) -> bytes:
        """Return the license file that a response carries, checked."""
        data: Any = response.body.get("license")
        content = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        document = documents.read(content, documents.LICENSE, response.where)
        document.check("realm", self._realm.key)
        if License.from_dict(document.body, response.where).number != number:
            raise refuse(
                "The response carries the license file of another license.",
                response.where,
                "Report this to the authority's owner.",
            )
        return content

    def _apply(self, intent: Intent, response: Document) -> None:
        if intent.action == DEACTIVATE:
            self._home.drop_nodelock(intent.number)
            faults.reach("settling.applied.receipt", intent.number)
            return
        if intent.action == UPDATE:
            # The nodelock stays, and so does a fence: what the license grants is another matter than who holds it.
            self._home.replace_license(intent.number, self._license(intent.number, response))
            faults.reach("settling.applied.update", intent.number)
            return
        if self._arrival is not None:
            self._arrival(intent.number)
        self._home.put_license(intent.number, self._license(intent.number, response), response.normal)
        faults.reach("settling.applied.license", intent.number)
        self._unfence(intent.number)

    def _unfence(self, number: str) -> None:
        config = self._home.config()
        if number in config.fenced:
            self._home.save(replace(config, fenced={n: since for n, since in config.fenced.items() if n != number}))


def _result(intent: Intent, response: Document) -> LicenseResult:
    """What a response came to that was applied and, where there was nothing to give back, why not."""
    body, action = response.body, DONE[intent.action]
    if not is_void(response):
        return LicenseResult(intent.number, action, body.get("spends"), Transfers.from_body(body))
    reason: Any = body.get("reason")
    return LicenseResult(intent.number, action, note=str(reason.get("what")) if isinstance(reason, dict) else None)
