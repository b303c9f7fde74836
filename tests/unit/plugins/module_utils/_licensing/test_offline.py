# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Offline, only the realm's own answer to the very request that is pending is applied; all else is refused by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.processor import RequestProcessor
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation, Deactivation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    NUMBERS,
    SERVER,
    SESSION,
    WRONG_CODE,
    CoreLab,
    Host,
    LostReply,
    declared,
    problems_of,
)

PENDING = dict.fromkeys(NUMBERS, "activate")


def ask(lab: CoreLab, host: Host, *numbers: str, responses: Mapping[str, bytes] | None = None) -> Any:
    return host.manager.activate(Activation(declared(*numbers), realm=lab.realm), lab.offline(responses))


def give_back(lab: CoreLab, host: Host, *numbers: str, responses: Mapping[str, bytes] | None = None) -> Any:
    return host.manager.deactivate(Deactivation(list(numbers or NUMBERS)), lab.offline(responses))


def pending(host: Host) -> dict[str, str]:
    return {one["number"]: one["action"] for one in host.overview["pending"]}


def actions(change: Any) -> list[str]:
    return [result.action for result in change.results]


def body(response: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(response)["body"]
    return found


def signed(lab: CoreLab, response: bytes, **changes: Any) -> bytes:
    """The response, changed and signed anew by the authority itself."""
    return lab.ledger.sign(documents.RESPONSE, {**body(response), **changes})


def test_the_worked_example_moves_offline(lab: CoreLab) -> None:
    asked = ask(lab, lab.old)
    assert (asked.changed, actions(asked), list(asked.requests)) == (True, ["pending"] * 3, list(NUMBERS))
    assert pending(lab.old) == PENDING
    assert lab.old.served() == set()

    loaded = ask(lab, lab.old, responses=lab.process(asked.requests))
    assert (loaded.changed, actions(loaded), loaded.requests) == (True, ["activated"] * 3, {})
    assert set(lab.old.statuses().values()) == {"Active"}
    assert not ask(lab, lab.old).changed

    returned = give_back(lab, lab.old)
    assert actions(returned) == ["pending"] * 3
    assert set(lab.old.statuses().values()) == {"Pending Deactivation"}
    assert lab.old.served() == set()
    receipts = lab.process(returned.requests)
    asked = ask(lab, lab.new)
    loaded = ask(lab, lab.new, responses=lab.process(asked.requests))
    assert [result.spends for result in loaded.results] == [1, 1, 1]
    lab.check_one_holder()
    assert actions(give_back(lab, lab.old, responses=receipts)) == ["deactivated"] * 3
    assert set(lab.old.statuses().values()) == {"Inactive Nodelock"}
    assert lab.old.open_requests() == lab.new.open_requests() == []
    assert [lab.spent(number) for number in NUMBERS] == [1, 1, 1]
    lab.check_one_holder()


def test_a_request_that_is_made_twice_is_the_same_request(lab: CoreLab) -> None:
    first = ask(lab, lab.old)
    files = lab.old.files()
    lab.clock.forward(days=3)
    again = ask(lab, lab.old)
    assert (again.changed, actions(again)) == (False, ["pending"] * 3)
    assert again.requests == first.requests
    assert lab.old.files() == files
    lab.process(first.requests)
    lab.process(again.requests)
    ask(lab, lab.old, responses=lab.process(again.requests))
    first = give_back(lab, lab.old)
    lab.clock.forward(days=3)
    assert give_back(lab, lab.old).requests == first.requests


def test_responses_may_come_one_by_one(lab: CoreLab) -> None:
    responses = lab.process(ask(lab, lab.old).requests)
    change = ask(lab, lab.old, responses={SESSION: responses[SESSION]})
    assert actions(change) == ["pending", "activated", "pending"]
    assert list(change.requests) == [SERVER, CLIENT]
    assert pending(lab.old) == {SERVER: "activate", CLIENT: "activate"}
    change = ask(lab, lab.old, responses={SERVER: responses[SERVER], CLIENT: responses[CLIENT]})
    assert actions(change) == ["activated", "unchanged", "activated"]


def test_what_was_asked_for_offline_may_be_finished_online(lab: CoreLab) -> None:
    request = ask(lab, lab.old, SERVER).requests[SERVER]
    lab.desk(online=False).answer(request)
    lab.activate(lab.old, SERVER)
    assert lab.old.statuses() == {SERVER: "Active"}
    assert len([one for one in lab.ledger.audit() if one["event"] == "activate"]) == 1


def test_what_is_asked_for_next_waits_after_what_was_finished(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    receipt = lab.process(give_back(lab, lab.old, SERVER).requests)
    change = ask(lab, lab.old, SERVER, responses=receipt)
    assert actions(change) == ["pending"]
    assert pending(lab.old) == {SERVER: "activate"}
    change = give_back(lab, lab.old, SERVER, responses=lab.process(change.requests))
    assert actions(change) == ["pending"]
    assert pending(lab.old) == {SERVER: "deactivate"}
    assert actions(give_back(lab, lab.old, SERVER, responses=lab.process(change.requests))) == ["deactivated"]


def test_a_new_request_is_not_answered_by_an_old_response(lab: CoreLab) -> None:
    old = lab.process(ask(lab, lab.old, SERVER).requests)
    ask(lab, lab.old, SERVER, responses=old)
    receipt = give_back(lab, lab.old, SERVER, responses=old)
    assert actions(receipt) == ["pending"]
    assert receipt.requests


class TestRefused:
    """Each of these leaves the home byte for byte as it was, and the request pending."""

    def refuse(self, lab: CoreLab, responses: Mapping[str, bytes], said: str) -> LicensingError:
        before, open_before = lab.old.files(), pending(lab.old)
        with pytest.raises(LicensingError, match=said) as refused:
            ask(lab, lab.old, responses=responses)
        assert lab.old.files() == before
        assert pending(lab.old) == open_before == PENDING
        for problem in refused.value.problems:
            assert problem.todo
            assert problem.where.endswith(".response")
        return refused.value

    @pytest.fixture
    def responses(self, lab: CoreLab) -> dict[str, bytes]:
        return lab.process(ask(lab, lab.old).requests)

    @pytest.mark.parametrize("part", [0.0, 0.01, 0.3, 0.6, 0.9, 0.999])
    def test_a_truncated_response(self, lab: CoreLab, responses: dict[str, bytes], part: float) -> None:
        whole = responses[SESSION].rstrip()
        cut = {**responses, SESSION: whole[: int(len(whole) * part)]}
        assert len(self.refuse(lab, cut, "truncated or damaged").problems) == 1

    @pytest.mark.parametrize(
        ("old", "new"),
        [(b'"seats":8', b'"seats":9'), (b'"spends":0', b'"spends":1'), (b'"granted"', b'"Granted"'), (b"PRO", b"PR0")],
    )
    def test_an_altered_response(self, lab: CoreLab, responses: dict[str, bytes], old: bytes, new: bytes) -> None:
        assert old in responses[SESSION]
        self.refuse(lab, {**responses, SESSION: responses[SESSION].replace(old, new)}, "was changed")

    def test_a_response_of_a_foreign_realm(self, lab: CoreLab, responses: dict[str, bytes]) -> None:
        with Ledger.create(str(lab.folder / "foreign.db"), "foreign") as foreign:
            its = foreign.sign(documents.RESPONSE, {**body(responses[SERVER]), "realm": foreign.realm.id})
            self.refuse(lab, {**responses, SERVER: its}, f"of the foreign realm '{foreign.realm.id}'.*{lab.realm.id}")
            forged = foreign.sign(documents.RESPONSE, body(responses[SERVER]))
            self.refuse(lab, {**responses, SERVER: forged}, "is not signed by the expected realm key")

    def test_an_unsigned_response(self, lab: CoreLab, responses: dict[str, bytes]) -> None:
        bare = json.dumps({**json.loads(responses[SERVER]), "signatures": {}}).encode()
        self.refuse(lab, {**responses, SERVER: bare}, "is not signed by the expected realm key")

    def test_a_response_for_another_machine(self, lab: CoreLab, responses: dict[str, bytes]) -> None:
        with lab.ledger.change():
            lab.ledger._rows("DELETE FROM holding")
        others = lab.process(ask(lab, lab.new).requests)
        self.refuse(lab, others, "The response is for another machine")
        ask(lab, lab.new, responses=others)
        assert set(lab.new.statuses().values()) == {"Active"}

    def test_a_response_to_another_request_of_this_machine(self, lab: CoreLab, responses: dict[str, bytes]) -> None:
        swapped = {SERVER: responses[CLIENT], CLIENT: responses[SERVER]}
        said = self.refuse(lab, swapped, "answers another request than the one that is pending")
        assert len(said.problems) == 2

    def test_a_response_that_was_applied_before(self, lab: CoreLab, responses: dict[str, bytes]) -> None:
        ask(lab, lab.old, responses=responses)
        receipts = give_back(lab, lab.old)
        give_back(lab, lab.old, responses=lab.process(receipts.requests))
        ask(lab, lab.old)
        self.refuse(lab, responses, "The response was applied before")

    def test_a_request_instead_of_its_response(self, lab: CoreLab, responses: dict[str, bytes]) -> None:
        self.refuse(lab, ask(lab, lab.old).requests, "This is a 'request' document, not a response")

    def test_a_web_page_instead_of_a_response(self, lab: CoreLab, responses: dict[str, bytes]) -> None:
        self.refuse(lab, {**responses, SERVER: b"<html>Please log in</html>"}, "truncated or damaged")

    @pytest.mark.parametrize(
        "changes",
        [
            {"action": "deactivate"},
            {"number": CLIENT},
            {"fingerprint": None},
            {"fingerprint": {}},
            {"request_id": "f" * 32},
            {"request_digest": None},
            {"license": None},
            {"license": {}},
            {"license": {"format": "aims-licensing/1", "kind": "license", "body": {}, "signatures": {}}},
            {"account": None},
            {"serial": "1"},
        ],
    )
    def test_a_response_of_the_realm_that_does_not_fit(
        self, lab: CoreLab, responses: dict[str, bytes], changes: dict[str, Any]
    ) -> None:
        self.refuse(lab, {SERVER: signed(lab, responses[SERVER], **changes)}, ".")
        ask(lab, lab.old, responses=responses)
        assert set(lab.old.statuses().values()) == {"Active"}

    def test_a_license_of_another_number_in_a_well_signed_response(
        self, lab: CoreLab, responses: dict[str, bytes]
    ) -> None:
        other = body(responses[CLIENT])["license"]
        self.refuse(lab, {SERVER: signed(lab, responses[SERVER], license=other)}, ".")

    def test_every_bad_response_is_named_and_no_good_one_is_applied(
        self, lab: CoreLab, responses: dict[str, bytes]
    ) -> None:
        bad = {SERVER: responses[SERVER], SESSION: b"x", CLIENT: responses[SERVER]}
        refused = self.refuse(lab, bad, "truncated or damaged")
        assert [problem.where.rsplit("/", 1)[-1] for problem in refused.problems] == [
            "015120065016.response",
            "015120055014.response",
        ]


def test_a_refusal_closes_its_request_and_leaves_the_way_free(lab: CoreLab) -> None:
    request = lab.old.manager.activate(
        Activation(declared(SERVER, code=WRONG_CODE), realm=lab.realm), lab.offline()
    ).requests
    with pytest.raises(LicensingError, match=f"knows no license {SERVER} with this activation code"):
        lab.old.manager.activate(
            Activation(declared(SERVER, code=WRONG_CODE), realm=lab.realm), lab.offline(lab.process(request))
        )
    assert lab.old.open_requests() == []
    assert lab.old.statuses() == {}
    asked = ask(lab, lab.old, SERVER)
    assert asked.requests != request
    ask(lab, lab.old, SERVER, responses=lab.process(asked.requests))
    assert lab.old.statuses() == {SERVER: "Active"}


def test_what_is_refused_is_told_at_once_and_keeps_no_other_from_its_end(lab: CoreLab) -> None:
    lab.activate(lab.new, SERVER, CLIENT)
    requests = ask(lab, lab.old).requests
    answered = lab.process(requests)
    with pytest.raises(LicensingError) as refused:
        ask(lab, lab.old, responses=answered)
    assert problems_of(refused) == [f"License {number} is live on another machine." for number in (SERVER, CLIENT)]
    assert lab.old.open_requests() == [] and lab.old.statuses() == {SESSION: "Active"}
    lab.check_one_holder()


def test_an_answer_that_does_not_come_keeps_the_next_license_from_being_asked_for(lab: CoreLab) -> None:
    ask(lab, lab.old, SERVER, SESSION)
    line = LostReply(lab.realm, lab.desk().answer)
    with pytest.raises(ConnectionResetError):
        lab.old.manager.activate(Activation(declared(SERVER, SESSION)), line)
    assert len(line.requests) == 1 and len(lab.old.open_requests()) == 2


def test_a_refused_deactivation_of_what_another_machine_holds_does_not_make_two_of_it(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    requests = give_back(lab, lab.old, SERVER).requests
    with lab.ledger.change():
        lab.ledger._rows("UPDATE holding SET live = 0")
    lab.activate(lab.new, SERVER)
    with pytest.raises(LicensingError, match="is not live on this license server"):
        give_back(lab, lab.old, SERVER, responses=lab.process(requests))
    assert lab.old.open_requests() == []
    lab.check_one_holder()
    for channel in (lab.channel(), lab.offline()):
        try:
            lab.old.manager.activate(Activation(declared(SERVER)), channel)
        except LicensingError as error:
            assert "live on another machine" in str(error)
        lab.check_one_holder()


def test_offline_requests_are_refused_by_another_authority_and_can_still_be_processed(lab: CoreLab) -> None:
    requests = ask(lab, lab.old).requests
    with Ledger.create(str(lab.folder / "foreign.db"), "foreign") as foreign:
        for request in requests.values():
            with pytest.raises(LicensingError, match="The request is for realm"):
                RequestProcessor(foreign, online=False).answer(request)
    ask(lab, lab.old, responses=lab.process(requests))
    assert set(lab.old.statuses().values()) == {"Active"}


def test_a_pending_request_is_finished_where_it_was_made_for(lab: CoreLab) -> None:
    ask(lab, lab.old)
    config = json.loads(lab.old.read("Config/server.json"))
    other = {"name": "REHEARSAL other", "key": "A" * 43 + "="}
    lab.old.write("Config/server.json", json.dumps({**config, "realm": other}))
    with pytest.raises(LicensingError, match="was made for another realm than REHEARSAL other") as refused:
        lab.old.manager.activate(Activation(declared()), lab.offline())
    assert len(problems_of(refused)) == 3


def test_a_machine_that_became_another_one_does_not_take_what_it_asked_for_before(lab: CoreLab) -> None:
    responses = lab.process(ask(lab, lab.old, SERVER).requests)
    lab.old.set_machine_id("3" * 31 + "c")
    with pytest.raises(LicensingError, match="was made on another machine than this host is now"):
        ask(lab, lab.old, SERVER, responses=responses)
    assert lab.old.served() == set() and pending(lab.old) == {SERVER: "activate"}


def without_codes(*numbers: str) -> list[DeclaredLicense]:
    return [replace(one, activation_code=None) for one in declared(*numbers)]


def test_what_is_pending_is_finished_without_an_activation_code(lab: CoreLab) -> None:
    responses = lab.process(ask(lab, lab.old, SERVER).requests)
    waiting = lab.old.manager.activate(Activation(without_codes(SERVER), realm=lab.realm), lab.offline())
    assert [one.action for one in waiting.results] == ["pending"]
    done = lab.old.manager.activate(Activation(without_codes(SERVER), realm=lab.realm), lab.offline(responses))
    assert [one.action for one in done.results] == ["activated"]
    assert lab.old.profiles() == [("PROServer", SERVER)]
    again = lab.old.manager.activate(Activation(without_codes(SERVER), realm=lab.realm), lab.offline())
    assert not again.changed and lab.old.open_requests() == []


def test_nothing_new_is_asked_for_without_an_activation_code(lab: CoreLab) -> None:
    for channel in (lab.channel(), lab.offline()):
        for dry in (True, False):
            with pytest.raises(LicensingError, match=f"License {SERVER} is not active here, and its activation code"):
                lab.old.manager.activate(Activation(without_codes(SERVER), realm=lab.realm), channel, dry=dry)
    assert lab.old.statuses() == {} and lab.old.open_requests() == [] and lab.spent() == 0
    # What was given back and is still fenced is nobody's to serve again unasked.
    lab.activate(lab.old)
    requests = lab.old.manager.deactivate(Deactivation([SERVER]), lab.offline()).requests
    with pytest.raises(LicensingError, match="its activation code is not given"):
        lab.old.manager.activate(Activation(without_codes(SERVER), realm=lab.realm), lab.offline(lab.process(requests)))
    assert lab.old.served() == {digits(SESSION), digits(CLIENT)}
