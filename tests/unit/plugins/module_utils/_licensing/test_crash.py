# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is cut off, and wherever: one machine holds a license, one transfer is spent, and a re-run ends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation, Deactivation
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    NUMBERS,
    SERVER,
    SESSION,
    CoreLab,
    Host,
    LostReply,
    PowerCut,
    declared,
    fault_at,
)

FAULTS = [OSError, PowerCut]
DAMAGED = r"truncated or damaged|was changed|not a response"


def ids(requests: list[bytes]) -> set[str]:
    bodies = [documents.read(request, documents.REQUEST, "").body for request in requests]
    return {body["id"] for body in bodies if body["action"] != "quote"}


def closed(host: Host) -> list[str]:
    return sorted(path.suffix for path in (host.folder / "Journal/closed").glob("*"))


def check(lab: CoreLab, *hosts: Host) -> None:
    """I1 by the homes' files, and that the ledger knows at most the machine that a home says it is."""
    lab.check_one_holder(*hosts)
    for host in hosts or (lab.old, lab.new):
        for stem in host.served():
            number = ".".join(stem[at : at + 3] for at in range(0, 12, 3))
            holding = lab.ledger.holding(number)
            assert holding is not None and holding.live, f"{host.root.name} serves {number}, which is given back"


def lost(lab: CoreLab, damage: Any = None) -> LostReply:
    return LostReply(lab.realm, lab.desk().answer, damage)


def test_an_activation_whose_reply_was_lost_is_asked_for_again_under_its_id(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    lab.deactivate(lab.old, SERVER)
    bad, good = lost(lab), lost(lab, damage=lambda response: response)
    for _attempt in range(3):
        with pytest.raises(ConnectionResetError):
            lab.new.manager.activate(Activation(declared(SERVER)), bad)
        assert lab.new.statuses() == {}
        assert lab.new.open_requests() == ["015120064022.request"]
    change = lab.new.manager.activate(Activation(declared(SERVER)), good)
    assert change.results[0].action == "activated"
    assert len(ids(bad.requests + good.requests)) == 1
    assert lab.spent() == 1
    assert lab.new.statuses() == {SERVER: "Active"}
    assert lab.new.open_requests() == []
    check(lab)


def test_a_deactivation_whose_reply_was_lost_is_asked_for_again_and_never_served_meanwhile(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    bad, good = lost(lab), lost(lab, damage=lambda response: response)
    with pytest.raises(ConnectionResetError):
        lab.old.manager.deactivate(Deactivation([SERVER]), bad)
    assert lab.old.served() == set()
    lab.activate(lab.new, SERVER)
    check(lab)
    lab.old.manager.deactivate(Deactivation([SERVER]), good)
    assert len(ids(bad.requests + good.requests)) == 1
    assert lab.old.statuses() == {SERVER: "Inactive Nodelock"}
    check(lab)


def test_after_a_lost_deactivation_an_activation_first_learns_what_became_of_it(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    with pytest.raises(ConnectionResetError):
        lab.old.manager.deactivate(Deactivation([SERVER]), lost(lab))
    lab.activate(lab.old, SERVER)
    assert lab.old.statuses() == {SERVER: "Active"}
    assert lab.spent() == 0
    assert closed(lab.old) == [".request"] * 3 + [".response"] * 3
    check(lab)


def test_only_one_license_is_in_doubt_when_the_line_breaks(lab: CoreLab) -> None:
    with pytest.raises(ConnectionResetError):
        lab.old.manager.activate(Activation(declared()), lost(lab))
    assert lab.old.open_requests() == ["015120064022.request"]
    assert [lab.ledger.holding(number) is not None for number in NUMBERS] == [True, False, False]


def test_another_license_is_not_asked_for_while_one_is_in_doubt(lab: CoreLab) -> None:
    with pytest.raises(ConnectionResetError):
        lab.old.manager.activate(Activation(declared(SERVER)), lost(lab))
    lab.activate(lab.old, SESSION)
    assert lab.old.open_requests() == []
    assert lab.old.statuses() == {SERVER: "Active", SESSION: "Active"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda response: b"",
        lambda response: response[:100],
        lambda response: response[:-3],
        lambda response: response.replace(b"granted", b"Granted"),
        lambda response: b"<html><title>502 Bad Gateway</title></html>",
    ],
)
def test_a_damaged_reply_is_not_applied_and_the_request_stays_open(lab: CoreLab, damage: Any) -> None:
    bad = lost(lab, damage)
    with pytest.raises(LicensingError, match=DAMAGED):
        lab.old.manager.activate(Activation(declared(SERVER)), bad)
    assert lab.old.statuses() == {}
    assert lab.old.open_requests() == ["015120064022.request"]
    lab.activate(lab.old, SERVER)
    assert lab.old.statuses() == {SERVER: "Active"}
    with pytest.raises(LicensingError, match=DAMAGED):
        lab.old.manager.deactivate(Deactivation([SERVER]), lost(lab, damage))
    assert lab.old.served() == set()
    lab.deactivate(lab.old, SERVER)
    assert lab.old.statuses() == {SERVER: "Inactive Nodelock"}


def steps_of(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> int:
    with fault_at(monkeypatch, 10_000, OSError) as steps:
        act()
    return len(steps)


@pytest.mark.parametrize("fault", FAULTS)
def test_an_activation_that_is_cut_at_any_step_is_finished_by_the_next(
    lab: CoreLab, monkeypatch: pytest.MonkeyPatch, fault: type[BaseException]
) -> None:
    some = (SERVER, CLIENT)
    lab.activate(lab.old, *some)
    lab.deactivate(lab.old, *some)
    counting = lab.host("counting", "4" * 31 + "d")
    steps = steps_of(monkeypatch, lambda: lab.activate(counting, *some))
    lab.deactivate(counting, *some)
    assert steps > 12
    holder, spent = counting, lab.spent()
    for step in range(1, steps + 1):
        lab.clock.forward(days=400)
        target = lab.host(f"target{step}", f"{step:032x}")
        with fault_at(monkeypatch, step, fault) as made, pytest.raises((LicensingError, PowerCut)):
            lab.activate(target, *some)
        assert len(made) >= step
        check(lab, holder, target)
        change = lab.activate(target, *some)
        spent += 1
        assert [lab.spent(number) for number in some] == [spent, spent], made[-1]
        assert set(target.statuses().values()) == {"Active"}
        assert [name for name, license in target.profiles()] == ["PROServer", "Client"]
        assert target.open_requests() == []
        assert closed(target) == [".request"] * 2 + [".response"] * 2
        assert len(change.results) == 2
        check(lab, holder, target)
        assert not lab.activate(target, *some).changed
        lab.deactivate(target, *some)
        holder = target


@pytest.mark.parametrize("fault", FAULTS)
def test_a_deactivation_that_is_cut_at_any_step_is_finished_by_the_next(
    lab: CoreLab, monkeypatch: pytest.MonkeyPatch, fault: type[BaseException]
) -> None:
    some = (SERVER, CLIENT)
    lab.activate(lab.old, *some)
    steps = steps_of(monkeypatch, lambda: lab.deactivate(lab.old, *some))
    assert steps > 8
    for step in range(1, steps + 1):
        lab.activate(lab.old, *some)
        exchanges = len(closed(lab.old))
        with fault_at(monkeypatch, step, fault) as made, pytest.raises((LicensingError, PowerCut)):
            lab.deactivate(lab.old, *some)
        for number in some:
            holding = lab.ledger.holding(number)
            if holding is not None and not holding.live:
                lab.activate(lab.new, number)
        check(lab)
        lab.deactivate(lab.old, *some)
        assert set(lab.old.statuses().values()) == {"Inactive Nodelock"}, made[-1]
        assert lab.old.served() == set()
        assert lab.old.open_requests() == []
        assert len(closed(lab.old)) == exchanges + 4
        check(lab)
        assert not lab.deactivate(lab.old, *some).changed
        lab.new.manager.deactivate(Deactivation(list(lab.new.statuses())), lab.channel())
        lab.clock.forward(days=400)


@pytest.mark.parametrize("fault", FAULTS)
def test_after_any_cut_of_a_deactivation_the_source_can_be_activated_again(
    lab: CoreLab, monkeypatch: pytest.MonkeyPatch, fault: type[BaseException]
) -> None:
    lab.activate(lab.old, SERVER)
    steps = steps_of(monkeypatch, lambda: lab.deactivate(lab.old, SERVER))
    for step in range(1, steps + 1):
        lab.activate(lab.old, SERVER)
        with fault_at(monkeypatch, step, fault), pytest.raises((LicensingError, PowerCut)):
            lab.deactivate(lab.old, SERVER)
        lab.activate(lab.old, SERVER)
        assert lab.old.statuses() == {SERVER: "Active"}
        assert lab.old.served() == {"015120064022"}
        assert lab.old.open_requests() == []
        check(lab)
    assert lab.spent() == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_an_offline_activation_that_is_cut_at_any_step_is_finished_by_the_next(
    lab: CoreLab, monkeypatch: pytest.MonkeyPatch, fault: type[BaseException]
) -> None:
    counting = lab.host("counting", "4" * 31 + "d")
    asked = counting.manager.activate(Activation(declared(CLIENT), realm=lab.realm), lab.offline())
    loaded = lab.offline(lab.process(asked.requests))
    steps = steps_of(monkeypatch, lambda: counting.manager.activate(Activation(declared(CLIENT)), loaded))
    some = declared(SERVER)
    for step in range(1, steps + 1):
        target = lab.host(f"target{step}", f"{step:032x}")
        request = target.manager.activate(Activation(some, realm=lab.realm), lab.offline()).requests[SERVER]
        channel = lab.offline(lab.process({SERVER: request}))
        with fault_at(monkeypatch, step, fault), pytest.raises((LicensingError, PowerCut)):
            target.manager.activate(Activation(some), channel)
        answered = "015120064022.response" in target.open_requests() or ".response" in closed(target)
        again = target.manager.activate(Activation(some), lab.offline() if answered else channel)
        assert again.requests == {}
        assert target.statuses() == {SERVER: "Active"}
        assert target.open_requests() == []
        lab.deactivate(target, SERVER)
        lab.clock.forward(days=400)


def test_a_disk_that_is_full_before_the_first_step_changes_nothing(
    lab: CoreLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, ledger = lab.old.files(), lab.ledger_path.read_bytes()
    with (
        fault_at(monkeypatch, 1, OSError),
        pytest.raises(LicensingError, match="Input/output error"),
    ):
        lab.activate(lab.old)
    after = lab.old.files()
    after.pop("opt/aims-license-server/.lock")
    assert after == before
    assert lab.ledger_path.read_bytes() == ledger
