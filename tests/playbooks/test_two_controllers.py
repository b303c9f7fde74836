# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two controllers that migrate one pair at once: whatever becomes of the two, one more run settles it.

Offline they share a folder of requests, too, as they share the folder of bundles; over HTTPS both hosts' requests come
to one service at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playbooks.serving import Authority
from support.events import LONG, Events, held, release
from support.invariants import Model
from support.lab import NUMBERS, USERS, WORKED_EXAMPLE, Lab
from support.leaks import leaks
from support.runs import Run, Started, must

TASKS = [
    "Read the source's overview|1",
    "Install the license server on the target|1",
    "Back up the source|1",
    "Drain the source and deactivate its licenses|1",
    "Activate the licenses and profiles on the target|1",
    "Take the target out of maintenance mode|1",
    "Verify the pair and write its report|1",
]
WAYS = ("ledger", "https", "offline")
# The first stands before a task, with all that it saw until then, while the second goes by.
OVERTAKEN = [(way, task) for way in WAYS for task in TASKS]
AT_ONCE = [("ledger", "nowhere"), *((way, "everywhere") for way in WAYS), *OVERTAKEN]


class Pair:
    """A pair on a way, and the legs in which its migration goes: offline a person carries files between them."""

    def __init__(self, lab: Lab, way: str) -> None:
        self.lab, self.way = lab, way
        self.model = Model(lab, online=way != "offline")
        self.legs = 3 if way == "offline" else 1

    def controllers(self, first: str, second: str = "") -> list[Started]:
        """Start the command from two controllers that share nothing but the inventory and its folders."""
        started = []
        for name, hold in (("one", first), ("two", second or first)):
            home = {"ANSIBLE_HOME": str(self.lab.folder / f"home-{name}")}
            events = Events(self.lab, f"events-{name}")
            started.append(events.start("migrate", "-vvvv", AIMS_EVENTS_HOLD=hold, **home))
        return started

    def holds(self, runs: list[Run]) -> None:
        """What both leave is sound, and each that failed says why."""
        outputs = [run.output for run in runs]
        assert self.model.broken(*outputs) == []
        assert leaks(self.lab, {str(at): output.encode() for at, output in enumerate(outputs)}) == []
        for run in runs:
            # Who was too late is told by a task, in words; nothing ends by itself.
            assert run.code == 0 or (run.code == 2 and "fatal: " in run.output), run.output

    def settles(self) -> None:
        """One more run on each leg ends it, and another one changes nothing."""
        for _leg in range(1, self.legs):
            carry(self.lab)
            self.holds([self.lab.play("migrate")])
        carry(self.lab)
        must(self.lab.play("migrate"))
        assert self.model.broken() == [] and self.model.unsettled() == []
        seen = self.lab.overview("new")
        assert {one["status"] for one in seen["licenses"]} == {"Active"}
        assert [one["name"] for one in seen["profiles"]] == [one["profile"] for one in WORKED_EXAMPLE]
        assert seen["users"] == USERS and not seen["server"]["maintenance"]
        assert self.lab.held("new") == set(NUMBERS)
        before = self.lab.everything()
        assert must(self.lab.play("migrate")).changed == 0
        assert self.lab.everything() == before


def carry(lab: Lab) -> None:
    """Be the person who has the requests processed, if there are any."""
    for request in sorted((lab.work / "offline").glob("*.request")):
        assert lab.authority("process", str(request))["outcome"] == "granted"


@pytest.fixture
def pair(rehearsed: Lab, way: str) -> Iterator[Pair]:
    if way == "https":
        with Authority(rehearsed, "--host", "127.0.0.1") as authority:
            authority.declare()
            yield Pair(rehearsed, way)
        return
    if way == "offline":
        rehearsed.go_offline()
    yield Pair(rehearsed, way)


def test_two_at_once(pair: Pair, where: str, record_property: Callable[[str, object], None]) -> None:
    hold = {"nowhere": "", "everywhere": "start"}.get(where, f"start|{where}")
    for _leg in range(pair.legs):
        started = pair.controllers(hold)
        # Wherever one is held, it waits for the other: they begin the task together.
        while waiting := [one for one in started if held(one)] if hold else []:
            for one in waiting:
                release(one)
        pair.holds([one.wait() for one in started])
        carry(pair.lab)
    pair.settles()
    record_property("faults", f"two controllers: {pair.way}, together {where}")


def test_one_overtakes_the_other(pair: Pair, where: str, record_property: Callable[[str, object], None]) -> None:
    one, two = pair.controllers(f"start|{where}", "nowhere")
    overtaken = held(one)
    second = two.wait()
    for _leg in range(1, pair.legs):
        carry(pair.lab)
        second = pair.lab.play("migrate")
    if overtaken:
        release(one)
    pair.holds([one.wait(), second])
    pair.settles()
    record_property("faults", f"two controllers: {pair.way}, one overtaken before {where}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All places, or in the bounded form some of them."""
    if "where" in metafunc.fixturenames:
        together = metafunc.function is test_two_at_once
        some = [(way, "everywhere") for way in WAYS] if together else [("ledger", TASKS[4]), ("offline", TASKS[4])]
        places = AT_ONCE if together else OVERTAKEN
        metafunc.parametrize(("way", "where"), places if LONG else some)
