# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``authority release`` sets free what a lost machine holds, and that machine gets nothing from it any more."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.audit import check_ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation, Deactivation
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.service_lab import run
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.test_service import (
    outcome,
    requests_of,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    SERVER,
    SESSION,
    CoreLab,
    LostReply,
    declared,
)

WHY = "The rack burned down."


def released(lab: CoreLab, number: str = SERVER, reason: str = WHY, code: int = 0) -> dict[str, object]:
    done = run("release", number, "--ledger", str(lab.ledger_path), "--reason", reason, "--json")
    assert done.returncode == code and "Traceback" not in done.stderr, done.stderr
    result: dict[str, object] = json.loads(done.stdout)
    return result


def test_what_a_lost_machine_holds_becomes_free_and_moves_for_one_transfer(lab: CoreLab) -> None:
    lab.activate(lab.old)
    with pytest.raises(LicensingError, match="only the authority's owner can release it"):
        lab.activate(lab.new, SERVER)
    result = released(lab)
    assert (result["number"], result["changed"], lab.spent()) == (SERVER, True, 0)
    holding = lab.ledger.holding(SERVER)
    assert holding is not None and not holding.live
    assert {n: h.live for n in (SESSION, CLIENT) if (h := lab.ledger.holding(n))} == {SESSION: True, CLIENT: True}
    lab.activate(lab.new, SERVER)
    assert lab.spent() == 1 and lab.new.statuses() == {SERVER: "Active"}


def test_a_release_is_audited_with_its_reason_and_the_ledger_still_agrees_with_its_log(lab: CoreLab) -> None:
    lab.activate(lab.old)
    released(lab)
    record = check_ledger(lab.ledger)[-1]
    assert (record["event"], record["number"], record["detail"]["reason"]) == ("release", SERVER, WHY)
    lab.activate(lab.new, SERVER)
    check_ledger(lab.ledger)


def test_a_second_release_changes_nothing(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    first = released(lab)
    before = lab.ledger_path.read_bytes()
    assert released(lab) == {**first, "changed": False}
    assert lab.ledger_path.read_bytes() == before
    lab.activate(lab.new, SERVER)
    assert released(lab)["changed"] is True


@pytest.mark.parametrize(
    ("number", "reason", "told"),
    [
        (SERVER, WHY, f"License {SERVER} is not live"),
        (SESSION, WHY, f"License {SESSION} is not live"),
        ("999.999.999.999", WHY, "License 999.999.999.999 is not issued."),
        (CLIENT, "  ", "A release needs a reason."),
        (CLIENT, "\x1b[2J", "A release needs a reason."),
        (CLIENT, "x" * 201, "A release needs a reason."),
        ("015", WHY, "'015' is not a license number."),
    ],
)
def test_what_cannot_be_released_is_refused_and_nothing_written(
    lab: CoreLab, number: str, reason: str, told: str
) -> None:
    lab.activate(lab.old, SESSION, CLIENT)
    lab.deactivate(lab.old, SESSION)
    before = lab.ledger_path.read_bytes()
    problems = released(lab, number, reason, code=1)["problems"]
    assert isinstance(problems, list) and str(problems[0]["what"]).startswith(told)
    assert lab.ledger_path.read_bytes() == before


def test_a_machine_that_comes_back_is_told_and_gives_up_what_it_no_longer_holds(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    released(lab)
    with pytest.raises(LicensingError, match=f"License {SERVER} was released from this machine at "):
        lab.old.manager.update([SERVER], lab.channel())
    # There is nothing to give back, and the nodelock goes as if it had been.
    (result,) = lab.deactivate(lab.old, SERVER).results
    assert (result.action, result.spends) == ("deactivated", 0)
    assert str(result.note).startswith(f"License {SERVER} was released from this machine at ")
    assert lab.old.statuses() == {SERVER: "Inactive Nodelock"} and lab.old.open_requests() == []
    assert not lab.deactivate(lab.old, SERVER).changed
    lab.activate(lab.new, SERVER)
    with pytest.raises(LicensingError, match="is live on another machine"):
        lab.activate(lab.old, SERVER)
    lab.check_one_holder()
    holding = lab.ledger.holding(SERVER)
    assert holding is not None and holding.live and lab.spent() == 1


@pytest.mark.parametrize("asked", ["before the release", "after it"])
def test_offline_what_was_released_is_given_up_by_the_refusal_that_says_so(lab: CoreLab, asked: str) -> None:
    lab.activate(lab.old, SERVER)
    if asked == "after it":
        released(lab)
    requests = lab.old.manager.deactivate(Deactivation([SERVER]), lab.offline()).requests
    if asked == "before the release":
        released(lab)
    answered = lab.offline(lab.process(requests))
    before = lab.old.files()
    dry = lab.old.manager.deactivate(Deactivation([SERVER]), answered, dry=True)
    assert lab.old.files() == before
    change = lab.old.manager.deactivate(Deactivation([SERVER]), answered)
    for told in (dry, change):
        assert [(one.action, one.spends) for one in told.results] == [("deactivated", 0)]
        assert {one.number: one.status for one in told.after.licenses} == {SERVER: "Inactive Nodelock"}
    assert lab.old.served() == set() and lab.old.open_requests() == []
    assert list((lab.old.folder / "Nodelocks").iterdir()) == []


def test_what_was_given_back_before_a_home_was_restored_is_given_up_likewise(lab: CoreLab, tmp_path: Path) -> None:
    lab.activate(lab.old, SERVER)
    shutil.copytree(lab.old.folder, tmp_path / "snapshot")
    lab.deactivate(lab.old, SERVER)
    shutil.rmtree(lab.old.folder)
    shutil.copytree(tmp_path / "snapshot", lab.old.folder)
    assert lab.old.statuses() == {SERVER: "Active"}
    (result,) = lab.deactivate(lab.old, SERVER).results
    assert result.note == f"License {SERVER} is not live on this license server."
    assert lab.old.statuses() == {SERVER: "Inactive Nodelock"}


def test_a_refusal_that_leaves_open_who_holds_a_license_takes_no_nodelock(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    released(lab)
    lab.activate(lab.new, SERVER)
    kept = lab.old.read("Nodelocks/015120064022.lock")
    with pytest.raises(LicensingError, match="is not live on this license server"):
        lab.deactivate(lab.old, SERVER)
    assert lab.old.read("Nodelocks/015120064022.lock") == kept and lab.old.served() == set()


@pytest.mark.parametrize("told", [{}, {"live": None}, {"live": 0}, {"live": True}], ids=str)
def test_only_the_word_that_nobody_holds_it_takes_a_nodelock(lab: CoreLab, told: dict[str, object]) -> None:
    lab.activate(lab.old, SERVER)
    released(lab)
    requests = lab.old.manager.deactivate(Deactivation([SERVER]), lab.offline()).requests
    body = json.loads(lab.process(requests)[SERVER])["body"]
    assert body.pop("live") is False
    answered = {SERVER: lab.ledger.sign(documents.RESPONSE, {**body, **told})}
    with pytest.raises(LicensingError, match="was released from this machine"):
        lab.old.manager.deactivate(Deactivation([SERVER]), lab.offline(answered))
    assert (lab.old.folder / "Nodelocks" / "015120064022.lock").exists() and lab.old.served() == set()


def test_a_nodelock_stays_where_the_word_that_nobody_holds_it_was_written_by_another(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    requests = lab.old.manager.deactivate(Deactivation([SERVER]), lab.offline()).requests
    granted = json.loads(lab.process(requests)[SERVER])
    granted["body"].update(outcome="refused", live=False, reason=None)
    with pytest.raises(LicensingError, match="was changed"):
        lab.old.manager.deactivate(Deactivation([SERVER]), lab.offline({SERVER: json.dumps(granted).encode()}))
    assert lab.old.statuses() == {SERVER: "Pending Deactivation"}


def test_an_activation_whose_reply_was_lost_is_not_granted_again_after_a_release(lab: CoreLab) -> None:
    bad_line = LostReply(lab.realm, lab.desk().answer)
    with pytest.raises(ConnectionResetError):
        lab.old.manager.activate(Activation(declared(SERVER)), bad_line)
    assert lab.old.open_requests() == ["015120064022.request"] and lab.old.served() == set()
    released(lab)
    lab.activate(lab.new, SERVER)
    # It asks under the same id, and would have got the very response that granted it.
    with pytest.raises(LicensingError, match="was released from this machine"):
        lab.activate(lab.old, SERVER)
    assert lab.old.open_requests() == [] and lab.old.served() == set()
    lab.check_one_holder()
    check_ledger(lab.ledger)


def test_others_responses_stay_as_they_were(lab: CoreLab) -> None:
    requests = {host: requests_of(lab, host).activate(declared(SERVER)[0]) for host in (lab.old, lab.new)}  # type: ignore[arg-type]
    asked = {lab.old: lab.desk().answer(requests[lab.old])}
    released(lab)
    asked[lab.new] = lab.desk().answer(requests[lab.new])
    assert outcome(asked[lab.new]) == "granted"
    released(lab)
    assert outcome(lab.desk().answer(requests[lab.old])) == "refused"
    assert outcome(lab.desk().answer(requests[lab.new])) == "refused"
    lab.activate(lab.old, SERVER)
    assert lab.spent() == 2


def test_a_released_license_may_return_to_its_machine_for_nothing(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    released(lab)
    lab.old.home.drop_nodelock(SERVER)
    lab.activate(lab.old, SERVER)
    assert lab.spent() == 0 and lab.old.statuses() == {SERVER: "Active"}
    check_ledger(lab.ledger)
