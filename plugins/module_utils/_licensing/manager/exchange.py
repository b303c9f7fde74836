# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's side of an exchange: making requests, and checking responses before anything of them is used."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .. import documents
from ..declared import DeclaredLicense
from ..documents import Document, Realm
from ..errors import LicensingError, Problem, refuse
from ..fingerprint import compare
from ..home.journal import Intent, Journal
from ..model import ACTIVATE, DEACTIVATE, QUOTE, UPDATE, render_time

GRANTED = "granted"


class Requests:
    """Makes requests of one machine to one realm.

    :param host_key: the private key of the home as PEM; None only for quotes before anything is installed
    """

    def __init__(self, realm: Realm, fingerprint: Mapping[str, str], *, host_key: bytes | None, now: datetime) -> None:
        self._realm = realm
        self._fingerprint = dict(fingerprint)
        self._key = documents.load_private_key(host_key, "Config/host.key") if host_key else None
        self._now = now

    def activate(self, license: DeclaredLicense, *, emergency: bool = False) -> bytes:
        """Return the request to activate a license here.

        :param emergency: for a few days only, because the machine that holds it is lost
        """
        return self._make(
            ACTIVATE, license.number, nodelock=license.nodelock, code=license.activation_code, emergency=emergency
        )

    def quote(self, license: DeclaredLicense, *, emergency: bool = False) -> bytes:
        """Return the request for what activating a license here would be answered.

        :param emergency: ask what an emergency activation would be answered, too
        """
        return self._make(
            QUOTE, license.number, nodelock=license.nodelock, code=license.activation_code, emergency=emergency
        )

    def deactivate(self, number: str, nodelock: str) -> bytes:
        """Return the request to give a license back; the key it was activated with is its proof."""
        return self._make(DEACTIVATE, number, nodelock=nodelock, code=None)

    def update(self, number: str, nodelock: str) -> bytes:
        """Return the request for the license file of a license that is active here; the same key is its proof."""
        return self._make(UPDATE, number, nodelock=nodelock, code=None)

    def _make(self, action: str, number: str, *, nodelock: str, code: str | None, emergency: bool = False) -> bytes:
        body = {
            "id": uuid.uuid4().hex,
            "action": action,
            "number": number,
            "nodelock": nodelock,
            "fingerprint": self._fingerprint,
            "host_key": documents.public_half(self._key) if self._key else "",
            "realm": self._realm.id,
            "made": render_time(self._now),
            **({"emergency": True} if emergency else {}),
        }
        keys = {"host": self._key} if self._key else {}
        if code is not None:
            keys["code"] = documents.key_from_code(number, code, self._realm.key)
        return documents.sign(documents.REQUEST, body, keys)


def check_response(
    data: bytes, request: bytes, *, realm: Realm, where: str, journal: Journal | None = None
) -> Document:
    """Return the response if it is the realm's answer to this very request; refuse otherwise.

    :param journal: the home's, to tell a response that was applied before from one to some other request
    """
    response = documents.read(data, documents.RESPONSE, where)
    pending = documents.read(request, documents.REQUEST, where)
    body, asked = response.body, pending.body
    if body.get("realm") != realm.id:
        raise refuse(
            f"The response is of the foreign realm {str(body.get('realm'))[:16]!r}; this license server honours "
            f"{realm.id} ({realm.name}).",
            where,
            "Have the request processed by that authority.",
        )
    response.check("realm", realm.key)
    machine = body.get("fingerprint")
    if not isinstance(machine, dict) or not compare(machine, asked["fingerprint"]).is_same_machine:
        raise refuse("The response is for another machine.", where, "Load it on the machine whose request it answers.")
    if body.get("request_id") != asked["id"] or body.get("request_digest") != pending.identity:
        applied = journal is not None and journal.was_closed(str(asked["number"]), str(body.get("request_id")))
        what = "was applied before" if applied else "answers another request than the one that is pending"
        raise refuse(
            f"The response {what}.", where, f"Give the response to request {asked['id']} for license {asked['number']}."
        )
    if body.get("number") != asked["number"] or body.get("action") != asked["action"]:
        raise refuse("The response does not fit its request.", where, "Report this to the authority's owner.")
    return response


def refusal(response: Document) -> LicensingError | None:
    """Return the authority's refusal as an error, or None where the response grants."""
    if response.body.get("outcome") == GRANTED:
        return None
    reason: Any = response.body.get("reason")
    data = reason if isinstance(reason, dict) else {}
    return LicensingError(
        [
            Problem(
                str(data.get("what") or "The authority refused without a reason."),
                str(data.get("where", response.where)),
                str(data.get("todo", "Ask the authority's owner.")),
            )
        ]
    )


def hindrance(response: Document) -> LicensingError | None:
    """Return the refusal that keeps an exchange from having an effect here, or None; a void nodelock ends with it."""
    return None if is_void(response) else refusal(response)


def is_void(response: Document) -> bool:
    """Whether a deactivation is refused because no machine holds the license any more.

    It was released, or given back before the home was restored. The nodelock that was to be given back is worth
    nothing then; a refusal that does not say so may come of a license that another machine holds.
    """
    body = response.body
    return body.get("action") == DEACTIVATE and body.get("outcome") != GRANTED and body.get("live") is False


def check_pending(intent: Intent, realm: Realm) -> None:
    """Refuse to hand a pending request to an authority other than the one it was made for."""
    if intent.document.body.get("realm") != realm.id:
        raise refuse(
            f"The pending request for license {intent.number} was made for another realm than {realm.name}.",
            intent.document.where,
            "Set aims_license_server_authority back to the authority it was made for, and finish it there.",
        )
