# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The console in a real browser, in front of a real license server: what it shows, and how it keeps up."""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION
from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import MANAGEMENT_PORT
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client import Refused
from ansible_collections.aims.licensing.plugins.module_utils._licensing.lease import LENGTH, Lease
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Deactivation, Maintenance
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    SESSION,
    CoreLab,
)
from selenium.webdriver.common.by import By
from support.console_page import Console, take
from support.licsrv import Server

REFUSED = "net::ERR_CONNECTION_REFUSED"
HOSTILE_USER = "AIMS\\<img src=x onerror=alert(1)>"
HOSTILE_CLIENT = "<script>alert(1)</script><b>&amp;"


def test_the_page_shows_what_the_overview_says(served: Server, lab: CoreLab, console: Console) -> None:
    console.open()
    overview = served.management.overview()
    assert console.text("host") == socket.gethostname()
    about = console.text("about")
    assert all(told in about for told in (overview["server"]["home"], VERSION, "Up for"))
    assert console.column("licenses", "License") == [license["number"] for license in overview["licenses"]]
    assert console.column("licenses", "In use") == ["0 of 10", "0 of 100", "0 of 8"]
    assert console.column("licenses", "File name") == [license["file"] for license in overview["licenses"]]
    assert console.column("licenses", "Type")[1] == "AIMMS - PRO Server\nMachine Nodelock"
    assert console.column("licenses", "Status") == ["Active"] * 3
    assert console.column("licenses", "Transfers left") == ["3 of 3"] * 3
    assert console.column("licenses", "Valid until") == ["2099-12-31"] * 3
    assert console.rows("profiles") == [
        ["PROServer", "015.120.064.022", "0", "\u2013", "no"],
        ["PROSession", "015.120.065.016", "0", "\u2013", "yes"],
        ["Client", "015.120.055.014", "0", "0", "yes"],
    ]
    assert console.rows("clients") == [] and "No client is logged on." in console.text("clients")
    assert console.rows("pending") == [] and "No request is pending." in console.text("pending")
    assert "every user gets seats" in console.text("nobody")
    assert [console.text(f"tile-{name}") for name in ("active", "seats", "clients", "pending", "transfers")] == [
        "3 of 3",
        "0 of 118",
        "0",
        "0",
        "3",
    ]
    assert lab.realm.name in console.text("facts")


def test_the_last_day_is_a_chart_with_what_was_not_there(served: Server, lab: CoreLab, console: Console) -> None:
    seats = [take(served, "PROSession", "AIMS\\bert", f"ws-{number}") for number in range(8)]
    for seat in seats[2:]:
        served.seats.release(seat)
    with pytest.raises(Refused):
        for number in range(7):
            take(served, "PROSession", "AIMS\\anna", f"ws-{number}")
    console.open()
    console.until(lambda: console.column("licenses", "Last 24 hours")[2] == "at most 8\n1 take denied")
    assert console.column("licenses", "Last 24 hours")[:2] == ["at most 0"] * 2
    script = (
        "return [...document.querySelectorAll('#licenses svg')].map(chart => [chart.getAttribute('role'), "
        "chart.getAttribute('aria-label'), ...[...chart.children].map(path => path.getAttribute('d'))])"
    )
    _client, quiet, full = console.run(script)
    assert (full[0], full[1]) == ("img", "at most 8, 1 take denied")
    # The server has run for no more than two slots: where it did not, there is no base line.
    assert 1 <= full[2].count("M") <= 2
    assert full[3].count("M") >= 1 and full[4].count("M") == 1
    assert quiet[3] == quiet[4] == ""
    box = console.run("return document.querySelector('#licenses svg').getBoundingClientRect().toJSON()")
    assert box["width"] > 100 and box["height"] > 15


def test_seats_come_and_go_without_a_reload_and_nothing_else_moves(served: Server, console: Console) -> None:
    kept = take(served, "Client", "AIMS\\anna", "ws-01")
    console.open()
    console.until(lambda: console.column("clients", "User") == ["AIMS\\anna"])
    console.run(
        "document.querySelector('#filter').focus({preventScroll: true});"
        "window.row = document.querySelector('#clients tbody tr');"
        "const range = document.createRange(); range.selectNodeContents(window.row.children[2]);"
        "getSelection().removeAllRanges(); getSelection().addRange(range);"
        "window.scrollTo(0, 120);"
    )
    other = take(served, "PROSession", "AIMS\\bert", "ws-02")
    console.until(lambda: console.column("clients", "User") == ["AIMS\\bert", "AIMS\\anna"])
    row = console.rows("clients")[0]
    assert row[:4] == ["ws-02", "127.0.0.1", "AIMS\\bert", "PROSession"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d\s*less than a minute ago", row[4])
    assert console.column("licenses", "In use") == ["1 of 10", "0 of 100", "1 of 8"]
    assert console.column("profiles", "In use") == ["0", "1", "1"]
    assert (console.text("tile-seats"), console.text("tile-clients")) == ("2 of 118", "2")
    width = "return document.querySelectorAll('#licenses .bar i')[0].style.width"
    assert console.run(width) == "10%"
    served.seats.release(other)
    console.until(lambda: console.column("clients", "User") == ["AIMS\\anna"])
    state = "return [row.isConnected, getSelection().toString(), document.activeElement.id, scrollY]"
    assert console.run(state) == [True, "AIMS\\anna", "filter", 120]
    served.seats.release(kept)
    console.until(lambda: console.rows("clients") == [])
    assert console.column("licenses", "In use")[0] == "0 of 10"


def test_a_license_without_a_free_seat_says_so(served: Server, console: Console) -> None:
    for number in range(8):
        take(served, "PROSession", f"AIMS\\u{number}", f"ws-{number}")
    console.open()
    console.until(lambda: console.column("licenses", "In use")[2] == "8 of 8\nnone free")


def test_maintenance_mode_is_told_and_so_is_its_end(served: Server, lab: CoreLab, console: Console) -> None:
    take(served, "Client", "AIMS\\anna", "ws-01")
    console.open()
    assert console.text("banners") == ""
    lab.old.manager.set_maintenance(Maintenance(True))
    console.until(lambda: "Maintenance mode." in console.text("banners"))
    assert "1 seat is still held" in console.text("banners")
    lab.old.manager.set_maintenance(Maintenance(False))
    console.until(lambda: console.text("banners") == "")


def test_a_drain_is_told_with_its_licenses_and_so_is_its_end(served: Server, lab: CoreLab, console: Console) -> None:
    console.open()
    for number in (CLIENT, SESSION):
        lease = Lease(number, now_utc() + LENGTH, (number,))
        lab.old.home.save(lab.old.home.config().with_lease(lease))
    told = f"Drain. No new seats are given out of licenses that are about to leave: {CLIENT}, {SESSION}."
    console.until(lambda: told in console.text("banners"))
    lab.old.manager.end_drain(CLIENT)
    console.until(lambda: f"about to leave: {SESSION}." in console.text("banners"))
    lab.old.manager.end_drain(SESSION)
    console.until(lambda: console.text("banners") == "")


def test_a_server_that_does_not_answer_is_told_and_its_return_is_seen(served: Server, console: Console) -> None:
    console.expected.add(REFUSED)
    take(served, "Client", "AIMS\\anna", "ws-01")
    console.open()
    console.until(lambda: console.rows("clients"))
    console.run("window.unreloaded = true")
    served.stop()
    console.until(lambda: re.fullmatch(r"No answer since \d\d:\d\d:\d\d", console.text("state")))
    assert console.text("banners").startswith("No answer since ")
    assert console.browser.title.startswith("No answer since ")
    # what was known stays to be read
    assert console.column("clients", "User") == ["AIMS\\anna"]
    served.start()
    console.until(lambda: console.text("state") == "Live")
    assert (console.text("banners"), console.browser.title) == ("", f"License server {socket.gethostname()}")
    assert console.column("clients", "User") == ["AIMS\\anna"]
    assert console.run("return window.unreloaded")


def test_a_home_that_cannot_be_read_is_told_with_what_to_do(served: Server, lab: CoreLab, console: Console) -> None:
    console.expected.add("503 (Service Unavailable)")
    console.open()
    config = lab.old.read("Config/server.json")
    lab.old.write("Config/server.json", "no JSON")
    console.until(lambda: re.fullmatch(r"Error 503 since \d\d:\d\d:\d\d", console.text("state")))
    assert "Config/server.json" in console.text("banners")
    lab.old.write("Config/server.json", config)
    console.until(lambda: console.text("state") == "Live")
    assert console.text("banners") == ""


def test_the_filter_finds_clients_that_the_overview_leaves_out(served: Server, console: Console) -> None:
    take(served, "Client", "AIMS\\first", "ws-of-the-first")
    for number in range(100):
        take(served, "PROServer", f"AIMS\\user{number}", f"ws-{number}")
    console.open()
    console.until(lambda: len(console.rows("clients")) == 100)
    assert console.text("found").startswith("The newest 100 of 101 are shown.")
    box = console.browser.find_element(By.ID, "filter")
    box.send_keys("FIRST client")
    console.until(lambda: console.column("clients", "User") == ["AIMS\\first"])
    console.until(lambda: console.text("found") == "1 of 101 clients match.")
    box.clear()
    box.send_keys("user99")
    console.until(lambda: console.column("clients", "Client") == ["ws-99"])
    box.clear()
    box.send_keys("nobody")
    console.until(lambda: "No client found." in console.text("clients"))
    box.clear()
    box.send_keys(" ")
    console.until(lambda: len(console.rows("clients")) == 100)


def test_hostile_names_are_shown_as_text(served: Server, console: Console) -> None:
    take(served, "Client", HOSTILE_USER, HOSTILE_CLIENT)
    console.open()
    console.until(lambda: console.rows("clients"))
    row = console.rows("clients")[0]
    assert row[0] == HOSTILE_CLIENT
    assert row[2] == HOSTILE_USER
    # what would turn the line's direction around is shown as unprintable
    with served.home.locked():
        served.home.save(replace(served.home.config(), users=(HOSTILE_USER, "AIMS\\anna\u202egnp.exe")))
    console.until(lambda: console.text("users").splitlines() == [HOSTILE_USER, "AIMS\\anna\ufffdgnp.exe"])
    assert console.run("return document.querySelectorAll('main :is(img, script, b)').length") == 0


def test_a_pending_request_says_what_to_do(served: Server, lab: CoreLab, console: Console) -> None:
    lab.old.manager.deactivate(Deactivation([CLIENT]), lab.offline())
    console.open()
    console.until(lambda: console.rows("pending"))
    number, action, since, file, response, todo = console.rows("pending")[0]
    assert (number, action, file, response) == (CLIENT, "deactivate", "015120055014.request", "awaited")
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d", since)
    assert todo.splitlines() == [
        "Have the authority process the file; make no second request. Run the playbook again, or:",
        "Bin/licman --nodelock-deactivate 015.120.055.014 \\",
        "  --response 015120055014.response",
    ]
    assert "1 request pending." in console.text("banners")
    status = console.column("licenses", "Status")[0]
    assert re.fullmatch(r"Pending Deactivation\nfenced since \d{4}-\d\d-\d\d \d\d:\d\d", status)


def test_the_browser_asks_nobody_but_the_server_and_changes_nothing(served: Server, console: Console) -> None:
    take(served, "Client", HOSTILE_USER, HOSTILE_CLIENT)
    console.open()
    console.until(lambda: console.rows("clients"))
    console.browser.find_element(By.ID, "filter").send_keys("x\n")
    console.run("window.seen = document.querySelector('#updated').textContent")
    console.until(lambda: console.text("updated") != console.run("return seen"))
    asked = [event["params"]["request"] for event in console.events() if event["method"] == "Network.requestWillBeSent"]
    # the browser's own start page (chrome:, chrome-untrusted:), and the page's icon, which is in the page
    asked = [request for request in asked if not urlsplit(request["url"]).scheme.startswith(("chrome", "data"))]
    assert {urlsplit(request["url"]).netloc for request in asked} == {f"{served.address}:{MANAGEMENT_PORT}"}
    assert {request["method"] for request in asked} == {"GET"}
    assert {"/", "/console.css", "/console.js", "/parts.js", "/v1/overview", "/v1/status", "/v1/history"} == {
        urlsplit(request["url"]).path for request in asked
    }
    assert console.run("return document.forms.length") == 0


def test_a_hidden_tab_rests(served: Server, console: Console) -> None:
    console.open()
    shown = console.browser.current_window_handle
    console.browser.switch_to.new_window("tab")
    hidden_at = console.run("return performance.timeOrigin")
    # three rounds of the page, if it went on
    console.browser.set_script_timeout(20)
    console.browser.execute_async_script("setTimeout(arguments[0], 6500)")
    console.browser.switch_to.window(shown)
    console.until(lambda: console.run("return !document.hidden"))
    script = (
        "return performance.getEntriesByType('resource').filter(entry => entry.name.endsWith('/v1/overview'))"
        ".map(entry => performance.timeOrigin + entry.startTime)"
    )
    rested = [at for at in console.run(script) if hidden_at + 500 < at < hidden_at + 6000]
    assert rested == []
    count = len(console.run(script))
    console.until(lambda: len(console.run(script)) > count)
