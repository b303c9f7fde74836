# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a pair: what was, what is, what it cost, and what to enter where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.install import PORTS
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import parse_time


def connection_strings(host: str, overview: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what PRO's configuration holds for each profile: ``host:3400,Profile`` (DOMAIN.md, Rules)."""
    return [
        {"profile": profile["name"], "string": f"{host}:{PORTS[0]},{profile['name']}"}
        for profile in overview["profiles"]
    ]


def licenses_cfg(host: str) -> list[str]:
    """Return the line of a client's ``licenses.cfg`` (DOMAIN.md, Identifiers and files)."""
    return [f"1\tnetwork\t{host}:{PORTS[0]}"]


def seconds_without_service(
    given_up: Mapping[str, Any] | None, activated: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> float | None:
    """Return the seconds between fence and the last activation, or None where nothing was moved.

    Both calls of one run are taken by the controller's clock; a move that took more than one run, by the fence's time
    on the source and the end of the last activation.
    """
    if not given_up or not activated or "ended" not in activated:
        return None
    if any(result["action"] == "deactivated" for result in given_up["results"]) and "started" in given_up:
        fences = [result.get("fenced_since") for result in given_up["results"]]
        begun = [parse_time(fence, "fenced").timestamp() for fence in fences if fence]
        started = float(given_up["started"])
        # A fence from an earlier run is older than this run's call by more than a rounded second.
        earliest = min(begun, default=started)
        return round(float(activated["ended"]) - (earliest if earliest < started - 2 else started), 2)
    return None


def pending_of(host: str, requests: Sequence[Mapping[str, Any]], action: str) -> list[dict[str, Any]]:
    """Return the requests that wait, as the report lists them."""
    return [{"host": host, "number": one["number"], "action": action, "file": one["file"]} for one in requests]
