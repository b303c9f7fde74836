# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who makes way where there are more connections than a service can hold."""

from __future__ import annotations

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.connections import Places, network


class Board:
    """Places with a clock of their own, and what was closed."""

    def __init__(self, limit: int, each: int) -> None:
        self.now = 0.0
        self.closed: list[str] = []
        self.places = Places(limit, each, lambda: self.now)

    def take(self, key: str, address: str = "") -> None:
        self.places.take(key, address or f"192.0.2.{len(key)}{len(self.places)}", lambda: self.closed.append(key))

    def call(self, key: str) -> None:
        self.places.heard(key)
        self.places.answered(key)


def test_a_connection_that_says_nothing_makes_way_for_one_that_is_of_use() -> None:
    board = Board(3, 3)
    board.take("used")
    board.call("used")
    board.take("silent")
    board.take("fresh")
    board.now = 2.5
    board.take("new")
    assert board.closed == ["silent"]
    board.take("newer")
    assert board.closed == ["silent", "fresh"]
    assert board.places.evicted == 2 and len(board.places) == 3


def test_a_flood_that_came_this_moment_ends_no_connection_that_is_of_use() -> None:
    board = Board(5, 5)
    board.take("used")
    board.call("used")
    for at in range(20):
        board.take(f"flood {at}")
    assert board.closed == [f"flood {at}" for at in range(16)]


def test_the_connection_that_was_idle_for_longest_makes_way_where_all_are_of_use() -> None:
    board = Board(3, 3)
    for key in ("a", "b", "c"):
        board.take(key)
        board.call(key)
        board.now += 1
    board.call("a")
    board.take("new")
    assert board.closed == ["b"]


def test_where_every_call_waits_for_its_answer_the_first_one_makes_way() -> None:
    board = Board(2, 2)
    for key in ("a", "b"):
        board.take(key)
        board.places.heard(key)
    board.take("new")
    assert board.closed == ["a"]
    # What has just come has had no time to send its call.
    board.take("newer")
    assert board.closed == ["a", "b"]


def test_a_network_has_its_own_places_whatever_address_it_uses() -> None:
    board = Board(100, 2)
    for at in range(5):
        board.take(f"{at}", f"2001:db8:1:2::{at:x}")
    assert board.closed == ["0", "1", "2"]
    board.take("other", "2001:db8:1:3::1")
    assert len(board.closed) == 3


def test_a_connection_may_be_forgotten_more_than_once() -> None:
    board = Board(2, 2)
    board.take("a")
    for _again in range(2):
        board.places.leave("a")
        board.places.heard("a")
        board.places.answered("a")
    assert len(board.places) == 0


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_what_stands_for_a_client(address: str, client: str) -> None:
    assert network(address) == client
