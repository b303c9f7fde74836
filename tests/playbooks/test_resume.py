# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration that is cut off anywhere, and the same command again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.lab import NUMBERS, USERS, WORKED_EXAMPLE, Lab
from support.runs import must


def found(folder: Path, pattern: str) -> int:
    return len(list(folder.glob(pattern)))


def config(lab: Lab, host: str) -> dict[str, Any]:
    place = lab.home(host) / "Config" / "server.json"
    return json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}


def exchanged(lab: Lab, host: str, kind: str) -> int:
    """How many requests or responses of exchanges, open or closed, a host has on disk."""
    return found(lab.home(host), f"Journal/*.{kind}") + found(lab.home(host), f"Journal/closed/*.{kind}")


# What is seen on disk when the run is cut off, in the order in which a migration comes to it. Each stays true once it
# is true, so that a busy machine may see it late but never misses it. The source has closed three exchanges before.
CUTS: dict[str, Callable[[Lab], object]] = {
    "the target is being installed": lambda lab: found(lab.home("new"), "Bin/*"),
    "the bundle is being written": lambda lab: (
        found(lab.work, "bundles/old/*/files/*") or found(lab.work, "bundles/old/.tmp-*/files/*")
    ),
    "the source is in maintenance mode": lambda lab: config(lab, "old").get("maintenance"),
    "the licenses are fenced": lambda lab: config(lab, "old").get("fenced"),
    "a deactivation is requested": lambda lab: exchanged(lab, "old", "request") > 3,
    "a deactivation is answered": lambda lab: exchanged(lab, "old", "response") > 3,
    "a license is given up": lambda lab: found(lab.home("old"), "Nodelocks/*.lock") < 3,
    "all licenses are given up": lambda lab: not found(lab.home("old"), "Nodelocks/*.lock"),
    "the target has its key": lambda lab: found(lab.home("new"), "Config/host.key"),
    "an activation is requested": lambda lab: exchanged(lab, "new", "request"),
    "an activation is answered": lambda lab: exchanged(lab, "new", "response"),
    "a license is taken": lambda lab: found(lab.home("new"), "Nodelocks/*.lock"),
    "all licenses are taken": lambda lab: found(lab.home("new"), "Nodelocks/*.lock") == 3,
    "the profiles are written": lambda lab: config(lab, "new").get("profiles"),
    "the report is written": lambda lab: found(lab.work, "reports/*.json"),
}


def cut(lab: Lab, seen: Callable[[Lab], object], end: str) -> None:
    """Run a migration until something is seen, and end it there."""
    started = lab.start("migrate")
    assert started.until(lambda: seen(lab)), started.wait().output
    getattr(started, end)()
    started.wait()
    assert not lab.held("old") & lab.held("new")
    assert all(spent <= 1 for spent in lab.transfers().values())
    live = [one["number"] for one in lab.authority("list") if one["live"]]
    assert lab.held("old") | lab.held("new") <= set(live)


def completes(lab: Lab) -> None:
    """The same command ends the migration, and then has nothing left to do."""
    must(lab.play("migrate"))
    assert lab.held("old") == set() and lab.held("new") == set(NUMBERS)
    assert lab.transfers() == dict.fromkeys(NUMBERS, 1)
    seen = lab.overview("new")
    assert {one["status"] for one in seen["licenses"]} == {"Active"}
    assert [one["name"] for one in seen["profiles"]] == [one["profile"] for one in WORKED_EXAMPLE]
    assert [one["default"] for one in seen["profiles"]] == [one.get("default", False) for one in WORKED_EXAMPLE]
    assert seen["users"] == USERS
    assert seen["pending"] == [] and lab.overview("old")["pending"] == []
    assert seen["server"]["maintenance"] is False and lab.overview("old")["server"]["maintenance"] is True
    report = json.loads((lab.work / "reports" / "old-to-new.json").read_text(encoding="utf-8"))
    assert report["moved"] == NUMBERS and report["pending"] == []
    assert {one["status"] for one in report["before"]["licenses"]} == {"Active"}

    before = finished(lab)
    assert must(lab.play("migrate")).changed == 0
    assert finished(lab) == before


def finished(lab: Lab) -> dict[str, Any]:
    """Everything but what interrupted writes have left: a run removes that after a minute."""
    return {place: seen for place, seen in lab.everything().items() if "/.tmp-" not in place}


@pytest.mark.parametrize(
    "seen",
    [
        "the bundle is being written",
        "a license is given up",
        "all licenses are given up",
        "an activation is requested",
        "all licenses are taken",
    ],
)
def test_killed_once(rehearsed: Lab, seen: str) -> None:
    cut(rehearsed, CUTS[seen], "kill")
    completes(rehearsed)


@pytest.mark.parametrize("seen", ["a deactivation is requested", "an activation is requested"])
def test_interrupted_from_the_terminal(rehearsed: Lab, seen: str) -> None:
    cut(rehearsed, CUTS[seen], "interrupt")
    completes(rehearsed)


def test_killed_again_and_again(rehearsed: Lab) -> None:
    for seen in CUTS.values():
        if not seen(rehearsed):
            cut(rehearsed, seen, "kill")
    completes(rehearsed)


@pytest.mark.parametrize(
    "seen",
    [
        "a deactivation is requested",
        "the target has its key",
        "an activation is requested",
        "an activation is answered",
        "all licenses are taken",
    ],
)
def test_rolled_back_from_where_it_was_killed(rehearsed: Lab, seen: str) -> None:
    before = rehearsed.overview("old")
    cut(rehearsed, CUTS[seen], "kill")
    arrived = {number for number, spent in rehearsed.transfers().items() if spent}
    # An activation that was requested cannot be called off: it is finished, and then given up.
    arrived |= {
        json.loads(one.read_bytes())["body"]["number"] for one in rehearsed.home("new").glob("Journal/*.request")
    }
    must(rehearsed.play("rollback"))
    assert rehearsed.held("old") == set(NUMBERS) and rehearsed.held("new") == set()
    # What had been activated on the target moves back; what had not never moved.
    assert rehearsed.transfers() == {number: 2 if number in arrived else 0 for number in NUMBERS}
    after = rehearsed.overview("old")
    assert (after["profiles"], after["users"], after["pending"]) == (before["profiles"], before["users"], [])
    assert after["server"]["maintenance"] is False
    assert rehearsed.overview("new")["pending"] == []

    settled = rehearsed.everything()
    assert must(rehearsed.play("rollback")).changed == 0
    assert rehearsed.everything() == settled
