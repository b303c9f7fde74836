# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks a ledger against its audit log.

The hash chain detects changed records. It does not detect records that were removed at its end, or a table that was
changed directly. Therefore the log is replayed into licenses, holdings, transfers and answered requests, and these are
compared with the tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from ..errors import LicensingError, Problem
from ..model import ACTIVATE, DEACTIVATE, parse_time
from .ledger import SETTING, Ledger
from .release import RELEASE

# In some ledgers, the audit record of a transfer has a slightly later time than the transfer.
_LATER = timedelta(seconds=1)


def check_ledger(ledger: Ledger) -> list[dict[str, Any]]:
    """Return the audit log, oldest first, if it matches the ledger.

    :raises LicensingError: the log was changed, or the tables differ from it
    """
    records = ledger.audit()
    there, said = ledger.contents(), _replayed(records)
    there["transfers"] = _on_the_log(there["transfers"], said["transfers"])
    problems = [
        Problem(
            f"The ledger's {name} differ from its audit log: {', '.join(differing[:5])}.",
            ledger.path,
            "Compare the ledger with its backups: audit records are missing, or tables were changed directly.",
        )
        for name in said
        if (differing := _differences(there[name], said[name]))
    ]
    if problems:
        raise LicensingError(problems)
    return records


def _differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    return sorted(str(key) for key in {*first, *second} if first.get(key) != second.get(key))


def _on_the_log(there: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the transfers, with the times of their audit records if these differ by at most a second."""
    result = {}
    for number, transfers in there.items():
        records = said.get(number, [])
        same = len(transfers) == len(records) and all(map(_is_same, transfers, records))
        result[number] = records if same else transfers
    return result


def _is_same(transfer: Sequence[str], record: Sequence[str]) -> bool:
    try:
        apart = parse_time(record[1], "") - parse_time(transfer[1], "")
    except LicensingError:
        return False
    return transfer[0] == record[0] and timedelta() <= apart <= _LATER


def _replayed(records: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Replay the audit log. Return the result in the form of :meth:`Ledger.contents`."""
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
