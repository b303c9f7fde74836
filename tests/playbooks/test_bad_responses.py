# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The offline walk with wrong response files: each is refused and leaves no trace, and the right ones complete it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from playbooks.bad_input import CLIENT, SERVER, SESSION, Rehearsal, digits
from support.lab import Lab

NUMBERS = (SERVER, SESSION, CLIENT)
OTHER = {SERVER: SESSION, SESSION: CLIENT, CLIENT: SERVER}
ASKED = "asked"
GIVEN_UP = "given up"
BACK = "back"
WHOLE = "Use the complete original response file"
ORIGINAL = "Use the original file"
THE_RESPONSE = "Give the response to request"


@pytest.fixture(scope="module")
def shared(prepared: Lab, tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    """A rehearsed pair for the whole module, with a second ledger of a foreign realm."""
    made = Rehearsal(prepared, tmp_path_factory.mktemp("responses"))
    Ledger.create(str(made.folder / "foreign.db"), "Elsewhere").close()
    made.keep("prepared")
    return made


def back_to(pair: Rehearsal, stage: str) -> Rehearsal:
    pair.back_to(stage)
    pair.offline()
    return pair


def waits(pair: Rehearsal, numbers: tuple[str, ...] = NUMBERS) -> None:
    """Run the migration until it waits for the responses to these requests."""
    refusal = pair.refusal_of(pair.play("migrate"))
    assert f"{len(numbers)} request(s) wait in {pair.work / 'offline'}" in refusal.text
    assert "run the same command again" in refusal.text
    for number in NUMBERS:
        assert (f"{digits(number)}.request" in refusal.text) == (number in numbers)


def good(pair: Rehearsal, stage: str, number: str) -> bytes:
    """The right response to the request that a license waits with in a stage."""
    return (pair.folder / stage / f"{digits(number)}.response").read_bytes()


def keep_with_responses(pair: Rehearsal, stage: str) -> None:
    """Keep a stage whose requests are made, and their responses beside it."""
    (pair.folder / stage).mkdir()
    for number in NUMBERS:
        pair.process(number, out=pair.folder / stage)
    pair.keep(stage)


@pytest.fixture
def asked(shared: Rehearsal) -> Rehearsal:
    """The source has fenced its licenses and made its requests; no response is there yet."""
    if not shared.has(ASKED):
        back_to(shared, "prepared")
        waits(shared)
        keep_with_responses(shared, ASKED)
    return back_to(shared, ASKED)


@pytest.fixture
def given_up(asked: Rehearsal) -> Rehearsal:
    """The source has given everything up and the target has made its requests; no response to these is there yet."""
    if not asked.has(GIVEN_UP):
        place(asked, {number: good(asked, ASKED, number) for number in NUMBERS})
        waits(asked)
        keep_with_responses(asked, GIVEN_UP)
    return back_to(asked, GIVEN_UP)


@pytest.fixture
def back(given_up: Rehearsal) -> Rehearsal:
    """The source has its licenses back, because the target's requests came to nothing, and gives them up once more."""
    if not given_up.has(BACK):
        for folder in (given_up.home("new") / "Journal", given_up.work / "offline"):
            for request in folder.glob("*.request"):
                request.unlink()
        with given_up.declaring():
            given_up.common["aims_license_server_authority"] = f"ledger:{given_up.ledger}"
        # the ledger as it was before the target's requests were answered
        shutil.copy(given_up.kept(ASKED) / given_up.ledger.name, given_up.ledger)
        given_up.succeeds("rehearse", "--tags", "prepare")
        assert given_up.licenses_are("old", "Active")
        given_up.offline()
        waits(given_up)
        given_up.keep(BACK)
    return back_to(given_up, BACK)


def place(pair: Rehearsal, responses: Mapping[str, bytes]) -> None:
    """Put files where the responses are expected."""
    for number, response in responses.items():
        pair.offline_file(number, "response").write_bytes(response)


def edited(response: bytes, **changes: Any) -> bytes:
    document = json.loads(response)
    document["body"].update(changes)
    return json.dumps(document).encode()


def signed(pair: Rehearsal, ledger: str, response: bytes, **changes: Any) -> bytes:
    """A response with other contents, signed by the realm of a ledger."""
    with Ledger(str(pair.folder / ledger)) as signer:
        return signer.sign("response", {**json.loads(response)["body"], "realm": signer.realm.id, **changes})


Make = Callable[[Rehearsal, str, str], bytes]

# Each makes a file of the right response in a stage to the request of a license.
RESPONSES: dict[str, tuple[Make, str, str]] = {
    "empty": (lambda pair, stage, number: b"", "truncated or damaged", WHOLE),
    "truncated": (lambda pair, stage, number: good(pair, stage, number)[:300], "truncated or damaged", WHOLE),
    "without_its_end": (lambda pair, stage, number: good(pair, stage, number)[:-2], "truncated or damaged", WHOLE),
    "binary": (lambda pair, stage, number: bytes(range(256)), "truncated or damaged", WHOLE),
    "some_other_json": (lambda pair, stage, number: b'{"granted": true}', "not a response document", WHOLE),
    "of_another_format": (
        lambda pair, stage, number: good(pair, stage, number).replace(b"aims-licensing/1", b"aims-licensing/9"),
        "unknown format 'aims-licensing/9'",
        "This version reads aims-licensing/1",
    ),
    "the_request_itself": (
        lambda pair, stage, number: pair.offline_file(number, "request").read_bytes(),
        "This is a 'request' document, not a response",
        "Use the response file",
    ),
    "altered": (
        lambda pair, stage, number: edited(good(pair, stage, number), serial=999),
        "The response was changed",
        ORIGINAL,
    ),
    "altered_by_one_byte": (
        lambda pair, stage, number: good(pair, stage, number).replace(b'"outcome":"g', b'"outcome":"G'),
        "The response was changed",
        ORIGINAL,
    ),
    "unsigned": (
        lambda pair, stage, number: json.dumps({**json.loads(good(pair, stage, number)), "signatures": {}}).encode(),
        "is not signed by the expected realm key",
        ORIGINAL,
    ),
    "of_a_foreign_realm": (
        lambda pair, stage, number: signed(pair, "foreign.db", good(pair, stage, number)),
        "of the foreign realm",
        "Have the request processed by that authority",
    ),
    "of_a_foreign_realm_that_says_it_is_ours": (
        lambda pair, stage, number: signed(
            pair, "foreign.db", good(pair, stage, number), realm=json.loads(good(pair, stage, number))["body"]["realm"]
        ),
        "is not signed by the expected realm key",
        ORIGINAL,
    ),
    "for_another_machine": (
        lambda pair, stage, number: signed(
            pair, "authority.db", good(pair, stage, number), fingerprint={"machine-id": "0" * 32}
        ),
        "for another machine",
        "Load it on the machine whose request it answers",
    ),
    "to_another_request": (
        lambda pair, stage, number: signed(pair, "authority.db", good(pair, stage, number), request_id="0" * 32),
        "answers another request than the one that is pending",
        THE_RESPONSE,
    ),
    "to_the_request_of_another_license": (
        lambda pair, stage, number: good(pair, stage, OTHER[number]),
        "answers another request than the one that is pending",
        THE_RESPONSE,
    ),
}
KINDS = list(RESPONSES)


def refused_with(pair: Rehearsal, stage: str, kinds: Mapping[str, str]) -> None:
    """Run with a wrong response for each of these licenses: all of them are told, and nothing is applied."""
    place(pair, {number: RESPONSES[kind][0](pair, stage, number) for number, kind in kinds.items()})
    refusal = pair.refused()
    assert len(refusal.problems) == len(kinds)
    for number, kind in kinds.items():
        _make, what, todo = RESPONSES[kind]
        assert refusal.tells(what, str(pair.offline_file(number, "response")), todo)


# A run looks at every response before it applies one, so that three kinds can be tried in each.
@pytest.mark.parametrize("at", range(0, len(KINDS), 3))
def test_wrong_responses_to_deactivations_and_then_the_right_ones(asked: Rehearsal, at: int) -> None:
    refused_with(asked, ASKED, dict(zip(NUMBERS, KINDS[at : at + 3])))
    assert asked.licenses_are("old", "Pending Deactivation")
    if at == 0:
        place(asked, {number: good(asked, ASKED, number) for number in NUMBERS})
        waits(asked)
        assert asked.licenses_are("old", "Inactive Nodelock")


@pytest.mark.parametrize("at", range(0, len(KINDS), 3))
def test_wrong_responses_to_activations_and_then_the_right_ones(given_up: Rehearsal, at: int) -> None:
    refused_with(given_up, GIVEN_UP, dict(zip(NUMBERS, KINDS[at : at + 3])))
    assert not given_up.held("new")
    if at == 0:
        place(given_up, {number: good(given_up, GIVEN_UP, number) for number in NUMBERS})
        given_up.succeeds("migrate")
        assert given_up.licenses_are("new", "Active")
        assert given_up.transfers() == dict.fromkeys(NUMBERS, 1)


def test_good_responses_are_not_applied_beside_a_wrong_one(asked: Rehearsal) -> None:
    place(asked, {number: good(asked, ASKED, number) for number in NUMBERS})
    refused_with(asked, ASKED, {SESSION: "truncated"})
    assert asked.licenses_are("old", "Pending Deactivation")


def test_receipt_of_the_deactivation_replayed_as_the_response_to_the_activation(given_up: Rehearsal) -> None:
    place(given_up, {number: good(given_up, ASKED, number) for number in NUMBERS})
    refusal = given_up.refused()
    assert len(refusal.problems) == 3
    for number in NUMBERS:
        file = str(given_up.offline_file(number, "response"))
        assert refusal.tells("for another machine", file, "whose request it answers")


def test_receipt_that_was_applied_before_replayed_for_a_later_deactivation(back: Rehearsal) -> None:
    place(back, {number: good(back, ASKED, number) for number in NUMBERS})
    refusal = back.refused()
    assert len(refusal.problems) == 3
    for number in NUMBERS:
        file = str(back.offline_file(number, "response"))
        assert refusal.tells("The response was applied before", file, f"for license {number}")


def test_response_that_is_too_long(asked: Rehearsal) -> None:
    place(asked, {SESSION: good(asked, ASKED, SESSION) * 99})
    file = str(asked.offline_file(SESSION, "response"))
    assert asked.refused().tells("the maximum is 65536", file, "Put the right file back")


def test_response_that_is_a_directory(asked: Rehearsal) -> None:
    file = asked.offline_file(SESSION, "response")
    file.mkdir()
    assert asked.refused().tells("Is a directory", str(file), "put the real file in its place")


def test_response_that_is_a_link(asked: Rehearsal) -> None:
    file = asked.offline_file(SESSION, "response")
    file.symlink_to(asked.folder / ASKED / f"{digits(SESSION)}.response")
    assert asked.refused().tells("", str(file), "symbolic link")


def test_response_that_may_not_be_read(asked: Rehearsal) -> None:
    place(asked, {SESSION: good(asked, ASKED, SESSION)})
    file = asked.offline_file(SESSION, "response")
    file.chmod(0)
    assert asked.refused(owner=True).tells("Permission denied", str(file), "fix its permissions")


def test_request_that_waits_is_made_once(asked: Rehearsal) -> None:
    before = asked.state()
    waits(asked)
    assert asked.state() == before
    # Lost on the controller, it is written again with the same bytes.
    asked.offline_file(SESSION, "request").unlink()
    waits(asked)
    assert asked.state() == before


def test_response_to_one_of_three_requests_is_applied_and_the_others_wait(asked: Rehearsal) -> None:
    place(asked, {CLIENT: good(asked, ASKED, CLIENT)})
    waits(asked, (SERVER, SESSION))
    assert asked.held("old") == set()
    seen = {license["number"]: license["status"] for license in asked.overview("old")["licenses"]}
    assert seen[CLIENT] == "Inactive Nodelock"
    assert seen[SERVER] == seen[SESSION] == "Pending Deactivation"


def test_pending_request_is_not_handed_to_another_authority(asked: Rehearsal) -> None:
    with asked.declaring():
        asked.common["aims_license_server_authority"] = f"ledger:{asked.folder}/foreign.db"
    assert asked.refused().tells("REHEARSAL Elsewhere", "", "aims_license_server_authority")


def test_refusal_by_the_authority_is_told(asked: Rehearsal) -> None:
    """The authority was asked about a license that it holds for given up: the answer is a refusal, well signed."""
    reason = {"what": f"License {SESSION} is not live here.", "where": f"license {SESSION}", "todo": "Look elsewhere."}
    answer = signed(asked, "authority.db", good(asked, ASKED, SESSION), outcome="refused", reason=reason)
    place(asked, {SESSION: answer})
    refusal = asked.refusal_of(asked.play("migrate"))
    assert refusal.tells(reason["what"], reason["where"], reason["todo"])


# A module that is called without the role.


@pytest.mark.parametrize("kind", ["truncated", "of_a_foreign_realm"])
def test_module_with_a_wrong_response(asked: Rehearsal, kind: str) -> None:
    make, what, todo = RESPONSES[kind]
    place(asked, {SESSION: make(asked, ASKED, SESSION)})
    bundle, folder = asked.work / "bundles" / "old" / "latest", asked.work / "offline"
    refusal = asked.refused_task("old", "deactivate", licenses=[SESSION], bundle=str(bundle), requests_dir=str(folder))
    assert refusal.tells(what, str(Path(folder) / f"{digits(SESSION)}.response"), todo)
