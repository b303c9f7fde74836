# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations of license servers that run, with clients at work."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client import Refused, SeatClient
from support.clients import Client, wait_for
from support.events import Events
from support.lab import NUMBERS, Lab
from support.licsrv import free_address
from support.runs import Started, must

LIFETIME = 300


class Served:
    """A laboratory whose hosts run the real license server, and the addresses of the two."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.old, self.new = free_address(), free_address()
        self.clients: list[Client] = []
        lab.serve(LIFETIME, old=self.old, new=self.new)

    def client(self, user: str = "AIMS\\anna", profile: str = "PROSession", finishing: float = 0.0) -> Client:
        """Put a client to work, and wait until it has a seat on the source."""
        made = Client(user, profile, [self.old, self.new], finishing)
        self.clients.append(made)
        made.start()
        wait_for([made], self.old)
        return made

    def refusal(self, address: str, profile: str = "PROSession") -> str:
        """Return the code with which a server refuses a seat."""
        server = SeatClient(address)
        with pytest.raises(Refused) as refused:
            server.take(server.new_id(), profile, "AIMS\\anna", "workstation")
        return refused.value.code

    def in_use(self, host: str) -> dict[str, Any]:
        return {one["number"]: one["in_use"] for one in self.lab.overview(host)["licenses"]}

    def end(self) -> None:
        for client in self.clients:
            client.stop()
        self.lab.stop_services()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(Lab(tmp_path / "lab"))
    try:
        must(made.lab.play("rehearse", "--tags", "prepare"))
        yield made
    finally:
        made.end()


def test_clients_make_room_and_go_on_at_the_target(served: Served) -> None:
    clients = [served.client("AIMS\\anna"), served.client("AIMS\\bert", "Client", finishing=1.0)]
    assert served.in_use("old") == dict(zip(NUMBERS, (0, 1, 1)))

    before = served.lab.tree(served.lab.folder / "hosts", times=False)
    must(served.lab.play("migrate", "--check"))
    after = served.lab.tree(served.lab.folder / "hosts", times=False)
    # The running server records its clients; nothing else may have changed.
    assert {name: after.get(name) for name in before if "/Seats/" not in name and "/Logging/" not in name} == {
        name: found for name, found in before.items() if "/Seats/" not in name and "/Logging/" not in name
    }

    must(served.lab.play("migrate"))
    wait_for(clients, served.new)
    assert served.in_use("new") == dict(zip(NUMBERS, (0, 1, 1)))
    assert served.in_use("old") == dict.fromkeys(NUMBERS, 0)
    assert served.refusal(served.old) == "maintenance"
    assert served.lab.transfers() == dict.fromkeys(NUMBERS, 1)
    report = json.loads(next((served.lab.work / "reports").glob("*.json")).read_text(encoding="utf-8"))
    assert [(row["profile"], row["outcome"]) for row in report["seats"]] == [
        ("PROServer", "granted"),
        ("PROSession", "granted"),
        ("Client", "granted"),
    ]
    assert report["drained"]["total"] == 0
    page = next((served.lab.work / "reports").glob("*.html")).read_text(encoding="utf-8")
    assert "3 of 3" in page
    assert "The clients on old gave their seats back within" in page
    # Each gave its seat back by itself before it was taken from it, and had but one at any time.
    for client in clients:
        (first, _since, until), (second, since, _open) = client.held
        assert (first, second) == (served.old, served.new)
        assert until is not None and until <= since

    assert must(served.lab.play("migrate")).changed == 0
    assert served.in_use("new") == dict(zip(NUMBERS, (0, 1, 1)))


def test_who_does_not_make_room_stops_the_migration_before_anything_is_given_up(served: Served) -> None:
    client = served.client("AIMS\\anna", finishing=600)
    served.lab.target_vars["aims_license_migrate_drain_seconds"] = 1
    served.lab.write_inventory()
    run = served.lab.play("migrate")
    assert run.code != 0
    assert "Traceback" not in run.output
    assert "1 seats are still in use after 1" in run.output
    assert "PROSession by AIMS\\\\anna on anna since" in run.output
    assert "The server is back in service, and nothing was given up." in run.output
    assert "Stopped at: Drain the source and deactivate its licenses" in run.output
    assert served.lab.held("old") == set(NUMBERS)
    assert not served.lab.overview("old")["server"]["maintenance"]
    assert served.lab.transfers() == dict.fromkeys(NUMBERS, 0)
    # It serves on, also to others.
    server = SeatClient(served.old)
    seat = server.new_id()
    server.take(seat, "Client", "AIMS\\bert", "workstation")
    server.release(seat)

    served.lab.target_vars["aims_license_migrate_drain_force"] = True
    served.lab.write_inventory()
    must(served.lab.play("migrate"))
    assert served.lab.held("new") == set(NUMBERS)
    assert served.refusal(served.old) == "maintenance"
    assert client.held[0][0] == served.old


def test_a_source_that_keeps_a_license_goes_on_serving_it(served: Served) -> None:
    """Who works with it neither holds the migration up nor keeps it from its end."""
    client = served.client("AIMS\\bert", "Client", finishing=600)
    served.client("AIMS\\anna", finishing=600)
    kept = NUMBERS[2]
    declared = served.lab.target_vars["aims_license_server_licenses"]
    served.lab.target_vars["aims_license_server_licenses"] = [one for one in declared if one["number"] != kept]
    served.lab.target_vars["aims_license_migrate_drain_seconds"] = 1
    served.lab.write_inventory()
    run = served.lab.play("migrate")
    assert run.code != 0 and "1 seats are still in use after 1" in run.output, run.output
    assert served.lab.held("old") == set(NUMBERS)

    served.lab.target_vars["aims_license_migrate_drain_force"] = True
    served.lab.write_inventory()
    must(served.lab.play("migrate"))
    assert served.lab.held("new") == set(NUMBERS) - {kept}
    assert served.lab.held("old") == {kept}
    assert not served.lab.overview("old")["server"]["maintenance"]
    assert served.in_use("old") == {**dict.fromkeys(NUMBERS, 0), kept: 1}
    server = SeatClient(served.old)
    seat = server.new_id()
    server.take(seat, "Client", "AIMS\\carl", "workstation")
    server.release(seat)
    assert served.refusal(served.old) != "maintenance"
    assert [held[0] for held in client.held] == [served.old]
    assert must(served.lab.play("migrate")).changed == 0
    assert served.in_use("old")[kept] == 1


def test_a_pair_that_was_not_found_to_serve_is_tried_again_although_nothing_is_left_to_do(served: Served) -> None:
    for step in (
        "Verify that the target grants a seat on every profile",
        "Verify that the source grants no seats",
    ):
        run = Events(served.lab).play("migrate", AIMS_EVENTS_SPOIL=f"start|{step}|1")
        assert run.code != 0 and "spoiled" in run.output, run.output
        assert served.lab.held("new") == set(NUMBERS)
        assert not list((served.lab.work / "reports").glob("*"))
    run = must(served.lab.play("migrate"))
    assert "Nothing is left to do." in run.output
    skipped = run.recap()["new"]["skipped"]
    report = json.loads(next((served.lab.work / "reports").glob("*.json")).read_text(encoding="utf-8"))
    assert [row["outcome"] for row in report["seats"]] == ["granted"] * 3
    # once it is told, no host is asked again
    run = must(served.lab.play("migrate"))
    assert run.changed == 0 and run.recap()["new"]["skipped"] > skipped


def test_a_run_that_is_killed_while_it_waits_for_clients_is_taken_up(served: Served) -> None:
    client = served.client("AIMS\\anna", finishing=3.0)
    run = served.lab.start("migrate")
    assert run.until(lambda: b'"maintenance": true' in (served.lab.home("old") / "Config/server.json").read_bytes())
    run.kill()
    run.wait()
    assert served.lab.held("old") == set(NUMBERS)
    must(served.lab.play("migrate"))
    wait_for([client], served.new)
    assert served.lab.transfers() == dict.fromkeys(NUMBERS, 1)


def _is_closed(served: Served) -> bool:
    return b'"maintenance": true' in (served.lab.home("old") / "Config/server.json").read_bytes()


def _go_away(run: Started, how: str) -> None:
    """End a run as Ctrl-C does; or its command alone; or all of it but what it has begun on the hosts."""
    if how == "interrupted":
        run.interrupt()
        return
    processes = [run.process.pid] if how == "killed" else run.processes()
    for process in processes:
        with contextlib.suppress(OSError):
            if b"ansible-playbook" in Path(f"/proc/{process}/cmdline").read_bytes():
                os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize("how", ["interrupted", "killed", "cut off"])
def test_nothing_is_given_up_once_the_controller_has_gone_away_during_the_drain(served: Served, how: str) -> None:
    """The seat comes back when nobody is there: the source keeps its licenses, and serves again by itself."""
    client = served.client("AIMS\\anna", finishing=600)
    run = served.lab.start("migrate")
    assert run.until(lambda: _is_closed(served))
    # Not in the middle of its first call, but of any other.
    time.sleep(5.0)
    gone = time.monotonic()
    _go_away(run, how)
    while run.processes():
        assert time.monotonic() < gone + 30
        run.process.poll()
        time.sleep(0.1)
    run.wait()
    client.stop()
    server = SeatClient(served.old)
    while True:
        seat = server.new_id()
        try:
            server.take(seat, "PROSession", "AIMS\\bert", "workstation")
            break
        except Refused as refused:
            assert refused.code == "maintenance"
        # Where it could still say that it goes away, at once; and within a minute in any case.
        assert time.monotonic() < gone + (75 if how == "cut off" else 30)
        time.sleep(0.2)
    server.release(seat)
    assert not served.lab.overview("old")["server"]["maintenance"]
    assert served.lab.held("old") == set(NUMBERS)
    assert served.lab.transfers() == dict.fromkeys(NUMBERS, 0)
    assert not list(served.lab.home("old").glob("Journal/*.request"))

    must(served.lab.play("migrate"))
    assert served.lab.held("new") == set(NUMBERS)
    assert served.refusal(served.old) == "maintenance"
    assert served.lab.transfers() == dict.fromkeys(NUMBERS, 1)


def test_nothing_is_given_up_for_a_bundle_that_was_lost_during_the_drain(served: Served) -> None:
    client = served.client("AIMS\\anna", finishing=600)
    run = served.lab.start("migrate")
    assert run.until(lambda: _is_closed(served))
    shutil.rmtree(served.lab.work / "bundles")
    stopped = run.wait()
    assert stopped.code != 0 and "There is no bundle here." in stopped.output, stopped.output
    assert served.lab.held("old") == set(NUMBERS)
    assert not served.lab.overview("old")["server"]["maintenance"]
    assert [held[0] for held in client.held] == [served.old]
    client.stop()
    must(served.lab.play("migrate"))
    assert served.lab.held("new") == set(NUMBERS)


def test_a_rollback_serves_again_where_it_was(served: Served) -> None:
    must(served.lab.play("migrate"))
    must(served.lab.play("rollback"))
    client = served.client()
    assert served.refusal(served.new) == "maintenance"
    assert served.lab.held("old") == set(NUMBERS)
    assert client.held[-1][0] == served.old


def test_a_server_that_has_ended_is_started_by_the_next_reconciliation(served: Served) -> None:
    must(served.lab.play("migrate"))
    server = SeatClient(served.new)
    seat = server.new_id()
    server.take(seat, "PROSession", "AIMS\\anna", "workstation")
    process = served.lab.service_of("new")
    assert process is not None
    os.kill(process, signal.SIGKILL)
    while served.lab.service_of("new") is not None:
        pass
    assert must(served.lab.play("reconcile", "--check")).changed == 1
    assert served.lab.service_of("new") is None
    assert must(served.lab.play("reconcile")).changed == 1
    assert server.heartbeat(seat)["seat"] == seat
    assert must(served.lab.play("reconcile")).changed == 0


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("aims_license_server_service", "systemdd", "Unsupported service manager 'systemdd'."),
        ("aims_license_server_listen", {"client": "127.0.0.1"}, "'client: ...' is not an IP address."),
        ("aims_license_server_listen", {"clients": "lic.example.com"}, "'lic.example.com' is not an IP address."),
        ("aims_license_server_listen", {"management": ""}, "'' is not an IP address."),
        ("aims_license_server_listen", "127.0.0.1", None),
        ("aims_license_migrate_drain_secconds", 5, "Did you mean aims_license_migrate_drain_seconds?"),
    ],
)
def test_mistakes_are_told_before_any_host_is_touched(lab: Lab, variable: str, value: Any, said: str | None) -> None:
    lab.target_vars[variable] = value
    lab.write_inventory()
    before = lab.everything()
    run = lab.play("migrate")
    assert run.code != 0
    assert "Traceback" not in run.output
    if said is not None:
        assert said in run.output
    assert variable in run.output
    assert lab.everything() == before
