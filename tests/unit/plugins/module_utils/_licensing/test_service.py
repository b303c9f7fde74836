# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The license server as its manager sees it: its users, what it serves in maintenance and after a fence, and hangs."""

from __future__ import annotations

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client import Refused
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.service import service_of
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager import deactivation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Maintenance
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    SERVER,
    SESSION,
    CoreLab,
    PowerCut,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.running_server import (
    ANNA,
    Service,
    standing_still,
)


def test_the_overview_shows_who_uses_what(service: Service) -> None:
    service.take("PROSession")
    service.take("Client", "AIMS\\bert")
    overview = service.host.overview
    assert {license["number"]: license["in_use"] for license in overview["licenses"]} == {
        SERVER: 0,
        SESSION: 1,
        CLIENT: 1,
    }
    assert {client["user"] for client in overview["clients"]} == {ANNA, "AIMS\\bert"}
    assert overview["clients_total"] == 2


def test_a_server_that_keeps_licenses_goes_on_serving_them(service: Service, lab: CoreLab) -> None:
    others = service.take("Client")
    dry = lab.deactivate(lab.old, SESSION, drain_seconds=20, dry=True)
    change = lab.deactivate(lab.old, SESSION, drain_seconds=20)
    # Nobody waited for those who use what stays.
    assert (change.changed, change.drained.total) == (True, 0) and change.drained.seconds < 20
    for outcome in (dry, change):
        assert not outcome.after.server.maintenance
    assert service.host.statuses() == {SERVER: "Active", SESSION: "Inactive Nodelock", CLIENT: "Active"}
    assert service.seats.heartbeat(others) == {**service.seats.heartbeat(others), "seat": others, "maintenance": False}
    service.take("Client")
    with pytest.raises(Refused):
        service.take("PROSession")
    manager = service.host.manager
    assert [row.profile for row in manager.verify(False, numbers=[SESSION])] == ["PROSession"]
    with pytest.raises(LicensingError, match="Profile Client still gives seats"):
        manager.verify(False, numbers=[SESSION, CLIENT])
    again = lab.deactivate(lab.old, SESSION, drain_seconds=20)
    assert not again.changed and service.status["maintenance"] is False


@pytest.mark.parametrize("cut", ["_fence", "_give_back"])
def test_a_server_that_keeps_licenses_serves_them_after_a_cut(
    service: Service, lab: CoreLab, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    """The next call ends the drain, wherever the call before it was cut."""

    def cut_off(*arguments: object, **more: object) -> None:
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(deactivation, cut, cut_off)
        with pytest.raises(PowerCut):
            lab.deactivate(lab.old, SESSION, drain_seconds=20)
    assert service.host.overview["server"]["draining"] == ([SESSION] if cut == "_fence" else [])
    service.take("Client")
    lab.deactivate(lab.old, SESSION, drain_seconds=20)
    seen = service.host.overview["server"]
    assert (seen["maintenance"], seen["draining"]) == (False, [])
    service.take("Client")


def test_a_server_that_hangs_is_not_moved_from_under_itself(service: Service) -> None:
    before, runner = service.host.files(), service_of(service.host.home, service.host.home.config())
    assert runner is not None
    with standing_still(service), pytest.raises(LicensingError, match="runs, but does not answer, so its process"):
        runner.stop()
    assert service.host.files() == before


def test_leaving_maintenance_restarts_the_server_and_keeps_the_seats(service: Service) -> None:
    seat = service.take()
    service.host.manager.set_maintenance(Maintenance(True))
    before = service.status["instance"]
    service.host.manager.set_maintenance(Maintenance(False))
    assert service.status["instance"] != before
    assert service.seats.heartbeat(seat)["maintenance"] is False


def test_every_profile_is_tried_and_nothing_stays_taken(service: Service) -> None:
    rows = service.host.manager.verify(served=True)
    assert {row.profile: row.outcome for row in rows} == {
        "PROServer": "granted",
        "PROSession": "granted",
        "Client": "granted",
    }
    assert service.status["seats"] == 0


def test_a_profile_whose_seats_are_all_in_use_is_served(service: Service) -> None:
    for _seat in range(8):
        service.take("PROSession")
    rows = service.host.manager.verify(served=True)
    assert {row.outcome for row in rows if row.profile == "PROSession"} == {"in use"}


def test_a_server_in_maintenance_does_not_pass_for_serving(service: Service) -> None:
    service.host.manager.set_maintenance(Maintenance(True))
    with pytest.raises(LicensingError, match="Profile PROServer gives no seat"):
        service.host.manager.verify(served=True)
    service.host.manager.verify(served=False)


def test_a_server_that_serves_does_not_pass_for_released(service: Service) -> None:
    with pytest.raises(LicensingError, match="Profile PROServer still gives seats"):
        service.host.manager.verify(served=False)


def test_a_fence_ends_the_seats_and_the_server_gives_none_any_more(service: Service, lab: CoreLab) -> None:
    seat = service.take()
    lab.deactivate(lab.old)
    with pytest.raises(Refused) as gone:
        service.seats.heartbeat(seat)
    assert gone.value.code == "gone"
    assert {row.outcome for row in service.host.manager.verify(served=False)} == {"refused"}
