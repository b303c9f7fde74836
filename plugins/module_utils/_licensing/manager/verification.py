# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a license server really serves, or no longer serves, seen as a client sees it."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any

from ..client import Refused, SeatClient
from ..errors import LicensingError, Problem
from ..home.inspection import ACTIVE
from ..home.store import Config

GRANTED = "granted"
IN_USE = "in use"
REFUSED = "refused"
# The license's seats are all taken: somebody is being served.
_FULL = "no_seat"


def of_licenses(overview: Mapping[str, Any], numbers: Sequence[str] | None) -> Mapping[str, Any]:
    """Return an overview with only these licenses and their profiles, or with None all of it."""
    if numbers is None:
        return overview
    licenses = [one for one in overview["licenses"] if one["number"] in numbers]
    return {**overview, "licenses": licenses, "profiles": [p for p in overview["profiles"] if p["license"] in numbers]}


def try_profiles(overview: Mapping[str, Any], config: Config) -> list[dict[str, Any]]:
    """Take one seat on every profile and return it at once.

    :return: ``{profile, license, outcome, reason}`` by profile; outcome is ``granted``, ``in use`` where all seats of
        the license are taken, or ``refused``
    """
    server = SeatClient(config.listen.reachable.clients)
    user = config.users[0] if config.users else f"{socket.gethostname()}\\aims-licensing"
    return [_try(server, profile, user) for profile in overview["profiles"]]


def _try(server: SeatClient, profile: Mapping[str, Any], user: str) -> dict[str, Any]:
    row = {"profile": profile["name"], "license": profile["license"], "outcome": GRANTED, "reason": None}
    seat = server.new_id()
    try:
        server.take(seat, profile["name"], user, socket.gethostname())
    except Refused as error:
        outcome = IN_USE if error.code == _FULL else REFUSED
        return {**row, "outcome": outcome, "reason": error.problems[0].what}
    finally:
        # Also after an answer that was lost: the seat may have been granted.
        server.release(seat)
    return row


def check_served(overview: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], where: str) -> None:
    """Refuse unless every profile of an active license gives seats."""
    active = {one["number"] for one in overview["licenses"] if one["status"] == ACTIVE and not one["fenced"]}
    _refuse_all(
        Problem(
            f"Profile {row['profile']} gives no seat: {row['reason']}",
            where,
            "Read Logging/LicenseServer.log in the home; 'licman --seat-take PROFILE' tries it by hand.",
        )
        for row in rows
        if row["license"] in active and row["outcome"] == REFUSED
    )


def check_released(overview: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], where: str) -> None:
    """Refuse if any profile gives a seat, or any seat is in use."""
    todo = "Run the same command again; if it stays so, stop the service there and report this."
    problems = [
        Problem(f"Profile {row['profile']} still gives seats.", where, todo)
        for row in rows
        if row["outcome"] != REFUSED
    ]
    problems += [
        Problem(f"{one['in_use']} seats of license {one['number']} are still in use.", where, todo)
        for one in overview["licenses"]
        if one["in_use"]
    ]
    _refuse_all(problems)


def _refuse_all(problems: Any) -> None:
    found = list(problems)
    if found:
        raise LicensingError(found)
