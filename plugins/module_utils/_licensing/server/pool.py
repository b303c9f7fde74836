# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seats that are held, in memory: how many of each license and profile, and whose lease has run out.

No I/O, and no walk over the seats: every call costs the same however many are held.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Container
from typing import Callable

# A seat is TAKING until its record is on disk, and ENDING until the record's removal is. It counts all the time.
TAKING = "taking"
HELD = "held"
ENDING = "ending"

# How many ended seats are remembered by their ids, so that a take that was delayed on the way revives none of them.
REMEMBERED = 20_000


class Seat:
    """One seat of a license.

    :ivar id: the 16 bytes that the client chose; who knows them holds the seat
    :ivar number: the running number of its record; never used twice
    :ivar asked: the profile that the client asked for; None for the first valid Default
    :ivar profile: the profile under which it was granted
    :ivar since: when it was granted, UTC, as in answers
    :ivar recorded: whether its record is on disk
    :ivar seen: the last sign of life, by the pool's clock
    """

    __slots__ = (
        "address",
        "asked",
        "client",
        "id",
        "license",
        "number",
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
        self.recorded = False
        self.seen = 0.0
        self.state = TAKING


class Pool:
    """All seats of one license server.

    :param lease: seconds that a seat is held without a sign of life
    :param clock: gives seconds that only go forward
    """

    def __init__(self, lease: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.lease = lease
        self._clock = clock
        self._stood_still = 0.0
        self._seats: dict[bytes, Seat] = {}
        # The oldest sign of life first.
        self._alive: OrderedDict[int, Seat] = OrderedDict()
        self._ended: OrderedDict[bytes, None] = OrderedDict()
        self._licenses: dict[str, int] = {}
        self._profiles: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._seats)

    def find(self, id: bytes) -> Seat | None:
        """Return the seat of an id, whatever its state, or None."""
        return self._seats.get(id)

    def was_ended(self, id: bytes) -> bool:
        """Whether a seat of this id has ended, as far as that is remembered."""
        return id in self._ended

    def in_use(self, license: str) -> int:
        """How many seats of a license are taken, over all profiles that share it."""
        return self._licenses.get(license, 0)

    def licenses(self) -> dict[str, int]:
        """Return the seats in use by license."""
        return dict(self._licenses)

    def profiles(self) -> dict[str, int]:
        """Return the seats in use by profile."""
        return dict(self._profiles)

    def take(self, seat: Seat, limit: int) -> bool:
        """Count a new seat if its license has one free; it is TAKING until :meth:`hold`.

        :param limit: how many the license grants
        """
        if self.in_use(seat.license) >= limit:
            return False
        self._count(seat, 1)
        self._seats[seat.id] = seat
        seat.state = TAKING
        return True

    def restore(self, seat: Seat) -> None:
        """Hold a seat that was recorded before a restart, whatever its license grants now."""
        self._count(seat, 1)
        self._seats[seat.id] = seat
        seat.recorded = True
        self.hold(seat)

    def hold(self, seat: Seat) -> None:
        """Give a seat its full lease: it is recorded, has shown a sign of life, or could not be ended."""
        seat.state = HELD
        seat.seen = self._clock() - self._stood_still
        self._alive[seat.number] = seat
        self._alive.move_to_end(seat.number)

    def due(self) -> list[Seat]:
        """Return the held seats whose lease has run out, the longest first."""
        until = self._clock() - self._stood_still - self.lease
        found = []
        for seat in self._alive.values():
            if seat.seen > until:
                break
            found.append(seat)
        return found

    def held(self, licenses: Container[str]) -> list[Seat]:
        """Return the held seats of some licenses, going through all there are."""
        return [seat for seat in self._alive.values() if seat.license in licenses]

    def forgive(self, seconds: float) -> None:
        """Leave time out of all leases, because nobody could show a sign of life in it."""
        self._stood_still += seconds

    def end(self, seat: Seat) -> None:
        """Let a seat go; it counts until :meth:`forget`, because its record is still on disk."""
        seat.state = ENDING
        self._alive.pop(seat.number, None)

    def forget(self, seat: Seat) -> None:
        """Free the place of a seat whose record is gone, and remember its id as ended."""
        self.undo(seat)
        self._ended[seat.id] = None
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)

    def undo(self, seat: Seat) -> None:
        """Free the place of a seat that was never granted; its id may be used again."""
        self._alive.pop(seat.number, None)
        del self._seats[seat.id]
        self._count(seat, -1)

    def _count(self, seat: Seat, step: int) -> None:
        for counts, name in ((self._licenses, seat.license), (self._profiles, seat.profile)):
            counts[name] = counts.get(name, 0) + step
            if not counts[name]:
                del counts[name]
