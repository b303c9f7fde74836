# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Grants, renews and ends seats. docs/api.md describes the rules for clients."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Callable

from ..errors import Problem
from ..model import Profile
from .entitlements import Entitlements, Grant, Snapshot
from .metrics import Metrics
from .pool import ENDING, HELD, TAKING, Place, Pool, Seat
from .refusals import Refusal, conflict, draining, gone, maintenance, no_seat, storage
from .seat_store import Batch, SeatStore

log = logging.getLogger("licsrv")


@dataclass(frozen=True)
class SeatRequest:
    """A client's request for a seat.

    :ivar profile: None for the first valid Default
    """

    profile: str | None
    user: str
    client: str
    address: str


class SeatAllocator:
    """Grants, renews and ends seats. All calls come from one event loop.

    :param now: returns the current time as text (UTC, ISO 8601)
    """

    def __init__(self, pool: Pool, entitlements: Entitlements, metrics: Metrics, now: Callable[[], str]) -> None:
        self.pool = pool
        self.entitlements = entitlements
        self.metrics = metrics
        self._now = now
        self._number = 0
        self._store: SeatStore
        # Callbacks that wait for a batch, by the number of the seat's record.
        self._takes: dict[int, list[Callable[[Seat | Refusal], None]]] = {}
        self._ends: dict[int, list[Callable[[bool | Refusal], None]]] = {}
        self._failing = False
        self._unplaced = False

    def open(self, store: SeatStore) -> None:
        """Restore the recorded seats, each with a full lease.

        :raises LicensingError: the record cannot be read
        """
        self._store = store
        snapshot = self.entitlements.current()
        self._unplaced = bool(snapshot.problems)
        for seat in store.load():
            seat.place = _place(snapshot.grant(seat.license), seat.user, seat.client)
            self.pool.restore(seat)
            self._number = seat.number

    def _current(self) -> Snapshot:
        """Return the current snapshot. The first one that tells how licenses are counted, counts the restored seats."""
        snapshot = self.entitlements.current()
        if self._unplaced and not snapshot.problems:
            self._unplaced = False
            for seat in self.pool.held(snapshot.licenses):
                self.pool.move(seat, _place(snapshot.grant(seat.license), seat.user, seat.client))
        return snapshot

    def take(self, id: bytes, request: SeatRequest, reply: Callable[[Seat | Refusal], None]) -> None:
        """Grant a seat. The same request under the same id gets the same seat.

        :param reply: called with the seat once its record is on disk, or with the refusal
        :raises Refusal: if the request can be refused without writing
        """
        snapshot = self._current()
        seat = self.pool.find(id)
        if seat is None:
            if self.pool.was_ended(id):
                raise gone()
            seat = self._grant(id, request, snapshot)
        elif (seat.asked, seat.user) != (request.profile, request.user):
            raise conflict()
        if seat.state == TAKING:
            self._takes[seat.number].append(reply)
        elif self._is_held(seat, snapshot):
            if not snapshot.problems:
                self.pool.hold(seat)
            reply(seat)
        else:
            raise gone()

    def _grant(self, id: bytes, request: SeatRequest, snapshot: Snapshot) -> Seat:
        profile, grant = self._choose(request, snapshot)
        self._number += 1
        seat = Seat(
            id,
            self._number,
            request.profile,
            profile.name,
            profile.license,
            request.user,
            request.client,
            request.address,
            self._now(),
            place=_place(grant, request.user, request.client),
        )
        if not self.pool.take(seat, grant.seats):
            self.metrics.demand.refuse(grant.number, profile.name, user=request.user, client=request.client)
            self.metrics.history.deny(grant.number)
            raise no_seat(profile.name, grant.number, grant.seats)
        self._takes[seat.number] = []
        self._store.add(seat)
        return seat

    def _choose(self, request: SeatRequest, snapshot: Snapshot) -> tuple[Profile, Grant]:
        """Return the profile and the license for a request."""
        _check_open(snapshot)
        if snapshot.users and request.user.casefold() not in snapshot.users:
            raise Refusal(
                "not_registered",
                Problem(
                    f"{request.user} is not a registered user of this license server.",
                    "user",
                    "Have the user registered (aims_license_server_users).",
                ),
            )
        if request.profile is None:
            return self._default(request, snapshot)
        profile = snapshot.profiles.get(request.profile)
        if profile is None:
            raise Refusal(
                "unknown_profile",
                Problem(
                    f"There is no profile {request.profile}.",
                    "profile",
                    "Name a profile of this license server, or no profile for the first valid Default.",
                ),
            )
        return profile, _check_served(snapshot.grant(profile.license))

    def _default(self, request: SeatRequest, snapshot: Snapshot) -> tuple[Profile, Grant]:
        """Return the first valid Default profile with a free seat; if all are full, the last valid one."""
        valid = drained = None
        for profile in snapshot.profiles.values():
            grant = snapshot.grant(profile.license)
            if not profile.default or grant.problem is not None:
                continue
            if grant.draining:
                drained = drained or grant
            else:
                valid = (profile, grant)
                place = _place(grant, request.user, request.client)
                if self.pool.has_room(grant.number, place, grant.seats):
                    break
        if valid is None and drained is not None:
            raise draining(drained.number)
        if valid is None:
            raise Refusal(
                "not_served",
                Problem(
                    "No Default profile has a valid license.",
                    "profile",
                    "Name a profile, or mark one Default (aims_license_profile).",
                ),
            )
        return valid

    def heartbeat(self, id: bytes) -> bool:
        """Renew the lease of a seat. Return whether the session should end: in maintenance mode, or during a drain.

        :raises Refusal: ``gone``; or ``not_served`` if the home cannot be read, and the lease is not renewed
        """
        snapshot = self._current()
        seat = self.pool.find(id)
        if seat is None or not self._is_held(seat, snapshot):
            raise gone()
        if snapshot.problems:
            raise Refusal("not_served", snapshot.problems[0])
        self.pool.hold(seat)
        return snapshot.maintenance or seat.license in snapshot.draining

    def _is_held(self, seat: Seat, snapshot: Snapshot) -> bool:
        """Whether a seat is held. End it if its license is not served."""
        if seat.state != HELD:
            return False
        if snapshot.problems:
            return True
        if not _is_over(snapshot.grant(seat.license)):
            return True
        self._revoke(seat)
        return False

    def release(self, id: bytes, reply: Callable[[bool | Refusal], None]) -> None:
        """Release a seat.

        :param reply: called with whether the seat existed, once its record is removed; or with a refusal
        """
        seat = self.pool.find(id)
        if seat is None:
            reply(False)
            return
        if seat.state != ENDING:
            self._end(seat)
        self._ends[seat.number].append(reply)

    def expire(self) -> int:
        """End the seats whose lease has expired. Return their number."""
        due = self.pool.due()
        for seat in due:
            self._end(seat)
        self.metrics.expired += len(due)
        return len(due)

    def revoke(self) -> int:
        """End the seats of licenses that are not served. Return their number.

        The seats are searched only while such a license has seats: once per fence, not for each request.
        """
        snapshot = self._current()
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
        self._store.remove(seat)

    def written(self, batch: Batch) -> None:
        """Call the callbacks that wait for a batch, which is on disk or has failed."""
        self.metrics.batch(len(batch), batch.seconds, batch.error is None)
        if (batch.error is not None) != self._failing:
            self._failing = not self._failing
            if batch.error is not None:
                log.error(
                    "The seats cannot be recorded: %s. No seat is granted or released until they can.", batch.error
                )
            else:
                log.warning("The seats can be recorded again.")
        failed = None if batch.error is None else storage(batch.error)
        for seat in batch.added:
            self._confirm(seat, failed)
        for seat in batch.ended:
            if failed is None:
                self.pool.forget(seat)
            elif seat.recorded:
                # Its record still exists: hold it for another lease, and end it then.
                self.pool.hold(seat)
            else:
                self.pool.undo(seat)
            for reply in self._ends.pop(seat.number):
                reply(failed or True)

    def _confirm(self, seat: Seat, failed: Refusal | None) -> None:
        seat.recorded = failed is None
        if seat.state != TAKING:
            # The seat was released in the meantime. It becomes free when the removal of its record is on disk.
            failed = failed or gone()
        elif failed is None:
            self.pool.hold(seat)
            self.metrics.demand.grant(seat.license, user=seat.user, client=seat.client)
            self.metrics.history.grant(seat.license, self.pool.in_use(seat.license))
            failed = self._recheck(seat)
        else:
            self.pool.undo(seat)
        for reply in self._takes.pop(seat.number):
            reply(failed or seat)

    def _recheck(self, seat: Seat) -> Refusal | None:
        """End a new seat if its license was fenced or drained, or the server closed, while the record was written."""
        snapshot = self._current()
        try:
            _check_open(snapshot)
            _check_served(snapshot.grant(seat.license))
        except Refusal as refusal:
            self._end(seat)
            return refusal
        return None


def _place(grant: Grant, user: str, client: str) -> Place | None:
    """Return who shares a seat: sessions of the same user on the same device, whatever the case of their letters."""
    return (user.casefold(), client.casefold()) if grant.by_device else None


def _is_over(grant: Grant) -> bool:
    """Whether a license's seats have to end because it is fenced, expired or not active here."""
    return grant.problem is not None and grant.ends


def _check_open(snapshot: Snapshot) -> None:
    if snapshot.problems:
        raise Refusal("not_served", snapshot.problems[0])
    if snapshot.maintenance:
        raise maintenance()


def _check_served(grant: Grant) -> Grant:
    if grant.problem is not None:
        raise Refusal("not_served", grant.problem)
    if grant.draining:
        raise draining(grant.number)
    return grant
