# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request page (docs/domain.md#request-page) in a real browser, with a real service and a real mail server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.service_lab import (
    Service,
    ServiceLab,
    until,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.smtp_lab import (
    MailServer,
    attachments,
    words,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    NUMBERS,
    SERVER,
    WRONG_CODE,
    declared,
    digits,
)
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from support.browser import complaints, open_browser

ANNA = "anna@example.com"


@pytest.fixture
def authority(tmp_path: Path, new_ledger: bytes) -> Iterator[ServiceLab]:
    (tmp_path / "authority").mkdir()
    lab = ServiceLab(tmp_path / "authority", new_ledger)
    yield lab
    lab.close()


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def service(authority: ServiceLab, mail: MailServer) -> Service:
    return authority.serve("--smtp", mail.address, "--mail-from", "authority@example.com")


def request_files(lab: ServiceLab, folder: Path, *numbers: str, **codes: str) -> list[Path]:
    """Have the old host write its requests, and lay them where a person carries them."""
    folder.mkdir()
    asked = lab.old.manager.activate(Activation(declared(*numbers, **codes), realm=lab.realm), lab.offline())
    files = [folder / f"{digits(number)}.request" for number in asked.requests]
    for file, content in zip(files, asked.requests.values()):
        file.write_bytes(content)
    return files


def process(browser: Chrome, email: str, *files: Path) -> None:
    if email:
        browser.find_element(By.ID, "email").send_keys(email)
    browser.find_element(By.ID, "request").send_keys("\n".join(str(file) for file in files))
    browser.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
    wait_for_results(browser)


def wait_for_results(browser: Chrome) -> None:
    # What proves nothing is answered after a while only, and the browser's driver does not wait for it.
    until(lambda: browser.find_elements(By.CSS_SELECTOR, "section.result"), "the results")


def results(browser: Chrome) -> dict[str, str]:
    """Title and outcome of each file on the result page."""
    sections = browser.find_elements(By.CSS_SELECTOR, "section.result")
    return {one.find_element(By.TAG_NAME, "h2").text: one.find_element(By.CLASS_NAME, "badge").text for one in sections}


def test_a_person_activates_three_licenses_offline(
    authority: ServiceLab, service: Service, mail: MailServer, tmp_path: Path
) -> None:
    files = request_files(authority, tmp_path / "carried", *NUMBERS)
    with open_browser(tmp_path / "browser", service.pins()) as browser:
        browser.get(f"{service.address}/")
        assert browser.title == "License request processing"
        process(browser, ANNA, *files)
        assert results(browser) == {f"Activation of {number}": "Granted" for number in NUMBERS}
        assert ANNA in browser.find_element(By.ID, "mail").text
        for link in browser.find_elements(By.CSS_SELECTOR, "a[download]"):
            link.click()
        downloads = tmp_path / "browser" / "downloads"
        names = [f"{digits(number)}.response" for number in NUMBERS]
        until(lambda: all((downloads / name).exists() for name in names), "the downloads")
        assert complaints(browser) == []
    responses = {number: (downloads / name).read_bytes() for number, name in zip(NUMBERS, names)}
    authority.old.manager.activate(Activation(declared()), authority.offline(responses))
    assert set(authority.old.statuses().values()) == {"Active"}
    assert len(mail.messages) == 1
    assert attachments(mail.messages[0]) == {name: responses[n] for n, name in zip(NUMBERS, names)}


def test_a_person_sees_and_is_mailed_what_was_wrong(
    authority: ServiceLab, service: Service, mail: MailServer, tmp_path: Path
) -> None:
    (wrong,) = request_files(authority, tmp_path / "wrong", SERVER, code=WRONG_CODE)
    (good,) = request_files(authority, tmp_path / "good", CLIENT)
    other = tmp_path / "holiday <photo>.request"
    other.write_bytes(b"\x89PNG not a request")
    with open_browser(tmp_path / "browser", service.pins()) as browser:
        browser.get(f"{service.address}/requests")
        process(browser, ANNA, wrong, good, other)
        assert results(browser) == {
            f"Activation of {SERVER}": "Refused",
            f"Activation of {CLIENT}": "Granted",
            "File 3: holiday <photo>.request": "Not processed",
        }
        page = browser.find_element(By.TAG_NAME, "main").text
        assert "Check the license number and its activation code" in page
        assert "3 files processed, 1 granted." in page
        assert complaints(browser) == []
    assert len(mail.messages) == 1
    text = words(mail.messages[0])
    assert "knows no license" in text and "This authority cannot answer this file" in text
    assert "photo" not in text
    assert set(attachments(mail.messages[0])) == {"015120064022.response", "015120055014.response"}


def test_the_page_works_by_keyboard_without_script_in_light_and_dark_and_on_a_small_screen(
    authority: ServiceLab, service: Service, tmp_path: Path
) -> None:
    (file,) = request_files(authority, tmp_path / "carried", SERVER)
    backgrounds = set()
    for dark in (False, True):
        folder = tmp_path / f"browser-{dark}"
        with open_browser(folder, service.pins(), size=(500, 800), dark=dark) as browser:
            browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
            browser.get(f"{service.address}/requests")
            email = browser.find_element(By.ID, "email")
            assert email.accessible_name == "E-mail address"
            upload = browser.find_element(By.ID, "request")
            assert upload.accessible_name == "Request files"
            upload.send_keys(str(file))
            email.send_keys(ANNA, Keys.ENTER)
            wait_for_results(browser)
            assert results(browser) == {f"Activation of {SERVER}": "Granted"}
            width = browser.get_window_size()["width"]
            body = browser.find_element(By.TAG_NAME, "body")
            assert body.size["width"] <= width
            backgrounds.add(body.value_of_css_property("background-color"))
            assert complaints(browser) == []
    assert len(backgrounds) == 2


def test_a_browser_that_does_not_know_the_authoritys_ca_warns(service: Service, tmp_path: Path) -> None:
    with open_browser(tmp_path / "browser", ["A" * 43 + "="]) as browser:
        browser.get(f"{service.address}/requests")
        assert browser.title == "Privacy error"


def test_without_a_mail_server_the_page_says_that_no_mail_is_sent(authority: ServiceLab, tmp_path: Path) -> None:
    service = authority.serve()
    (file,) = request_files(authority, tmp_path / "carried", SERVER)
    with open_browser(tmp_path / "browser", service.pins()) as browser:
        browser.get(f"{service.address}/requests")
        assert browser.find_elements(By.ID, "email") == []
        assert "No mail is sent from here" in browser.find_element(By.ID, "no-mail").text
        process(browser, "", file)
        assert "This authority sends no mail" in browser.find_element(By.ID, "mail").text
        browser.find_element(By.LINK_TEXT, "Process more request files").click()
        until(lambda: browser.find_elements(By.ID, "request"), "the form")
        assert browser.current_url == f"{service.address}/requests"
        assert complaints(browser) == []


def test_the_browser_itself_asks_for_what_is_missing(service: Service, tmp_path: Path) -> None:
    with open_browser(tmp_path / "browser", service.pins()) as browser:
        browser.get(f"{service.address}/requests")
        browser.find_element(By.ID, "email").send_keys("no address")
        browser.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
        assert browser.find_elements(By.CSS_SELECTOR, ":invalid")
        assert browser.find_elements(By.CSS_SELECTOR, "section.result") == []
