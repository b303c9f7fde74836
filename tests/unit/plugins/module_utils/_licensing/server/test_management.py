# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the management port tells, and to whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    HOME,
    SERVER,
    SESSION,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.server.site import (
    USER,
    Site,
    take,
)


def test_the_status(site: Site) -> None:
    server = site.serve()
    take(server)
    status = server.status()
    assert datetime.strptime(status.pop("started"), "%Y-%m-%dT%H:%M:%SZ")
    assert len(status.pop("instance")) == 16
    assert status == {
        "product": "aims.licensing",
        "version": VERSION,
        "digest": None,
        "home": HOME,
        "home_id": site.host.home.home_id,
        "pid": server.process.pid,
        "maintenance": False,
        "seats": 1,
        "listen": {"clients": server.address, "management": server.address},
        "ready": True,
    }


def test_the_overview_is_the_managers_with_the_seats_in_use(site: Site) -> None:
    server = site.serve()
    for profile in ("PROSession", "PROSession", "Client"):
        take(server, profile=profile)
    found, managers = server.management.overview(), site.host.overview
    assert {license["number"]: license["in_use"] for license in found["licenses"]} == {SERVER: 0, SESSION: 2, CLIENT: 1}
    assert {p["name"]: p["in_use"] for p in found["profiles"]} == {"PROServer": 0, "PROSession": 2, "Client": 1}
    assert found["clients_total"] == 3
    for name, value in managers.items():
        if name not in ("licenses", "profiles", "clients", "clients_total", "files", "server"):
            assert found[name] == value, name
    assert found["server"]["home_id"] == site.host.home.home_id


def test_no_answer_holds_the_id_of_a_seat(site: Site) -> None:
    server = site.serve()
    seat = take(server)["seat"]
    for path in ("/v1/status", "/v1/overview", "/v1/clients", "/metrics", "/"):
        assert seat not in str(server.ask("GET", path, port=3401)[1])
    assert seat not in server.log.read_text(encoding="utf-8")


def test_clients_come_in_pages_the_newest_first(site: Site) -> None:
    server = site.serve()
    seats = [server.seats.new_id() for _seat in range(7)]
    for at, seat in enumerate(seats):
        server.seats.take(seat, "PROServer", USER, f"host-{at}")
    first = server.management.clients(limit=3)
    # Those who come and go meanwhile make no page repeat or leave out another client.
    server.seats.release(seats[4])
    take(server, profile="PROServer")
    second = server.management.clients(first["next"], 3)
    third = server.management.clients(second["next"], 3)
    assert [[client["client"] for client in page["clients"]] for page in (first, second, third)] == [
        ["host-6", "host-5", "host-4"],
        ["host-3", "host-2", "host-1"],
        ["host-0"],
    ]
    assert third["next"] is None
    assert third["total"] == 7


def test_the_overview_holds_a_hundred_clients_and_pages_hold_all(site: Site) -> None:
    server = site.serve()
    for profile, count in (("PROServer", 100), ("Client", 10)):
        for _seat in range(count):
            take(server, profile=profile)
    overview = server.management.overview()
    assert (len(overview["clients"]), overview["clients_total"]) == (100, 110)
    assert len(server.management.clients(limit=1000)["clients"]) == 110


@pytest.mark.parametrize("query", ["limit=x", "limit=-1", "after=1e3", "limit=" + "9" * 40, "after=%C2%B2"])
def test_what_is_no_page_is_refused(site: Site, query: str) -> None:
    status, answer = site.serve().ask("GET", f"/v1/clients?{query}", port=3401)
    assert (status, answer["code"]) == (400, "malformed")


@pytest.mark.parametrize("host", ["evil.example.com", "evil.example.com:3401", "127.0.0.1.evil.example.com"])
def test_a_page_of_another_name_reads_nothing(site: Site, host: str) -> None:
    server = site.serve()
    for path in ("/v1/status", "/v1/overview", "/metrics", "/", "/nothing"):
        status, answer = server.ask("GET", path, port=3401, Host=host)
        assert (status, answer["code"]) == (403, "not_here")


def test_a_scraper_reads_under_each_name_that_is_allowed(site: Site) -> None:
    server = site.serve()

    def allow(*names: str) -> None:
        with site.host.home.locked():
            site.host.home.save(replace(site.host.home.config(), allowed_hosts=names))

    def status(host: str) -> int:
        return server.ask("GET", "/metrics", port=3401, Host=host)[0]

    assert status("license.example.com:3401") == 403
    # The server reads it while it runs.
    allow("license.example.com", "lic", "192.0.2.7", "2001:db8::7")
    for host in ("license.example.com:3401", "License.Example.COM.", "lic", "192.0.2.7:3401", "[2001:db8::7]:3401"):
        assert status(host) == 200, host
    for host in ("example.com", "x.license.example.com", "license.example.com.evil.example", "2001:db8::7", ""):
        assert status(host) == 403, host
    # A damaged configuration takes no name away, so that the scraper sees that the home cannot be read.
    intact = site.host.read("Config/server.json")
    site.put("Config/server.json", b"{")
    assert status("license.example.com") == 200
    site.put("Config/server.json", intact)
    allow()
    assert status("license.example.com") == 403


def test_the_management_port_can_only_be_read(site: Site) -> None:
    server = site.serve()
    for method in ("PUT", "POST", "DELETE", "PATCH"):
        for path in ("/v1/status", "/v1/overview", "/metrics", "/"):
            assert server.ask(method, path, b"{}", port=3401)[0] == 405
    status, answer = server.ask("GET", f"/v1/seats/{'0' * 32}", port=3401)
    assert (status, answer["code"]) == (404, "not_found")


def test_the_console_is_there(site: Site) -> None:
    status, page = site.serve().ask("GET", "/", port=3401)
    assert status == 200
    assert page.startswith("<!DOCTYPE html>") or page.startswith("<!doctype html>")
