# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules by which seats are granted, kept and taken back (docs/api.md tells them to clients)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Callable

from ..errors import Problem
from ..model import Profile
from .entitlements import Entitlements, Grant, Snapshot
from .metrics import Metrics
from .pool import ENDING, HELD, TAKING, Pool, Seat
from .refusals import Refusal, conflict, gone, maintenance, no_seat, storage
from .seat_store import Batch, SeatStore

log = logging.getLogger("licsrv")


@dataclass(frozen=True)
class Wish:
    """What a client asks for when it takes a seat.

    :ivar profile: None for the first valid Default
    """

    profile: str | None
    user: str
    client: str
    address: str


class SeatAllocator:
    """Entitlements seats, keeps them and takes them back; all calls come from one event loop.

    :param now: gives the time of a grant as text
    """

    def __init__(self, pool: Pool, grants: Entitlements, metrics: Metrics, now: Callable[[], str]) -> None:
        self.pool = pool
        self.grants = grants
        self.metrics = metrics
        self._now = now
        self._number = 0
        self._register: SeatStore
        # Those who wait for a batch, by the number of their seat's record.
        self._takes: dict[int, list[Callable[[Seat | Refusal], None]]] = {}
        self._ends: dict[int, list[Callable[[bool | Refusal], None]]] = {}
        self._failing = False

    def open(self, register: SeatStore) -> None:
        """Begin with the seats that are on record, each with a full lease.

        :raises LicensingError: the record cannot be read
        """
        self._register = register
        for seat in register.load():
            self.pool.restore(seat)
            self._number = seat.number

    def take(self, id: bytes, wish: Wish, reply: Callable[[Seat | Refusal], None]) -> None:
        """Grant a seat; the same wish under the same id gets the same seat.

        :param reply: gets the seat once its record is on disk, or why there is none
        :raises Refusal: at once, where nothing has to be recorded first
        """
        snapshot = self.grants.look()
        seat = self.pool.find(id)
        if seat is None:
            if self.pool.was_ended(id):
                raise gone()
            seat = self._grant(id, wish, snapshot)
        elif (seat.asked, seat.user) != (wish.profile, wish.user):
            raise conflict()
        if seat.state == TAKING:
            self._takes[seat.number].append(reply)
        elif self._is_held(seat, snapshot):
            if not snapshot.problems:
                self.pool.hold(seat)
            reply(seat)
        else:
            raise gone()

    def _grant(self, id: bytes, wish: Wish, snapshot: Snapshot) -> Seat:
        profile, grant = self._choose(wish, snapshot)
        self._number += 1
        seat = Seat(
            id,
            self._number,
            wish.profile,
            profile.name,
            profile.license,
            wish.user,
            wish.client,
            wish.address,
            self._now(),
        )
        if not self.pool.take(seat, grant.seats):
            raise no_seat(profile.name, grant.number, grant.seats)
        self._takes[seat.number] = []
        self._register.add(seat)
        return seat

    def _choose(self, wish: Wish, snapshot: Snapshot) -> tuple[Profile, Grant]:
        """Find the profile under which to grant a wish, and its license."""
        _check_open(snapshot)
        if snapshot.users and wish.user.casefold() not in snapshot.users:
            raise Refusal(
                "not_registered",
                Problem(
                    f"{wish.user} is not a registered user of this license server.",
                    "user",
                    "Have the user registered (aims_license_server_users).",
                ),
            )
        if wish.profile is None:
            return self._default(snapshot)
        profile = snapshot.profiles.get(wish.profile)
        if profile is None:
            raise Refusal(
                "unknown_profile",
                Problem(
                    f"There is no profile {wish.profile}.",
                    "profile",
                    "Name one of this license server's profiles, or none for its first valid Default.",
                ),
            )
        return profile, _check_served(snapshot.grant(profile.license))

    def _default(self, snapshot: Snapshot) -> tuple[Profile, Grant]:
        """The first Default profile whose license is valid and has a seat free, or the last one that is full."""
        valid = None
        for profile in snapshot.profiles.values():
            grant = snapshot.grant(profile.license)
            if profile.default and grant.problem is None:
                valid = (profile, grant)
                if self.pool.in_use(grant.number) < grant.seats:
                    break
        if valid is None:
            raise Refusal(
                "not_served",
                Problem(
                    "No profile that is marked Default has a valid license.",
                    "profile",
                    "Name a profile, or mark one Default (aims_license_profile).",
                ),
            )
        return valid

    def heartbeat(self, id: bytes) -> bool:
        """Keep a seat for another lease; return whether maintenance mode is on.

        :raises Refusal: gone, or not_served where the home cannot be read; the lease goes on running then
        """
        snapshot = self.grants.look()
        seat = self.pool.find(id)
        if seat is None or not self._is_held(seat, snapshot):
            raise gone()
        if snapshot.problems:
            raise Refusal("not_served", snapshot.problems[0])
        self.pool.hold(seat)
        return snapshot.maintenance

    def _is_held(self, seat: Seat, snapshot: Snapshot) -> bool:
        """Whether a seat is held; it ends here where its license is served no more."""
        if seat.state != HELD:
            return False
        if snapshot.problems:
            return True
        if not _is_over(snapshot.grant(seat.license)):
            return True
        self._revoke(seat)
        return False

    def release(self, id: bytes, reply: Callable[[bool | Refusal], None]) -> None:
        """Take a seat back.

        :param reply: gets whether there was one, once its record is gone; or a refusal, and it is still held
        """
        seat = self.pool.find(id)
        if seat is None:
            reply(False)
            return
        if seat.state != ENDING:
            self._end(seat)
        self._ends[seat.number].append(reply)

    def expire(self) -> int:
        """End the seats whose lease has run out; return how many."""
        due = self.pool.due()
        for seat in due:
            self._end(seat)
        self.metrics.expired += len(due)
        return len(due)

    def revoke(self) -> int:
        """End the seats of licenses that are served no more, as their clients would be told; return how many.

        Seats are gone through only while such a license has some: once for a fence, not for each request.
        """
        snapshot = self.grants.look()
        over = {number for number in self.pool.licenses() if _is_over(snapshot.grant(number))}
        seats = self.pool.held(over) if over and not snapshot.problems else []
        for seat in seats:
            self._revoke(seat)
        return len(seats)

    def _revoke(self, seat: Seat) -> None:
        self.metrics.revoked += 1
        self._end(seat)

    def _end(self, seat: Seat) -> None:
        self._ends[seat.number] = []
        self.pool.end(seat)
        self._register.remove(seat)

    def written(self, batch: Batch) -> None:
        """Answer those who waited for a batch, which is on disk or has failed."""
        self.metrics.batch(len(batch), batch.seconds, batch.error is None)
        if (batch.error is not None) != self._failing:
            self._failing = not self._failing
            if batch.error is not None:
                log.error("The seats cannot be recorded: %s. None is granted or released until they can.", batch.error)
            else:
                log.warning("The seats can be recorded again.")
        failed = None if batch.error is None else storage(batch.error)
        for seat in batch.taken:
            self._taken(seat, failed)
        for seat in batch.ended:
            if failed is None:
                self.pool.forget(seat)
            elif seat.recorded:
                # Its record is still there: it is held for another lease, and ended then.
                self.pool.hold(seat)
            else:
                self.pool.undo(seat)
            for reply in self._ends.pop(seat.number):
                reply(failed or True)

    def _taken(self, seat: Seat, failed: Refusal | None) -> None:
        seat.recorded = failed is None
        if seat.state != TAKING:
            # It was released meanwhile; it is freed when the removal of its record has been written.
            failed = failed or gone()
        elif failed is None:
            self.pool.hold(seat)
            failed = self._second_look(seat)
        else:
            self.pool.undo(seat)
        for reply in self._takes.pop(seat.number):
            reply(failed or seat)

    def _second_look(self, seat: Seat) -> Refusal | None:
        """Take back a seat whose license was fenced, or whose server was closed, while its record was written."""
        snapshot = self.grants.look()
        try:
            _check_open(snapshot)
            _check_served(snapshot.grant(seat.license))
        except Refusal as refusal:
            self._end(seat)
            return refusal
        return None


def _is_over(grant: Grant) -> bool:
    """Whether the seats of a license end, because it is fenced, expired or not active here."""
    return grant.problem is not None and grant.ends


def _check_open(snapshot: Snapshot) -> None:
    if snapshot.problems:
        raise Refusal("not_served", snapshot.problems[0])
    if snapshot.maintenance:
        raise maintenance()


def _check_served(grant: Grant) -> Grant:
    if grant.problem is not None:
        raise Refusal("not_served", grant.problem)
    return grant
