# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a license server starts, is told to end or to start anew, logs, and what keeps it from starting."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import read_fingerprint
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server import listening, process
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import HOME
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.server.site import (
    Site,
    body,
    take,
    wait_until,
    why,
)
from support.licsrv import COLLECTIONS, Server


def connection_to(server: Server) -> http.client.HTTPConnection:
    made = http.client.HTTPConnection(server.address, 3400, timeout=30)
    made.connect()
    return made


def instance_of(server: Server) -> str | None:
    """What tells one start of a server from another, or None while it does not answer."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        return str(server.status()["instance"])
    return None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_requests_under_way_are_answered(site: Site, number: int) -> None:
    server = site.serve()
    seats = [server.seats.new_id() for _seat in range(6)]
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(contextlib.closing(connection_to(server))) for _seat in seats]
        idle = stack.enter_context(contextlib.closing(connection_to(server)))
        # Requests and signal arrive while it stands still, so that it meets them together.
        server.process.send_signal(signal.SIGSTOP)
        for connection, seat in zip(connections, seats):
            connection.request("PUT", f"/v1/seats/{seat}", body())
        server.process.send_signal(number)
        server.process.send_signal(signal.SIGCONT)
        assert [connection.getresponse().status for connection in connections] == [200] * len(seats)
        assert idle.sock is not None
        idle.sock.settimeout(30)
        assert idle.sock.recv(1) == b""
    assert server.stop() == 0
    assert set(site.recorded()) == set(seats)
    assert "Stopped; 6 seats stay held." in server.log.read_text(encoding="utf-8")


def test_a_hangup_starts_it_anew_with_the_same_seats(site: Site) -> None:
    server = site.serve()
    seats = [take(server) for _seat in range(3)]
    for _time in range(2):
        before = server.status()
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda before=before: instance_of(server) not in (None, before["instance"]))
        assert server.status()["pid"] == before["pid"] == server.process.pid
        assert [take(server, seat["seat"]) for seat in seats] == seats
    assert server.stop() == 0


def test_it_ends_after_the_time_it_was_given(site: Site) -> None:
    assert site.serve("--stop-after", "0.5").process.wait(30) == 0
    assert site.serve("--stop-after", "100", environment={"AIMS_LICSRV_STOP_AFTER": "0.5"}).stop() == 0


def test_systemd_is_told_when_it_is_ready_and_when_it_stops(site: Site, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(30)
        server = site.serve(environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert listener.recv(100) == b"READY=1"
        server.stop()
        assert listener.recv(100) == b"STOPPING=1"


def test_the_log_has_wall_clock_times_and_rotates(site: Site) -> None:
    before = datetime.now(timezone.utc)
    small = f"import {process.__name__} as process; process._LOG_BYTES = 400"
    server = site.serve(first=small, environment={"TZ": "Asia/Tokyo"})
    for _time in range(8):
        server.stop()
        server.start()
    server.stop()
    logs = sorted(server.log.parent.glob("LicenseServer.log*"))
    assert {"LicenseServer.log", "LicenseServer.log.1", "LicenseServer.log.2"} <= {log.name for log in logs}
    assert len(logs) <= 11
    lines = [line for log in logs for line in log.read_text(encoding="utf-8").splitlines()]
    assert len(lines) >= 18
    for line in lines:
        found = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0900) (?:WARNING|INFO|ERROR) \w", line)
        assert found, line
        moment = datetime.strptime(found[1], "%Y-%m-%dT%H:%M:%S%z")
        assert abs((moment - before).total_seconds()) < 120


def failure(site: Site, *options: str, address: str = "") -> str:
    """Start a server that cannot start; return what it said."""
    with pytest.raises(AssertionError, match="licsrv ended with 1") as error:
        site.serve(*options, address=address)
    assert "Traceback" not in str(error.value)
    return str(error.value)


def test_a_busy_port_is_told_and_the_seats_stay(site: Site) -> None:
    server = site.serve()
    seat = take(server)["seat"]
    server.stop()
    for port in (3400, 3401):
        with socket.create_server((server.address, port)):
            assert f"Port {port} is in use." in failure(site, address=server.address)
    assert set(site.recorded()) == {seat}


def test_an_address_of_another_host_is_told(site: Site) -> None:
    assert "The license server cannot listen: " in failure(site, address="192.0.2.1")


def test_two_servers_do_not_grant_the_seats_of_one_home(site: Site) -> None:
    server = site.serve()
    assert "A license server is already running for this home." in failure(site)
    server.stop()
    assert why(take, site.serve()) == "granted"


def test_it_serves_no_home_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", Server.code(), "licsrv", "--home", HOME, "--root", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("No license server is installed here.")
    assert list(tmp_path.iterdir()) == [tmp_path / "etc"]


def test_the_fingerprint_can_be_read_by_another(site: Site, tmp_path: Path) -> None:
    root = str(site.host.root)
    known = read_fingerprint(root)
    site.host.set_machine_id("9" * 31 + "c")
    file = tmp_path / "fingerprint.json"
    file.write_text(json.dumps(known), encoding="utf-8")
    server = site.serve("--fingerprint-file", str(file))
    assert why(take, server) == "granted"
    server.stop()
    assert why(take, site.serve()) == "not_served"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"machine-id": "x"}', '{"other": "' + "0" * 32 + '"}', "\xff"])
def test_what_is_no_fingerprint_is_refused(site: Site, tmp_path: Path, content: str) -> None:
    file = tmp_path / "fingerprint.json"
    file.write_bytes(content.encode("latin-1"))
    assert "This is not a fingerprint." in failure(site, "--fingerprint-file", str(file))


# Has the kernel refuse sockets of IPv6, as one that was built or booted without it does.
WITHOUT_IPV6 = """
import ctypes, errno, platform, struct
number = {"x86_64": 41, "aarch64": 198}[platform.machine()]
code = [(0x20, 0, 0, 0), (0x15, 0, 3, number), (0x20, 0, 0, 16), (0x15, 0, 1, 10),
        (0x06, 0, 0, 0x00050000 | errno.EAFNOSUPPORT), (0x06, 0, 0, 0x7FFF0000)]
program = b"".join(struct.pack("HBBI", *line) for line in code)
buffer = ctypes.create_string_buffer(program)
class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Filter(len(code), ctypes.addressof(buffer)))) == 0
"""


def families(first: str) -> str:
    script = f"""{first}
from {listening.__name__} import bind
import socket
print(*sorted(one.family.name for one in bind("", 0)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def test_it_listens_where_there_is_no_ipv6() -> None:
    assert families(WITHOUT_IPV6) == "AF_INET"


def test_it_serves_where_there_is_no_ipv6(site: Site) -> None:
    server = site.serve(first=WITHOUT_IPV6)
    assert why(take, server) == "granted"
    assert server.stop() == 0
