# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last 24 hours of use by license."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.history import (
    FILE,
    SLOT,
    SLOTS,
    History,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    NUMBERS,
    SESSION,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.server.site import (
    Site,
    take,
    why,
)
from support.licsrv import Server

DAY = SLOT * SLOTS


class Clock:
    """Gives the seconds that it is set to."""

    def __init__(self) -> None:
        self.now = 1_795_670_400.0

    def __call__(self) -> float:
        return self.now


def of(history: History, number: str = SESSION) -> tuple[list[int | None], list[int | None]]:
    (license,) = [one for one in history.as_dict([number])["licenses"] if one["number"] == number]
    return license["in_use"], license["denied"]


def told(server: Server) -> dict[str, dict[str, Any]]:
    status, history = server.ask("GET", "/v1/history", port=3401)
    assert status == 200
    assert history["slot_seconds"] == SLOT
    return {license["number"]: license for license in history["licenses"]}


def test_a_server_tells_the_most_seats_and_what_was_not_there(site: Site) -> None:
    server = site.serve()
    seats = [take(server)["seat"] for _seat in range(8)]
    assert why(take, server) == why(take, server) == "no_seat"
    for seat in seats:
        server.seats.release(seat)
    found = told(server)
    assert set(found) == set(NUMBERS)
    assert all(len(license[name]) == SLOTS for license in found.values() for name in ("in_use", "denied"))
    # The test may cross the border of two slots.
    assert max(count or 0 for count in found[SESSION]["in_use"]) == 8
    assert sum(count or 0 for count in found[SESSION]["denied"]) == 2
    assert {count for count in found[CLIENT]["in_use"] if count is not None} == {0}
    # It did not run before.
    assert found[SESSION]["in_use"][0] is None


@pytest.mark.parametrize("crashed", [False, True])
def test_the_history_outlives_a_restart(site: Site, crashed: bool) -> None:
    server = site.serve()
    if crashed:
        # What an earlier slot has is on disk.
        server.stop()
        before = {"slots": {str(int(time.time() // SLOT) - 3): {SESSION: [5, 4]}}}
        site.put(FILE, json.dumps(before).encode())
        server.start()
        server.kill()
    else:
        for _seat in range(5):
            take(server)
        server.stop()
    assert (site.host.folder / FILE).stat().st_mode & 0o777 == 0o600
    server.start()
    found = told(server)[SESSION]
    assert max(count or 0 for count in found["in_use"]) == 5
    assert sum(count or 0 for count in found["denied"]) == (4 if crashed else 0)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"slots": {"x": {}}}', b'{"slots": {"1": {"y": [1, 1]}}}'])
def test_a_damaged_history_begins_anew_and_no_seat_is_lost(site: Site, content: bytes) -> None:
    server = site.serve()
    seat = take(server)["seat"]
    server.stop()
    site.put(FILE, content)
    server.start()
    assert server.seats.heartbeat(seat)["seat"] == seat
    assert max(count or 0 for count in told(server)[SESSION]["in_use"]) == 1
    assert "The history of the use cannot be read" in server.log.read_text(encoding="utf-8")


def test_a_slot_has_its_peak_and_a_seat_that_stays_counts_in_the_next() -> None:
    clock = Clock()
    history = History(clock)
    assert history.observe({SESSION: 2})
    history.grant(SESSION, 7)
    history.deny(SESSION)
    assert not history.observe({SESSION: 3})
    clock.now += SLOT
    assert history.observe({SESSION: 3})
    in_use, denied = of(history)
    assert (in_use[-2:], denied[-2:]) == ([7, 3], [1, 0])
    assert set(in_use[:-2]) == {None}


def test_the_history_is_bounded(tmp_path: Path) -> None:
    clock = Clock()
    history = History(clock)
    for _slot in range(3 * SLOTS):
        clock.now += SLOT
        history.observe({f"{number:03}.000.000.000": 9 for number in range(400)})
    assert len(history.rendered()) < 3_000_000
    assert len(json.loads(history.rendered())["slots"]) == SLOTS
    # What was not used for a day is forgotten.
    clock.now += DAY
    history.observe({})
    assert [one["number"] for one in history.as_dict([])["licenses"]] == []


def test_a_clock_that_is_set_back_leaves_no_use_of_the_future(tmp_path: Path) -> None:
    clock = Clock()
    history = History(clock)
    history.observe({SESSION: 8})
    clock.now -= 5 * SLOT
    history.observe({SESSION: 1})
    clock.now += 5 * SLOT
    assert of(history)[0][-6:] == [1, None, None, None, None, None]
    (tmp_path / "Seats").mkdir()
    (tmp_path / FILE).write_bytes(history.rendered())
    clock.now -= 6 * SLOT
    later = History(clock)
    assert later.load(Folder(tmp_path))
    assert set(of(later)[0]) == {None}
