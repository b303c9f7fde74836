# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The license server's console, as a person in front of a browser sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from support.browser import complaints
from support.licsrv import Server


def take(served: Server, profile: str, user: str, client: str) -> str:
    """Take a seat; return its id."""
    seat = served.seats.new_id()
    served.seats.take(seat, profile, user, client)
    return seat


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
        return [text for text in complaints(self.browser) if not any(expected in text for expected in self.expected)]
