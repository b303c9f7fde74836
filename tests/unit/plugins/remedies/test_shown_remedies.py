# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remedies that only show: the command of the message names the cause, and once that has ended the call succeeds."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible import context
from ansible.cli.arguments.option_helpers import add_subset_options
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible_collections.aims.licensing.plugins.action import aims_license_request
from ansible_collections.aims.licensing.plugins.action.aims_license_inventory import _left_out
from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION
from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import MANAGEMENT_PORT, Listen
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.certificates import Certificates
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.release import release
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.install import (
    Package,
    Settings,
    install,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.ports import address_problems
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.service import Process
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.systemd import Unit
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Deactivation, Maintenance
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.listening import bind
from ansible_collections.aims.licensing.plugins.plugin_utils import _drain
from ansible_collections.aims.licensing.plugins.plugin_utils._drain import in_steps
from ansible_collections.aims.licensing.plugins.plugin_utils._package import build_package
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.service_lab import (
    run,
    until,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import SERVER
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.running_server import ANNA, Service
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.test_authority_service import Machine
from ansible_collections.aims.licensing.tests.unit.plugins.remedies.pair import Pair
from ansible_collections.aims.licensing.tests.unit.plugins.remedies.pair import install as put_commands
from ansible_collections.aims.licensing.tests.unit.plugins.remedies.printed import CHECKOUT
from support.licsrv import Server, free_address
from support.needs import needs_command

with_ss = needs_command("ss", "iproute2")
LISTENER = (
    "import socket, sys; held = socket.create_server((sys.argv[1], int(sys.argv[2]))); print(flush=True); input()"
)
# Answers as a license server does, and names a process that is none.
PRETENDER = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sys.argv[3])))
        self.end_headers()
        self.wfile.write(sys.argv[3].encode())
    def log_message(self, *words):
        pass
server = http.server.HTTPServer((sys.argv[1], int(sys.argv[2])), Answer)
print(flush=True)
server.serve_forever()
"""


def shown(command: str, **environment: str) -> str:
    """What a command of a message shows, in a shell."""
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout + done.stderr


@contextlib.contextmanager
def stranger(script: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """A process of another program, which says when it listens."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None and process.stdout.readline()
            yield process
        finally:
            process.kill()


def listens(command: str, address: str, port: int) -> int:
    """Which process listens at an address, by the command of a message."""
    (row,) = [line for line in shown(command).splitlines() if f"{address}:{port} " in line]
    (process,) = re.findall(r"pid=([0-9]+)", row)
    return int(process)


def end(process: subprocess.Popen[bytes], number: int) -> None:
    """End a process as a person does who saw its number."""
    assert number == process.pid
    os.kill(number, signal.SIGKILL)
    process.wait(timeout=10)


@with_ss
def test_a_port_of_a_license_server_that_is_in_use_is_free_once_what_the_command_shows_has_ended() -> None:
    address = free_address()
    with stranger(LISTENER, address, MANAGEMENT_PORT) as process:
        with pytest.raises(LicensingError) as refused:
            bind(address, MANAGEMENT_PORT)
        (command,) = re.findall(r"Stop the program that listens there \((ss .*?)\)\.", str(refused.value))
        end(process, listens(command, address, MANAGEMENT_PORT))
    for made in bind(address, MANAGEMENT_PORT):
        made.close()


@with_ss
@pytest.mark.parametrize("way", ["end it", "--port"])
def test_an_authority_is_served_once_its_port_is_free_or_at_another(way: str, pair: Pair) -> None:
    address, port = free_address(), 8443
    serve = ["serve", "--ledger", str(pair.lab.ledger_path), "--listen", address, "--stop-after", "0.1"]
    with stranger(LISTENER, address, port) as process:
        refused = run(*serve, "--port", str(port))
        assert refused.returncode == 1
        command, option = re.findall(r"Find its user with '(ss .*?)', or choose another (--\w+)\.", refused.stderr)[0]
        number = listens(command, address, port)
        if way == option:
            port += 1
        else:
            end(process, number)
        served = run(*serve, option, str(port))
    assert served.returncode == 0 and f"port {port}" in served.stderr


@with_ss
def test_what_is_no_license_server_is_shown_by_the_command_and_ended(pair: Pair) -> None:
    address = free_address()
    with stranger(PRETENDER, address, MANAGEMENT_PORT, "{}") as process:
        from ansible_collections.aims.licensing.plugins.module_utils._licensing.client import Management

        with pytest.raises(LicensingError) as refused:
            Management(address).status()
        (command,) = re.findall(r"Check which process listens there \((ss .*?)\)\.", str(refused.value))
        end(process, listens(command, address, MANAGEMENT_PORT))
    server = Server(pair.old.home.home, str(pair.old.root), address=address)
    try:
        assert Management(address).status()["home_id"] == pair.old.home.home_id
    finally:
        server.stop()


@with_ss
def test_a_server_that_names_another_process_is_seen_by_the_command_to_be_none(pair: Pair) -> None:
    address = free_address()
    settings = Settings(authority="offline", service="none", listen=Listen(address, address))
    install(pair.old.home, Package(VERSION, build_package()), settings=settings)
    service = Process(pair.old.home, pair.old.home.config())
    says = json.dumps({"home_id": pair.old.home.home_id, "pid": os.getpid()})
    with stranger(PRETENDER, address, MANAGEMENT_PORT, says) as process:
        with pytest.raises(LicensingError) as refused:
            service.stop()
        (command,) = re.findall(r"Check which process listens there \((ss .*?)\)\.", str(refused.value))
        end(process, listens(command, address, MANAGEMENT_PORT))
    service.stop()


@needs_command("ip", "iproute2")
def test_an_address_of_another_host_is_exchanged_for_what_the_command_shows_or_for_none() -> None:
    (problem,) = address_problems("192.0.2.1")
    (command,) = re.findall(r"Use an address that '(ip \w+)' shows there, or leave it empty", problem.todo)
    addresses = re.findall(r"inet ([0-9.]+)/", shown(command))
    assert addresses and "192.0.2.1" not in addresses
    for address in [*addresses, ""]:
        assert address_problems(address) == []


def test_a_systemd_that_does_not_answer_is_mended_until_the_command_of_the_message_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(tmp_path / "machine")
    monkeypatch.setenv("PATH", f"{machine.root}/bin:{os.environ['PATH']}")
    command = machine.root / "bin/systemctl"
    whole = command.read_bytes()
    command.write_text("#!/bin/sh\necho Failed to connect to bus: Connection refused >&2\nexit 1\n", encoding="utf-8")
    unit = Unit("x.service", "", "x", root=machine.root)
    with pytest.raises(LicensingError) as refused:
        unit.drift()
    (ask,) = re.findall(r"Fix systemd first: '(systemctl .*?)' must answer\.", str(refused.value))
    assert "Failed to connect to bus" in shown(ask)
    command.write_bytes(whole)
    assert shown(ask).strip() == "inactive"
    assert len(unit.drift()) == 3


def test_a_service_that_does_not_start_is_started_once_what_its_journal_names_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(tmp_path / "machine")
    monkeypatch.setenv("PATH", f"{machine.root}/bin:{os.environ['PATH']}")
    missing = tmp_path / "fingerprint"
    unit = Unit("x.service", f"ExecStartPre=/bin/cat {missing}\nExecStart=/bin/sleep 60\n", "x", root=machine.root)
    unit.write()
    with pytest.raises(LicensingError) as refused:
        unit.start()
    (command,) = re.findall(r"then run this again\. The complete journal: (journalctl --unit \S+)$", str(refused.value))
    (cause,) = re.findall(r"cat: '?(\S+?)'?: No such file or directory", shown(command))
    Path(cause).write_text("{}", encoding="utf-8")
    unit.start()
    assert shown("systemctl is-active x.service").strip() == "active"
    unit.stop()


def test_a_license_that_is_live_elsewhere_is_seen_there_and_deactivated(pair: Pair) -> None:
    release(pair.lab.ledger, SERVER, "old is lost", pair.lab.clock())
    pair.lab.activate(pair.new, SERVER)
    with pytest.raises(LicensingError) as refused:
        pair.lab.deactivate(pair.old, SERVER)
    assert "Look with aims_license_info where it is live, and deactivate it there." in str(refused.value)
    live = [
        host
        for name, host in (("old", pair.old), ("new", pair.new))
        for license in pair.look(name, host)["overview"]["licenses"]
        if license["number"] == SERVER and license["status"] == "Active" and not license["fenced"]
    ]
    assert live == [pair.new]
    pair.lab.deactivate(live[0], SERVER)
    pair.lab.activate(pair.old, SERVER)
    pair.lab.deactivate(pair.old, SERVER)


@pytest.fixture
def service(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The license server of the source, which runs as a process."""
    monkeypatch.setenv("AIMS_LICSRV_STOP_AFTER", "120")
    made = Service(pair.old)
    put_commands(pair.lab, pair.old)
    monkeypatch.setenv("PATH", f"{pair.old.folder / 'Bin'}:{os.environ['PATH']}")
    yield made
    if made.host.overview["server"]["running"]:
        Process(pair.old.home, pair.old.home.config()).stop()


def test_a_profile_that_gives_no_seat_is_tried_by_hand_until_its_log_and_the_command_say_why(service: Service) -> None:
    manager = service.host.manager
    manager.set_maintenance(Maintenance(True))
    with pytest.raises(LicensingError) as refused:
        manager.verify(served=True)
    log, command = re.findall(
        r"Read (\S+) in the home; '(licman --seat-take PROFILE)' tries it by hand\.", str(refused.value)
    )[0]
    (profile,) = set(re.findall(r"Profile (PROServer) gives no seat", str(refused.value)))
    until(lambda: "maintenance mode is on" in service.host.read(log).decode(), "the line of the log")
    by_hand = command.replace("PROFILE", profile)
    assert "maintenance" in shown(by_hand)
    manager.set_maintenance(Maintenance(False))
    assert profile in shown(by_hand)
    assert {trial.outcome for trial in manager.verify(served=True)} <= {"granted", "in use"}


def test_who_keeps_a_host_from_its_end_is_shown_by_the_command(
    service: Service, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_drain.Display, "display", lambda self, text, **more: None)
    monkeypatch.setattr(_drain, "_LONGEST", -1.0)
    seat = service.take()

    def call(**options: Any) -> dict[str, Any]:
        again = {"again": "ticket"} if service.status["seats"] else {}
        drained = {"seconds": 0, "total": service.status["seats"]}
        return {"changed": not again, "drained": drained, "results": [], **again}

    with pytest.raises(LicensingError) as refused:
        in_steps(call, "old", 0)
    (command,) = re.findall(r"See what it does \((licman --\w+) there\), then run the same", str(refused.value))
    overview = shown(command)
    assert ANNA in overview and "PROSession" in overview
    pair.old.manager.deactivate(Deactivation([SERVER]), pair.lab.offline())
    assert re.search(rf"^{SERVER}  pending: deactivate, since \S+$", shown(command), re.MULTILINE)
    service.seats.release(seat)
    assert in_steps(call, "old", 0)["changed"]


def test_a_server_that_does_not_answer_has_written_why_into_the_log_of_the_message(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = service.status["pid"]
    systemctl = tmp_path / "bin/systemctl"
    systemctl.parent.mkdir()
    look = f"grep -qs '^State:.[^Z]' /proc/{number}/status && echo active || echo 'inactive (dead)'"
    systemctl.write_text(f"#!/bin/sh\n{look}\n", encoding="utf-8")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{systemctl.parent}:{os.environ['PATH']}")
    assert shown("systemctl status aims-license-server").strip() == "active"
    os.kill(number, signal.SIGTERM)
    until(lambda: "inactive" in shown("systemctl status aims-license-server"), "the end of the server")
    with pytest.raises(LicensingError) as refused:
        service.seats.take(service.seats.new_id(), "PROSession", ANNA, "workstation")
    command, log = re.findall(r"Check that it runs \((.*?)\), and read its (\S+)\.$", str(refused.value))[0]
    assert "inactive" in shown(command)
    assert "Stopped" in service.host.read(log).decode().splitlines()[-1]
    assert service.install().words[-1] == "start the license server"
    service.seats.release(service.take())


def requested(**options: object) -> dict[str, Any]:
    """What the action that answers request files returns."""
    name = "aims.licensing.aims_license_request"
    task = SimpleNamespace(args=options, action=name, check_mode=False, diff=False, async_val=0)
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/nowhere"))
    action = aims_license_request.ActionModule(task, connection, None, DataLoader(), None, None)
    return dict(action.run(task_vars={}))


def test_an_option_that_is_missing_is_described_by_the_command_of_the_message(pair: Pair, tmp_path: Path) -> None:
    realm = {**pair.lab.realm.as_dict(), "ca": new_ca(tmp_path)}
    options = {"portal": "https://localhost:8443", "realm": realm}
    refused = requested(**options)
    assert refused["failed"]
    (missing,) = re.findall(r"Option (\w+) is missing\.", refused["msg"])
    (command,) = re.findall(r"Set it; '(ansible-doc \S+)' describes the options\.", refused["msg"])
    described = re.sub(r"\x1b\[[0-9]*m", "", shown(f"{Path(sys.executable).parent}/{command}"))
    assert re.search(rf"^\W+{missing}\b", described, re.MULTILINE)
    assert not requested(**options, **{missing: str(tmp_path)}).get("failed")


def new_ca(folder: Path) -> str:
    """The certificate of an authority's service."""
    certificates = Certificates(str(folder / "served.db"))
    certificates.make("REHEARSAL test", ["localhost"], now_utc())
    return str(certificates.ca())


def played(monkeypatch: pytest.MonkeyPatch, *options: str) -> dict[str, Any]:
    """What a run of the playbook tells of its tags, which Ansible reads and applies to its first tasks."""
    parser = argparse.ArgumentParser()
    add_subset_options(parser)
    chosen = parser.parse_args(options)
    only, skipped = ([tag for text in texts for tag in text.split(",")] for texts in (chosen.tags, chosen.skip_tags))
    plays = yaml.safe_load((CHECKOUT / "playbooks/migrate.yml").read_text(encoding="utf-8"))
    (checking,) = [task for task in plays[0]["tasks"] if "register" in task]
    task = Task()
    task.tags = checking.get("tags", [])
    is_checked = task.evaluate_tags(only or ["all"], skipped, {})
    monkeypatch.setattr(context, "CLIARGS", {"args": ("aims.licensing.migrate",)})
    tags = {"ansible_run_tags": only or ["all"], "ansible_skip_tags": skipped}
    return dict(_left_out(is_checked, tags))


@pytest.mark.parametrize(
    "options",
    [("--tags", "prepared"), ("--skip-tags", "untagged"), ("--tags", "prepared,migrate", "--skip-tags", "prepare")],
)
def test_a_run_whose_tags_leave_out_everything_is_made_without_those_of_the_message(
    options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LicensingError) as refused:
        played(monkeypatch, *options)
    (tags,) = re.findall(r"The tags of this run \((.*?)\) skip .* Run it without these tags\.", str(refused.value))
    names = re.findall(r"--[a-z-]+", tags)
    assert set(options[::2]) <= set(names)
    left = [word for name, value in zip(options[::2], options[1::2]) if name not in names for word in (name, value)]
    assert played(monkeypatch, *left) == {}
