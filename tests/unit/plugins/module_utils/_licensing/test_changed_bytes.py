# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What mails, editors and copies do to the bytes of a document on its way: it is the same document, or it is refused.

Where it is refused, ledger, transfers and ids are untouched, and the original goes through afterwards.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.audit import check_ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import Embedded
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.folder import RequestFolder
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.service_lab import (
    Service,
    ServiceLab,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.changed_bytes import (
    ACTIONS,
    DAMAGED,
    DAMAGED_REQUEST,
    SAME,
    STEM,
    Change,
    act,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    SERVER,
    CoreLab,
    Host,
    all_files,
)


class Changed(Embedded):
    """A channel on which a request or a response is changed the first time that it passes."""

    def __init__(
        self, lab: CoreLab, ask: Callable[[bytes], Any], request: Change | None, response: Change | None
    ) -> None:
        super().__init__(lab.realm, "the authority", lambda data: b"", lambda dry: None)
        self.ask, self.changes = ask, [request, response]

    def exchange(self, number: str, request: bytes) -> bytes | None:
        if b'"action":"quote"' in request:
            return bytes(self.ask(request))
        changes, self.changes = self.changes, [None, None]
        response = bytes(self.ask(changes[0](request) if changes[0] else request))
        return changes[1](response) if changes[1] else response


def ready(lab: CoreLab, action: str) -> Host:
    """The host on which an action is to be done, with the license on it where the action needs it."""
    if action != "activate":
        lab.activate(lab.new, SERVER)
    return lab.new


def check_done(lab: CoreLab, host: Host, action: str) -> None:
    """Assert that the action was done once, and that what is kept of it has the bytes that the authority signed."""
    assert host.open_requests() == [] and lab.spent() == 0
    assert host.served() == ({STEM} if action != "deactivate" else set())
    assert lab.ledger.holding(SERVER).live is (action != "deactivate")
    kept = sorted((host.folder / "Journal/closed").glob("*.response"), key=lambda path: path.stat().st_mtime_ns)
    signed = [lab.ledger.response(path.stem.partition("-")[2]) for path in kept]
    withdrawn = [answer for answer in signed if answer and json.loads(answer[1])["body"]["outcome"] == "refused"]
    assert all(answer is not None for answer in signed) and len(withdrawn) == (action == "deactivate")
    assert sum(path.read_bytes() == answer[1] for path, answer in zip(kept, signed) if answer) == len(kept) - len(
        withdrawn
    )
    if action != "deactivate":
        assert host.overview["licenses"][0]["status"] == "Active"
        assert host.read(f"Nodelocks/{STEM}.lock") in [answer[1] for answer in signed if answer]
    check_ledger(lab.ledger)


CASES = [
    *(pytest.param(change, None, True, id=f"request: {name}") for name, change in SAME.items()),
    *(pytest.param(None, change, True, id=f"response: {name}") for name, change in SAME.items()),
    *(pytest.param(change, None, False, id=f"request: {name}") for name, change in DAMAGED_REQUEST.items()),
    *(pytest.param(None, change, False, id=f"response: {name}") for name, change in DAMAGED.items()),
]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(("request_change", "response_change", "same"), CASES)
def test_by_the_ledger_it_is_the_same_document_or_refused_before_anything_is_decided(
    lab: CoreLab, action: str, request_change: Change | None, response_change: Change | None, same: bool
) -> None:
    host = ready(lab, action)
    channel = Changed(lab, lab.desk().answer, request_change, response_change)
    before = all_files(lab.folder)["authority.db"]
    if not same:
        with pytest.raises(LicensingError):
            act(host, action, channel)
        assert host.open_requests() == [f"{STEM}.request"]
        assert (all_files(lab.folder)["authority.db"] == before) is (request_change is not None)
        lab.check_one_holder()
    act(host, action, channel)
    check_done(lab, host, action)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(("request_change", "response_change", "same"), CASES)
def test_offline_it_is_the_same_document_or_refused_before_anything_is_decided(
    lab: CoreLab, action: str, request_change: Change | None, response_change: Change | None, same: bool
) -> None:
    host = ready(lab, action)
    place = lab.folder / "requests"
    folder = RequestFolder(place)
    request, response = place / f"{STEM}.request", place / f"{STEM}.response"

    def turn() -> Any:
        """One run of the controller."""
        there = {response["number"]: base64.b64decode(response["content"]) for response in folder.responses([SERVER])}
        change = act(host, action, lab.offline(there), lab.realm)
        folder.take(change.requests, [SERVER])
        return change

    turn()
    original = request.read_bytes()
    if request_change:
        request.write_bytes(request_change(original))
    before = all_files(lab.folder)["authority.db"]
    if request_change and not same:
        with pytest.raises(LicensingError):
            lab.desk(online=False).answer(request.read_bytes())
        assert all_files(lab.folder)["authority.db"] == before
        request.write_bytes(original)
    answer = lab.desk(online=False).answer(request.read_bytes())
    assert lab.desk(online=False).earlier_answer(original) is not None
    response.write_bytes(response_change(answer) if response_change else answer)
    if response_change and not same:
        with pytest.raises(LicensingError):
            turn()
        assert host.open_requests() == [f"{STEM}.request"]
        response.write_bytes(answer)
    turn()
    assert sorted(path.suffix for path in place.rglob("*.re*")) == [".request", ".response"] and not request.exists()
    check_done(lab, host, action)


def test_a_request_whose_bytes_were_changed_in_its_folder_keeps_its_response_beside_it(lab: CoreLab) -> None:
    place = lab.folder / "requests"
    folder = RequestFolder(place)
    change = act(lab.new, "activate", lab.offline(), lab.realm)
    folder.take(change.requests, [SERVER])
    request, response = place / f"{STEM}.request", place / f"{STEM}.response"
    for name, change_of in SAME.items():
        request.write_bytes(change_of(change.requests[SERVER]))
        response.write_bytes(b"x")
        folder.take(change.requests, [SERVER])
        assert response.exists() and not (place / "done").exists(), name


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, new_ledger: bytes) -> Iterator[tuple[ServiceLab, Service]]:
    lab = ServiceLab(tmp_path_factory.mktemp("serving"), new_ledger)
    lab.activate(lab.new, SERVER)
    yield lab, lab.serve()
    lab.close()


ON_THE_LINE = [
    *(("request", name) for name in (*SAME, *DAMAGED_REQUEST)),
    *(("response", name) for name in (*SAME, *DAMAGED)),
]


# Who fails thirty times in ten minutes is put off by the service: some changes each have one of their own.
@pytest.mark.parametrize(
    ("serving", "direction", "name"),
    [(number // 8, *change) for number, change in enumerate(ON_THE_LINE)],
    indirect=["serving"],
)
def test_over_https_it_is_the_same_document_or_refused_before_anything_is_decided(
    serving: tuple[ServiceLab, Service], name: str, direction: str
) -> None:
    lab, service = serving
    change = {**SAME, **DAMAGED_REQUEST}[name]
    changes = (change, None) if direction == "request" else (None, change)
    for action in ("update", "deactivate", "activate"):
        channel = Changed(lab, lambda data: service.channel().exchange(SERVER, data), *changes)
        if name not in SAME:
            with pytest.raises(LicensingError):
                act(lab.new, action, channel)
            assert lab.new.open_requests() == [f"{STEM}.request"]
        act(lab.new, action, channel)
        assert lab.new.open_requests() == [] and lab.new.served() == (set() if action == "deactivate" else {STEM})
    assert lab.spent() == 0
    check_ledger(lab.ledger)
