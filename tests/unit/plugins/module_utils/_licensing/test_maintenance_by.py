# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who entered maintenance mode is on record: a migration leaves the mode that a fence left, and not an operator's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Maintenance
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    NUMBERS,
    SERVER,
    SESSION,
    CoreLab,
    Host,
)


def mode(host: Host) -> tuple[bool, str | None]:
    server = host.overview["server"]
    return server["maintenance"], server["maintenance_by"]


def written(host: Host) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(host.read("Config/server.json"))
    return config


def test_the_fence_that_leaves_nothing_to_serve_is_on_record(lab: CoreLab) -> None:
    lab.activate(lab.old)
    assert mode(lab.old) == (False, None)
    lab.deactivate(lab.old, SERVER, drain_seconds=0)
    assert mode(lab.old) == (False, None)
    rest = [number for number in NUMBERS if number != SERVER]
    dry = lab.deactivate(lab.old, *rest, drain_seconds=0, dry=True)
    change = lab.deactivate(lab.old, *rest, drain_seconds=0)
    assert dry.after.server == change.after.server
    assert mode(lab.old) == (True, "fence") and written(lab.old)["maintenance_by"] == "fence"
    lab.old.manager.set_maintenance(Maintenance(False))
    assert mode(lab.old) == (False, None)


def test_maintenance_mode_of_an_operator_stays_an_operators(lab: CoreLab) -> None:
    lab.activate(lab.old)
    lab.old.manager.set_maintenance(Maintenance(True))
    assert mode(lab.old) == (True, "operator")
    for dry in (True, False):
        assert lab.deactivate(lab.old, drain_seconds=0, dry=dry).after.server.maintenance_by == "operator"
    assert mode(lab.old) == (True, "operator")


def test_an_operator_who_enters_it_after_a_fence_has_it(lab: CoreLab) -> None:
    lab.activate(lab.old)
    lab.deactivate(lab.old, drain_seconds=0)
    assert mode(lab.old) == (True, "fence")
    assert [lab.old.manager.set_maintenance(Maintenance(True)).changed for _call in range(2)] == [True, False]
    assert mode(lab.old) == (True, "operator")


def test_a_home_of_an_earlier_version_does_not_say_who_entered_it(lab: CoreLab) -> None:
    lab.activate(lab.old)
    lab.old.manager.set_maintenance(Maintenance(True))
    earlier = written(lab.old)
    del earlier["maintenance_by"]
    lab.old.write("Config/server.json", json.dumps(earlier))
    assert mode(lab.old) == (True, None)
    # What does not say that the mode is on says nothing of who entered it.
    lab.old.write("Config/server.json", json.dumps({**earlier, "maintenance": False, "maintenance_by": "operator"}))
    assert mode(lab.old) == (False, None)
    lab.old.write("Config/server.json", json.dumps({**earlier, "maintenance_by": "nobody"}))
    with pytest.raises(LicensingError, match="damaged"):
        lab.old.home.config()


def test_in_a_chain_the_next_pair_opens_what_the_fence_of_the_other_closed_and_nothing_more(lab: CoreLab) -> None:
    """old -> new and new -> third share new, which has nothing to serve between the two."""
    third = lab.host("third", "c" * 32)
    lab.activate(lab.old, SERVER)
    lab.activate(lab.new, SESSION)
    lab.deactivate(lab.new, SESSION, drain_seconds=0)
    assert mode(lab.new) == (True, "fence")
    lab.deactivate(lab.old, SERVER, drain_seconds=0)
    lab.activate(lab.new, SERVER)
    lab.new.manager.set_maintenance(Maintenance(False))
    lab.activate(third, SESSION)
    assert mode(lab.new) == (False, None) and lab.new.statuses()[SESSION] == "Inactive Nodelock"
    # And the other way round: what has come is served while the rest is drained and leaves.
    lab.deactivate(third, SESSION, drain_seconds=0)
    lab.activate(lab.new, SESSION)
    lab.deactivate(lab.new, SESSION, drain_seconds=0)
    assert mode(lab.new) == (False, None) and lab.new.statuses()[SERVER] == "Active"


def test_in_a_swap_neither_pair_closes_what_the_other_has_brought(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    lab.activate(lab.new, SESSION)
    lab.deactivate(lab.old, SERVER, drain_seconds=0)
    lab.activate(lab.new, SERVER)
    assert (mode(lab.old), mode(lab.new)) == ((True, "fence"), (False, None))
    lab.deactivate(lab.new, SESSION, drain_seconds=0)
    assert mode(lab.new) == (False, None)
    lab.activate(lab.old, SESSION)
    lab.old.manager.set_maintenance(Maintenance(False))
    assert (mode(lab.old), mode(lab.new)) == ((False, None), (False, None))
    assert (lab.old.served(), lab.new.served()) == ({SESSION.replace(".", "")}, {SERVER.replace(".", "")})
