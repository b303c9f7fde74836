# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""That the console can be read, in any colours, on any screen, unseen or without its script; and only be read."""

from __future__ import annotations

import http.client

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import MANAGEMENT_PORT
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Deactivation, Maintenance
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import CLIENT, CoreLab
from selenium.webdriver.common.by import By
from support.console_page import Console, take
from support.licsrv import Server

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
    lab.old.manager.deactivate(Deactivation([CLIENT]), lab.offline())
    lab.old.manager.set_maintenance(Maintenance(True))
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


@pytest.mark.parametrize(
    "path", ["/", "/console.js", "/v1/overview", "/v1/status", "/v1/clients", "/v1/history", "/metrics"]
)
def test_another_name_for_the_server_is_refused(served: Server, path: str) -> None:
    status, _headers, body = ask(served, "GET", path, Host="rebound.example.com:3401")
    assert status == 403 and b"names another machine" in body
    assert ask(served, "GET", path, Host="localhost:3401")[0] == 200
