# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Licenses are given up, and maintenance mode is entered, once the seats in use are back, or the drain says why not."""

from __future__ import annotations

import os
import signal
import socket
import threading

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client import Refused
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.drain import DrainOptions
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Maintenance
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import SESSION, CoreLab
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.running_server import (
    ANNA,
    Service,
    standing_still,
)


def test_entering_maintenance_waits_until_the_seats_are_back(service: Service) -> None:
    seat = service.take()
    is_asked = threading.Event()

    def work() -> None:
        while not service.seats.heartbeat(seat)["maintenance"]:
            pass
        is_asked.set()
        service.seats.release(seat)

    client = threading.Thread(target=work)
    client.start()
    change = service.host.manager.set_maintenance(Maintenance(True, drain=DrainOptions(20)))
    client.join()
    assert is_asked.is_set()
    assert change.drained.total == 0
    with pytest.raises(Refused) as refused:
        service.take()
    assert refused.value.code == "maintenance"


def test_seats_that_are_not_given_back_take_the_server_back_into_service(service: Service) -> None:
    seat = service.take()
    with pytest.raises(LicensingError, match=r"1 seats are still in use .*PROSession by AIMS\\anna on workstation"):
        service.host.manager.set_maintenance(Maintenance(True, drain=DrainOptions(0.3)))
    assert not service.host.overview["server"]["maintenance"]
    assert service.seats.heartbeat(seat)["maintenance"] is False
    service.take()


def test_seats_in_use_can_be_left_behind(service: Service) -> None:
    service.take()
    drained = service.host.manager.set_maintenance(Maintenance(True, drain=DrainOptions(0.3, force=True))).drained
    assert (drained.total, drained.clients[0].user) == (1, ANNA)
    assert service.host.overview["server"]["maintenance"]


def test_giving_licenses_up_can_wait_until_the_seats_are_back(service: Service, lab: CoreLab) -> None:
    seat = service.take()
    dry = lab.deactivate(lab.old, drain_seconds=20, dry=True)
    assert dry.changed and dry.after.server.maintenance
    assert dry.before == service.host.manager.overview()
    assert not dry.before.server.maintenance
    served: list[bool] = []

    def work() -> None:
        while not service.seats.heartbeat(seat)["maintenance"]:
            pass
        served.append(set(service.host.statuses().values()) == {"Active"})
        service.seats.release(seat)

    client = threading.Thread(target=work)
    client.start()
    change = lab.deactivate(lab.old, drain_seconds=20)
    client.join()
    assert served == [True]
    assert (change.changed, change.drained.total) == (True, 0)
    assert not change.before.server.maintenance and change.after.server.maintenance
    assert set(service.host.statuses().values()) == {"Inactive Nodelock"}
    again = lab.deactivate(lab.old, drain_seconds=20)
    assert not again.changed


def test_who_uses_a_license_for_a_few_days_is_waited_for_too(service: Service, lab: CoreLab) -> None:
    # The server has the machine's time, and an emergency activation ends by it.
    lab.clock.forward(seconds=(now_utc() - lab.clock()).total_seconds())
    lab.deactivate(lab.old, SESSION)
    lab.activate(lab.new, SESSION)
    lab.activate(lab.old, SESSION, emergency=[SESSION])
    service.take("PROSession")
    with pytest.raises(LicensingError, match=r"1 seats are still in use .*PROSession"):
        lab.deactivate(lab.old, SESSION, drain_seconds=0.3)
    assert lab.old.statuses()[SESSION] == "Active"
    assert lab.deactivate(lab.old, SESSION, drain_seconds=0.3, force=True).drained.total == 1
    assert service.status["maintenance"] is False


def test_seats_of_licenses_that_stay_are_not_counted(service: Service, lab: CoreLab) -> None:
    service.take("Client")
    service.take("PROSession")
    with pytest.raises(LicensingError, match=r"1 seats are still in use .*PROSession by AIMS\\anna") as refused:
        lab.deactivate(lab.old, SESSION, drain_seconds=0.3)
    assert "Client" not in str(refused.value)
    assert lab.deactivate(lab.old, SESSION, drain_seconds=0.3, force=True).drained.total == 1
    service.host.manager.verify(False, numbers=[SESSION])


def test_nothing_is_given_up_where_the_seats_are_not_given_back(service: Service, lab: CoreLab) -> None:
    seat = service.take()
    with pytest.raises(LicensingError, match=r"1 seats are still in use .* nothing was given up"):
        lab.deactivate(lab.old, drain_seconds=0.3)
    assert set(service.host.statuses().values()) == {"Active"}
    assert service.seats.heartbeat(seat)["maintenance"] is False
    assert lab.deactivate(lab.old, drain_seconds=0.3, force=True).drained.total == 1
    assert set(service.host.statuses().values()) == {"Inactive Nodelock"}


def test_a_server_that_does_not_answer_is_not_taken_for_one_without_clients(service: Service, lab: CoreLab) -> None:
    seat = service.take()
    with (
        standing_still(service),
        pytest.raises(LicensingError, match=r"runs, but did not say within .* seconds .* nothing was given up"),
    ):
        lab.deactivate(lab.old, drain_seconds=3)
    assert set(service.host.statuses().values()) == {"Active"}
    assert not service.host.overview["server"]["maintenance"]
    assert service.seats.heartbeat(seat)["maintenance"] is False
    with standing_still(service):
        change = lab.deactivate(lab.old, drain_seconds=0.3, force=True)
    assert not change.drained.answered
    assert set(service.host.statuses().values()) == {"Inactive Nodelock"}


def test_a_server_that_answers_late_is_waited_for(service: Service) -> None:
    service.take()
    with standing_still(service) as process:
        later = threading.Timer(3, os.kill, (process, signal.SIGCONT))
        later.start()
        with pytest.raises(LicensingError, match=r"1 seats are still in use .*PROSession"):
            service.host.manager.set_maintenance(Maintenance(True, drain=DrainOptions(5)))
        later.join()


def test_silent_connections_keep_nobody_from_hearing_of_the_clients(service: Service) -> None:
    service.take()
    idle = [socket.create_connection((service.address, 3401)) for _one in range(65)]
    try:
        with pytest.raises(LicensingError, match=r"1 seats are still in use .*PROSession"):
            service.host.manager.set_maintenance(Maintenance(True, drain=DrainOptions(3)))
    finally:
        for connection in idle:
            connection.close()
    assert not service.host.overview["server"]["maintenance"]


def test_a_server_that_does_not_run_has_nobody_to_wait_for(service: Service) -> None:
    service.take()
    os.kill(service.status["pid"], 9)
    drained = service.host.manager.set_maintenance(Maintenance(True, drain=DrainOptions(20))).drained
    assert drained.is_over and drained.seconds < 20
    service.host.manager.set_maintenance(Maintenance(False))
