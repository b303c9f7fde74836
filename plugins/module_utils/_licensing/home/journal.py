# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of exchanges: a request is on disk before it is sent, a response before it is applied.

A license has at most one open exchange. Its request stays the same to the byte until its outcome is known, so a retry
uses the same id (invariants I3 and I5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import documents, faults
from ..documents import Document
from ..errors import LicensingError, Problem, refuse
from ..files import SHARED, Folder
from ..model import ACTIVATE, DEACTIVATE, UPDATE, digits, parse_number

_OPEN = "Journal"
_CLOSED = "Journal/closed"


@dataclass(frozen=True)
class Intent:
    """An open exchange: its outcome has not been applied yet.

    :ivar action: ``activate``, ``deactivate`` or ``update``
    :ivar request: the content of the request file
    :ivar response: the content of the archived response file; None before the response
    """

    number: str
    action: str
    request_id: str
    made: str
    document: Document
    request: bytes
    response: bytes | None

    @property
    def file(self) -> str:
        """The name of the request file."""
        return f"{digits(self.number)}.request"


def unsettled(intents: Mapping[str, Intent]) -> dict[str, Intent]:
    """Return the open exchanges that may leave a nodelock half-written: all but updates, which do not write it."""
    return {number: intent for number, intent in intents.items() if intent.action != UPDATE}


def _is_whole(body: Mapping[str, Any]) -> bool:
    """Whether a request has all values that its response is checked against."""
    texts = [body.get(name) for name in ("id", "made", "realm", "host_key")]
    machine = body.get("fingerprint")
    return (
        all(isinstance(text, str) and text.isprintable() for text in texts)
        and body.get("action") in (ACTIVATE, DEACTIVATE, UPDATE)
        and isinstance(machine, dict)
        and all(isinstance(value, str) for value in machine.values())
    )


class Journal:
    """The open and closed exchanges of one home."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def open(self) -> dict[str, Intent]:
        """Return the open exchanges by license number.

        :raises LicensingError: a file cannot be read; lists all such files
        """
        intents: dict[str, Intent] = {}
        problems: list[Problem] = []
        for name in self._folder.names(_OPEN, ".request"):
            try:
                intent = self._read(name)
                intents[intent.number] = intent
            except LicensingError as error:
                problems.extend(error.problems)
        if problems:
            raise LicensingError(problems)
        return intents

    def _read(self, name: str) -> Intent:
        where = self._folder.place(f"{_OPEN}/{name}")
        data = self._folder.read(f"{_OPEN}/{name}")
        document = documents.read(data, documents.REQUEST, where)
        if not _is_whole(document.body):
            raise refuse(
                "The file is half-written or damaged.", where, "Restore it from the newest bundle, then run this again."
            )
        number = parse_number(document.body.get("number"), where)
        if name != f"{digits(number)}.request":
            raise refuse(f"The request is for license {number}.", where, "Restore the journal from the newest bundle.")
        return Intent(
            number=number,
            action=document.body["action"],
            request_id=document.body["id"],
            made=document.body["made"],
            document=document,
            request=data,
            response=self._response(number, document.body["id"]),
        )

    def _response(self, number: str, request_id: str) -> bytes | None:
        # If a close was interrupted between its two moves, the response is already in the closed folder.
        stem = digits(number)
        data = self._folder.find(f"{_OPEN}/{stem}.response")
        if data is not None:
            return data
        try:
            return self._folder.find(f"{_CLOSED}/{stem}-{request_id}.response")
        except LicensingError as error:
            # The server's user cannot read that folder, and granting seats does not depend on it.
            if isinstance(error.__cause__, PermissionError):
                return None
            raise

    def begin(self, number: str, request: bytes) -> Intent:
        """Write a request to the journal and sync it.

        :raises LicensingError: the license has an open exchange already (invariant I5)
        """
        name = f"{digits(number)}.request"
        if self._folder.has(f"{_OPEN}/{name}"):
            raise LicensingError(
                [
                    Problem(
                        f"A request for license {number} is pending already. A second request would strand it.",
                        self._folder.place(f"{_OPEN}/{name}"),
                        "Process the pending request, or load its response.",
                    )
                ]
            )
        self._folder.write(f"{_OPEN}/{name}", request, SHARED)
        faults.reach("journal.begun", number)
        return self._read(name)

    def answered(self, intent: Intent, response: bytes) -> None:
        """Archive a response and sync it, before it is applied (invariant I5)."""
        self._folder.write(f"{_OPEN}/{digits(intent.number)}.response", response, SHARED)
        faults.reach("journal.archived", intent.number)

    def close(self, intent: Intent) -> None:
        """Move a finished exchange to the closed folder."""
        stem = digits(intent.number)
        for kind in ("response", "request"):
            self._folder.move(f"{_OPEN}/{stem}.{kind}", f"{_CLOSED}/{stem}-{intent.request_id}.{kind}")
        faults.reach("journal.closed", intent.number)

    def was_closed(self, number: str, request_id: str) -> bool:
        """Whether the response to this request has been applied."""
        return self._folder.has(f"{_CLOSED}/{digits(number)}-{request_id}.response")
