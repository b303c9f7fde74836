# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration that fails at each of its steps, one after the other, and what that leaves behind on its hosts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hosts.machines import Site
from hosts.rig import Rig
from hosts.traces import Secrets
from hosts.walks import online
from support.events import Events
from support.lab import NUMBERS
from support.leaks import Watch
from support.runs import must
from support.steps import LOUD, RELEASED, STEPS


@pytest.fixture(scope="module")
def rig(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """An authority, a source that holds the licenses, and a target with nothing on it."""
    with online(site, tmp_path_factory.mktemp("failures") / "rig") as made:
        yield made


def test_no_secret_is_left_by_a_migration_that_fails_at_each_step(rig: Rig) -> None:
    processes, outputs = Watch(), {}
    secrets = Secrets(rig)
    for step in (*STEPS[:-1], RELEASED, STEPS[-1]):
        # An option that nobody knows: each step tells what it was given instead.
        started = Events(rig).start("migrate", *LOUD, AIMS_EVENTS_SPOIL=f"start|{step}|1")
        with processes.over(started):
            run = started.wait()
        assert run.code != 0 and "spoiled" in run.output and "Traceback" not in run.output, f"{step}:\n{run.output}"
        outputs[step] = run.output.encode()
        # Whoever gives everything back makes another key for the next time.
        secrets.gather()
    outputs["processes"] = b"\n".join(processes.seen)
    for name, forms in secrets.forms.items():
        assert [told for told, content in outputs.items() if any(form in content for form in forms)] == [], name
    for machine in rig.machines.values():
        assert secrets.astray(machine) == {}, machine.name
    assert secrets.gather() >= 5
    must(rig.play("migrate"))
    assert rig.held("target") == set(NUMBERS) and rig.transfers() == dict.fromkeys(NUMBERS, 1)
