# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An authority is installed, repaired and moved, for real but for systemd, in whose place a script runs the unit."""

from __future__ import annotations

import contextlib
import functools
import getpass
import http.client
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.http import guard
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import Home
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting import authority
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.authority import (
    UNIT,
    Served,
    Serving,
    install_authority,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.changes import ChangeKind, HostChange
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.install import Package
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.systemd import Unit
from ansible_collections.aims.licensing.plugins.plugin_utils._package import build_package
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import HOME, all_files
from support.licsrv import free_address

PACKAGE = Package(VERSION, build_package())
REWRITE = HostChange(ChangeKind.WRITE_UNIT, UNIT)

# Runs the commands of a unit as systemctl does, as far as the installer asks for it.
SYSTEMCTL = """\
import os, shlex, signal, subprocess, sys, time
from pathlib import Path

root, verb, unit = Path(__file__).parents[1], sys.argv[1], sys.argv[-1]
process, enabled = root / "run" / f"{unit}.pid", root / "run" / f"{unit}.enabled"

def pid():
    found = int(process.read_text()) if process.exists() else 0
    stat = Path(f"/proc/{found}/stat")
    return found if found and stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z" else 0

def stop():
    if pid():
        os.kill(pid(), signal.SIGKILL)
    while pid():
        time.sleep(0.01)

if verb == "is-enabled":
    print("enabled" if enabled.exists() else "disabled")
elif verb == "is-active":
    print("active" if pid() else "inactive")
elif verb == "show":
    print(pid())
elif verb == "enable":
    enabled.touch()
elif verb == "stop":
    stop()
elif verb == "restart":
    stop()
    lines = (root / "etc/systemd/system" / unit).read_text().splitlines()
    before, start = ([shlex.split(line.partition("=")[2].replace("$$", "$").replace("%%", "%")) for line in lines
        if line.startswith(kind)] for kind in ("ExecStartPre=", "ExecStart="))
    with (root / "run/journal").open("ab") as journal:
        for command in before:
            subprocess.run(command, check=True, stderr=journal)
        quiet = {"stdin": subprocess.DEVNULL, "stdout": journal, "stderr": journal}
        process.write_text(str(subprocess.Popen(start[0], start_new_session=True, **quiet).pid))
"""


class Machine:
    """A host that is to serve an authority."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("bin", "run/systemd/system", "var/lib"):
            (root / folder).mkdir(parents=True)
        self.home = Home(HOME, str(root))
        self.address, self.port = free_address(), 8443
        (root / "bin/systemctl.py").write_text(SYSTEMCTL, encoding="utf-8")
        journal = f'[ "$1" = --sync ] || tail -n 15 {root}/run/journal'
        self._command("systemctl", f'exec {sys.executable} {root}/bin/systemctl.py "$@"')
        self._command("journalctl", journal)
        self._command("systemd-sysusers", "exit 0")

    def _command(self, name: str, line: str) -> None:
        place = self.root / "bin" / name
        place.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        place.chmod(0o755)

    def serving(self, **options: Any) -> Serving:
        ledger = str(self.root / "var/lib/authority/authority.db")
        given = {"ledger": ledger, "hosts": ["localhost"], "listen": self.address, "port": self.port}
        return Serving.from_dict({**given, **options})

    def install(self, dry: bool = False, **options: Any) -> Served:
        return install_authority(self.home, PACKAGE, self.serving(**options), dry)

    @property
    def pid(self) -> int:
        return int(subprocess.check_output([self.root / "bin/systemctl", "show", UNIT], text=True))

    def files(self) -> dict[str, tuple[int, str]]:
        return {name: held for name, held in all_files(self.root).items() if not name.startswith("run/")}

    def call(self, method: str, path: str, body: bytes | None = None, source: str = "127.0.0.1") -> int:
        ca = (self.root / "var/lib/authority/authority.db.tls/ca.pem").read_text(encoding="ascii")
        trust = ssl.create_default_context(cadata=ca)
        trust.check_hostname = False
        connection = http.client.HTTPSConnection(
            self.address, self.port, timeout=10, context=trust, source_address=(source, 0)
        )
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def close(self) -> None:
        subprocess.run([self.root / "bin/systemctl", "stop", UNIT], check=True)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    made = Machine(tmp_path / "machine")
    monkeypatch.setenv("PATH", f"{made.root}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("AIMS_AUTHORITY_STOP_AFTER", "180")
    monkeypatch.setattr(authority, "Unit", functools.partial(Unit, root=made.root))
    monkeypatch.setattr(authority, "USER", getpass.getuser())
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    yield made
    made.close()


def test_a_second_run_changes_nothing_and_tells_the_realm_again(machine: Machine) -> None:
    first = machine.install()
    assert first.words == (f"install {VERSION}", f"write the unit {UNIT}", f"enable {UNIT}", f"start {UNIT}")
    assert first.realm is not None and first.realm["name"] == "REHEARSAL authority"
    before = machine.pid, machine.files()
    assert machine.install() == Served((), first.realm)
    assert machine.install(dry=True) == Served((), first.realm)
    assert (machine.pid, machine.files()) == before


def test_an_authority_that_runs_and_answers_nobody_is_restarted(machine: Machine) -> None:
    realm = machine.install().realm
    hung = machine.pid
    os.kill(hung, signal.SIGSTOP)
    word = "restart the authority, which does not answer"
    dry = machine.install(dry=True)
    assert (dry.words, dry.realm) == ((word,), None)
    assert machine.pid == hung
    done = machine.install()
    assert (done.words, done.realm) == ((word,), realm)
    assert machine.pid not in (0, hung) and machine.call("GET", "/v1/status") == 200


def test_an_authority_that_turns_this_host_away_is_told_and_left_alone(machine: Machine) -> None:
    machine.install()
    before = machine.pid
    for _at in range(guard.FAILURES):
        assert machine.call("POST", "/v1/requests", b"garbage") == 400
    with pytest.raises(LicensingError, match=r"rejects this host.*Wait [0-9]+ seconds") as told:
        machine.install()
    assert told.value.problems[0].where == UNIT
    assert machine.pid == before and machine.call("GET", "/v1/status", source="127.0.0.7") == 200


def test_where_another_process_holds_the_new_port_the_old_service_goes_on(machine: Machine) -> None:
    realm = machine.install().realm
    before = machine.pid, machine.files()
    with socket.create_server((machine.address, 8444)):
        for dry in (True, False):
            with pytest.raises(LicensingError, match=rf"Port 8444.*in use by .*process {os.getpid()}"):
                machine.install(dry, port=8444)
    assert (machine.pid, machine.files()) == before
    assert machine.install() == Served((), realm)
    # the holder has gone
    assert machine.install(port=8444) == Served((REWRITE,), realm)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_an_address_that_is_none_of_this_hosts_is_told_before_anything_is_touched(
    machine: Machine, address: str
) -> None:
    machine.install()
    before = machine.pid, machine.files()
    for dry in (True, False):
        with pytest.raises(LicensingError, match=f"^{address} is not an address of this host.*ip address[^\n]*$"):
            machine.install(dry, listen=address)
    # A name may be of many addresses, or of none when the machine starts.
    with pytest.raises(LicensingError, match="'localhost' is not an IP address"):
        machine.install(listen="localhost")
    assert (machine.pid, machine.files()) == before


def _free_everywhere() -> int:
    """Return a port that is free on all addresses and not one of those that the kernel gives to connections."""
    for port in random.sample(range(20000, 32000), 50):
        with contextlib.suppress(OSError), socket.create_server(("0.0.0.0", port)):
            return port
    raise AssertionError("none of 50 ports is free")


def test_what_the_service_itself_holds_is_free_for_it(machine: Machine) -> None:
    machine.port = _free_everywhere()
    realm = machine.install().realm
    assert machine.install(listen="0.0.0.0") == Served((REWRITE,), realm)
    assert machine.install(listen=machine.address) == Served((REWRITE,), realm)
