# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration whose controller is killed between any two of its tasks, or whose hosts restart there.

The long form kills it at each place alone. The bounded form takes every third place, with license servers that run
and over HTTPS every fifth, and offline every tenth of each leg; what resumes is killed at the next of them, if it
comes there.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playbooks.serving import Authority
from support.events import LONG, Events, gaps, held, release, some
from support.invariants import Model, grants
from support.lab import NUMBERS, WORKED_EXAMPLE, Lab
from support.leaks import leaks
from support.licsrv import free_address
from support.runs import must
from support.steps import LOUD

PARTS = 6 if LONG else 1
LIFETIME = 1200
# Of each way, the bounded form takes one place in so many.
WAYS = {"ledger": 3, "served": 5, "https": 5, "offline": 10}
# Whatever was cut off has told as much as it ever would.


@dataclass(frozen=True)
class Leg:
    """What one run of the command does: from start to end, or to the next stop.

    :ivar lab: how things stand before it; only copied
    :ivar events: that it comes to
    """

    lab: Lab
    events: list[str]


def carry(lab: Lab) -> None:
    """Be the person who has the requests processed, if there are any."""
    for request in sorted((lab.work / "offline").glob("*.request")):
        answer = lab.authority("process", str(request))
        assert answer["outcome"] == "granted", answer


def serve(lab: Lab) -> dict[str, str]:
    """Give the hosts of a laboratory addresses of their own, and start the source's license server."""
    addresses = {lab.source: free_address(), lab.target: free_address()}
    lab.serve(LIFETIME, **addresses)
    return addresses


class Way:
    """A way to migrate: its legs, and how a laboratory is made that stands before one of them."""

    def __init__(self, name: str, rehearsed: Lab, places: list[str], folder: Path) -> None:
        self.name = name
        self._folder = folder
        self._made: list[Pair] = []
        places = gaps(places)
        self.legs = [Leg(rehearsed, places)]
        if name == "served":
            # The tasks are the same ones, so the places are.
            lab = rehearsed.copy_to(folder / "served")
            serve(lab)
            must(lab.play("rehearse", "--tags", "prepare"))
            lab.stop_services()
            self.legs = [Leg(lab, places)]
        elif name == "https":
            lab = rehearsed.copy_to(folder / "https")
            with Authority(lab, "--host", "127.0.0.1") as authority:
                authority.declare()
            self.legs = [Leg(lab, places)]
        elif name == "offline":
            lab = rehearsed.copy_to(folder / "offline")
            lab.go_offline()
            self.legs = []
            for leg in range(3):
                start = lab.copy_to(folder / f"leg-{leg}")
                events = Events(lab)
                self.step(lab, leg, events.play)
                self.legs.append(Leg(start, gaps(events.seen())))
                carry(lab)

    @property
    def last(self) -> int:
        return 2 if self.name == "offline" else 0

    def step(self, lab: Lab, leg: int, play: Callable[[str], object] | None = None) -> str:
        """Run a leg to its end; return what it told."""
        run = (play or lab.play)("migrate")
        if leg < self.last:
            assert run.code and f"{len(NUMBERS)} request(s) wait in" in run.output.replace("\n", " "), run.output
        else:
            must(run)
        return run.output

    def fresh(self, leg: int) -> Pair:
        """A laboratory before a leg, with its license servers or its authority running."""
        lab = self.legs[leg].lab.copy_to(self._folder / str(len(self._made)))
        addresses, authority = {}, None
        if self.name == "served":
            listen = lab.home(lab.source) / "Config" / "server.json"
            hosts = lab.inventory["all"]["children"]["aims_license_sources"]["hosts"]
            before = hosts[lab.source]["aims_license_server_listen"]["clients"]
            addresses = serve(lab)
            listen.write_bytes(listen.read_bytes().replace(before.encode(), addresses[lab.source].encode()))
            lab.start_service(lab.source)
        elif self.name == "https":
            authority = Authority(lab, "--host", "127.0.0.1")
            authority.start()
            authority.declare()
        self._made.append(Pair(self, lab, leg, addresses, authority))
        return self._made[-1]

    def stop(self) -> None:
        for pair in self._made:
            pair.stop()


class Pair:
    """A pair on a way, and what has to hold for it from now on."""

    def __init__(self, way: Way, lab: Lab, leg: int, addresses: dict[str, str], authority: Authority | None) -> None:
        self.way, self.lab, self.leg, self.addresses, self._authority = way, lab, leg, addresses, authority
        self.events = Events(lab)
        self.model = Model(lab, online=way.name != "offline", since=way.legs[0].lab)

    def killed(self, at: str) -> bool:
        """Kill the command at an event; say whether it came to it."""
        run = self.events.killed("migrate", at, *LOUD)
        self.holds(at, run.output)
        return run.code == -signal.SIGKILL

    def holds(self, at: str, output: str) -> None:
        broken = self.model.broken(output) + leaks(self.lab, {"output": output.encode()})
        for one in WORKED_EXAMPLE if self.addresses else []:
            giving = [host for host, address in self.addresses.items() if grants(address, one["profile"])]
            if len(giving) > 1:
                broken.append(f"I1: {one['profile']} is given by {giving}")
        assert broken == [], f"{self.way.name}, leg {self.leg}, {at}: {broken}"

    def completes(self, at: str, again: bool = True) -> None:
        """The same command goes through the legs that are left, and then has nothing left to do."""
        for leg in range(self.leg, self.way.last + 1):
            self.holds(at, self.way.step(self.lab, leg))
            carry(self.lab)
        assert self.model.unsettled() == [], at
        if self._authority:
            config = (self.lab.home(self.lab.target) / "Config" / "server.json").read_text(encoding="utf-8")
            assert self._authority.address in config
        report = (self.lab.work / "reports" / "old-to-new.html").read_text(encoding="utf-8")
        assert "3 of 3" in report or not self.addresses
        for one in WORKED_EXAMPLE if self.addresses else []:
            assert grants(self.addresses["new"], one["profile"]) and not grants(self.addresses["old"], one["profile"])
        if again:
            before = self.lab.everything() if not self.addresses else None
            assert must(self.lab.play("migrate")).changed == 0, at
            assert before is None or self.lab.everything() == before, at
            assert self.model.unsettled() == [], at
        self.stop()

    def restart(self) -> int:
        """Have what serves die and come back, as with its machine; return how many did."""
        running = [host for host in (self.lab.source, self.lab.target) if self.lab.service_of(host) is not None]
        for host in running:
            process = self.lab.service_of(host)
            assert process is not None
            os.kill(process, signal.SIGKILL)
            while self.lab.service_of(host) is not None:
                pass
            self.lab.start_service(host)
        if self._authority:
            self._authority.stop(signal.SIGKILL)
            self._authority.start()
        return len(running)

    def stop(self) -> None:
        self.lab.stop_services()
        if self._authority:
            self._authority.stop()


@pytest.fixture
def way(request: pytest.FixtureRequest, _rehearsed: Lab, places: list[str], tmp_path: Path) -> Iterator[Way]:
    made = Way(request.param, _rehearsed, places, tmp_path)
    yield made
    made.stop()


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("way", WAYS, indirect=True)
def test_the_controller_is_killed(way: Way, part: int, record_property: Callable[[str, object], None]) -> None:
    kills = total = 0
    for leg, events in enumerate(leg.events for leg in way.legs):
        assert len(events) > 15
        total += len(events)
        kills += each_alone(way, leg, part) if LONG else one_after_the_other(way, leg)
    record_property("faults", f"{way.name}: the controller was killed at {kills} of {total} places between tasks")


def each_alone(way: Way, leg: int, part: int) -> int:
    """Kill a run at a place, and let the next complete; return how many there were."""
    events = way.legs[leg].events[part::PARTS]
    for at in events:
        pair = way.fresh(leg)
        assert pair.killed(at), at
        if part % 2:
            pair.restart()
        pair.completes(at)
    return len(events)


def one_after_the_other(way: Way, leg: int) -> int:
    """Kill a run at a place, and what resumes at the next, as long as it comes there; return how many there were."""
    pair = way.fresh(leg)
    step = WAYS[way.name]
    events = way.legs[leg].events[(step + leg) % 3 :: step]
    for at in events:
        if not pair.killed(at):
            # The step was taken before, and what resumes does not come there again.
            assert leg < way.last or pair.model.unsettled() == []
            pair.stop()
            pair = way.fresh(leg)
            assert pair.killed(at), at
        pair.restart()
    pair.completes("the last of them", again=leg == way.last)
    return len(events)


@pytest.mark.parametrize("way", ["served"], indirect=True)
def test_both_hosts_restart_between_tasks(way: Way, record_property: Callable[[str, object], None]) -> None:
    pair, restarts = way.fresh(0), 0
    events = some(way.legs[0].events)
    started = pair.events.start("migrate", AIMS_EVENTS_HOLD="\n".join(events))
    for _event in events:
        assert held(started), started.wait().output
        restarts += pair.restart()
        release(started)
    run = must(started.wait())
    pair.holds("restarts", run.output)
    assert pair.model.unsettled() == []
    pair.completes("restarts")
    record_property("faults", f"served: the hosts restarted at {len(events)} of {len(way.legs[0].events)} places")
    assert restarts > len(events)
