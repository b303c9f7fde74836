# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request desk answers every request once, and tells nobody more than they prove to know."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.audit import check_ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.processor import RequestProcessor
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import read_fingerprint
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.exchange import Requests
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import render_time
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    SERVER,
    WRONG_CODE,
    CoreLab,
    Host,
    all_files,
    declared,
    problems_of,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def requests_of(lab: CoreLab, host: Host) -> Requests:
    return Requests(lab.realm, read_fingerprint(str(host.root)), host_key=host.home.make_host_key(), now=lab.clock())


def outcome(response: bytes) -> tuple[str, str | None]:
    body = documents.read(response, documents.RESPONSE, "response").body
    return body["outcome"], body["reason"]["what"] if body["reason"] else None


def made_anew(lab: CoreLab, host: Host, **changes: Any) -> bytes:
    """A request to activate, changed and signed again by the host that makes it; with the code where it needs one."""
    body = {**json.loads(requests_of(lab, host).activate(declared(SERVER)[0]))["body"], **changes}
    keys = {"host": documents.load_private_key(host.home.make_host_key(), "key")}
    if body["action"] in ("activate", "quote"):
        keys["code"] = documents.key_from_code(SERVER, declared(SERVER)[0].activation_code, lab.realm.key)
    return documents.sign(documents.REQUEST, body, keys)


def test_the_same_request_gets_the_very_same_response_and_changes_nothing_more(lab: CoreLab) -> None:
    request = requests_of(lab, lab.old).activate(declared(SERVER)[0])
    first = lab.desk().answer(request)
    assert outcome(first) == ("granted", None)
    ledger = all_files(lab.folder)["authority.db"]
    lab.clock.forward(days=400)
    for online in (True, False):
        assert lab.desk(online).answer(request) == first
    assert all_files(lab.folder)["authority.db"] == ledger


@pytest.mark.parametrize(
    "damage",
    [
        "replace(content, '\"reason\"', '\"reasom\"')",
        "replace(content, '\"granted\"', '\"refused\"')",
        'replace(content, \'"realm":"\', \'"realm":"A\')',
        "substr(content, 2)",
        "x'ff'",
        "(SELECT content FROM response ORDER BY rowid DESC LIMIT 1)",
    ],
)
def test_a_stored_answer_that_was_damaged_is_told_and_given_to_nobody(lab: CoreLab, damage: str) -> None:
    requests = requests_of(lab, lab.old)
    asked, other = (requests.activate(declared(SERVER)[0]) for _request in range(2))
    for request in (asked, other):
        assert outcome(lab.desk().answer(request)) == ("granted", None)
    with lab.ledger.change():
        lab.ledger._rows(f"UPDATE response SET content = CAST({damage} AS BLOB) WHERE rowid = 1")
    before = lab.ledger_path.read_bytes()
    # Giving back puts a refusal in the place of what was granted, which has to be read for it.
    given_back = requests.deactivate(SERVER, "machine")
    for call, request in (
        (lab.desk().answer, asked),
        (lab.desk().earlier_answer, asked),
        (lab.desk().answer, given_back),
    ):
        with pytest.raises(LicensingError, match="The ledger is damaged") as refused:
            call(request)
        assert [problem.where for problem in refused.value.problems] == [str(lab.ledger_path)]
    assert lab.ledger_path.read_bytes() == before
    assert outcome(lab.desk().answer(other)) == ("granted", None)


def test_a_repeated_request_spends_one_transfer(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    lab.deactivate(lab.old, SERVER)
    request = requests_of(lab, lab.new).activate(declared(SERVER)[0])
    for _attempt in range(5):
        assert outcome(lab.desk().answer(request)) == ("granted", None)
    assert lab.spent() == 1


def granted_once(lab: CoreLab, host: Host, **changes: Any) -> bytes:
    """Have an activation granted whose home is then restored to the moment before it heard of it."""
    request = made_anew(lab, host, **changes)
    assert outcome(lab.desk().answer(request)) == ("granted", None)
    return request


def test_a_home_restored_to_a_pending_activation_is_not_granted_again_what_it_gave_back(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    lab.deactivate(lab.old, SERVER)
    asked = lab.new.manager.activate(Activation(declared(SERVER), realm=lab.realm), lab.offline())
    shutil.copytree(lab.new.root, lab.folder / "snapshot")
    lab.new.manager.activate(Activation(declared(SERVER), realm=lab.realm), lab.offline(lab.process(asked.requests)))
    lab.deactivate(lab.new, SERVER)
    given_back = render_time(lab.clock())
    lab.clock.forward(days=1)
    lab.activate(lab.old, SERVER)
    shutil.rmtree(lab.new.root)
    shutil.copytree(lab.folder / "snapshot", lab.new.root)
    with pytest.raises(LicensingError) as refused:
        lab.activate(lab.new, SERVER)
    assert problems_of(refused) == [
        f"License {SERVER} was given back at {given_back}, after this request had been granted."
    ]
    assert lab.new.open_requests() == [] and lab.new.served() == set()
    lab.check_one_holder()
    with pytest.raises(LicensingError, match="live on another machine"):
        lab.activate(lab.new, SERVER)
    # Free again, it is asked for anew, by the same command.
    lab.deactivate(lab.old, SERVER)
    lab.activate(lab.new, SERVER)
    assert lab.new.statuses() == {SERVER: "Active"} and lab.spent() == 3
    check_ledger(lab.ledger)


def test_what_a_machine_was_granted_under_an_earlier_key_is_withdrawn_too(lab: CoreLab) -> None:
    earlier = granted_once(lab, lab.old)
    (lab.old.folder / "Config" / "host.key").unlink()
    later = granted_once(lab, lab.old)
    lab.desk().answer(requests_of(lab, lab.old).deactivate(SERVER, "machine"))
    lab.activate(lab.new, SERVER)
    for request in (earlier, later):
        assert outcome(lab.desk().answer(request))[0] == "refused"
    assert lab.spent() == 1


def test_a_withdrawn_grant_is_refused_in_the_very_same_bytes_and_a_receipt_is_given_again(lab: CoreLab) -> None:
    activation = granted_once(lab, lab.old)
    deactivation = requests_of(lab, lab.old).deactivate(SERVER, "machine")
    receipt = lab.desk().answer(deactivation)
    refusal = lab.desk().answer(activation)
    assert outcome(refusal)[0] == "refused" and b'"license"' not in refusal
    for _again in range(2):
        lab.clock.forward(days=1)
        lab.activate(lab.old, SERVER)
        lab.deactivate(lab.old, SERVER)
        assert (lab.desk().answer(deactivation), lab.desk().answer(activation)) == (receipt, refusal)
    assert outcome(receipt) == ("granted", None) and lab.spent() == 0


def test_an_emergency_activation_ends_with_what_its_machine_gives_back_and_not_with_what_others_do(
    lab: CoreLab,
) -> None:
    lab.activate(lab.old, SERVER)
    bridge = granted_once(lab, lab.new, emergency=True)
    granted = lab.desk().answer(bridge)
    lab.deactivate(lab.old, SERVER)
    assert lab.desk().answer(bridge) == granted
    lab.activate(lab.new, SERVER)
    lab.deactivate(lab.new, SERVER)
    lab.activate(lab.old, SERVER)
    assert outcome(lab.desk().answer(bridge))[0] == "refused"


def test_a_refusal_is_repeated_too_even_when_it_would_be_granted_by_now(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    request = requests_of(lab, lab.new).activate(declared(SERVER)[0])
    first = lab.desk().answer(request)
    assert outcome(first) == ("refused", f"License {SERVER} is live on another machine.")
    lab.deactivate(lab.old, SERVER)
    assert lab.desk().answer(request) == first
    assert lab.spent() == 0


def test_another_request_under_an_answered_id_is_refused(lab: CoreLab) -> None:
    lab.desk().answer(made_anew(lab, lab.old, id="a" * 32))
    ledger = all_files(lab.folder)["authority.db"]
    for other in (
        made_anew(lab, lab.old, id="a" * 32, made="2026-01-02T00:00:00Z"),
        made_anew(lab, lab.new, id="a" * 32),
        made_anew(lab, lab.old, id="a" * 32, action="deactivate"),
    ):
        with pytest.raises(LicensingError, match="Another request with this id was already answered"):
            lab.desk().answer(other)
    assert all_files(lab.folder)["authority.db"] == ledger


def test_a_request_for_another_realm_is_refused_and_not_recorded(lab: CoreLab) -> None:
    with Ledger.create(str(lab.folder / "foreign.db"), "foreign") as foreign:
        desk = RequestProcessor(foreign, online=True, clock=lab.clock)
        with pytest.raises(LicensingError, match=rf"request is for realm '{lab.realm.id}', this is {foreign.realm.id}"):
            desk.answer(requests_of(lab, lab.old).activate(declared(SERVER)[0]))
        assert foreign.audit() == []


def test_a_wrong_code_and_an_unknown_license_are_told_in_the_same_words(lab: CoreLab) -> None:
    requests = requests_of(lab, lab.old)
    wrong = lab.desk().answer(requests.activate(declared(SERVER, code=WRONG_CODE)[0]))
    with Ledger.create(str(lab.folder / "empty.db"), "empty") as empty:
        there = Requests(
            empty.realm, read_fingerprint(str(lab.old.root)), host_key=lab.old.home.make_host_key(), now=lab.clock()
        )
        unknown = RequestProcessor(empty, True, lab.clock).answer(there.activate(declared(SERVER)[0]))
    reasons = [documents.read(one, documents.RESPONSE, "").body["reason"] for one in (wrong, unknown)]
    assert reasons[0] == reasons[1]
    assert reasons[0]["what"] == f"The authority knows no license {SERVER} with this activation code."
    keys = [set(documents.read(one, documents.RESPONSE, "").body) for one in (wrong, unknown)]
    assert keys[0] == keys[1]
    assert "license" not in keys[0]


def test_a_quote_with_a_wrong_code_tells_nothing_of_the_license_either(lab: CoreLab) -> None:
    lab.activate(lab.old)
    quote = lab.desk().answer(requests_of(lab, lab.new).quote(declared(SERVER, code=WRONG_CODE)[0]))
    body = documents.read(quote, documents.RESPONSE, "").body
    assert body["outcome"] == "refused"
    assert not {"license", "account", "live", "holder"} & set(body)


def test_no_request_and_no_response_holds_the_code(lab: CoreLab) -> None:
    one = declared(SERVER)[0]
    for make in (requests_of(lab, lab.old).activate, requests_of(lab, lab.old).quote):
        request = make(one)
        assert one.activation_code.encode() not in request
        assert one.activation_code.encode() not in lab.desk().answer(request)


def test_a_quote_changes_nothing_however_often_it_is_asked(lab: CoreLab) -> None:
    lab.activate(lab.old)
    ledger = all_files(lab.folder)["authority.db"]
    for _attempt in range(3):
        body = documents.read(lab.desk().answer(requests_of(lab, lab.new).quote(declared()[0])), "response", "").body
        assert (body["outcome"], body["spends"], body["live"]) == ("granted", 1, True)
    assert all_files(lab.folder)["authority.db"] == ledger


def test_only_the_key_that_activated_a_license_gives_it_back(lab: CoreLab) -> None:
    lab.activate(lab.old)
    said = f"License {SERVER} is not live on this license server."
    assert outcome(lab.desk().answer(requests_of(lab, lab.new).deactivate(SERVER, "machine"))) == ("refused", said)
    # the same machine with a home made anew has another key
    fresh = lab.old.folder / "Config" / "host.key"
    kept = fresh.read_bytes()
    fresh.unlink()
    assert outcome(lab.desk().answer(requests_of(lab, lab.old).deactivate(SERVER, "machine"))) == ("refused", said)
    fresh.write_bytes(kept)
    assert outcome(lab.desk().answer(requests_of(lab, lab.old).deactivate(SERVER, "machine"))) == ("granted", None)


def test_a_copied_home_on_another_machine_does_not_give_back_what_the_first_one_holds(lab: CoreLab) -> None:
    lab.activate(lab.old)
    (lab.new.folder / "Config" / "host.key").write_bytes(lab.old.read("Config/host.key"))
    answer = lab.desk().answer(requests_of(lab, lab.new).deactivate(SERVER, "machine"))
    assert outcome(answer) == ("refused", f"License {SERVER} is not live on this license server.")
    holding = lab.ledger.holding(SERVER)
    assert holding is not None and holding.live


def test_what_was_given_back_cannot_be_given_back_again_under_a_new_id(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    requests = requests_of(lab, lab.old)
    assert outcome(lab.desk().answer(requests.deactivate(SERVER, "machine")))[0] == "granted"
    assert outcome(lab.desk().answer(requests.deactivate(SERVER, "machine")))[0] == "refused"


def test_a_request_that_was_tampered_with_is_refused_and_not_recorded(lab: CoreLab) -> None:
    request = requests_of(lab, lab.old).activate(declared(SERVER)[0])
    records = len(lab.ledger.audit())
    for old, new in ((b'"activate"', b'"deactivate"'), (b'"machine"', b'"personal"'), (b"015.120.064", b"015.120.065")):
        assert old in request
        with pytest.raises(LicensingError, match="was changed"):
            lab.desk().answer(request.replace(old, new))
    assert len(lab.ledger.audit()) == records


@pytest.mark.parametrize(
    "changes",
    [
        {"id": int("1" * 32)},
        {"id": ["a" * 32]},
        {"id": "a" * 31},
        {"id": "a" * 32 + "\n"},
        {"action": "renew"},
        {"action": ["activate"]},
        {"nodelock": "floating"},
        {"nodelock": None},
        {"number": 15},
        {"number": None},
        {"host_key": None},
        {"host_key": ""},
        {"fingerprint": {}},
        {"fingerprint": []},
        {"fingerprint": {"machine-id": "short"}},
        {"fingerprint": {"x" * 41: "a" * 32}},
        {"fingerprint": {"": "a" * 32}},
        {"fingerprint": {"machine-id": ["a" * 32]}},
        {"fingerprint": {f"c{at}": "a" * 32 for at in range(11)}},
        {"realm": None},
        {"realm": ["x"] * 20},
        {"realm": "\x1b[2J\r\n"},
    ],
)
def test_a_well_signed_request_that_makes_no_sense_is_refused_in_words(lab: CoreLab, changes: dict[str, Any]) -> None:
    records = len(lab.ledger.audit())
    with pytest.raises(LicensingError) as refused:
        lab.desk().answer(made_anew(lab, lab.old, **changes), "file.request")
    assert str(refused.value).isprintable()
    assert len(problems_of(refused)) == 1
    assert len(lab.ledger.audit()) == records


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.sampled_from(["id", "action", "number", "nodelock", "fingerprint", "host_key", "realm", "made", "new"]),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=40),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    ),
)
def test_any_well_signed_request_is_answered_or_refused(lab: CoreLab, key: str, value: Any) -> None:
    try:
        response = lab.desk().answer(made_anew(lab, lab.old, **{key: value}))
    except LicensingError as error:
        assert str(error)
    else:
        assert outcome(response)[0] in ("granted", "refused")
