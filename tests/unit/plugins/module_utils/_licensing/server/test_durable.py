# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client was told survives a crash, a restart and a disk that fails."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import random
import resource
import signal
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client import Refused
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server import seat_store
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.pool import Seat
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.seat_store import Batch, SeatStore
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import GRANTS, SESSION
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.server.site import (
    CLIENT_NAME,
    USER,
    Site,
    body,
    take,
    wait_until,
    why,
)
from support.licsrv import Server

SEATS = GRANTS[SESSION][1]
# A disk for which the event loop does not wait: everything is written by the thread.
SLOW = f"import {seat_store.__name__} as register; register._QUICK = 0"


class Taker:
    """A client that takes and releases seats, and keeps its own books of what it was told."""

    def __init__(self, server: Server, seed: int) -> None:
        self._server = server
        self._random = random.Random(seed)
        self.held: dict[str, dict[str, object]] = {}
        self.doubt: tuple[str, str] | None = None
        self.answers = 0
        self.wrong: list[str] = []

    def work(self) -> None:
        """Take and release until the server answers no more."""
        with contextlib.suppress(Lost):
            while True:
                if self.held and self._random.random() < 0.5:
                    self._do("release", self._random.choice(sorted(self.held)))
                else:
                    self._do("take", self._server.seats.new_id())

    def settle(self) -> None:
        """Repeat what was not answered."""
        if self.doubt is not None:
            self._do(*self.doubt)

    def _do(self, what: str, seat: str) -> None:
        self.doubt = (what, seat)
        try:
            if what == "take":
                self.held[seat] = self._server.seats.take(seat, "PROSession", USER, CLIENT_NAME)
            else:
                self._server.seats.release(seat)
                del self.held[seat]
        except Refused as refused:
            if refused.code != "no_seat":
                self.wrong.append(f"{what}: {refused.code}")
        except LicensingError:
            raise Lost from None
        self.doubt = None
        self.answers += 1


class Lost(Exception):
    """No answer came."""


@pytest.mark.parametrize("first", ["", SLOW], ids=["quick disk", "slow disk"])
def test_killed_at_any_moment_it_loses_no_seat_and_grants_none_twice(site: Site, first: str) -> None:
    server = site.serve(first=first)
    takers = [Taker(server, seed) for seed in range(6)]
    rounds = random.Random(7)
    for _round in range(6):
        enough = sum(taker.answers for taker in takers) + rounds.randrange(30, 200)
        threads = [threading.Thread(target=taker.work) for taker in takers]
        for thread in threads:
            thread.start()
        wait_until(lambda enough=enough: sum(taker.answers for taker in takers) >= enough)
        server.kill()
        for thread in threads:
            thread.join()
        held = {seat for taker in takers for seat in taker.held}
        doubtful = {taker.doubt[1] for taker in takers if taker.doubt}
        released = {taker.doubt[1] for taker in takers if taker.doubt and taker.doubt[0] == "release"}
        recorded = set(site.recorded())
        assert held - released <= recorded <= held | doubtful
        assert len(recorded) <= SEATS
        server.start()
        assert server.status()["seats"] == len(recorded)
        for taker in takers:
            taker.settle()
            assert {seat: take(server, seat) for seat in taker.held} == taker.held
            assert taker.wrong == []
        assert set(site.recorded()) == {seat for taker in takers for seat in taker.held}
    with contextlib.closing(sqlite3.connect(site.host.folder / "Seats" / "seats.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_after_a_restart_every_seat_is_held_for_a_full_lease(site: Site) -> None:
    server = site.serve("--lease", "1")
    seats = [take(server) for _seat in range(3)]
    server.kill()
    server.start()
    assert [take(server, seat["seat"]) for seat in seats] == seats
    assert server.status()["seats"] == 3
    wait_until(lambda: server.status()["seats"] == 0)
    assert site.recorded() == {}


def test_a_full_disk_refuses_and_grants_nothing_and_the_server_goes_on_afterwards(site: Site) -> None:
    server = site.serve()
    held = take(server)
    lost, other = server.seats.new_id(), server.seats.new_id()
    before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    # From here on the kernel refuses each write of the process to a file, as that of a full disk does.
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0, before[1]))
    for _time in range(3):
        status, answer = server.ask("PUT", f"/v1/seats/{lost}", body())
        assert (status, answer["code"]) == (503, "storage")
        assert why(server.seats.release, held["seat"]) == "storage"
        assert why(server.seats.heartbeat, held["seat"]) == "granted"
    assert take(server, held["seat"]) == held
    assert server.status()["seats"] == 1
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)
    assert why(take, server, lost) == "granted"
    assert server.seats.release(held["seat"])["released"] is True
    assert why(take, server, other) == "granted"
    assert set(site.recorded()) == {lost, other}
    server.kill()
    server.start()
    assert server.status()["seats"] == 2
    assert "can be recorded again" in server.log.read_text(encoding="utf-8")


def test_seats_whose_end_cannot_be_recorded_end_later(site: Site) -> None:
    server = site.serve("--lease", "0.5")
    take(server)
    before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0, before[1]))
    wait_until(lambda: "licsrv_commit_failures_total 0" not in server.ask("GET", "/metrics", port=3401)[1])
    assert server.status()["seats"] == 1
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)
    wait_until(lambda: server.status()["seats"] == 0)
    assert site.recorded() == {}


def test_a_server_that_stood_still_does_not_hold_that_against_its_clients(site: Site) -> None:
    server = site.serve("--lease", "1")
    seat = take(server)["seat"]
    with contextlib.closing(http.client.HTTPConnection(server.address, 3400, timeout=30)) as connection:
        connection.connect()
        server.process.send_signal(signal.SIGSTOP)
        # Longer than the lease; there is nothing to wait for but the time.
        time.sleep(1.5)
        connection.request("POST", f"/v1/seats/{seat}/heartbeat")
        server.process.send_signal(signal.SIGCONT)
        assert connection.getresponse().status == 200
    assert why(server.seats.heartbeat, seat) == "granted"


def test_a_damaged_record_is_told_and_nothing_is_started(site: Site) -> None:
    server = site.serve()
    take(server)
    server.stop()
    database = site.host.folder / "Seats" / "seats.db"
    database.write_bytes(b"no database" * 1000)
    for beside in ("seats.db-wal", "seats.db-shm"):
        (database.parent / beside).unlink(missing_ok=True)
    with pytest.raises(AssertionError, match=r"licsrv ended with 1: The record of the seats cannot be read"):
        server.start()
    assert "Traceback" not in server.errors
    for name in database.parent.iterdir():
        name.unlink()
    server.start()
    assert why(take, server) == "granted"


def test_a_record_that_is_refused_is_not_held_open(tmp_path: Path) -> None:
    path = tmp_path / "seats.db"
    path.write_bytes(b"no database" * 1000)

    async def scenario() -> None:
        SeatStore(path, lambda batch: None)

    with pytest.raises(LicensingError, match="cannot be read") as refused:
        asyncio.run(scenario())
    # The refusal holds on to whatever was not closed.
    assert refused.tb is not None
    assert path.name not in {Path(one.readlink()).name for one in Path("/proc/self/fd").iterdir() if one.is_symlink()}


def new_seat(number: int) -> Seat:
    return Seat(number.to_bytes(16, "big"), number, None, "P", SESSION, USER, "host", "127.0.0.1", "now")


@pytest.mark.parametrize("quick", [0, 1000], ids=["thread", "event loop"])
def test_what_comes_together_is_written_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: float) -> None:
    monkeypatch.setattr(seat_store, "_QUICK", quick)
    batches: list[Batch] = []

    async def scenario() -> list[int]:
        made = SeatStore(tmp_path / "seats.db", batches.append)
        for number in range(1, 101):
            made.add(new_seat(number))
        for number in range(1, 51):
            made.remove(new_seat(number))
        await made.close()
        again = SeatStore(tmp_path / "seats.db", batches.append)
        found = [seat.number for seat in again.load()]
        await again.close()
        return found

    assert asyncio.run(scenario()) == list(range(51, 101))
    assert [len(batch) for batch in batches] == [150]
    assert batches[0].error is None
