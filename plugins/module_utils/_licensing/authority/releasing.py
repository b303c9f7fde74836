# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting a license free that a lost machine holds: what only the authority's owner may do.

The ledger is all that is changed. A machine that is not lost goes on serving the license until somebody deactivates it
there, or stops its license server: no ledger can promise invariant I1 for it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from .. import documents
from ..errors import Problem, refuse
from ..model import ACTIVATE, DEACTIVATE, render_time
from .ledger import Ledger
from .policy import Holding

RELEASE = "release"


def release(ledger: Ledger, number: str, reason: str, now: datetime) -> dict[str, Any]:
    """Set a license free; nothing is spent. One that was released already stays so.

    :param reason: why, for the audit log
    :return: ``{number, changed, released}``
    :raises LicensingError: there is no such license, it is not live, or no reason is given
    """
    why = reason.strip()
    if not 1 <= len(why) <= 200 or not why.isprintable():
        raise refuse("A release needs a reason.", "--reason", "Say in up to 200 printable characters why.")
    with ledger.change():
        if ledger.license(number) is None:
            raise refuse(f"License {number} was not issued.", ledger.path, "Issue it, or correct the number.")
        since = released_since(ledger, number)
        if since is not None:
            return {"number": number, "changed": False, "released": since}
        holding = ledger.holding(number)
        if holding is None or not holding.live:
            what = f"License {number} is not live, so that there is nothing to release."
            raise refuse(what, ledger.path, "Activate it where it shall be; 'authority list' shows what is live.")
        ledger.put_holding(number, replace(holding, live=False))
        _withdraw(ledger, number, holding, now)
        machine = {"fingerprint": dict(holding.fingerprint), "host_key": holding.host_key}
        detail = {"outcome": "granted", "spends": 0, "reason": why, "nodelock": holding.nodelock, **machine}
        ledger.record(now, RELEASE, number, detail)
    return {"number": number, "changed": True, "released": render_time(now)}


def released_since(ledger: Ledger, number: str) -> str | None:
    """Return when a license was released, if nobody has activated it since."""
    records = ledger.records(number, ACTIVATE, DEACTIVATE, RELEASE)
    granted = [record for record in records if record["detail"].get("outcome") == "granted"]
    return str(granted[-1]["at"]) if granted and granted[-1]["event"] == RELEASE else None


def released_problem(number: str, since: str) -> Problem:
    """Say to the machine that a license was taken from why it holds it no more."""
    return Problem(
        f"License {number} was released from this machine at {since}.",
        f"license {number}",
        "Deactivate it here, which ends its service whatever the answer; then activate it where it shall be.",
    )


def _withdraw(ledger: Ledger, number: str, holding: Holding, now: datetime) -> None:
    """Answer the machine's activations by a refusal from now on.

    It may have lost the response and, if it is not dead, ask for it again under the same id when the license is live
    elsewhere.
    """
    reason = released_problem(number, render_time(now)).as_dict()
    for record in ledger.records(number, ACTIVATE):
        detail = record["detail"]
        found = ledger.response(str(detail.get("request"))) if detail.get("host_key") == holding.host_key else None
        if found is None or detail.get("outcome") != "granted":
            continue
        granted = json.loads(found[1])["body"]
        kept = {key: value for key, value in granted.items() if key not in ("license", "account", "spends", "until")}
        told = {"outcome": "refused", "reason": reason, "serial": ledger.next_serial(), "issued": render_time(now)}
        ledger.replace_response(str(detail["request"]), ledger.sign(documents.RESPONSE, {**kept, **told}))
