# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes requests: a request document in, a signed response document out.

Activation, deactivation, update and quote are the same exchange. A repeated request id gets the same response, and
nothing happens twice. The exception is a grant whose license was given back or released since: its id is refused,
because the machine may be restored from a moment between request and response.

A request is unproven if it proves neither the license's code nor the key of the machine that holds or last held it. Its
refusal depends on the request alone, so it is not stored: signed again, it has the same bytes. Only its id, among a
bounded number of ids, and a count are stored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Callable

from .. import documents
from ..documents import Document
from ..errors import LicensingError, Problem, refuse
from ..fingerprint import compare
from ..model import (
    ACTIONS,
    ACTIVATE,
    DEACTIVATE,
    NODELOCKS,
    QUOTE,
    UPDATE,
    License,
    now_utc,
    parse_number,
    parse_time,
    render_time,
)
from .ledger import EMERGENCY, Ledger
from .policy import Holding, Verdict, judge, judge_emergency
from .rate_limit import check_rate
from .release import given_back_problem, released_problem, released_since, withdraw

_FINGERPRINT_NAME, _FINGERPRINT_VALUE = re.compile(r"[a-z0-9-]{1,40}\Z"), re.compile(r"[0-9a-f]{32}\Z")


@dataclass(frozen=True)
class Answer:
    """The answer to a request.

    :ivar content: the response file
    :ivar action: the requested action
    :ivar number: the license number
    :ivar outcome: ``granted`` or ``refused``
    :ivar reason: the reason for a refusal, ``{what, where, todo}``
    :ivar proven: whether the request proved the code or the holder's key
    :ivar issued: the time of the first answer (UTC, ISO 8601); None for an unproven request
    :ivar repeated: whether the request was answered before
    """

    content: bytes
    action: str
    number: str
    outcome: str
    reason: Mapping[str, str] | None
    proven: bool
    issued: str | None
    repeated: bool


class RequestProcessor:
    """Answers requests from one ledger.

    :param online: whether machines send the requests themselves, instead of a person who carries files
    :param clock: returns the time, UTC
    """

    def __init__(self, ledger: Ledger, online: bool, clock: Callable[[], datetime] = now_utc) -> None:
        self._ledger = ledger
        self._online = online
        self._clock = clock
        self._random_key = documents.public_half(documents.load_private_key(documents.new_private_key(), "key"))

    def answer(self, data: bytes, where: str = "request") -> bytes:
        """Answer a request. Return the content of the response file. See :meth:`process`."""
        return self.process(data, where).content

    def process(self, data: bytes, where: str = "request") -> Answer:
        """Answer a request by a grant or a refusal.

        :raises LicensingError: the request is damaged, for another realm, or reuses the id of another request; or the
            license's rate limit is exceeded. Nothing is recorded then.
        """
        request = documents.read(data, documents.REQUEST, where)
        body = self._checked(request)
        license = self._proven_license(request)
        if body["action"] == QUOTE:
            content = self._ledger.sign(documents.RESPONSE, self._quote(request, license, self._clock()))
            return self._answer_of(content, license is not None)
        with self._ledger.change():
            proven = self._is_proven(request, license)
            earlier = self._earlier(request, proven)
            if earlier is not None:
                return earlier
            # One reading of the clock, because the audit compares the times of an answer's records.
            now = self._clock()
            if proven:
                check_rate(self._ledger, parse_number(body["number"]), now)
                acts = {ACTIVATE: self._activate, DEACTIVATE: self._deactivate, UPDATE: self._update}
                content = self._ledger.sign(documents.RESPONSE, acts[body["action"]](request, now))
                self._ledger.put_response(body["id"], request.identity, content)
            else:
                content = self._ledger.sign(documents.RESPONSE, self._unproven_refusal(request))
                self._remember(request, now)
        return self._answer_of(content, proven)

    def earlier_answer(self, data: bytes, where: str = "request") -> Answer | None:
        """Return the earlier answer to a request, or None. The request is not processed.

        :raises LicensingError: as :meth:`process` does
        """
        request = documents.read(data, documents.REQUEST, where)
        self._checked(request)
        license = self._proven_license(request)
        with self._ledger.change():
            return self._earlier(request, self._is_proven(request, license))

    def _earlier(self, request: Document, proven: bool) -> Answer | None:
        known = self._ledger.response(request.body["id"])
        remembered = known[0] if known else self._ledger.unproven(request.body["id"])
        if remembered is None:
            return None
        identity, _blank, signed = remembered.partition(" ")
        # The earlier copy had a damaged proof of the code, and this is the original.
        if identity != request.identity and signed == request.signed and proven:
            return None
        if identity != request.identity:
            todo = "Use the original request file."
            raise refuse("Another request with this id was already answered.", request.where, todo)
        content = known[1] if known else self._ledger.sign(documents.RESPONSE, self._unproven_refusal(request))
        return self._answer_of(content, proven=known is not None, repeated=True)

    @staticmethod
    def _answer_of(content: bytes, proven: bool, repeated: bool = False) -> Answer:
        body = documents.read(content, documents.RESPONSE, "response").body
        parts = (body["action"], body["number"], body["outcome"], body["reason"])
        return Answer(content, *parts, proven, body["issued"], repeated)

    def _is_proven(self, request: Document, license: License | None) -> bool:
        if request.body["action"] == ACTIVATE:
            return license is not None
        holding = self._ledger.holding(parse_number(request.body["number"]))
        return holding is not None and holding.host_key == request.body["host_key"]

    def _unproven_refusal(self, request: Document) -> Mapping[str, Any]:
        """Return the refusal of an unproven request. It does not reveal whether the license exists."""
        problem = _unknown(request) if request.body["action"] == ACTIVATE else _not_live(request)
        # No serial and no time, so that a repeated request gets the same bytes without a stored response.
        return {**self._body(request, "refused", problem.as_dict(), None), "serial": 0}

    def _remember(self, request: Document, now: datetime) -> None:
        self._ledger.put_unproven(request.body["id"], f"{request.identity} {request.signed}")
        earlier = self._ledger.count_unproven(render_time(now)[:13])
        if earlier is not None:
            # At most one audit record per hour, so that unproven requests cannot fill the log.
            detail = {**self._detail(request, "refused", 0), "unproven": True, "earlier": earlier}
            self._ledger.record(now, request.body["action"], parse_number(request.body["number"]), detail)

    def _checked(self, request: Document) -> Mapping[str, Any]:
        body, where = request.body, request.where
        fingerprint = body.get("fingerprint")
        well_formed = (
            body.get("action") in ACTIONS
            and body.get("nodelock") in NODELOCKS
            and isinstance(body.get("id"), str)
            and re.fullmatch(r"[0-9a-f]{32}", body["id"])
            and isinstance(body.get("host_key"), str)
            and isinstance(body.get("emergency", False), bool)
            and isinstance(fingerprint, dict)
            and 1 <= len(fingerprint) <= 10
            and all(isinstance(value, str) and _FINGERPRINT_VALUE.match(value) for value in fingerprint.values())
            # Response and audit log repeat these names, so their length is limited.
            and all(_FINGERPRINT_NAME.match(name) for name in fingerprint)
        )
        if not well_formed:
            raise _damaged(where)
        if body.get("realm") != self._ledger.realm.id:
            raise refuse(
                f"The request is for realm {str(body.get('realm'))[:16]!r}, this is {self._ledger.realm.id} "
                f"({self._ledger.realm.name}).",
                where,
                "Send it to the authority that issued the license.",
            )
        number = parse_number(body.get("number"), where)
        if body["action"] != QUOTE or body["host_key"]:
            request.check("host", body["host_key"])
        if not _has_signatures(request):
            raise _damaged(where)
        return {**body, "number": number}

    def _proven_license(self, request: Document) -> License | None:
        """Return the license if the request proves its code, else None.

        For an unknown license, the proof is checked against a random key, so that the time does not reveal whether the
        license exists.
        """
        license = self._ledger.license(parse_number(request.body["number"]))
        signed = request.is_signed("code", license.code_key if license else self._random_key)
        return license if signed else None

    def _judge(self, request: Document, license: License, now: datetime) -> Verdict:
        body = request.body
        return judge(
            license,
            self._ledger.holding(license.number),
            self._ledger.account(license.number, body["nodelock"]),
            body["fingerprint"],
            self._online,
            now,
            ask_only=body["action"] == QUOTE,
        )

    def _activate(self, request: Document, now: datetime) -> Mapping[str, Any]:
        license = self._ledger.license(parse_number(request.body["number"]))
        if license is None:
            return self._refusal(request, _unknown(request), now)
        if request.body.get("emergency"):
            return self._activate_emergency(request, license, now)
        verdict = self._judge(request, license, now)
        if verdict.refusal:
            return self._refusal(request, verdict.refusal, now)
        body = request.body
        if verdict.spends:
            self._ledger.add_transfer(license.number, body["nodelock"], now)
        self._ledger.put_holding(license.number, Holding(True, body["fingerprint"], body["host_key"], body["nodelock"]))
        return self._granted(request, license, verdict.spends, now)

    def _activate_emergency(self, request: Document, license: License, now: datetime) -> Mapping[str, Any]:
        """Grant an emergency activation. In the ledger, the lost machine remains the holder."""
        problem, until = self._judge_emergency(request, license, now)
        if problem:
            return self._refusal(request, problem, now)
        ends = {"until": render_time(until)}
        granted = self._body(request, "granted", None, now)
        body = {**granted, **self._particulars(request, license, 0, now), **ends}
        detail = {**self._detail(request, "granted", 0), **ends}
        self._ledger.record(now, EMERGENCY, license.number, detail)
        return body

    def _judge_emergency(self, request: Document, license: License, now: datetime) -> tuple[Problem | None, datetime]:
        body, ledger = request.body, self._ledger
        earlier = [parse_time(record["at"], ledger.path) for record in ledger.records(license.number, EMERGENCY)]
        holding, days = ledger.holding(license.number), ledger.emergency_days()
        machine, nodelock = body["fingerprint"], body["nodelock"]
        return judge_emergency(license, holding, earlier, days, machine, nodelock, self._online, now)

    def _deactivate(self, request: Document, now: datetime) -> Mapping[str, Any]:
        number = parse_number(request.body["number"])
        holding, license = self._current_holding(request), self._ledger.license(number)
        if license is None or holding is None:
            last = self._ledger.holding(number)
            # If no machine holds the license, the response says so, and the host may remove its void nodelock.
            refused = self._refusal(request, self._not_held(request), now)
            return {**refused, "live": last is not None and last.live}
        self._ledger.put_holding(number, Holding(False, holding.fingerprint, holding.host_key, holding.nodelock))
        withdraw(self._ledger, number, holding.host_key, now, given_back_problem(number, render_time(now)))
        return self._granted(request, license, 0, now)

    def _update(self, request: Document, now: datetime) -> Mapping[str, Any]:
        """Send the current license file to the machine that holds the license. Nothing else changes."""
        license = self._ledger.license(parse_number(request.body["number"]))
        if license is None or self._current_holding(request) is None:
            return self._refusal(request, self._not_held(request), now)
        return self._granted(request, license, 0, now)

    def _current_holding(self, request: Document) -> Holding | None:
        """Return the holding if the requesting machine, by key and fingerprint, holds the license; else None."""
        holding = self._ledger.holding(parse_number(request.body["number"]))
        here = (
            holding is not None
            and holding.live
            and holding.host_key == request.body["host_key"]
            # A copied home has the same key. It must not give back a license that the original machine holds.
            and compare(holding.fingerprint, request.body["fingerprint"]).is_same_machine
        )
        return holding if here else None

    def _not_held(self, request: Document) -> Problem:
        """Return the reason why the last holder does not hold the license now."""
        number = parse_number(request.body["number"])
        since = released_since(self._ledger, number)
        return released_problem(number, since) if since else _not_live(request)

    def _quote(self, request: Document, license: License | None, now: datetime) -> Mapping[str, Any]:
        if license is None:
            return self._body(request, "refused", _unknown(request).as_dict(), now)
        verdict, holding = self._judge(request, license, now), self._ledger.holding(license.number)
        outcome = "refused" if verdict.refusal else "granted"
        emergency = {}
        if request.body.get("emergency"):
            problem, until = self._judge_emergency(request, license, now)
            answer = {"until": None, "reason": problem.as_dict()} if problem else {"until": render_time(until)}
            emergency = {"emergency": answer}
        return {
            **emergency,
            **self._body(request, outcome, verdict.refusal.as_dict() if verdict.refusal else None, now),
            **self._particulars(request, license, verdict.spends, now),
            "live": holding is not None and holding.live,
            "holder": holding.host_key if holding is not None and holding.live else None,
        }

    def _granted(self, request: Document, license: License, spends: int, now: datetime) -> Mapping[str, Any]:
        granted = self._body(request, "granted", None, now)
        body = {**granted, **self._particulars(request, license, spends, now)}
        self._log(request, "granted", spends, now)
        return body

    def _refusal(self, request: Document, problem: Problem, now: datetime) -> Mapping[str, Any]:
        body = self._body(request, "refused", problem.as_dict(), now)
        self._log(request, "refused", 0, now)
        return body

    def _log(self, request: Document, outcome: str, spends: int, now: datetime) -> None:
        number = parse_number(request.body["number"])
        self._ledger.record(now, request.body["action"], number, self._detail(request, outcome, spends))

    def _detail(self, request: Document, outcome: str, spends: int) -> dict[str, Any]:
        body = request.body
        return {
            "outcome": outcome,
            "spends": spends,
            "request": body["id"],
            "fingerprint": body["fingerprint"],
            "host_key": body["host_key"],
            "nodelock": body["nodelock"],
            "online": self._online,
        }

    def _body(
        self, request: Document, outcome: str, reason: Mapping[str, str] | None, now: datetime | None
    ) -> dict[str, Any]:
        body = request.body
        return {
            "request_id": body["id"],
            "request_digest": request.identity,
            "action": body["action"],
            "number": parse_number(body["number"]),
            "nodelock": body["nodelock"],
            "fingerprint": body["fingerprint"],
            "host_key": body["host_key"],
            "realm": self._ledger.realm.id,
            "serial": self._ledger.next_serial(),
            "issued": render_time(now) if now else None,
            "outcome": outcome,
            "reason": reason,
        }

    def _particulars(self, request: Document, license: License, spends: int, now: datetime) -> dict[str, Any]:
        account = self._ledger.account(license.number, request.body["nodelock"])
        document = self._ledger.sign(documents.LICENSE, {**vars(license), "realm": self._ledger.realm.id})
        return {"license": json.loads(document), "account": account.as_dict(now), "spends": spends}


def _damaged(where: str) -> LicensingError:
    return refuse("The request is incomplete or damaged.", where, "Create it again on the license server's host.")


def _has_signatures(request: Document) -> bool:
    """Whether a request has only the signatures that are checked, each with a signature's length.

    Signatures are part of a request's identity. An unchecked signature would let anybody make another request of it.
    """
    parts = {"host", "code"} if request.body["action"] in (ACTIVATE, QUOTE) else {"host"}
    return parts.issuperset(request.signatures) and request.has_whole_signatures


def _unknown(request: Document) -> Problem:
    number = parse_number(request.body["number"])
    return Problem(
        f"The authority knows no license {number} with this activation code.",
        f"license {number}",
        "Check the license number and its activation code against what was supplied.",
    )


def _not_live(request: Document) -> Problem:
    number = parse_number(request.body["number"])
    return Problem(
        f"License {number} is not live on this license server.",
        f"license {number}",
        "Look with aims_license_info where it is live, and deactivate it there.",
    )
