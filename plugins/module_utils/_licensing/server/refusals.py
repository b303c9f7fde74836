# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The refusals of the clients' port: the code is for programs, the problem for people."""

from __future__ import annotations

from ..errors import Problem

# The codes of refusals, with the status that they are answered with.
STATUSES = {
    "malformed": 400,
    "not_registered": 403,
    "web_page": 403,
    "unknown_profile": 404,
    "not_found": 404,
    "method_not_allowed": 405,
    "no_seat": 409,
    "conflict": 409,
    "gone": 410,
    "too_large": 413,
    "not_served": 423,
    "maintenance": 503,
    "storage": 503,
}


class Refusal(Exception):
    """The answer is no.

    :ivar code: one of STATUSES
    """

    def __init__(self, code: str, problem: Problem) -> None:
        super().__init__(code)
        self.code = code
        self.problem = problem


def conflict() -> Refusal:
    """The id is somebody else's."""
    return Refusal(
        "conflict",
        Problem("The seat's id is in use for another profile or user.", "seat", "Choose a new id at random."),
    )


def no_seat(profile: str, license: str, seats: int) -> Refusal:
    """The license grants no more."""
    return Refusal(
        "no_seat",
        Problem(
            f"All {seats} seats of license {license} are in use.",
            f"profile {profile}",
            "Try again when one has been released.",
        ),
    )


def maintenance() -> Refusal:
    """No new seats for the time being."""
    return Refusal(
        "maintenance",
        Problem(
            "The license server is in maintenance mode.",
            "license server",
            "Try again when its maintenance is over; seats that are held stay so.",
        ),
    )


def gone() -> Refusal:
    """The seat has ended."""
    return Refusal(
        "gone",
        Problem(
            "The seat is gone: released, not kept alive, or its license is no longer served.",
            "seat",
            "Take a seat under a new id.",
        ),
    )


def storage(error: Exception) -> Refusal:
    """Nothing could be written."""
    return Refusal(
        "storage",
        Problem(
            f"The license server cannot record its seats: {error}.",
            "license server",
            "Free or mend its disk; try again then.",
        ),
    )
