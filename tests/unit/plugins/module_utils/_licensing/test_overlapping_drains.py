# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drain belongs to the licenses that leave: the rest is served, and the drains of others go on."""

from __future__ import annotations

import itertools
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client import Management, Refused
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import Home
from ansible_collections.aims.licensing.plugins.module_utils._licensing.lease import LENGTH, Lease
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.drain import DrainOptions, Step
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Maintenance
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    NUMBERS,
    SERVER,
    SESSION,
    CoreLab,
    PowerCut,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.running_server import Service

SESSIONS, CLIENTS = "a" * 32, "b" * 32


def refused(service: Service, profile: str | None) -> Any:
    with pytest.raises(Refused) as refusal:
        service.take(profile)
    return refusal.value


def drained(lab: CoreLab) -> dict[str, Any]:
    """The tickets of the drains that last, and their licenses."""
    now = now_utc()
    return {lease.ticket: lease.licenses for lease in lab.old.home.config().drains if lease.is_valid(now)}


def begin(lab: CoreLab, ticket: str, *numbers: str, waited: float = 0.0) -> Any:
    """Make one call of a drain, as a controller makes many."""
    return lab.deactivate(lab.old, *numbers, drain_seconds=300, step=Step(ticket, waited))


@pytest.fixture
def both(service: Service, lab: CoreLab) -> dict[str, str]:
    """The source of two pairs, one client of each, and both pairs drain it."""
    held = {"PROSession": service.take("PROSession"), "Client": service.take("Client")}
    assert begin(lab, SESSIONS, SESSION).again == SESSIONS
    assert begin(lab, CLIENTS, CLIENT).again == CLIENTS
    assert drained(lab) == {SESSIONS: (SESSION,), CLIENTS: (CLIENT,)}
    return held


def test_seats_of_a_license_that_stays_are_granted_during_a_drain(service: Service, lab: CoreLab) -> None:
    leaving, staying = service.take("PROSession"), service.take("Client")
    assert begin(lab, SESSIONS, SESSION).drained.total == 1
    refusal = refused(service, "PROSession")
    assert refusal.code == "maintenance"
    assert f"License {SESSION} is about to leave this license server." in str(refusal)
    # The clients that are asked to end their sessions are those of the license that leaves.
    assert service.seats.heartbeat(leaving)["maintenance"] is True
    assert service.seats.heartbeat(staying)["maintenance"] is False
    service.take("Client")
    service.take("PROServer")
    # The first Default leaves; the next one serves.
    given = service.seats.take(service.seats.new_id(), None, "AIMS\\bert", "workstation")
    assert given["license"] == CLIENT
    assert begin(lab, CLIENTS, CLIENT).again == CLIENTS
    assert refused(service, None).code == "maintenance"
    seen = Management(service.address).overview()["server"]
    assert (seen["maintenance"], seen["draining"]) == (False, sorted([SESSION, CLIENT]))
    assert service.status["maintenance"] is False
    metrics = urllib.request.urlopen(f"http://{service.address}:3401/metrics").read().decode()
    for number, value in ((SESSION, 1), (CLIENT, 1), (SERVER, 0)):
        assert f'licsrv_license_draining{{license="{number}"}} {value}\n' in metrics
    lab.old.manager.end_drain(SESSIONS)
    lab.old.manager.end_drain(CLIENTS)
    service.take("PROSession")


@pytest.mark.parametrize("first", ["PROSession", "Client"])
def test_the_end_of_a_drain_ends_no_other(service: Service, lab: CoreLab, both: dict[str, str], first: str) -> None:
    tickets = {"PROSession": SESSIONS, "Client": CLIENTS}
    second = next(name for name in tickets if name != first)
    lab.old.manager.end_drain(tickets[first])
    assert list(drained(lab)) == [tickets[second]]
    service.take(first)
    assert refused(service, second).code == "maintenance"
    assert service.seats.heartbeat(both[second])["maintenance"] is True
    lab.old.manager.end_drain(tickets[second])
    service.take(second)


@pytest.mark.parametrize("first", ["PROSession", "Client"])
def test_the_fence_of_a_pair_ends_its_own_drain(
    service: Service, lab: CoreLab, both: dict[str, str], first: str
) -> None:
    pairs = {"PROSession": (SESSIONS, SESSION), "Client": (CLIENTS, CLIENT)}
    second = next(name for name in pairs if name != first)
    ticket, number = pairs[first]
    service.seats.release(both[first])
    change = begin(lab, ticket, number, waited=3.0)
    assert (change.changed, change.again, change.after.server.maintenance) == (True, None, False)
    assert list(drained(lab)) == [pairs[second][0]]
    # The rest is served, and the other pair still waits for its client.
    assert refused(service, first).code == "not_served"
    assert refused(service, second).code == "maintenance"
    service.take("PROServer")
    ticket, number = pairs[second]
    assert begin(lab, ticket, number, waited=3.0).again == ticket
    service.seats.release(both[second])
    assert begin(lab, ticket, number, waited=3.0).again is None
    assert not drained(lab) and service.status["maintenance"] is False
    assert lab.old.statuses()[SERVER] == "Active"


def test_the_last_license_that_leaves_closes_the_server(service: Service, lab: CoreLab) -> None:
    """Whatever the first pair saw when it began: it is the last fence that leaves nothing to serve."""
    seat = service.take("Client")
    assert begin(lab, CLIENTS, CLIENT).again == CLIENTS
    change = begin(lab, SESSIONS, SERVER, SESSION)
    assert change.again is None and not change.after.server.maintenance
    assert drained(lab) == {CLIENTS: (CLIENT,)}
    service.seats.release(seat)
    assert begin(lab, CLIENTS, CLIENT, waited=3.0).after.server.maintenance
    assert lab.old.home.config().drains == ()


def test_a_drain_that_fails_ends_no_other_and_restarts_nothing(
    service: Service, lab: CoreLab, both: dict[str, str]
) -> None:
    before = service.status["instance"]
    with pytest.raises(LicensingError, match=r"1 seats are still in use .*PROSession .* back in service") as error:
        lab.deactivate(lab.old, SESSION, drain_seconds=0.0, step=Step("c" * 32))
    assert "Client by" not in str(error.value)
    assert drained(lab) == {CLIENTS: (CLIENT,)}
    service.take("PROSession")
    assert refused(service, "Client").code == "maintenance"
    assert service.status["instance"] == before


def test_two_controllers_that_drain_the_same_licenses_do_it_together(service: Service, lab: CoreLab) -> None:
    seat = service.take("Client")
    assert begin(lab, SESSIONS, CLIENT, SESSION).again == SESSIONS
    assert begin(lab, CLIENTS, SESSION, CLIENT).again == SESSIONS
    assert drained(lab) == {SESSIONS: tuple(sorted([CLIENT, SESSION]))}
    # A third one for a part of them has its own.
    assert begin(lab, "c" * 32, CLIENT).again == "c" * 32
    lab.old.manager.end_drain("c" * 32)
    assert refused(service, "Client").code == "maintenance"
    service.seats.release(seat)
    assert begin(lab, SESSIONS, CLIENT, SESSION, waited=3.0).again is None
    change = begin(lab, SESSIONS, SESSION, CLIENT, waited=3.0)
    assert (change.again, change.changed) == (None, False)
    assert lab.old.served() == {SERVER.replace(".", "")}


def test_a_target_is_verified_while_another_pair_drains_a_license_of_it(service: Service, lab: CoreLab) -> None:
    """As in a chain: what has come is served, and what moves on is drained."""
    seat = service.take("PROSession")
    assert begin(lab, SESSIONS, SESSION).again == SESSIONS
    trials = {trial.profile: trial.outcome for trial in service.host.manager.verify(True)}
    assert trials == {"PROServer": "granted", "PROSession": "refused", "Client": "granted"}
    service.seats.release(seat)
    lab.old.manager.end_drain(SESSIONS)
    lab.old.manager.set_maintenance(Maintenance(True))
    with pytest.raises(LicensingError, match="Profile PROSession gives no seat"):
        service.host.manager.verify(True)


def _expire(lab: CoreLab) -> None:
    config = lab.old.home.config()
    soon = now_utc() + timedelta(seconds=1)
    lab.old.home.save(
        replace(config, drains=tuple(replace(x, until=soon) if x.ticket == SESSIONS else x for x in config.drains))
    )


def _kill_before_the_fence(lab: CoreLab) -> None:
    """Its controller and its call are gone at the moment of the fence."""

    def killed(home: Home, config: Any) -> None:
        if config.fenced:
            raise PowerCut
        save(home, config)

    save, Home.save = Home.save, killed  # type: ignore[method-assign]
    try:
        with pytest.raises(PowerCut):
            begin(lab, SESSIONS, SESSION, waited=3.0)
    finally:
        Home.save = save  # type: ignore[method-assign]


@pytest.mark.parametrize("killed", [False, True])
def test_a_drain_that_nobody_renews_ends_alone(
    service: Service, lab: CoreLab, both: dict[str, str], killed: bool
) -> None:
    service.seats.release(both["PROSession"])
    if killed:
        _kill_before_the_fence(lab)
    assert drained(lab) == {SESSIONS: (SESSION,), CLIENTS: (CLIENT,)}
    assert set(lab.old.statuses().values()) == {"Active"} and not lab.old.home.config().fenced
    _expire(lab)
    while True:
        try:
            service.take("PROSession")
            break
        except Refused as refusal:
            assert refusal.code == "maintenance"
    assert refused(service, "Client").code == "maintenance"
    # Its next call begins anew and gives nothing up; the other one goes on where it was.
    change = begin(lab, SESSIONS, SESSION, waited=6.0)
    assert change.again not in (None, SESSIONS) and not change.changed
    service.seats.release(both["Client"])
    assert begin(lab, CLIENTS, CLIENT, waited=3.0).again is None
    assert list(drained(lab)) == [change.again]
    assert lab.old.statuses()[SESSION] == "Active"


ACTS: dict[str, Callable[[CoreLab], Any]] = {
    "entered": lambda lab: lab.old.manager.set_maintenance(Maintenance(True)),
    "entered after a drain": lambda lab: lab.old.manager.set_maintenance(Maintenance(True, DrainOptions(0.0, True))),
    "left": lambda lab: (
        lab.old.manager.set_maintenance(Maintenance(True)),
        lab.old.manager.set_maintenance(Maintenance(False)),
    ),
    "left where it is off": lambda lab: lab.old.manager.set_maintenance(Maintenance(False)),
}


@pytest.mark.parametrize("act", ACTS)
def test_maintenance_mode_that_another_pair_changes_ends_no_drain(lab: CoreLab, act: str) -> None:
    lab.activate(lab.old)
    leases = (Lease(SESSIONS, now_utc() + LENGTH, (SESSION,)), Lease(CLIENTS, now_utc() + LENGTH, (CLIENT,)))
    lab.old.home.save(replace(lab.old.home.config(), drains=leases))
    ACTS[act](lab)
    assert drained(lab) == {SESSIONS: (SESSION,), CLIENTS: (CLIENT,)}
    assert lab.old.home.config().maintenance is act.startswith("entered")


@pytest.mark.parametrize("order", list(itertools.permutations([SERVER, SESSION, CLIENT])))
def test_many_drains_end_in_any_order(lab: CoreLab, order: tuple[str, ...]) -> None:
    lab.activate(lab.old)
    leases = {number: Lease(number, now_utc() + LENGTH, (number,)) for number in NUMBERS}
    lab.old.home.save(replace(lab.old.home.config(), drains=tuple(leases.values())))
    left = set(NUMBERS)
    for number in order:
        begin(lab, number, number, waited=3.0)
        left.discard(number)
        assert set(drained(lab)) == left == lab.old.home.config().draining()
        assert lab.old.home.config().maintenance is not bool(left)
