# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request desk: a request document in, a signed response document out.

Activation, deactivation and quote are one exchange. A request id that was answered before gets the very same response,
and nothing happens twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Callable

from .. import documents
from ..documents import Document
from ..errors import Problem, refuse
from ..fingerprint import compare
from ..model import ACTIONS, ACTIVATE, NODELOCKS, QUOTE, License, now_utc, parse_number, render_time
from .ledger import Ledger
from .policy import Holding, Verdict, judge

_FINGERPRINT_VALUE = re.compile(r"[0-9a-f]{32}\Z")


class RequestDesk:
    """Answers requests out of one ledger.

    :param online: whether requests come from the machines themselves, not as files that a person carries
    :param clock: gives the time, UTC
    """

    def __init__(self, ledger: Ledger, online: bool, clock: Callable[[], datetime] = now_utc) -> None:
        self._ledger = ledger
        self._online = online
        self._clock = clock

    def answer(self, data: bytes, where: str = "request") -> bytes:
        """Answer a request.

        :return: the content of the response file, granting or refusing
        :raises LicensingError: the request is not one that can be answered: damaged, of another realm, or under an id
            that another request was answered under. Nothing is recorded then.
        """
        request = documents.read(data, documents.REQUEST, where)
        body = self._checked(request)
        if body["action"] == QUOTE:
            return self._ledger.sign(documents.RESPONSE, self._quote(request, data))
        with self._ledger.change():
            known = self._ledger.response(body["id"])
            if known is not None:
                if known[0] != documents.digest(data):
                    raise refuse(
                        "Another request was answered under this id.", where, "Take the original request file again."
                    )
                return known[1]
            act = self._activate if body["action"] == ACTIVATE else self._deactivate
            response = self._ledger.sign(documents.RESPONSE, act(request, data))
            self._ledger.put_response(body["id"], documents.digest(data), response)
        return response

    def _checked(self, request: Document) -> Mapping[str, Any]:
        body, where = request.body, request.where
        fingerprint = body.get("fingerprint")
        well_formed = (
            body.get("action") in ACTIONS
            and body.get("nodelock") in NODELOCKS
            and isinstance(body.get("id"), str)
            and re.fullmatch(r"[0-9a-f]{32}", body["id"])
            and isinstance(body.get("host_key"), str)
            and isinstance(fingerprint, dict)
            and 1 <= len(fingerprint) <= 10
            and all(isinstance(value, str) and _FINGERPRINT_VALUE.match(value) for value in fingerprint.values())
        )
        if not well_formed:
            raise refuse("The request is incomplete or damaged.", where, "Make it again on the license server's host.")
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
        return {**body, "number": number}

    def _known(self, request: Document) -> License | None:
        """The license, if the request proves knowledge of its code. Which of the two failed is not told."""
        license = self._ledger.license(parse_number(request.body["number"]))
        return license if license is not None and request.is_signed("code", license.code_key) else None

    def _judge(self, request: Document, license: License) -> Verdict:
        body = request.body
        return judge(
            license,
            self._ledger.holding(license.number),
            self._ledger.account(license.number, body["nodelock"]),
            body["fingerprint"],
            self._online,
            self._clock(),
            ask_only=body["action"] == QUOTE,
        )

    def _activate(self, request: Document, data: bytes) -> Mapping[str, Any]:
        license = self._known(request)
        if license is None:
            return self._refusal(request, data, _unknown(request))
        verdict = self._judge(request, license)
        if verdict.refusal:
            return self._refusal(request, data, verdict.refusal)
        body, now = request.body, self._clock()
        if verdict.spends:
            self._ledger.add_transfer(license.number, body["nodelock"], now)
        self._ledger.put_holding(license.number, Holding(True, body["fingerprint"], body["host_key"], body["nodelock"]))
        return self._granted(request, data, license, verdict.spends)

    def _deactivate(self, request: Document, data: bytes) -> Mapping[str, Any]:
        number = parse_number(request.body["number"])
        holding, license = self._ledger.holding(number), self._ledger.license(number)
        here = (
            holding is not None
            and holding.live
            and holding.host_key == request.body["host_key"]
            # A home that was copied has the key too; what it gave back would stay live on the first machine.
            and compare(holding.fingerprint, request.body["fingerprint"]).is_same_machine
        )
        if license is None or holding is None or not here:
            return self._refusal(
                request,
                data,
                Problem(
                    f"License {number} is not live on this license server.",
                    f"license {number}",
                    "Look with aims_license_info where it is live, and deactivate it there.",
                ),
            )
        self._ledger.put_holding(number, Holding(False, holding.fingerprint, holding.host_key, holding.nodelock))
        return self._granted(request, data, license, 0)

    def _quote(self, request: Document, data: bytes) -> Mapping[str, Any]:
        license = self._known(request)
        if license is None:
            return self._body(request, data, "refused", _unknown(request).as_dict())
        verdict, holding = self._judge(request, license), self._ledger.holding(license.number)
        outcome = "refused" if verdict.refusal else "granted"
        return {
            **self._body(request, data, outcome, verdict.refusal.as_dict() if verdict.refusal else None),
            **self._particulars(request, license, verdict.spends),
            "live": holding is not None and holding.live,
            "holder": holding.host_key if holding is not None and holding.live else None,
        }

    def _granted(self, request: Document, data: bytes, license: License, spends: int) -> Mapping[str, Any]:
        body = {**self._body(request, data, "granted", None), **self._particulars(request, license, spends)}
        self._log(request, "granted", spends)
        return body

    def _refusal(self, request: Document, data: bytes, problem: Problem) -> Mapping[str, Any]:
        body = self._body(request, data, "refused", problem.as_dict())
        self._log(request, "refused", 0)
        return body

    def _log(self, request: Document, outcome: str, spends: int) -> None:
        body = request.body
        detail = {
            "outcome": outcome,
            "spends": spends,
            "request": body["id"],
            "fingerprint": body["fingerprint"],
            "nodelock": body["nodelock"],
            "online": self._online,
        }
        self._ledger.record(self._clock(), body["action"], parse_number(body["number"]), detail)

    def _body(self, request: Document, data: bytes, outcome: str, reason: Mapping[str, str] | None) -> dict[str, Any]:
        body = request.body
        return {
            "request_id": body["id"],
            "request_digest": documents.digest(data),
            "action": body["action"],
            "number": parse_number(body["number"]),
            "nodelock": body["nodelock"],
            "fingerprint": body["fingerprint"],
            "host_key": body["host_key"],
            "realm": self._ledger.realm.id,
            "serial": self._ledger.next_serial(),
            "issued": render_time(self._clock()),
            "outcome": outcome,
            "reason": reason,
        }

    def _particulars(self, request: Document, license: License, spends: int) -> dict[str, Any]:
        now = self._clock()
        account = self._ledger.account(license.number, request.body["nodelock"])
        document = self._ledger.sign(documents.LICENSE, {**vars(license), "realm": self._ledger.realm.id})
        return {"license": json.loads(document), "account": account.as_dict(now), "spends": spends}


def _unknown(request: Document) -> Problem:
    number = parse_number(request.body["number"])
    return Problem(
        f"The authority knows no license {number} with this activation code.",
        f"license {number}",
        "Check the license number and its activation code against what was supplied.",
    )
