# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real browser without a screen, for the tests of pages and for their photographs."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

# The browser talks with nobody but the pages under test.
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise AssertionError(f"{name} is missing: on Debian, apt-get install chromium chromium-driver")
    return found


@contextlib.contextmanager
def open_browser(
    folder: Path, trust: Sequence[str] = (), size: tuple[int, int] = (1280, 900), dark: bool = False
) -> Iterator[webdriver.Chrome]:
    """Open a fresh Chromium; it is closed, whatever happened, at the end.

    :param folder: a folder of its own: its profile goes there, and what it downloads into ``downloads``
    :param trust: SHA-256 digests, base64, of public keys whose certificates it takes without a known CA
    :param size: of the window, in pixels
    :param dark: whether pages are asked to be dark
    """
    downloads = folder / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    options = Options()
    options.binary_location = _program("chromium")
    for flag in _FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={folder / 'profile'}")
    options.add_argument(f"--window-size={size[0]},{size[1]}")
    if trust:
        options.add_argument(f"--ignore-certificate-errors-spki-list={','.join(trust)}")
    if dark:
        options.add_argument("--force-dark-mode")
    options.add_experimental_option(
        "prefs", {"download.default_directory": str(downloads), "download.prompt_for_download": False}
    )
    # What the page says on its console is part of what is tested: a policy that was broken is told there. And so is
    # what it asked for, of whom, which is in the performance log.
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    try:
        browser = webdriver.Chrome(options=options, service=Service(_program("chromedriver")))
    except WebDriverException as error:
        raise AssertionError(f"Chromium does not start: {error.msg}") from None
    try:
        browser.set_page_load_timeout(30)
        yield browser
    finally:
        browser.quit()


def complaints(browser: webdriver.Chrome) -> list[str]:
    """Return what the browser said of the pages since it was last asked; of its own start page it is not asked."""
    found = [str(entry["message"]) for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call]
    return [text for text in found if not text.startswith("chrome")]
