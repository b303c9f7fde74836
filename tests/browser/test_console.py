# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The console in a real browser, in front of a real license server."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION
from ansible_collections.aims.licensing.plugins.module_utils._licensing.store import MANAGEMENT_PORT
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    HOME,
    CoreLab,
)
from browser import open_browser
from licsrv import Server
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

REFUSED = "net::ERR_CONNECTION_REFUSED"
HOSTILE_USER = "AIMS\\<img src=x onerror=alert(1)>"
HOSTILE_CLIENT = "<script>alert(1)</script><b>&amp;"


class Console:
    """The page, as a person sees it.

    :ivar expected: what the browser may complain about
    """

    def __init__(self, browser: Chrome, url: str) -> None:
        self.browser = browser
        self.url = url
        self.expected: set[str] = set()

    def open(self) -> None:
        self.browser.get(self.url)
        self.until(lambda: self.text("state") == "Live")

    def until(self, seen: Callable[[], Any], what: str = "") -> Any:
        """Wait until something is seen on the page."""
        return WebDriverWait(self.browser, 30, poll_frequency=0.05).until(lambda _browser: seen(), what)

    def text(self, name: str) -> str:
        return self.browser.find_element(By.ID, name).text

    def rows(self, table: str) -> list[list[str]]:
        """The cells of a table, line by line, as they are shown."""
        script = (
            "return [...document.querySelectorAll(`#${arguments[0]} tbody tr`)].map("
            "row => [...row.children].map(cell => cell.innerText))"
        )
        found: list[list[str]] = self.browser.execute_script(script, table)
        return found

    def column(self, table: str, heading: str) -> list[str]:
        script = "return [...document.querySelectorAll(`#${arguments[0]} thead th`)].map(cell => cell.innerText)"
        place = self.browser.execute_script(script, table).index(heading)
        return [row[place] for row in self.rows(table)]

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def events(self) -> list[dict[str, Any]]:
        """What the browser did on the network since it was last asked."""
        return [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]

    def complaints(self) -> list[str]:
        """What the browser said of the page since it was last asked, except for what was expected."""
        found = [entry["message"] for entry in self.browser.get_log("browser")]
        return [text for text in found if not any(expected in text for expected in self.expected)]


@pytest.fixture(scope="session")
def new_ledger(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return CoreLab.new_ledger(tmp_path_factory.mktemp("ledger"))


@pytest.fixture
def lab(tmp_path: Path, new_ledger: bytes) -> Iterator[CoreLab]:
    """A host with the worked example's licenses, activated today."""
    lab = CoreLab(tmp_path, new_ledger)
    lab.clock.now = datetime.now(timezone.utc)
    lab.activate(lab.old)
    yield lab
    lab.close()


@pytest.fixture
def served(lab: CoreLab) -> Iterator[Server]:
    """That host's license server; the seats outlive a test without a sign of life."""
    with Server(HOME, str(lab.old.root), "--lease", "600") as server:
        yield server


def take(served: Server, profile: str, user: str, client: str) -> str:
    """Take a seat; return its id."""
    seat = served.seats.new_id()
    served.seats.take(seat, profile, user, client)
    return seat


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    with open_browser(tmp_path / "browser") as browser:
        yield browser


@pytest.fixture
def console(browser: Chrome, served: Server) -> Iterator[Console]:
    console = Console(browser, f"http://{served.address}:{MANAGEMENT_PORT}/")
    yield console
    assert console.complaints() == []


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
        ["PROServer", "015.120.064.022", "0", "no", "no"],
        ["PROSession", "015.120.065.016", "0", "no", "yes"],
        ["Client", "015.120.055.014", "0", "no", "yes"],
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
    lab.old.manager.set_maintenance(True)
    console.until(lambda: "Maintenance mode." in console.text("banners"))
    assert "1 seat is still held" in console.text("banners")
    lab.old.manager.set_maintenance(False)
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
    console.until(lambda: "No client matches the filter." in console.text("clients"))
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
    lab.old.manager.deactivate([CLIENT], lab.offline())
    console.open()
    console.until(lambda: console.rows("pending"))
    number, action, since, file, response, todo = console.rows("pending")[0]
    assert (number, action, file, response) == (CLIENT, "deactivate", "015120055014.request", "awaited")
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d", since)
    assert "licman --nodelock-deactivate 015.120.055.014 --response 015120055014.response" in todo
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
    # the browser's own start page, and the page's icon, which is in the page
    asked = [request for request in asked if urlsplit(request["url"]).scheme not in ("chrome", "data")]
    assert {urlsplit(request["url"]).netloc for request in asked} == {f"{served.address}:{MANAGEMENT_PORT}"}
    assert {request["method"] for request in asked} == {"GET"}
    assert {"/", "/console.css", "/console.js", "/parts.js", "/v1/overview", "/v1/status"} == {
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


CONTRAST = r"""
const number = (text) => text.match(/[\d.]+/g).map(Number);
const light = (rgb) => rgb.slice(0, 3).map((part) => part / 255)
  .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
  .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const holder = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !holder.getClientRects().length) continue;
  let ground = holder;
  const painted = (node) => { const rgba = number(getComputedStyle(node).backgroundColor); return rgba[3] !== 0; };
  while (ground.parentElement && !painted(ground)) ground = ground.parentElement;
  const colors = [getComputedStyle(holder).color, getComputedStyle(ground).backgroundColor];
  const [ink, paper] = colors.map(number).map(light);
  const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  if (ratio < 4.5) found.push(`${walker.currentNode.data.trim()}: ${ratio.toFixed(2)}`);
}
return found;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read_in_light_and_dark(served: Server, lab: CoreLab, console: Console, scheme: str) -> None:
    lab.old.manager.deactivate([CLIENT], lab.offline())
    lab.old.manager.set_maintenance(True)
    prefers = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    console.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", prefers)
    console.open()
    assert console.run("return matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
    assert console.run(CONTRAST) == []


def test_the_page_can_be_used_without_seeing_it(served: Server, console: Console) -> None:
    take(served, "Client", "AIMS\\anna", "ws-01")
    console.open()
    console.until(lambda: console.rows("clients"))
    tables = console.run(
        "return [...document.querySelectorAll('table')].map(table => [table.caption && table.caption.textContent,"
        "[...table.querySelectorAll('th')].map(cell => cell.scope)])"
    )
    assert [caption for caption, _scopes in tables] == [
        "Licenses",
        "VAR licenses",
        "Profiles",
        "Clients",
        "Pending requests",
    ]
    assert all(set(scopes) <= {"col", "row"} for _caption, scopes in tables)
    assert console.run("return document.documentElement.lang") == "en"
    headings = console.run("return [...document.querySelectorAll('h1, h2, h3')].map(head => head.tagName)")
    assert headings == ["H1", *["H2"] * 7]
    assert console.run("return [...document.querySelectorAll('input')].every(input => input.labels.length === 1)")
    named = "return [...document.querySelectorAll('[id]')].map(node => node.id)"
    assert len(set(console.run(named))) == len(console.run(named))
    referred = (
        "return [...document.querySelectorAll('[aria-labelledby], [aria-describedby], label[for]')].every(node =>"
        "document.getElementById(node.htmlFor || node.getAttribute('aria-labelledby') ||"
        "node.getAttribute('aria-describedby')))"
    )
    assert console.run(referred)
    # states are announced, the clock that ticks beside them is not
    live = "return [...document.querySelectorAll('[aria-live=polite]')].map(node => node.id)"
    assert console.run(live) == ["state", "banners", "found"]


@pytest.mark.parametrize("width", [320, 700, 1000])
def test_a_narrow_page_needs_no_scrolling_sideways(served: Server, console: Console, width: int) -> None:
    take(served, "Client", "AIMS\\" + "a" * 64, "w" * 255)
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    console.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    console.open()
    console.until(lambda: console.rows("clients"))
    assert console.run("return document.documentElement.scrollWidth") <= width
    cut = (
        "return [...document.querySelectorAll('.card')].filter(card => card.scrollWidth > card.clientWidth)"
        ".map(card => card.innerText)"
    )
    assert console.run(cut) == []


def test_without_its_script_the_page_says_where_the_data_is(served: Server, console: Console) -> None:
    console.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    console.browser.get(console.url)
    shown = console.browser.find_element(By.TAG_NAME, "main").text
    assert "licman --overview" in shown and "/v1/overview" in shown
    assert "Licenses" not in shown
    link = console.browser.find_element(By.LINK_TEXT, "/v1/overview").get_attribute("href")
    assert link == f"{console.url}v1/overview"


def ask(served: Server, method: str, path: str, **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Send a request to the management port; return status, headers and body."""
    connection = http.client.HTTPConnection(served.address, MANAGEMENT_PORT, timeout=30)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/", "/console.css", "/console.js", "/parts.js"])
def test_the_files_can_only_be_read_and_carry_a_strict_policy(served: Server, path: str) -> None:
    status, headers, body = ask(served, "GET", path)
    assert status == 200 and body
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';")
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert ask(served, "GET", path, **{"If-None-Match": headers["Etag"]})[0] == 304
    status, _headers, body = ask(served, "HEAD", path)
    assert (status, body) == (200, b"")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert ask(served, method, path, **{"Content-Length": "0"})[0] == 405


@pytest.mark.parametrize("path", ["/", "/console.js", "/v1/overview", "/v1/status", "/v1/clients", "/metrics"])
def test_another_name_for_the_server_is_refused(served: Server, path: str) -> None:
    status, _headers, body = ask(served, "GET", path, Host="rebound.example.com:3401")
    assert status == 403 and b"names another machine" in body
    assert ask(served, "GET", path, Host="localhost:3401")[0] == 200
