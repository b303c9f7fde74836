# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a ledger is what its audit log says: the chain holds, and what was done adds up to what is there.

The chain alone does not show records that were cut off at its end, nor a table that was changed behind its back.
Replayed, the log gives every license, holding, transfer and answered request; what the tables have beyond that, or
lack, was not done by the authority.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from ..errors import LicensingError, Problem
from ..model import ACTIVATE, DEACTIVATE, parse_time
from .ledger import SETTING, Ledger
from .release import RELEASE

# Ledgers have transfers whose record was made of a later reading of the clock.
_LATER = timedelta(seconds=1)


def check_ledger(ledger: Ledger) -> list[dict[str, Any]]:
    """Return the audit log, oldest first, if it and the ledger agree.

    :raises LicensingError: the log was tampered with, or the tables are not what it says
    """
    records = ledger.audit()
    there, said = ledger.contents(), _replayed(records)
    there["transfers"] = _on_the_log(there["transfers"], said["transfers"])
    problems = [
        Problem(
            f"The ledger's {name} are not what its audit log says: {', '.join(differing[:5])}.",
            ledger.path,
            "Compare the ledger with its backups: records were cut off, or the ledger was changed by other means.",
        )
        for name in said
        if (differing := _differences(there[name], said[name]))
    ]
    if problems:
        raise LicensingError(problems)
    return records


def _differences(one: Mapping[str, Any], two: Mapping[str, Any]) -> list[str]:
    return sorted(str(key) for key in {*one, *two} if one.get(key) != two.get(key))


def _on_the_log(there: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """The transfers, each at the time of its record where this is the same second or the next one."""
    found = {}
    for number, transfers in there.items():
        records = said.get(number, [])
        same = len(transfers) == len(records) and all(map(_is_same, transfers, records))
        found[number] = records if same else transfers
    return found


def _is_same(transfer: Sequence[str], record: Sequence[str]) -> bool:
    try:
        apart = parse_time(record[1], "") - parse_time(transfer[1], "")
    except LicensingError:
        return False
    return transfer[0] == record[0] and timedelta() <= apart <= _LATER


def _replayed(records: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What the log's records add up to, in the form of :meth:`Ledger.contents`."""
    tables = ("licenses", "holdings", "transfers", "responses", "settings")
    said: dict[str, dict[str, Any]] = {name: {} for name in tables}
    for record in records:
        number, detail, event = record["number"], record["detail"], record["event"]
        if event in ("issue", "reissue"):
            said["licenses"][number] = detail
        elif event == SETTING:
            said["settings"].update(detail)
        elif detail.get("request") and not detail.get("unproven"):
            said["responses"][detail["request"]] = True
        if detail.get("outcome") != "granted":
            continue
        if event == ACTIVATE:
            said["holdings"][number] = [True, detail["fingerprint"], detail["nodelock"]]
            if detail["spends"]:
                said["transfers"].setdefault(number, []).append([detail["nodelock"], record["at"]])
        elif event in (DEACTIVATE, RELEASE) and number in said["holdings"]:
            said["holdings"][number] = [False, *said["holdings"][number][1:]]
    return said
