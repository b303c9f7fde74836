# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a request page replies, the controller tells it in a message, and takes the realm's answers only."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.folder import Request
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.portal import Portal
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.portal_options import check_email, check_portal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playbooks.page import Page, results

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
ENTRIES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "number": JSON | st.just("015.120.064.022"),
            "content": JSON | st.binary(max_size=30).map(lambda data: data.hex()),
            "mailed": JSON,
            "problem": JSON | st.fixed_dictionaries({"what": JSON, "where": JSON, "todo": JSON}),
        },
    )
    | JSON,
    max_size=5,
)


class Told:
    """What the page replies next."""

    reply: Any = None


@pytest.fixture(scope="module")
def told() -> Told:
    return Told()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, told: Told) -> Iterator[Page]:
    """A page that replies what it is told to; without that, what the authority answers."""
    folder = tmp_path_factory.mktemp("page")
    Ledger.create(str(folder / "authority.db"), "tests").close()

    def twist(asked: dict[str, bytes], honest: dict[str, bytes]) -> dict[str, Any]:
        return results(honest) if told.reply is None else told.reply

    with Page(folder / "tls", folder / "authority.db", twist).serving() as serving:
        yield serving


def a_request(page: Page, license: str, **changed: Any) -> tuple[str, bytes]:
    """A request file as a host would write it: its name and its content."""
    key = documents.load_private_key(documents.new_private_key(), "test")
    body = {
        "id": uuid.uuid4().hex,
        "action": "deactivate",
        "number": license,
        "nodelock": "machine",
        "fingerprint": {"machine-id": "0" * 32},
        "host_key": documents.public_half(key),
        "realm": Realm.from_dict(page.realm, "test").id,
        "made": "2026-01-01T00:00:00Z",
        **changed,
    }
    return f"{license.replace('.', '')}.request", documents.sign(documents.REQUEST, body, {"host": key})


def requests(page: Page, count: int = 2) -> list[Request]:
    realm = Realm.from_dict(page.realm, "test")
    made = [a_request(page, f"015.120.064.{at:03}") for at in range(count)]
    return [Request.read(name, content, realm, name) for name, content in made]


def portal(page: Page) -> Portal:
    return Portal(page.address, Realm.from_dict(page.realm, "test"), "", 30)


def test_many_requests_go_in_few_calls(page: Page, told: Told) -> None:
    told.reply = None
    page.uploads.clear()
    asked = requests(page, 23)
    answers = [answer for brought, wrong in portal(page).hand_over(asked) for answer in brought if not wrong]
    assert [answer.request.name for answer in answers] == [one.name for one in asked]
    assert [len(names) for names in page.uploads] == [10, 10, 3]
    # The authority knows none of these licenses, and its refusals are answers.
    assert {answer.outcome for answer in answers} == {"refused"}
    for answer in answers:
        assert json.loads(answer.content)["body"]["request_id"] == answer.request.id


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reply=st.fixed_dictionaries({"results": ENTRIES}) | JSON.filter(lambda value: value is not None))
def test_any_reply_is_told_in_a_message(page: Page, told: Told, reply: Any) -> None:
    told.reply = reply
    asked = requests(page)
    try:
        ((answers, problems),) = portal(page).hand_over(asked)
    except LicensingError as error:
        answers, problems = [], list(error.problems)
    assert answers == []
    assert problems
    for problem in problems:
        assert page.address in problem.where
        assert problem.todo and str(problem).isprintable()


@pytest.mark.parametrize(
    "changed",
    [
        {"id": 7},
        {"fingerprint": None},
        {"action": "quote"},
        {"number": 15},
        {"number": "015.120.064.022"},
        {"realm": "x"},
    ],
)
def test_a_request_file_that_cannot_be_answered_is_not_handed_over(page: Page, changed: dict[str, Any]) -> None:
    name, content = a_request(page, "015.120.064.001", **changed)
    with pytest.raises(LicensingError):
        Request.read(name, content, Realm.from_dict(page.realm, "test"), name)


@pytest.mark.parametrize(
    "address",
    ["https://authority.example.com", "https://127.0.0.1:8443", "https://[::1]:8443", " https://host:8443/ "],
)
def test_addresses_of_pages(address: str) -> None:
    assert check_portal(address, "here") == address.strip().rstrip("/")


@given(text=st.text(max_size=60) | st.from_regex(r"https?://[\w@:/?#\[\].%-]{0,40}"))
def test_what_is_no_address_is_told_without_what_may_be_a_password(text: str) -> None:
    try:
        assert check_portal(text, "here").startswith("https://")
    except LicensingError as error:
        assert str(error).isprintable()


def test_a_password_in_an_address_is_not_shown() -> None:
    with pytest.raises(LicensingError) as refused:
        check_portal("https://me:secret@host", "here")
    assert "secret" not in str(refused.value)


@given(text=st.text(max_size=60) | st.emails())
def test_an_email_address_has_no_line_breaks(text: str) -> None:
    try:
        assert not set(check_email(text, "here")) & set("\r\n\0 <>,;")
    except LicensingError as error:
        assert str(error).isprintable()


def test_no_file_of_the_certificate_is_left(page: Page, told: Told, tmp_path: Path, monkeypatch: Any) -> None:
    told.reply = None
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    portal(page).check()
    assert list(tmp_path.iterdir()) == []


def test_a_dead_proxy_is_named_with_its_variable_and_without_its_login(
    page: Page, told: Told, monkeypatch: Any
) -> None:
    told.reply = None
    monkeypatch.setenv("https_proxy", "http://anna:secret@127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(
        LicensingError, match=r"through the proxy .*127\.0\.0\.1:9: Connection refused.*no_proxy"
    ) as told:
        portal(page).check()
    assert "secret" not in str(told.value)
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    portal(page).check()


def test_a_page_is_asked_where_no_keys_and_no_temporary_files_can_be_written(
    page: Page, told: Told, monkeypatch: Any
) -> None:
    told.reply = None
    monkeypatch.setenv("SSLKEYLOGFILE", "/nowhere/keys")
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    portal(page).check()
