# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rolling back from every point of a migration between license servers that run; the source serves again afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client import Refused, SeatClient
from ansible_collections.aims.licensing.tests.playbooks.test_rollback import particulars
from support.events import Events
from support.lab import NUMBERS, USERS, WORKED_EXAMPLE, Lab
from support.licsrv import free_address
from support.runs import Run, must

LIFETIME = 300
GIVE_BACK = "Drain the source and deactivate its licenses"
PROFILES = [one["profile"] for one in WORKED_EXAMPLE]


def killed_at(place: str) -> Callable[[Lab], None]:
    """The controller is killed between two tasks."""

    def act(lab: Lab) -> None:
        assert Events(lab).killed("migrate", place).code != 0

    return act


def broken_at(fault: str, *, after: str = "") -> Callable[[Lab], None]:
    """A module is killed at a failpoint; in a run of its own, where that is one of the later ones."""

    def act(lab: Lab) -> None:
        if after:
            killed_at(after)(lab)
        run = lab.play("migrate", AIMS_LICENSING_FAULT=f"{fault}:kill")
        assert run.code != 0, run.output
        # No module of the rescue is killed too, and the table comes.
        assert '"status_table"' in run.output, run.output

    return act


def finished(lab: Lab) -> None:
    must(lab.play("migrate"))


# A quote passes neither of these failpoints, so that the first to come there is the first license of its step.
# Each: how the migration got there, which licenses are then live on which host or neither, and which have moved.
POINTS: dict[str, tuple[Callable[[Lab], None], str, int]] = {
    "before the fence": (killed_at(f"start|{GIVE_BACK}|1"), "ooo", 0),
    "fenced, nothing given back": (broken_at("journal.begun:1"), "...", 0),
    # The authority's ledger is looked at before: whether it can be written.
    "a deactivation whose reply was lost": (broken_at("ledger.committed:2"), "...", 0),
    "after the first deactivation": (broken_at("journal.closed:1"), "...", 0),
    "after all deactivations": (killed_at(f"end|{GIVE_BACK}|1"), "...", 0),
    "an activation that was not sent": (broken_at("journal.begun:1", after=f"end|{GIVE_BACK}|1"), "...", 1),
    "an activation whose reply was lost": (broken_at("ledger.committed:1", after=f"end|{GIVE_BACK}|1"), "...", 1),
    "after the first activation": (broken_at("journal.closed:1", after=f"end|{GIVE_BACK}|1"), "n..", 1),
    "after it had ended": (finished, "nnn", 3),
}


@pytest.fixture
def served(rehearsed: Lab) -> Iterator[Lab]:
    """The worked example active on a source that runs, with registered users."""
    rehearsed.serve(LIFETIME, old=free_address(), new=free_address())
    server = {name: f"{{{{ aims_license_server_{name} }}}}" for name in ("home", "root", "authority", "service")}
    install = {"aims.licensing.aims_license_server_install": {**server, "listen": "{{ aims_license_server_listen }}"}}
    try:
        must(rehearsed.play(rehearsed.write_play("run", "old", [install])))
        yield rehearsed
    finally:
        rehearsed.stop_services()


def seats(lab: Lab, host: str) -> list[str]:
    """What each profile of a host answers to a client: ``granted``, or the code of the refusal."""
    groups = lab.inventory["all"]["children"].values()
    address = next(
        group["hosts"][host]["aims_license_server_listen"]["clients"] for group in groups if host in group["hosts"]
    )
    server, told = SeatClient(address), []
    for profile in PROFILES:
        seat = server.new_id()
        try:
            server.take(seat, profile, USERS[0], "workstation")
            server.release(seat)
            told.append("granted")
        except Refused as refused:
            told.append(refused.code)
    return told


def state(lab: Lab) -> dict[str, Any]:
    """Everything but what a running server writes by itself."""
    found = lab.everything()
    return {name: seen for name, seen in found.items() if not any(part in name for part in ("/Seats", "/Logging"))}


@pytest.mark.parametrize("point", POINTS)
def test_rolled_back(served: Lab, point: str) -> None:
    original = particulars(served, "old")
    assert seats(served, "old") == ["granted"] * 3
    reach, where, moved = POINTS[point]
    reach(served)
    live = {"o": served.held("old"), "n": served.held("new")}
    assert "".join(next((host for host in "on" if number in live[host]), ".") for number in NUMBERS) == where

    before = state(served)
    check = must(served.play("rollback", "--check"))
    assert check.changed == 0 and state(served) == before
    run: Run = must(served.play("rollback"))
    assert served.held("old") == set(NUMBERS) and served.held("new") == set()
    # Only what was activated on the target, or may have been, has moved, and moves back.
    assert sorted(served.transfers().values(), reverse=True) == [2] * moved + [0] * (3 - moved), run.output
    assert particulars(served, "old") == original
    assert served.overview("old")["pending"] == [] and served.overview("new")["pending"] == []
    assert seats(served, "old") == ["granted"] * 3
    if served.service_of("new"):
        assert "granted" not in seats(served, "new")

    before = state(served)
    again = must(served.play("rollback"))
    assert again.changed == 0, again.output
    assert state(served) == before and seats(served, "old") == ["granted"] * 3
