# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The license server as its manager runs it: started, restarted, drained, tried and stopped, for real."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import signal
import socket
import threading
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION
from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import Listen
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client import (
    Management,
    NoAnswer,
    Refused,
    SeatClient,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import PUBLIC
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.config import PROCESS
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import Home
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.install import (
    Package,
    Settings,
    install,
    remove,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.service import service_of
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager import deactivation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc
from ansible_collections.aims.licensing.plugins.plugin_utils._package import build_package
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    HOME,
    SERVER,
    SESSION,
    CoreLab,
    Host,
    PowerCut,
)
from support.licsrv import free_address

CONTENT = build_package()
ANNA = "AIMS\\anna"


class Service:
    """The license server of a host, installed to run as a process on an address of its own."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.address = free_address()
        self.seats = SeatClient(self.address)
        self.done = self.install()

    def install(self, content: bytes = CONTENT, dry: bool = False, **settings: Any) -> Any:
        listen = Listen(self.address, self.address)
        wanted = {"authority": "offline", "service": PROCESS, "listen": listen, **settings}
        return install(Home(HOME, str(self.host.root)), Package(VERSION, content), Settings(**wanted), dry)

    @property
    def status(self) -> dict[str, Any]:
        return Management(self.address).status()

    def take(self, profile: str | None = "PROSession", user: str = ANNA) -> str:
        seat = self.seats.new_id()
        self.seats.take(seat, profile, user, "workstation")
        return seat


@pytest.fixture
def service(lab: CoreLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("AIMS_LICSRV_STOP_AFTER", "120")
    # What the nodelocks hold is of the laboratory's time; the server's own time is the machine's.
    made = Service(lab.old)
    lab.activate(lab.old)
    yield made
    lab.deactivate(lab.old, *[number for number, status in lab.old.statuses().items() if status == "Active"])
    if lab.old.overview["server"]["installed"]:
        remove(lab.old.home)


def test_an_installation_ends_with_a_server_that_answers(service: Service) -> None:
    assert service.done.words[-1] == "start the license server"
    server = service.host.overview["server"]
    assert (server["service"], server["running"]) == (PROCESS, True)
    assert service.status["digest"] == server["digest"]
    assert service.install().words == ()


def repacked(compression: int = zipfile.ZIP_STORED, **more: bytes) -> bytes:
    """The package as another zlib would have it, or with more files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(CONTENT)) as archive, zipfile.ZipFile(stream, "w", compression) as made:
        for name in reversed(archive.namelist()):
            made.writestr(name, archive.read(name))
        for name, content in more.items():
            made.writestr(name, content)
    return stream.getvalue()


def test_controllers_whose_zlib_differs_do_not_install_over_each_other(service: Service) -> None:
    before = service.status["instance"]
    for content in (repacked(), repacked(zipfile.ZIP_LZMA), CONTENT, repacked()):
        assert service.install(content).words == ()
    assert service.status["instance"] == before


def test_a_package_that_was_described_by_its_bytes_is_described_anew_once(service: Service) -> None:
    described = f'{{"version": "{VERSION}", "digest": "{hashlib.sha256(CONTENT).hexdigest()}"}}\n'
    service.host.home.folder.write("Bin/package.json", described.encode(), PUBLIC)
    for content in (CONTENT, repacked()):
        words = service.install(content).words
        assert words == ((f"restore the files of {VERSION}",) if content is CONTENT else ())
        assert service.status["digest"] == Package(VERSION, content).digest


def test_a_damaged_archive_is_written_anew(service: Service) -> None:
    for damaged in (CONTENT[:-1], b"", CONTENT[:5000] + b"xx" + CONTENT[5002:], repacked(x=b"x")):
        service.host.home.folder.write("Bin/aims-licensing.pyz", damaged, PUBLIC)
        assert service.install().words == (f"restore the files of {VERSION}",)
        assert service.install().words == ()


def test_a_newer_package_and_other_addresses_restart_it(service: Service) -> None:
    before = service.status["instance"]
    assert service.install(repacked(more=b"newer")).words[-1] == "restart the license server"
    assert service.status["instance"] != before
    old, service.address = service.address, free_address()
    assert service.install().words[-1] == "start the license server"
    assert service.status["listen"]["management"] == service.address
    with pytest.raises(NoAnswer):
        Management(old).status()


def test_a_server_that_was_stopped_is_started_again(service: Service) -> None:
    seat = service.take()
    os.kill(service.status["pid"], 9)
    while service.host.overview["server"]["running"]:
        pass
    assert service.install().words == ("start the license server",)
    assert service.seats.heartbeat(seat)["seat"] == seat


def test_a_port_in_use_names_its_holder_before_anything_is_written(lab: CoreLab) -> None:
    address = free_address()
    before = lab.new.files()
    with socket.socket() as held:
        held.bind((address, 3401))
        held.listen()
        with pytest.raises(LicensingError, match=rf"Port 3401.*in use by .*process {os.getpid()}"):
            install(
                lab.new.home,
                Package(VERSION, CONTENT),
                Settings(authority="offline", service=PROCESS, listen=Listen(address, address)),
            )
    assert lab.new.files() == before


def test_a_server_that_does_not_come_up_is_told_with_what_it_said(
    lab: CoreLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.monotonic", _fast())
    # An address that is none of this machine's: TEST-NET-1.
    with pytest.raises(LicensingError) as refused:
        install(
            lab.new.home,
            Package(VERSION, CONTENT),
            Settings(authority="offline", service=PROCESS, listen=Listen("192.0.2.1", "127.0.0.1")),
        )
    said = str(refused.value)
    assert "192.0.2.1" in said
    assert "Traceback" not in said


def test_the_overview_shows_who_uses_what(service: Service) -> None:
    service.take("PROSession")
    service.take("Client", "AIMS\\bert")
    overview = service.host.overview
    assert {one["number"]: one["in_use"] for one in overview["licenses"]} == {SERVER: 0, SESSION: 1, CLIENT: 1}
    assert {one["user"] for one in overview["clients"]} == {ANNA, "AIMS\\bert"}
    assert overview["clients_total"] == 2


def test_entering_maintenance_waits_until_the_seats_are_back(service: Service) -> None:
    seat = service.take()
    told = threading.Event()

    def work() -> None:
        while not service.seats.heartbeat(seat)["maintenance"]:
            pass
        told.set()
        service.seats.release(seat)

    client = threading.Thread(target=work)
    client.start()
    change = service.host.manager.set_maintenance(True, drain_seconds=20)
    client.join()
    assert told.is_set()
    assert change.drained.total == 0
    with pytest.raises(Refused) as refused:
        service.take()
    assert refused.value.code == "maintenance"


def test_seats_that_are_not_given_back_take_the_server_back_into_service(service: Service) -> None:
    seat = service.take()
    with pytest.raises(LicensingError, match=r"1 seats are still in use .*PROSession by AIMS\\anna on workstation"):
        service.host.manager.set_maintenance(True, drain_seconds=0.3)
    assert not service.host.overview["server"]["maintenance"]
    assert service.seats.heartbeat(seat)["maintenance"] is False
    service.take()


def test_seats_in_use_can_be_left_behind(service: Service) -> None:
    service.take()
    drained = service.host.manager.set_maintenance(True, drain_seconds=0.3, force=True).drained
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


def test_a_server_that_keeps_licenses_goes_on_serving_them(service: Service, lab: CoreLab) -> None:
    others = service.take("Client")
    dry = lab.deactivate(lab.old, SESSION, drain_seconds=20, dry=True)
    change = lab.deactivate(lab.old, SESSION, drain_seconds=20)
    # Nobody waited for those who use what stays.
    assert (change.changed, change.drained.total) == (True, 0) and change.drained.seconds < 20
    for told in (dry, change):
        assert not told.after.server.maintenance
    assert service.host.statuses() == {SERVER: "Active", SESSION: "Inactive Nodelock", CLIENT: "Active"}
    assert service.seats.heartbeat(others) == {**service.seats.heartbeat(others), "seat": others, "maintenance": False}
    service.take("Client")
    with pytest.raises(Refused):
        service.take("PROSession")
    manager = service.host.manager
    assert [row.profile for row in manager.verify(False, [SESSION])] == ["PROSession"]
    with pytest.raises(LicensingError, match="Profile Client still gives seats"):
        manager.verify(False, [SESSION, CLIENT])
    again = lab.deactivate(lab.old, SESSION, drain_seconds=20)
    assert not again.changed and service.status["maintenance"] is False


@pytest.mark.parametrize("cut", ["_fence", "_deactivate"])
def test_a_server_that_keeps_licenses_serves_them_after_a_cut(
    service: Service, lab: CoreLab, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    """The next call ends maintenance mode, wherever the call before it was cut."""

    def cut_off(*given: object) -> None:
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(deactivation, cut, cut_off)
        with pytest.raises(PowerCut):
            lab.deactivate(lab.old, SESSION, drain_seconds=20)
    assert service.host.overview["server"]["maintenance"] is (cut == "_fence")
    lab.deactivate(lab.old, SESSION, drain_seconds=20)
    assert service.status["maintenance"] is False
    service.take("Client")


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
    service.host.manager.verify(False, [SESSION])


def test_nothing_is_given_up_where_the_seats_are_not_given_back(service: Service, lab: CoreLab) -> None:
    seat = service.take()
    with pytest.raises(LicensingError, match=r"1 seats are still in use .* nothing was given up"):
        lab.deactivate(lab.old, drain_seconds=0.3)
    assert set(service.host.statuses().values()) == {"Active"}
    assert service.seats.heartbeat(seat)["maintenance"] is False
    assert lab.deactivate(lab.old, drain_seconds=0.3, force=True).drained.total == 1
    assert set(service.host.statuses().values()) == {"Inactive Nodelock"}


@contextlib.contextmanager
def standing_still(service: Service) -> Iterator[int]:
    """A server that runs and answers nobody, as on a host whose disk hangs."""
    process = int(service.status["pid"])
    os.kill(process, signal.SIGSTOP)
    try:
        yield process
    finally:
        os.kill(process, signal.SIGCONT)


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
    assert not change.drained.told
    assert set(service.host.statuses().values()) == {"Inactive Nodelock"}


def test_a_server_that_answers_late_is_waited_for(service: Service) -> None:
    service.take()
    with standing_still(service) as process:
        later = threading.Timer(3, os.kill, (process, signal.SIGCONT))
        later.start()
        with pytest.raises(LicensingError, match=r"1 seats are still in use .*PROSession"):
            service.host.manager.set_maintenance(True, drain_seconds=5)
        later.join()


def test_silent_connections_keep_nobody_from_hearing_of_the_clients(service: Service) -> None:
    service.take()
    idle = [socket.create_connection((service.address, 3401)) for _one in range(65)]
    try:
        with pytest.raises(LicensingError, match=r"1 seats are still in use .*PROSession"):
            service.host.manager.set_maintenance(True, drain_seconds=3)
    finally:
        for one in idle:
            one.close()
    assert not service.host.overview["server"]["maintenance"]


def test_a_server_that_does_not_run_has_nobody_to_wait_for(service: Service) -> None:
    service.take()
    os.kill(service.status["pid"], 9)
    drained = service.host.manager.set_maintenance(True, drain_seconds=20).drained
    assert drained.is_over and drained.seconds < 20
    service.host.manager.set_maintenance(False)


def test_a_server_that_hangs_is_not_moved_from_under_itself(service: Service) -> None:
    before, runner = service.host.files(), service_of(service.host.home, service.host.home.config())
    assert runner is not None
    with standing_still(service), pytest.raises(LicensingError, match="runs, but does not answer, so that its process"):
        runner.stop()
    assert service.host.files() == before


def test_other_addresses_are_looked_at_before_a_server_that_runs_is_stopped(service: Service) -> None:
    before, files, old = service.status["instance"], service.host.files(), service.address
    service.address = free_address()
    with socket.socket() as held:
        held.bind((service.address, 3400))
        held.listen()
        for dry in (True, False):
            with pytest.raises(LicensingError, match=rf"Port 3400.*in use by .*process {os.getpid()}"):
                service.install(dry=dry)
    service.address = old
    assert service.status["instance"] == before and service.host.files() == files


def test_a_mistyped_address_does_not_stop_a_server_that_runs(service: Service) -> None:
    before, files = service.status["instance"], service.host.files()
    for dry in (True, False):
        with pytest.raises(LicensingError, match=r"192\.0\.2\.1 is not an address of this host"):
            service.install(listen=Listen("192.0.2.1", service.address), dry=dry)
    assert service.status["instance"] == before and service.host.files() == files


def test_leaving_maintenance_restarts_the_server_and_keeps_the_seats(service: Service) -> None:
    seat = service.take()
    service.host.manager.set_maintenance(True)
    before = service.status["instance"]
    service.host.manager.set_maintenance(False)
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
    service.host.manager.set_maintenance(True)
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


def test_a_removal_stops_the_server(service: Service, lab: CoreLab) -> None:
    lab.deactivate(lab.old)
    remove(lab.old.home)
    with pytest.raises(NoAnswer):
        service.status  # noqa: B018 - asking is the test


def _fast() -> Any:
    """A clock on which half a minute passes in a tenth of it."""
    import time

    real = time.monotonic
    return lambda: real() * 10
