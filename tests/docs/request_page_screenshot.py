# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photograph the request page for the documents: the form, and beside it what came of two files.

Wants Chromium; run it from the checkout, where `make venv` was:
PYTHONPATH=.build/collections:tests .venv/bin/python tests/docs/request_page_screenshot.py
"""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path

from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.service_lab import (
    Service,
    ServiceLab,
    service_lab,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.smtp_lab import MailServer
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    SERVER,
    SESSION,
    WRONG_CODE,
    declared,
    digits,
)
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.ui import WebDriverWait
from support.browser import open_browser

IMAGE = Path(__file__).resolve().parents[2] / "docs" / "images" / "request-page.png"
WIDTH, HEIGHT, SCALE = 640, 622, 1.25


def shown(browser: Chrome, width: int) -> str:
    """What the browser shows, as an address that an image can have."""
    size = {"width": width, "height": HEIGHT, "deviceScaleFactor": SCALE, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    return f"data:image/png;base64,{browser.get_screenshot_as_base64()}"


def photograph(lab: ServiceLab, service: Service, folder: Path) -> None:
    requests = lab.old.manager.activate(Activation(declared(SERVER), realm=lab.realm), lab.offline()).requests
    requests = {
        **requests,
        **lab.new.manager.activate(
            Activation(declared(SESSION, code=WRONG_CODE), realm=lab.realm), lab.offline()
        ).requests,
    }
    for number, content in requests.items():
        (folder / f"{digits(number)}.request").write_bytes(content)
    with open_browser(folder / "browser", service.pins()) as browser:
        browser.get(f"{service.address}/requests")
        browser.find_element(By.ID, "email").send_keys("anna@example.com")
        browser.find_element(By.ID, "request").send_keys("\n".join(str(file) for file in folder.glob("*.request")))
        form = shown(browser, WIDTH)
        button = browser.find_element(By.CSS_SELECTOR, "button[type=submit]")
        button.click()
        # A wrong code is answered slowly.
        WebDriverWait(browser, 60).until(expected_conditions.staleness_of(button))
        result = shown(browser, WIDTH)
        both = "".join(f'<img src="{image}" width="{WIDTH}" height="{HEIGHT}">' for image in (form, result))
        page = folder / "both.html"
        page.write_text(f'<body style="margin:0;display:flex">{both}</body>', encoding="utf-8")
        browser.get(page.as_uri())
        IMAGE.write_bytes(base64.b64decode(shown(browser, 2 * WIDTH).partition(",")[2]))


def main() -> None:
    with tempfile.TemporaryDirectory() as name, service_lab(Path(name)) as lab, MailServer() as mail:
        folder = Path(name) / "files"
        folder.mkdir()
        photograph(lab, lab.serve("--smtp", mail.address, "--mail-from", "authority@example.com"), folder)
    print(IMAGE)


if __name__ == "__main__":
    main()
