# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a runbook in a browser: its boxes can be ticked, it fits any window, and it prints."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.runbook import runbook_page
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from support.browser import complaints
from support.moves import followed, move, runbook
from support.worked_example import SERVER


@pytest.fixture
def page(browser: Chrome, tmp_path: Path) -> Chrome:
    """The runbook of the worked example, when its first license is to be deactivated."""
    record = followed(move(), f"old/deactivate/{SERVER}")
    place = tmp_path / "old-to-new.html"
    place.write_text(runbook_page(runbook(move(), record=record)), encoding="utf-8")
    browser.get(place.as_uri())
    return browser


def test_a_person_ticks_the_next_step(page: Chrome) -> None:
    boxes = page.find_elements(By.CSS_SELECTOR, "input[type=checkbox]")
    ticked = [box.is_selected() for box in boxes]
    assert ticked == [True] * 8 + [False] * (len(boxes) - 8)
    step = page.find_element(By.ID, "step-9")
    assert f"Deactivate license {SERVER}" in step.text
    step.find_element(By.CSS_SELECTOR, "label").click()
    assert boxes[8].is_selected()
    assert complaints(page) == []


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_it_fits_the_window(page: Chrome, width: int) -> None:
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    assert page.execute_script("return document.documentElement.scrollWidth") <= width


def test_it_prints_with_every_step_whole_on_a_page(page: Chrome) -> None:
    printed = page.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    document = base64.b64decode(printed["data"])
    assert document.startswith(b"%PDF")
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    steps = page.find_elements(By.CSS_SELECTOR, ".step")
    assert {step.value_of_css_property("break-inside") for step in steps} == {"avoid"}
    # Portrait A4 has about 1000 pixels between its margins.
    assert max(step.size["height"] for step in steps) < 900
