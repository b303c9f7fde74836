# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a pair: what was, what is, what it cost, and what to enter where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import CLIENTS_PORT, with_port
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import parse_time
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.carried_files import files_told
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.commands import release_advice
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.render import limits


def build_report(
    source: Mapping[str, Any],
    target: Mapping[str, Any],
    planned: Mapping[str, Any],
    deactivated: Mapping[str, Any],
    activated: Mapping[str, Any],
    after: Mapping[str, Any],
    address: str,
    direction: str,
    bundle: str,
    made: str,
    seats: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return the report of a pair as data.

    :param source: ``{host, overview}`` as they were looked at first
    :param planned, deactivated, activated: the results of the modules; empty where one did not run
    :param after: the target's overview now
    :param address: where clients reach the target
    :param seats: what each profile of the target gave when a seat was taken on it, as of ``aims_license_verify``
    """
    source_after = deactivated.get("overview") or source["overview"]
    pending = _pending(source["host"], deactivated) + _pending(target["host"], activated)
    plan = planned["plan"]
    rows = [row["number"] for row in plan["licenses"]]
    arrived = moved(planned["before"], after, activated, rows)
    # Offline, what was planned as a pending activation may have come as one for a few days. What the source gives back
    # needs no release.
    bridged = {one["number"] for one in after["licenses"] if one.get("until")} - set(plan.get("returned", []))
    release = [
        r["number"] for r in plan["licenses"] if r["number"] in bridged or r["number"] in plan.get("release", [])
    ]
    advice = release_advice(release, source["host"], (after.get("server") or {}).get("authority"))
    seconds = None if pending else seconds_without_service(deactivated, activated, source_after, arrived)
    drained = deactivated.get("drained")
    return {
        "pair": {"source": source["host"], "target": target["host"]},
        "made": made,
        "direction": direction,
        "before": planned["before"],
        "after": after,
        "source_after": source_after,
        # What holds of the target's licenses holds after the run.
        "plan": {
            **plan,
            "release": release,
            "limits": limits(rows, Overview.from_dict(after, "after"), target["host"]),
        },
        "moved": arrived,
        "files": files_told(plan, after),
        "without_service_seconds": seconds,
        "seats": [dict(row) for row in seats],
        "drained": {key: drained[key] for key in ("seconds", "total")} if drained else None,
        "bundle": bundle,
        "connection_strings": connection_strings(address, after),
        "licenses_cfg": licenses_cfg(address),
        "pending": pending,
        "next_step": deactivated.get("next_step") or activated.get("next_step") or plan.get("next_step") or advice,
    }


def connection_strings(host: str, overview: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what PRO's configuration holds for each profile: ``host:3400,Profile`` (docs/domain.md#profiles)."""
    return [
        {"profile": profile["name"], "string": f"{with_port(host, CLIENTS_PORT)},{profile['name']}"}
        for profile in overview["profiles"]
    ]


def licenses_cfg(host: str) -> list[str]:
    """Return the line of a client's ``licenses.cfg`` (docs/domain.md#identifiers-and-files)."""
    return [f"1\tnetwork\t{with_port(host, CLIENTS_PORT)}"]


def moved(
    before: Mapping[str, Any], after: Mapping[str, Any], activated: Mapping[str, Any], numbers: Sequence[str]
) -> list[str]:
    """Return which declared licenses the target got from the source, in this run or in an earlier one of the move.

    :param before: the source's overview when it still held them or, where no bundle tells of that, as it gave them back
    """
    was, now = Overview.from_dict(before, "before"), Overview.from_dict(after, "after").held
    given = was.held | was.ended
    done = {result["number"] for result in activated.get("results", []) if result["action"] == "activated"}
    return [number for number in numbers if number in done or (number in now and number in given)]


def seconds_without_service(
    deactivated: Mapping[str, Any],
    activated: Mapping[str, Any],
    source_after: Mapping[str, Any],
    numbers: Sequence[str],
) -> float | None:
    """Return the seconds between fence and the last activation, or None where this run activated nothing.

    Both calls of one run are taken by the controller's clock; a move that took more than one run, by the fence's time
    on the source and the end of the last activation.

    :param numbers: the licenses that moved
    """
    if not any(result["action"] == "activated" for result in activated.get("results", [])):
        return None
    fences = [one["fenced"] for one in source_after["licenses"] if one["number"] in numbers and one["fenced"]]
    if not fences:
        return None
    begun = min(parse_time(fence, "fenced").timestamp() for fence in fences)
    started = float(deactivated.get("started", begun))
    # A fence from an earlier run is older than this run's call by more than a rounded second.
    return round(float(activated["ended"]) - (begun if begun < started - 2 else started), 2)


def is_told(report: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """Whether an earlier report tells this one's facts: who holds what since which exchange, and what is pending."""
    return bool(_facts(report) == _facts(told))


def _facts(report: Mapping[str, Any]) -> Any:
    held = {one["number"]: [one["status"], one["serial"]] for one in report["after"]["licenses"]}
    return [report["pair"], report["direction"], held, report["pending"], report["files"]]


def _pending(host: str, result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The requests that a call left waiting; what they ask for may be left from the way in the other direction."""
    asked = {one["number"]: one["action"] for one in (result.get("overview") or {}).get("pending", [])}
    return [
        {"host": host, "number": one["number"], "action": asked.get(one["number"]), "file": one["file"]}
        for one in result.get("requests") or []
    ]
