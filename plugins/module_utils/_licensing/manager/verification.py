# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a license server really serves, or no longer serves, seen as a client sees it."""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterable, Sequence

from ..client import Refused, SeatClient
from ..errors import LicensingError, Problem
from ..home.config import Config
from ..license_view import ProfileView, Status
from ..overview import Overview
from .port import SeatTrial

GRANTED = "granted"
IN_USE = "in use"
REFUSED = "refused"
# The license's seats are all taken: somebody is being served.
_FULL = "no_seat"


def try_profiles(overview: Overview, config: Config) -> list[SeatTrial]:
    """Take one seat on every profile and return it at once.

    :return: by profile; outcome is ``granted``, ``in use`` where all seats of the license are taken, or ``refused``
    """
    server = SeatClient(config.listen.reachable.clients)
    user = config.users[0] if config.users else f"{socket.gethostname()}\\aims-licensing"
    return [_try(server, profile, user=user) for profile in overview.profiles]


def _try(server: SeatClient, profile: ProfileView, *, user: str) -> SeatTrial:
    seat = server.new_id()
    try:
        server.take(seat, profile.name, user, socket.gethostname())
    except Refused as error:
        outcome = IN_USE if error.code == _FULL else REFUSED
        return SeatTrial(profile.name, profile.license, outcome, error.problems[0].what)
    finally:
        # Also after an answer that was lost: the seat may have been granted.
        server.release(seat)
    return SeatTrial(profile.name, profile.license, GRANTED)


def check_served(
    overview: Overview, trials: Sequence[SeatTrial], *, where: str, draining: Collection[str] = ()
) -> None:
    """Refuse unless every profile of an active license gives seats.

    :param draining: the licenses that were drained meanwhile, as they move on from here
    """
    active = {license.number for license in overview.licenses if license.status is Status.ACTIVE and license.is_served}
    active.difference_update(draining)
    _refuse_all(
        Problem(
            f"Profile {trial.profile} gives no seat: {trial.reason}",
            where,
            "Read Logging/LicenseServer.log in the home; 'licman --seat-take PROFILE' tries it by hand.",
        )
        for trial in trials
        if trial.license in active and trial.outcome == REFUSED
    )


def check_released(overview: Overview, trials: Sequence[SeatTrial], *, where: str) -> None:
    """Refuse if any profile gives a seat, or any seat is in use."""
    todo = "Run the same command again; if it stays so, stop the service there and report this."
    problems = [
        Problem(f"Profile {trial.profile} still gives seats.", where, todo)
        for trial in trials
        if trial.outcome != REFUSED
    ]
    problems += [
        Problem(f"{license.in_use} seats of license {license.number} are still in use.", where, todo)
        for license in overview.licenses
        if license.in_use
    ]
    _refuse_all(problems)


def _refuse_all(problems: Iterable[Problem]) -> None:
    listed = list(problems)
    if listed:
        raise LicensingError(listed)
