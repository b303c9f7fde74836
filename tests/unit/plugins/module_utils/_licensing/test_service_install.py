# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation starts, restarts and replaces the license server, and looks at addresses and ports before it does."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import zipfile
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION
from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import Listen
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client import Management, NoAnswer
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import PUBLIC
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.config import PROCESS
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.install import (
    Package,
    Settings,
    install,
    remove,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import CoreLab
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.running_server import (
    CONTENT,
    Service,
)
from support.licsrv import free_address


def test_an_installation_ends_with_a_server_that_answers(service: Service) -> None:
    assert service.done.words[-1] == "start the license server"
    server = service.host.overview["server"]
    assert (server["service"], server["running"]) == (PROCESS, True)
    assert service.status["digest"] == server["digest"]
    assert service.install().words == ()


def test_names_and_the_usage_log_are_set_without_a_restart(service: Service) -> None:
    before = service.status["instance"]
    words = ("answer under the names lic.example.com, lic", "turn the log of the usage off")
    settings: dict[str, Any] = {"allowed_hosts": ("lic.example.com", "lic"), "usage_log": False}
    assert service.install(dry=True, **settings).words == words
    assert service.install(**settings).words == words
    assert service.install(**settings).words == ()
    # What is not declared stays.
    assert service.install().words == ()
    config = service.host.home.config()
    assert (config.allowed_hosts, config.usage_log) == (("lic.example.com", "lic"), False)
    undone = service.install(allowed_hosts=(), usage_log=True).words
    assert undone == ("answer under the names of this host only", "turn the log of the usage on")
    assert service.status["instance"] == before


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
                settings=Settings(authority="offline", service=PROCESS, listen=Listen(address, address)),
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
            settings=Settings(authority="offline", service=PROCESS, listen=Listen("192.0.2.1", "127.0.0.1")),
        )
    said = str(refused.value)
    assert "192.0.2.1" in said
    assert "Traceback" not in said


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
