# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The refusals of the clients' port. The code is for programs, the problem for people."""

from __future__ import annotations

from ..errors import Problem

# Code of a refusal → HTTP status.
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
    """A request is refused.

    :ivar code: one of STATUSES
    """

    def __init__(self, code: str, problem: Problem) -> None:
        super().__init__(code)
        self.code = code
        self.problem = problem


def conflict() -> Refusal:
    """The id belongs to a seat with another profile or user."""
    return Refusal(
        "conflict",
        Problem("The seat's id is in use for another profile or user.", "seat", "Choose a new id at random."),
    )


def no_seat(profile: str, license: str, seats: int) -> Refusal:
    """All seats of the license are in use."""
    return Refusal(
        "no_seat",
        Problem(
            f"All {seats} seats of license {license} are in use.",
            f"profile {profile}",
            "Try again after a client has released a seat.",
        ),
    )


def maintenance() -> Refusal:
    """Maintenance mode is on: no new seats."""
    return Refusal(
        "maintenance",
        Problem(
            "The license server is in maintenance mode.",
            "license server",
            "Try again after the maintenance. Seats in use are kept.",
        ),
    )


def draining(license: str) -> Refusal:
    """A drain waits for the license's seats: no new ones. For programs it is maintenance mode of this license."""
    return Refusal(
        "maintenance",
        Problem(
            f"License {license} is about to leave this license server.",
            f"license {license}",
            "Use the license server that it moves to, or try again later. Seats in use are kept.",
        ),
    )


def gone() -> Refusal:
    """The seat has ended."""
    return Refusal(
        "gone",
        Problem(
            "The seat has ended: it was released, its lease expired, or its license is not served.",
            "seat",
            "Take a seat under a new id.",
        ),
    )


def storage(error: Exception) -> Refusal:
    """The seat store cannot be written."""
    return Refusal(
        "storage",
        Problem(
            f"The license server cannot record its seats: {error}.",
            "license server",
            "Free some space or repair its disk, then try again.",
        ),
    )
