# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two controllers that migrate one pair at once: whatever becomes of the two, one more run settles it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from events import LONG, Events, held, release
from invariants import Model
from lab import NUMBERS, USERS, WORKED_EXAMPLE, Lab, Run, Started, must
from leaks import leaks

TASKS = [
    "Check the inventory|2",
    "Install the license server on the taker|1",
    "Back up the giver|1",
    "Put the giver into maintenance mode and wait for the seats in use|1",
    "Deactivate the licenses on the giver|1",
    "Activate the licenses on the taker, with their profiles|1",
    "Bring the taker back from maintenance mode|1",
    "Verify the pair and write its report|1",
]
AT_ONCE = ["nowhere", "everywhere", *TASKS]
# The first stands before a task, with all that it saw until then, while the second goes by.
OVERTAKEN = TASKS


def controllers(lab: Lab, first: str, second: str = "") -> list[Started]:
    """Start the command from two controllers that share nothing but the inventory and its folder for bundles."""
    started = []
    for name, hold in (("one", first), ("two", second or first)):
        home = {"ANSIBLE_HOME": str(lab.folder / f"home-{name}")}
        started.append(Events(lab, f"events-{name}").start("migrate", "-vvvv", AIMS_EVENTS_HOLD=hold, **home))
    return started


def settles(lab: Lab, model: Model, runs: list[Run]) -> None:
    """What both leave is sound, each that failed says why, and one more run ends it."""
    outputs = [run.output for run in runs]
    assert model.broken(*outputs) == []
    assert leaks(lab, {str(at): output.encode() for at, output in enumerate(outputs)}) == []
    for run in runs:
        # Who was too late is told by a task, in words; nothing ends by itself.
        assert run.code == 0 or (run.code == 2 and "fatal: " in run.output), run.output
    must(lab.play("migrate"))
    assert model.broken() == [] and model.unsettled() == []
    seen = lab.overview("new")
    assert {one["status"] for one in seen["licenses"]} == {"Active"}
    assert [one["name"] for one in seen["profiles"]] == [one["profile"] for one in WORKED_EXAMPLE]
    assert seen["users"] == USERS and not seen["server"]["maintenance"]
    assert lab.held("new") == set(NUMBERS)
    before = lab.everything()
    assert must(lab.play("migrate")).changed == 0
    assert lab.everything() == before


def test_two_at_once(rehearsed: Lab, where: str, record_property: Callable[[str, object], None]) -> None:
    model = Model(rehearsed)
    hold = {"nowhere": "", "everywhere": "start"}.get(where, f"start|{where}")
    started = controllers(rehearsed, hold)
    # Wherever one is held, it waits for the other: they begin the task together.
    while waiting := [one for one in started if held(one)] if hold else []:
        for one in waiting:
            release(one)
    settles(rehearsed, model, [one.wait() for one in started])
    record_property("faults", f"two controllers: together {where}")


def test_one_overtakes_the_other(rehearsed: Lab, where: str, record_property: Callable[[str, object], None]) -> None:
    model = Model(rehearsed)
    one, two = controllers(rehearsed, f"start|{where}", "nowhere")
    overtaken = held(one)
    second = two.wait()
    if overtaken:
        release(one)
    settles(rehearsed, model, [one.wait(), second])
    record_property("faults", f"two controllers: one overtaken before {where}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All places, or in the bounded form some of them."""
    if "where" in metafunc.fixturenames:
        together = metafunc.function is test_two_at_once
        places = AT_ONCE if together else OVERTAKEN
        metafunc.parametrize("where", places if LONG else ["everywhere"] if together else [TASKS[4]])
