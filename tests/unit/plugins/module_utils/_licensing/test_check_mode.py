# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode changes no byte and foresees what the run does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import (
    Activation,
    Deactivation,
    Maintenance,
    ProfileChange,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    SERVER,
    SESSION,
    CoreLab,
    actions,
    all_files,
    declared,
    problems_of,
)


def dry_calls(lab: CoreLab) -> list[Callable[[], Any]]:
    manager = lab.old.manager
    return [
        manager.overview,
        manager.fingerprint,
        lambda: manager.quote(declared(), lab.channel(), realm=lab.realm),
        lambda: manager.activate(Activation(declared(), users=["CORP\\jane"]), lab.channel(), dry=True),
        lambda: manager.activate(Activation(declared(), realm=lab.realm), lab.offline(), dry=True),
        lambda: manager.deactivate(Deactivation(list(lab.old.statuses())), lab.channel(), dry=True),
        lambda: manager.deactivate(Deactivation(list(lab.old.statuses())), lab.offline(), dry=True),
        lambda: manager.set_maintenance(Maintenance(True), dry=True),
        lambda: manager.set_profiles(
            ProfileChange([Profile("New", n) for n in list(lab.old.statuses())[:1]], purge=True), dry=True
        ),
        manager.files,
    ]


@pytest.mark.parametrize("state", ["fresh", "active", "inactive", "pending"])
def test_check_mode_changes_no_byte(lab: CoreLab, state: str) -> None:
    if state in ("active", "inactive"):
        lab.activate(lab.old)
    if state == "inactive":
        lab.deactivate(lab.old)
    if state == "pending":
        lab.old.manager.activate(Activation(declared(), realm=lab.realm), lab.offline())
    before = all_files(lab.folder)
    for call in dry_calls(lab):
        call()
        assert all_files(lab.folder) == before


def test_check_mode_foresees_what_is_then_done(lab: CoreLab) -> None:
    for _move in range(2):
        for call in (
            lambda **dry: lab.activate(lab.old, **dry),
            lambda **dry: lab.deactivate(lab.old, **dry),
        ):
            foreseen, done = call(dry=True), call()
            assert (foreseen.changed, actions(foreseen)) == (done.changed, actions(done))
            assert [license.status for license in foreseen.after.licenses] == [
                license.status for license in sorted(done.after.licenses, key=lambda one: one.number)
            ]
            repeated = call(dry=True)
            assert (repeated.changed, actions(repeated)) == (False, ["unchanged"] * 3)


def test_check_mode_foresees_that_a_pending_exchange_will_be_finished(lab: CoreLab) -> None:
    pending = lab.old.manager.activate(Activation(declared(SERVER), realm=lab.realm), lab.offline())
    responses = lab.process(pending.requests)
    foreseen = lab.old.manager.activate(Activation(declared(SERVER)), lab.offline(responses), dry=True)
    waiting = lab.old.manager.activate(Activation(declared(SERVER)), lab.offline(), dry=True)
    assert (foreseen.changed, actions(foreseen)) == (True, ["activated"])
    assert (waiting.changed, actions(waiting)) == (False, ["pending"])


def shown(change: Any) -> Any:
    """What a call leaves, as check mode has to foresee it."""
    licenses = {one.number: (one.status, bool(one.fenced), one.until) for one in change.after.licenses}
    pending = [(one.number, one.action) for one in change.after.pending]
    return change.changed, actions(change), licenses, pending


def test_check_mode_foresees_offline_what_will_be_pending(lab: CoreLab) -> None:
    old, numbers = lab.old.manager, [SERVER, SESSION]

    def step(call: Callable[..., Any], responses: Any = None) -> Any:
        """Foresee a call and make it; the second time, nothing is left to change."""
        for _time in range(2):
            before = all_files(lab.folder)
            foreseen = call(lab.offline(responses), dry=True)
            assert all_files(lab.folder) == before
            done = call(lab.offline(responses))
            assert shown(foreseen) == shown(done)
            responses = {}
        assert done.changed is False
        return done

    def take(line: Any, dry: bool = False, **options: Any) -> Any:
        return old.activate(Activation(declared(*numbers), realm=lab.realm, **options), line, dry=dry)

    def give(line: Any, dry: bool = False) -> Any:
        return old.deactivate(Deactivation(numbers), line, dry=dry)

    pending = step(take)
    assert actions(pending) == ["pending"] * 2 and lab.old.statuses() == {}
    # The response to one of them ends that one, and the other goes on waiting.
    answers = lab.process(pending.requests)
    step(take, {SERVER: answers[SERVER]})
    step(take, {SESSION: answers[SESSION]})
    asked = step(give)
    assert set(lab.old.statuses().values()) == {"Pending Deactivation"}
    # What is given back first, for it to be taken again, makes room for a request of the other kind.
    again = step(take, lab.process(asked.requests))
    assert [json.loads(request)["body"]["action"] for request in again.requests.values()] == ["activate"] * 2
    # And the other way round.
    asked = step(give, lab.process(again.requests))
    assert [json.loads(request)["body"]["action"] for request in asked.requests.values()] == ["deactivate"] * 2
    step(give, lab.process(asked.requests))
    assert set(lab.old.statuses().values()) == {"Inactive Nodelock"}

    # What bridges is ended without a request; what the other machine gave back is requested for good.
    lab.activate(lab.new, *numbers)
    bridge = step(lambda line, **dry: take(line, emergency=numbers, **dry))
    step(take, lab.process(bridge.requests))
    lab.deactivate(lab.new, SERVER)
    step(lambda line, **dry: take(line, returned=[SERVER], **dry))
    assert lab.old.statuses() == {SERVER: "Pending Activation", SESSION: "Active"}
    step(lambda line, **dry: old.deactivate(Deactivation([SESSION]), line, **dry))
    assert lab.old.statuses()[SESSION] == "Inactive Nodelock"


def test_check_mode_tells_the_refusal_at_hand(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    pending = lab.new.manager.activate(Activation(declared(SERVER), realm=lab.realm), lab.offline())
    refusing = lab.offline(lab.process(pending.requests))
    for call in (
        lambda **dry: lab.new.manager.activate(Activation(declared(SERVER)), refusing, **dry),
        lambda **dry: lab.new.manager.deactivate(Deactivation([SERVER]), refusing, **dry),
    ):
        before = all_files(lab.folder)
        with pytest.raises(LicensingError, match="is live on another machine"):
            call(dry=True)
        assert all_files(lab.folder) == before
    damaged = lab.process(pending.requests)[SERVER][:-9]
    mistaken = lab.offline({SERVER: damaged})
    with pytest.raises(LicensingError) as foreseen:
        lab.new.manager.activate(Activation(declared(SERVER)), mistaken, dry=True)
    with pytest.raises(LicensingError) as done:
        lab.new.manager.activate(Activation(declared(SERVER)), mistaken)
    assert problems_of(foreseen) == problems_of(done)
    with pytest.raises(LicensingError, match="is live on another machine"):
        lab.new.manager.activate(Activation(declared(SERVER)), refusing)
