# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seats in use, in memory: their number by license and profile, and their leases.

No I/O. Except for :meth:`Pool.held`, the cost of a call does not grow with the number of seats.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Container
from typing import Callable, TypeVar

# A seat is TAKING until its record is on disk, and ENDING until its record is removed. It counts in all three states.
TAKING = "taking"
HELD = "held"
ENDING = "ending"

# How many ids of ended seats are remembered, so that a delayed take does not revive an ended seat.
REMEMBERED = 20_000

# A user and a device.
Place = tuple[str, str]
_Key = TypeVar("_Key")


class Seat:
    """One session of a client, which holds a seat of a license, alone or with other sessions.

    :ivar id: 16 bytes, chosen by the client; they authorize calls about this seat
    :ivar number: the number of its record; numbers only grow
    :ivar asked: the requested profile; None for the first valid Default
    :ivar profile: the granted profile
    :ivar since: the time of the grant (UTC, ISO 8601)
    :ivar recorded: whether its record is on disk
    :ivar seen: the time of the last heartbeat, by the pool's clock
    :ivar place: the user and the device that share one seat of the license; None if each session takes one
    """

    __slots__ = (
        "address",
        "asked",
        "client",
        "id",
        "license",
        "number",
        "place",
        "profile",
        "recorded",
        "seen",
        "since",
        "state",
        "user",
    )

    def __init__(
        self,
        id: bytes,
        number: int,
        asked: str | None,
        profile: str,
        license: str,
        user: str,
        client: str,
        address: str,
        since: str,
        *,
        place: Place | None = None,
    ) -> None:
        self.id = id
        self.number = number
        self.asked = asked
        self.profile = profile
        self.license = license
        self.user = user
        self.client = client
        self.address = address
        self.since = since
        self.place = place
        self.recorded = False
        self.seen = 0.0
        self.state = TAKING


class Pool:
    """All seats of one license server.

    :param lease: seconds that a seat is held without a heartbeat
    :param clock: a monotonic clock, in seconds
    """

    def __init__(self, lease: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.lease = lease
        self._clock = clock
        self._suspended = 0.0
        self._seats: dict[bytes, Seat] = {}
        # The oldest heartbeat first.
        self._alive: OrderedDict[int, Seat] = OrderedDict()
        self._ended: OrderedDict[bytes, None] = OrderedDict()
        self._licenses: dict[str, int] = {}
        self._profiles: dict[str, int] = {}
        # Sessions by license or profile and place, where these share a seat.
        self._sharers: dict[tuple[str, Place], int] = {}
        self._profile_sharers: dict[tuple[str, Place], int] = {}
        self._reused: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._seats)

    def find(self, id: bytes) -> Seat | None:
        """Return the seat with this id in any state, or None."""
        return self._seats.get(id)

    def was_ended(self, id: bytes) -> bool:
        """Whether a remembered seat with this id has ended."""
        return id in self._ended

    def in_use(self, license: str) -> int:
        """Return the number of seats of a license that are in use, over all its profiles."""
        return self._licenses.get(license, 0)

    def licenses(self) -> dict[str, int]:
        """Return the seats in use by license."""
        return dict(self._licenses)

    def profiles(self) -> dict[str, int]:
        """Return the seats in use by profile."""
        return dict(self._profiles)

    def reused(self) -> dict[str, int]:
        """Return by profile how many sessions share the seat of another one."""
        return dict(self._reused)

    def has_room(self, license: str, place: Place | None, limit: int) -> bool:
        """Whether a session can have a seat: a free one, or the one of its user and device.

        :param limit: number of seats that the license grants
        """
        return self.in_use(license) < limit or (place is not None and (license, place) in self._sharers)

    def take(self, seat: Seat, limit: int) -> bool:
        """Add a seat if there is room for it. Its state is TAKING until :meth:`hold`.

        :param limit: number of seats that the license grants
        """
        if not self.has_room(seat.license, seat.place, limit):
            return False
        self._count(seat, 1)
        self._seats[seat.id] = seat
        seat.state = TAKING
        return True

    def restore(self, seat: Seat) -> None:
        """Hold a seat that was recorded before a restart, even beyond the license's limit."""
        self._count(seat, 1)
        self._seats[seat.id] = seat
        seat.recorded = True
        self.hold(seat)

    def move(self, seat: Seat, place: Place | None) -> None:
        """Count a seat at another place."""
        self._count(seat, -1)
        seat.place = place
        self._count(seat, 1)

    def hold(self, seat: Seat) -> None:
        """Give a seat a full lease: after its recording, a heartbeat, or a failed end."""
        seat.state = HELD
        seat.seen = self._clock() - self._suspended
        self._alive[seat.number] = seat
        self._alive.move_to_end(seat.number)

    def due(self) -> list[Seat]:
        """Return the held seats with an expired lease, the oldest first."""
        until = self._clock() - self._suspended - self.lease
        due = []
        for seat in self._alive.values():
            if seat.seen > until:
                break
            due.append(seat)
        return due

    def held(self, licenses: Container[str]) -> list[Seat]:
        """Return the held seats of some licenses. Searches all seats."""
        return [seat for seat in self._alive.values() if seat.license in licenses]

    def extend_leases(self, seconds: float) -> None:
        """Extend all leases by a time in which the server could not receive heartbeats."""
        self._suspended += seconds

    def end(self, seat: Seat) -> None:
        """Begin to end a seat. It counts until :meth:`forget`, because its record is still on disk."""
        seat.state = ENDING
        self._alive.pop(seat.number, None)

    def forget(self, seat: Seat) -> None:
        """Free a seat whose record is removed, and remember its id as ended."""
        self.undo(seat)
        self._ended[seat.id] = None
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)

    def undo(self, seat: Seat) -> None:
        """Free a seat that was never granted. Its id may be used again."""
        self._alive.pop(seat.number, None)
        del self._seats[seat.id]
        self._count(seat, -1)

    def _count(self, seat: Seat, step: int) -> None:
        """Count a session that comes or goes: a place's seat comes with its first session and goes with its last."""
        if _is_edge(self._sharers, seat.license, seat.place, step):
            _add(self._licenses, seat.license, step)
        if _is_edge(self._profile_sharers, seat.profile, seat.place, step):
            _add(self._profiles, seat.profile, step)
        else:
            _add(self._reused, seat.profile, step)


def _is_edge(sharers: dict[tuple[str, Place], int], name: str, place: Place | None, step: int) -> bool:
    """Count a session by its place; return whether it is the first or the last one there."""
    if place is None:
        return True
    left = _add(sharers, (name, place), step)
    return left == (1 if step > 0 else 0)


def _add(counts: dict[_Key, int], key: _Key, step: int) -> int:
    left = counts.get(key, 0) + step
    if left:
        counts[key] = left
    else:
        del counts[key]
    return left
