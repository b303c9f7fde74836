# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which seats a running license server grants, keeps and takes back, asked over the wire."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import resource
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import CLIENTS_PORT
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import (
    Activation,
    Deactivation,
    Maintenance,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    GRANTS,
    SERVER,
    SESSION,
    CoreLab,
    declared,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.server.site import (
    CLIENT_NAME,
    USER,
    Site,
    body,
    take,
    wait_until,
    why,
)
from support.licsrv import PATIENCE

SEATS = GRANTS[SESSION][1]


def test_a_seat_is_taken_kept_and_released(site: Site) -> None:
    server = site.serve()
    seat = server.seats.new_id()
    got = take(server, seat)
    since = datetime.strptime(got.pop("since"), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    assert abs((datetime.now(timezone.utc) - since).total_seconds()) < 60
    assert got == {"seat": seat, "profile": "PROSession", "license": SESSION, "lease_seconds": 60}
    assert site.recorded() == {seat: ("PROSession", USER)}
    assert server.seats.heartbeat(seat) == {"seat": seat, "lease_seconds": 60, "maintenance": False}
    assert server.seats.release(seat) == {"seat": seat, "released": True}
    assert site.recorded() == {}
    assert server.seats.release(seat) == {"seat": seat, "released": False}
    assert why(server.seats.heartbeat, seat) == "gone"
    assert why(take, server, seat) == "gone"


def test_taking_again_after_a_lost_reply_returns_the_same_seat(site: Site) -> None:
    server = site.serve()
    seat = server.seats.new_id()
    first = take(server, seat)
    assert [take(server, seat) for _again in range(3)] == [first] * 3
    assert server.status()["seats"] == 1
    assert why(take, server, seat, "Client") == "conflict"
    assert why(take, server, seat, None) == "conflict"
    assert why(take, server, seat, user="AIMS\\bert") == "conflict"


def test_the_same_take_sent_many_times_at_once_is_one_seat(site: Site) -> None:
    server = site.serve()
    seat = server.seats.new_id()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _at: take(server, seat), range(64)))
    assert len({str(answer) for answer in answers}) == 1
    assert len(site.recorded()) == 1


def test_no_more_seats_than_the_license_grants_over_all_its_profiles(site: Site) -> None:
    site.profiles(("PROSession", SESSION, False), ("Night", SESSION, False), ("Client", CLIENT, False))
    server = site.serve()
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda at: why(take, server, None, ("PROSession", "Night")[at % 2]), range(80)))
    assert sorted(results) == ["granted"] * SEATS + ["no_seat"] * (80 - SEATS)
    assert len(site.recorded()) == SEATS
    assert why(take, server, None, "Client") == "granted"
    released = next(seat for seat, (profile, _user) in site.recorded().items() if profile == "Night")
    server.seats.release(released)
    assert [why(take, server), why(take, server)] == ["granted", "no_seat"]


def test_no_more_seats_than_granted_while_clients_come_and_go(site: Site) -> None:
    server = site.serve()

    def work(_worker: int) -> list[tuple[str, bool]]:
        seen = []
        for _turn in range(25):
            seat = server.seats.new_id()
            result = why(take, server, seat)
            seen.append((result, len(site.recorded()) <= SEATS))
            if result == "granted":
                server.seats.release(seat)
        return seen

    with ThreadPoolExecutor(12) as pool:
        results = [one for seen in pool.map(work, range(12)) for one in seen]
    assert {result for result, _within in results} == {"granted", "no_seat"}
    assert all(within for _result, within in results)
    assert (site.recorded(), server.status()["seats"]) == ({}, 0)


def test_without_a_profile_the_first_valid_default_with_a_free_seat_is_taken(site: Site) -> None:
    site.profiles(("PROServer", SERVER, False), ("PROSession", SESSION, True), ("Client", CLIENT, True))
    server = site.serve()
    users = [f"AIMS\\user{number}" for number in range(SEATS + GRANTS[CLIENT][1])]
    got = [take(server, profile=None, user=user)["profile"] for user in users]
    assert got == ["PROSession"] * SEATS + ["Client"] * GRANTS[CLIENT][1]
    assert why(take, server, None, None) == "no_seat"
    site.fence(SESSION)
    server.seats.release(next(seat for seat, held in site.recorded().items() if held[0] == "Client"))
    assert take(server, profile=None)["profile"] == "Client"
    assert why(take, server, None, "PROServer") == "granted"
    site.profiles(("PROServer", SERVER, False))
    assert why(take, server, None, None) == "not_served"


def test_only_registered_users_get_seats_where_there_are_any(site: Site) -> None:
    server = site.serve()
    assert why(take, server, user="AIMS\\bert") == "granted"
    site.host.manager.activate(Activation(declared(), users=["AIMS\\Anna"]), site.lab.channel())
    assert why(take, server, user="AIMS\\bert") == "not_registered"
    assert [why(take, server, user=user) for user in ("AIMS\\anna", "aims\\ANNA")] == ["granted"] * 2


def test_maintenance_mode_grants_nothing_and_keeps_what_is_held(site: Site) -> None:
    server = site.serve()
    held = take(server)
    site.host.manager.set_maintenance(Maintenance(True))
    assert why(take, server) == "maintenance"
    assert take(server, held["seat"]) == held
    assert server.seats.heartbeat(held["seat"])["maintenance"] is True
    assert server.status()["maintenance"] is True
    assert server.management.overview()["clients_total"] == 1
    assert server.seats.release(held["seat"])["released"] is True
    site.host.manager.set_maintenance(Maintenance(False))
    assert why(take, server) == "granted"


def test_a_fenced_license_ends_its_seats_and_grants_none(site: Site) -> None:
    server = site.serve()
    session, client = take(server)["seat"], take(server, profile="Client")["seat"]
    site.fence(SESSION)
    assert why(take, server) == "not_served"
    assert why(server.seats.heartbeat, session) == "gone"
    wait_until(lambda: set(site.recorded()) == {client})
    assert why(server.seats.heartbeat, client) == "granted"


def test_the_seats_of_a_fenced_license_end_although_nobody_asks_for_them(site: Site) -> None:
    server = site.serve()
    take(server)
    take(server, profile="PROServer")
    client = take(server, profile="Client")["seat"]
    site.fence(SESSION)
    wait_until(lambda: len(site.recorded()) == 2)
    site.host.manager.deactivate(Deactivation([SERVER]), site.lab.channel())
    wait_until(lambda: set(site.recorded()) == {client})
    assert server.status()["seats"] == 1


def test_a_deactivated_license_grants_nothing_until_it_is_activated_again(site: Site) -> None:
    server = site.serve()
    seat = take(server)["seat"]
    site.lab.deactivate(site.host, SESSION)
    assert [why(take, server), why(server.seats.heartbeat, seat)] == ["not_served", "gone"]
    site.lab.activate(site.host)
    assert [why(take, server), why(server.seats.heartbeat, seat)] == ["granted", "gone"]


@pytest.mark.parametrize(
    ("start", "expiry", "when"),
    [
        ("2019-01-01", "2020-02-01", datetime(2020, 1, 1, tzinfo=timezone.utc)),
        ("2199-01-01", "2199-12-31", datetime(2199, 2, 1, tzinfo=timezone.utc)),
    ],
)
def test_a_license_grants_nothing_outside_its_dates(
    lab: CoreLab, site: Site, start: str, expiry: str, when: datetime
) -> None:
    other = lab.host("other", "3" * 31 + "c")
    lab.deactivate(site.host, SESSION)
    lab.clock.now = when
    with lab.ledger.change():
        lab.ledger.put_license(lab.license(SESSION, start, expiry), when)
    lab.activate(other, SESSION)
    site.host = other
    server = site.serve()
    status, answer = server.ask("PUT", f"/v1/seats/{'0' * 32}", body())
    assert (status, answer["code"]) == (423, "not_served")
    assert (expiry if start < "2100" else start) in answer["problem"]["what"]


@pytest.mark.parametrize("folder", ["Licenses", "Nodelocks"])
def test_what_another_authority_signed_grants_nothing(site: Site, folder: str) -> None:
    server = site.serve()
    held = take(server)["seat"]
    suffix = {"Licenses": "lic", "Nodelocks": "lock"}[folder]
    name = f"{folder}/{SESSION.replace('.', '')}.{suffix}"
    document: dict[str, Any] = json.loads(site.host.read(name))
    document["signatures"]["realm"] = "A" * 86 + "=="
    site.replace(name, document)
    assert why(take, server) == "not_served"
    assert why(server.seats.heartbeat, held) == "gone"


def test_a_home_that_cannot_be_read_grants_nothing_and_ends_nothing(site: Site) -> None:
    server = site.serve()
    held = take(server)
    config = site.host.read("Config/server.json")
    site.put("Config/server.json", b"{")
    status, answer = server.ask("PUT", f"/v1/seats/{server.seats.new_id()}", body())
    assert (status, answer["code"], "damaged" in answer["problem"]["what"]) == (423, "not_served", True)
    assert why(server.seats.heartbeat, held["seat"]) == "not_served"
    assert server.status()["ready"] is False
    assert server.ask("GET", "/v1/overview", port=3401)[0] == 503
    site.put("Config/server.json", config)
    assert why(server.seats.heartbeat, held["seat"]) == "granted"
    assert take(server, held["seat"]) == held
    assert server.status()["ready"] is True


def test_a_home_that_could_not_be_read_for_a_moment_is_served_again_though_nothing_in_it_changed(site: Site) -> None:
    for folder in ("Config/server.json", "Licenses", "Nodelocks", "Journal"):
        os.utime(site.host.folder / folder, (1_000_000_000, 1_000_000_000))
    server = site.serve()
    seat, pid = take(server)["seat"], server.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    # No further file can be opened, and no further connection taken.
    with contextlib.closing(http.client.HTTPConnection(server.address, CLIENTS_PORT, timeout=PATIENCE)) as connection:

        def heartbeat() -> int:
            connection.request("POST", f"/v1/seats/{seat}/heartbeat")
            with connection.getresponse() as answer:
                answer.read()
            return answer.status

        assert heartbeat() == 200
        opened = {int(one.name) for one in Path(f"/proc/{pid}/fd").iterdir()}
        free = next(number for number in range(len(opened) + 1) if number not in opened)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, before[1]))
        os.utime(site.host.folder / "Licenses", (1_100_000_000, 1_100_000_000))
        assert heartbeat() == 423
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        wait_until(lambda: heartbeat() == 200)
    assert why(take, server) == "granted"
    assert seat in site.recorded()


def test_a_lost_client_loses_its_seat_and_a_living_one_does_not(site: Site) -> None:
    server = site.serve("--lease", "1.5")
    living, lost = take(server)["seat"], take(server)["seat"]
    assert server.seats.heartbeat(living)["lease_seconds"] == 1.5

    def only_living() -> bool:
        assert why(server.seats.heartbeat, living) == "granted"
        return set(site.recorded()) == {living}

    wait_until(only_living)
    assert why(server.seats.heartbeat, lost) == "gone"
    assert why(take, server, lost) == "gone"
    assert "licsrv_expired_total 1" in server.ask("GET", "/metrics", port=3401)[1].splitlines()


def test_user_client_and_address_are_recorded(site: Site) -> None:
    server = site.serve()
    take(server, user="AIMS\\jürgen")
    (client,) = server.management.clients()["clients"]
    client.pop("since")
    assert client == {
        "client": CLIENT_NAME,
        "address": "127.0.0.1",
        "user": "AIMS\\jürgen",
        "profile": "PROSession",
        "license": SESSION,
    }


def test_unknown_profiles_paths_and_methods_are_told(site: Site) -> None:
    server = site.serve()
    seat = f"/v1/seats/{server.seats.new_id()}"
    assert why(take, server, None, "Nobody") == "unknown_profile"
    for path in (
        "/",
        "/v1/seats",
        "/v1/seats/1",
        f"{seat.upper()}",
        f"{seat}/",
        f"{seat}0",
        f"{seat}/heartbeat/x",
        "//",
    ):
        status, answer = server.ask("PUT", path, body())
        assert (status, answer["code"]) == (404, "not_found"), path
    for method, path in (
        ("GET", seat),
        ("POST", seat),
        ("PUT", f"{seat}/heartbeat"),
        ("PATCH", seat),
        ("OPTIONS", seat),
    ):
        status, answer = server.ask(method, path)
        assert (status, answer["code"]) == (405, "method_not_allowed"), method
    assert server.ask("HEAD", seat) == (405, "")
    assert server.ask("PUT", seat, body() + b" " * 5000)[0] == 413
    assert server.ask("PUT", seat, body() + b" " * 900_000)[0] == 413
    assert server.status()["seats"] == 0


def test_the_service_needs_no_private_key(site: Site) -> None:
    for name in ("Config/host.key", "ApplicationKeys"):
        (site.host.folder / name).chmod(0)
    (site.host.folder / "Config" / "host.key").unlink()
    server = site.serve()
    assert why(take, server) == "granted"
    assert (site.host.folder / "Seats" / "seats.db").stat().st_mode & 0o777 == 0o600
    assert server.management.overview()["profiles"][1]["in_use"] == 1
