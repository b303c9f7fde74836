# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting a license free that a lost machine holds: what only the authority's owner may do.

The ledger is all that is changed. A machine that is not lost goes on serving the license until somebody deactivates it
there, or stops its license server: no ledger can promise invariant I1 for it.

What a machine was granted before is withdrawn, here and where it gives the license back itself.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from .. import documents
from ..errors import Problem, refuse
from ..model import ACTIVATE, DEACTIVATE, render_time
from .ledger import EMERGENCY, Ledger

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
        withdraw(ledger, number, holding.host_key, now, released_problem(number, render_time(now)))
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


def given_back_problem(number: str, since: str) -> Problem:
    """Say to a machine that repeats an activation that the license was given back after it."""
    return Problem(
        f"License {number} was given back at {since}, after it was granted by this request.",
        f"license {number}",
        "Run the same command again: the license is asked for anew, unless another machine has it by now.",
    )


def withdraw(ledger: Ledger, number: str, host_key: str, now: datetime, why: Problem) -> None:
    """Answer the activations of a license that nobody holds any more by a refusal from now on.

    A machine may have lost a response, or be restored from a time before it came, and ask for it again under the same
    id when the license is live elsewhere. What was withdrawn before keeps its answer. To be called within a change.

    :param host_key: the key that held it; emergency activations of others end by themselves
    """
    for record in ledger.records(number, ACTIVATE, EMERGENCY):
        detail = record["detail"]
        ended = record["event"] == ACTIVATE or detail.get("host_key") == host_key
        found = ledger.response(str(detail.get("request"))) if ended else None
        granted = documents.read(found[1], documents.RESPONSE, ledger.path).body if found else {}
        if granted.get("outcome") != "granted":
            continue
        kept = {key: value for key, value in granted.items() if key not in ("license", "account", "spends", "until")}
        asked = {"serial": ledger.next_serial(), "issued": render_time(now)}
        told = {"outcome": "refused", "reason": why.as_dict(), **asked}
        ledger.replace_response(str(detail["request"]), ledger.sign(documents.RESPONSE, {**kept, **told}))
