# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pool of seats, against a model that is a plain list."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.aims.licensing.plugins.module_utils._licensing.server import pool as seats
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.pool import (
    ENDING,
    HELD,
    TAKING,
    Place,
    Pool,
    Seat,
)
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

LEASE = 10
LICENSES = {"A": 2, "B": 3}
PROFILES = {"one": "A", "two": "A", "three": "B"}


# None takes a seat for each session; sessions of one place share one.
PLACES = [None, None, ("d\\u", "pc1"), ("d\\u", "pc2"), ("d\\v", "pc1")]


def new_seat(number: int, profile: str, place: Place | None = None) -> Seat:
    license = PROFILES[profile]
    return Seat(number.to_bytes(16, "big"), number, None, profile, license, "D\\u", "host", "::1", "now", place=place)


def seats_of(sessions: list[Seat]) -> int:
    """How many seats sessions take."""
    places = {session.place for session in sessions if session.place is not None}
    return len(places) + sum(session.place is None for session in sessions)


@dataclass
class Known:
    """What the model knows of a seat."""

    seat: Seat
    state: str
    seen: int


class Pools(RuleBasedStateMachine):
    """Every order of calls that the desk can make."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.pool = Pool(LEASE, lambda: self.now)
        self.known: list[Known] = []
        self.ended: list[bytes] = []
        self.number = 0

    def of(self, *states: str) -> list[Known]:
        return [known for known in self.known if known.state in states]

    def used(self, license: str) -> int:
        return seats_of([known.seat for known in self.known if known.seat.license == license])

    def shares(self, seat: Seat) -> bool:
        """Whether the seat's place has a session of the license."""
        places = [known.seat.place for known in self.known if known.seat.license == seat.license]
        return seat.place is not None and seat.place in places

    @rule(profile=st.sampled_from(sorted(PROFILES)), place=st.sampled_from(PLACES))
    def take(self, profile: str, place: Place | None) -> None:
        self.number += 1
        seat = new_seat(self.number, profile, place)
        limit = LICENSES[seat.license]
        has_room = self.used(seat.license) < limit or self.shares(seat)
        assert self.pool.has_room(seat.license, place, limit) == has_room
        assert self.pool.take(seat, limit) == has_room
        if has_room:
            self.known.append(Known(seat, TAKING, 0))
        else:
            assert self.pool.find(seat.id) is None

    @precondition(lambda self: self.of(TAKING))
    @rule(data=st.data(), recorded=st.booleans())
    def record(self, data: st.DataObject, recorded: bool) -> None:
        known = data.draw(st.sampled_from(self.of(TAKING)))
        if recorded:
            self.pool.hold(known.seat)
            known.state, known.seen = HELD, self.now
        else:
            self.pool.undo(known.seat)
            self.known.remove(known)
            assert not self.pool.was_ended(known.seat.id)

    @precondition(lambda self: self.of(HELD))
    @rule(data=st.data())
    def beat(self, data: st.DataObject) -> None:
        known = data.draw(st.sampled_from(self.of(HELD)))
        self.pool.hold(known.seat)
        known.seen = self.now

    @precondition(lambda self: self.of(TAKING, HELD))
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        known = data.draw(st.sampled_from(self.of(TAKING, HELD)))
        self.pool.end(known.seat)
        known.state = ENDING

    @precondition(lambda self: self.of(ENDING))
    @rule(data=st.data(), recorded=st.booleans())
    def record_the_end(self, data: st.DataObject, recorded: bool) -> None:
        known = data.draw(st.sampled_from(self.of(ENDING)))
        if recorded:
            self.pool.forget(known.seat)
            self.known.remove(known)
            self.ended.append(known.seat.id)
        else:
            self.pool.hold(known.seat)
            known.state, known.seen = HELD, self.now

    @rule(seconds=st.integers(1, LEASE))
    def pass_time(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def expire(self) -> None:
        due = self.pool.due()
        assert {id(seat) for seat in due} == {
            id(known.seat) for known in self.of(HELD) if self.now - known.seen >= LEASE
        }
        assert [seat.seen for seat in due] == sorted(seat.seen for seat in due)
        for known in self.of(HELD):
            if known.seat in due:
                self.pool.end(known.seat)
                known.state = ENDING

    @invariant()
    def never_more_than_the_license_grants(self) -> None:
        for license, limit in LICENSES.items():
            assert self.pool.in_use(license) == self.used(license) <= limit

    @invariant()
    def counts_are_those_of_the_model(self) -> None:
        assert len(self.pool) == len(self.known)
        assert set(self.pool.licenses()) == {known.seat.license for known in self.known}
        for profile in PROFILES:
            sessions = [known.seat for known in self.known if known.seat.profile == profile]
            assert self.pool.profiles().get(profile, 0) == seats_of(sessions)
            assert self.pool.reused().get(profile, 0) == len(sessions) - seats_of(sessions)

    @invariant()
    def seats_are_found_by_their_ids(self) -> None:
        assert all(self.pool.find(known.seat.id) is known.seat for known in self.known)
        assert all(self.pool.find(id) is None and self.pool.was_ended(id) for id in self.ended)


TestPools = Pools.TestCase
TestPools.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def test_no_more_ended_seats_are_remembered_than_fit() -> None:
    pool = Pool(LEASE, lambda: 0)
    for number in range(seats.REMEMBERED + 2):
        seat = new_seat(number, "one")
        assert pool.take(seat, 1)
        pool.end(seat)
        pool.forget(seat)
    first, second, third = (number.to_bytes(16, "big") for number in (0, 1, 2))
    assert [pool.was_ended(id) for id in (first, second, third)] == [False, False, True]


def test_time_in_which_the_server_stood_still_counts_for_no_lease() -> None:
    now = [0.0]
    pool = Pool(LEASE, lambda: now[0])
    seat = new_seat(1, "one")
    pool.restore(seat)
    now[0] = 100.0
    pool.extend_leases(95.0)
    assert pool.due() == []
    now[0] = 105.0
    assert pool.due() == [seat]
