# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases a license from a lost machine, on behalf of the authority's owner.

This changes only the ledger. A machine that is not lost serves the license until somebody deactivates it there or stops
its license server, so the ledger cannot guarantee invariant I1.

A release, like a deactivation, withdraws the machine's earlier grants.
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
    """Release a license. Spends no transfer. Releasing it again changes nothing.

    :param reason: the reason, for the audit log
    :return: ``{number, changed, released}``; ``released`` is the time
    :raises LicensingError: the license is not issued or not live, or the reason is missing
    """
    why = reason.strip()
    if not 1 <= len(why) <= 200 or not why.isprintable():
        raise refuse("A release needs a reason.", "--reason", "Use 1 to 200 printable characters.")
    with ledger.change():
        if ledger.license(number) is None:
            raise refuse(f"License {number} is not issued.", ledger.path, "Issue it, or correct the number.")
        since = released_since(ledger, number)
        if since is not None:
            return {"number": number, "changed": False, "released": since}
        holding = ledger.holding(number)
        if holding is None or not holding.live:
            what = f"License {number} is not live, so there is nothing to release."
            raise refuse(what, ledger.path, "Activate it on its machine. 'authority list' shows live licenses.")
        ledger.put_holding(number, replace(holding, live=False))
        withdraw(ledger, number, holding.host_key, now, released_problem(number, render_time(now)))
        machine = {"fingerprint": dict(holding.fingerprint), "host_key": holding.host_key}
        detail = {"outcome": "granted", "spends": 0, "reason": why, "nodelock": holding.nodelock, **machine}
        ledger.record(now, RELEASE, number, detail)
    return {"number": number, "changed": True, "released": render_time(now)}


def released_since(ledger: Ledger, number: str) -> str | None:
    """Return the time of a license's release; None if it was not released or was activated since."""
    records = ledger.records(number, ACTIVATE, DEACTIVATE, RELEASE)
    granted = [record for record in records if record["detail"].get("outcome") == "granted"]
    return str(granted[-1]["at"]) if granted and granted[-1]["event"] == RELEASE else None


def released_problem(number: str, since: str) -> Problem:
    """Return the refusal for the machine that a license was released from."""
    return Problem(
        f"License {number} was released from this machine at {since}.",
        f"license {number}",
        "Deactivate it here, which ends its service in any case. Then activate it where it is needed.",
    )


def given_back_problem(number: str, since: str) -> Problem:
    """Return the refusal for a repeated activation whose license was given back since."""
    return Problem(
        f"License {number} was given back at {since}, after this request had been granted.",
        f"license {number}",
        "Run the same command again. It makes a new request, unless another machine holds the license now.",
    )


def withdraw(ledger: Ledger, number: str, host_key: str, now: datetime, why: Problem) -> None:
    """Replace the grants of a license's activations by refusals, because its holder has lost it.

    A machine may have lost a response, or be restored from a time before it, and repeat its request when the license is
    live elsewhere. Earlier refusals stay. Call this within :meth:`Ledger.change`.

    :param host_key: the last holder's key; emergency activations of other machines end by themselves
    """
    for record in ledger.records(number, ACTIVATE, EMERGENCY):
        detail = record["detail"]
        ended = record["event"] == ACTIVATE or detail.get("host_key") == host_key
        response = ledger.response(str(detail.get("request"))) if ended else None
        granted = documents.read(response[1], documents.RESPONSE, ledger.path).body if response else {}
        if granted.get("outcome") != "granted":
            continue
        kept = {key: value for key, value in granted.items() if key not in ("license", "account", "spends", "until")}
        asked = {"serial": ledger.next_serial(), "issued": render_time(now)}
        refusal = {"outcome": "refused", "reason": why.as_dict(), **asked}
        ledger.replace_response(str(detail["request"]), ledger.sign(documents.RESPONSE, {**kept, **refusal}))
