# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A runbook as the night goes on: evidence, confirmations, the budget of transfers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits, render_time
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.confirmations import (
    EVIDENCE,
    State,
    read_ids,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.evidence import (
    Sight,
    Verdict,
    judge,
    names_target,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.files import BUNDLE
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.manager import SCREENSHOT
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.move import Move, Platform
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.record import Record
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.runbook import Runbook, make_runbook
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.sequence import steps_of
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.steps import (
    Evidence,
    Kind,
    PersonsStep,
    Phase,
)
from support.moves import NOW, followed, move, nodelocks, runbook
from support.worked_example import NUMBERS, SERVER

LINUX, WINDOWS, COPY = Platform.LINUX, Platform.WINDOWS, Platform.COPY
DEACTIVATE = f"old/deactivate/{SERVER}"
ACTIVATE = f"new/activate/{SERVER}"
LOCK = f"Nodelocks/{digits(SERVER)}.lock"


def step(evidence: Evidence, **values: str) -> PersonsStep:
    return PersonsStep(Phase.GIVE_UP, Kind.DEACTIVATE, "old", "t", "r.", "s.", SERVER, evidence=evidence, **values)


def state(made: Runbook, id: str) -> State:
    return next(entry.state for entry in made.entries if entry.step.id == id)


def without(files: dict[str, str], number: str) -> dict[str, str]:
    return {name: digest for name, digest in files.items() if digits(number) not in name}


BEFORE = nodelocks()
EMPTY = hashlib.sha256(b"").hexdigest()
CHANGED = {
    "no look at the host": (Sight(None, BEFORE), Verdict.UNKNOWN),
    "no bundle": (Sight(BEFORE, None), Verdict.UNKNOWN),
    "not in the bundle": (Sight(BEFORE, without(BEFORE, SERVER)), Verdict.UNKNOWN),
    "as in the bundle": (Sight(BEFORE, BEFORE), Verdict.NOT_DONE),
    "as in the bundle, in capitals": (Sight({k.upper(): v for k, v in BEFORE.items()}, BEFORE), Verdict.NOT_DONE),
    "gone": (Sight(without(BEFORE, SERVER), BEFORE), Verdict.DONE),
    "changed": (Sight({**BEFORE, LOCK: "b" * 64}, BEFORE), Verdict.DONE),
    "half-written": (Sight({**BEFORE, LOCK: EMPTY}, BEFORE), Verdict.UNKNOWN),
    "another license has changed": (Sight({**BEFORE, "Nodelocks/015120065016.lock": "b"}, BEFORE), Verdict.NOT_DONE),
}
APPEARED = {
    "no look at the host": (Sight(None, BEFORE), Verdict.UNKNOWN),
    "none": (Sight({}, BEFORE), Verdict.NOT_DONE),
    "a copy of the source's": (Sight(BEFORE, BEFORE), Verdict.NOT_DONE),
    "of its own": (Sight(nodelocks("b" * 64), BEFORE), Verdict.DONE),
    "of its own, without a bundle": (Sight(BEFORE, None), Verdict.DONE),
    "half-written": (Sight({LOCK: EMPTY}, BEFORE), Verdict.UNKNOWN),
    "the version file only": (Sight({LOCK.replace(".lock", ".ver"): "b"}, None), Verdict.NOT_DONE),
}


@pytest.mark.parametrize("case", CHANGED)
def test_a_deactivation_shows_in_a_nodelock_that_has_changed(case: str) -> None:
    sight, verdict = CHANGED[case]
    assert judge(step(Evidence.NODELOCK_CHANGED), sight) is verdict


@pytest.mark.parametrize("case", APPEARED)
def test_an_activation_shows_in_a_nodelock_of_the_target_itself(case: str) -> None:
    sight, verdict = APPEARED[case]
    assert judge(step(Evidence.NODELOCK_APPEARED), sight) is verdict


@pytest.mark.parametrize(
    ("evidence", "yes", "no"),
    [
        (Evidence.PORT_ANSWERS, Sight(answers=True), Sight(answers=False)),
        (Evidence.SERVICE_RUNNING, Sight(runs=True), Sight(runs=False)),
        (Evidence.SERVICE_STOPPED, Sight(runs=False), Sight(runs=True)),
        (Evidence.FILE_PRESENT, Sight(present=frozenset({"f"})), Sight()),
    ],
)
def test_evidence_contradicts_a_confirmation_only_where_it_is_there(evidence: Evidence, yes: Sight, no: Sight) -> None:
    checked = step(evidence, evidence_file="f")
    assert judge(checked, yes, is_confirmed=True) is Verdict.DONE
    assert judge(checked, no) is Verdict.NOT_DONE
    assert judge(checked, no, is_confirmed=True) is Verdict.CONTRADICTED
    assert judge(step(Evidence.NONE), no, is_confirmed=True) is Verdict.UNKNOWN


def test_at_first_the_steps_of_the_first_phase_are_due_and_all_others_come_later() -> None:
    made = runbook(move(), is_backed_up=False)
    assert made.due == ["old/screenshot", "new/install", "clients/add-target", "PRO/reach", "PRO/back-up"]
    assert {entry.state for entry in made.entries} == {State.DUE, State.LATER}
    assert not made.is_done


def test_a_confirmed_step_is_recorded_with_time_and_user_and_the_next_phase_comes_due() -> None:
    made = runbook(move(), *runbook(move()).due, is_backed_up=False)
    assert made.due == ["old/backup"]
    assert made.record.confirmed["PRO/reach"].as_dict() == {"at": "2026-11-27T01:00:00Z", "by": "admin"}
    assert runbook(move(), record=made.record, is_backed_up=False).due == ["old/backup"]
    assert runbook(move(), record=made.record).due[0] == "PRO/stop"


def test_the_same_confirmations_in_the_next_run_change_nothing() -> None:
    ids = runbook(move()).due
    record = runbook(move(), *ids).record
    assert runbook(move(), *ids, record=record).record == record


def test_a_step_that_is_not_due_cannot_be_confirmed() -> None:
    with pytest.raises(LicensingError) as refused:
        runbook(move(), DEACTIVATE)
    assert f"{DEACTIVATE} cannot be confirmed: the step is not due yet." in str(refused.value)
    assert "Due first: Take a screenshot of the license manager (old/screenshot)." in str(refused.value)


def test_an_unknown_id_is_refused_with_the_nearest_step_in_words() -> None:
    with pytest.raises(LicensingError) as refused:
        runbook(move(), "old/deactivat/015.120.064.023", "zzz")
    near, unknown = refused.value.problems
    assert near.todo == f"Did you mean {DEACTIVATE} (Deactivate license {SERVER} on old)?"
    assert unknown.what == "'zzz' is not a step of this move."


@pytest.mark.parametrize("value", ["old/screenshot", {"a": 1}, [1]])
def test_ids_are_a_list_of_texts(value: object) -> None:
    with pytest.raises(LicensingError, match="is not a list of steps"):
        read_ids(value)


def test_a_nodelock_as_in_the_bundle_makes_a_confirmation_void_and_the_step_is_asked_for_again() -> None:
    still = Sight(BEFORE, BEFORE)
    record = followed(move(), DEACTIVATE, old=still)
    made = runbook(move(), DEACTIVATE, record=record, old=still)
    assert [problem.what for problem in made.void] == [
        f"The confirmation of {DEACTIVATE} is void: the nodelock is as it was in the bundle."
    ]
    assert "shows Inactive Nodelock, delete the files of the license in Nodelocks" in made.void[0].todo
    assert DEACTIVATE in made.due and DEACTIVATE not in made.record.confirmed
    done = runbook(move(), record=record, old=Sight(without(BEFORE, SERVER), BEFORE))
    assert state(done, DEACTIVATE) is State.DONE and done.void == ()


def test_an_earlier_confirmation_becomes_void_when_the_host_is_looked_at_later() -> None:
    record = followed(move(), DEACTIVATE)
    record = runbook(move(), DEACTIVATE, record=record).record
    made = runbook(move(), record=record, old=Sight(BEFORE, BEFORE))
    assert len(made.void) == 1 and DEACTIVATE not in made.record.confirmed


def test_without_a_look_at_the_hosts_every_step_can_be_confirmed_to_the_end() -> None:
    record = followed(move(), "no such step")
    made = runbook(move(), record=record)
    assert made.is_done and made.due == []
    assert set(made.record.moved) == set(NUMBERS)


def test_maintenance_mode_was_entered_where_a_license_shows_that_it_was_deactivated() -> None:
    after = Sight(without(BEFORE, SERVER), BEFORE)
    assert state(runbook(move(), old=after), "old/maintenance") is State.DONE


def test_offline_a_loaded_response_shows_the_steps_before_it() -> None:
    made = runbook(move(is_offline=True), old=Sight(without(BEFORE, SERVER), BEFORE))
    for kind in ("deactivate", "load"):
        assert state(made, f"old/{kind}/{SERVER}") is State.DONE
    assert state(made, "old/load/015.120.065.016") is State.LATER


def test_an_archived_response_shows_that_it_was_exchanged() -> None:
    sight = Sight(present=frozenset({f"old/{digits(SERVER)}.response"}))
    made = runbook(move(is_offline=True), old=sight)
    assert state(made, f"old/exchange/{SERVER}") is State.DONE
    assert state(made, "old/exchange/015.120.065.016") is State.LATER


def test_a_picture_that_the_inventory_names_shows_the_screenshot() -> None:
    named = move(names_screenshot=True)
    assert state(runbook(named, old=Sight(present=frozenset({SCREENSHOT}))), "old/screenshot") is State.DONE
    with pytest.raises(LicensingError, match="not due"):
        runbook(named, "PRO/stop")
    assert "is void: the file is not there." in str(runbook(named, "old/screenshot", old=Sight()).void[0])


@pytest.mark.parametrize("source", list(Platform))
def test_a_bundle_shows_the_backup_and_nobodys_word_stands_for_it(source: Platform) -> None:
    assert state(runbook(move(source)), "old/backup") is State.DONE
    record = followed(move(source), "PRO/stop")
    made = runbook(move(source), "old/backup", record=record, is_backed_up=False)
    assert state(made, "old/backup") is State.DUE
    assert "The confirmation of old/backup is void" in made.void[0].what


def test_a_source_is_backed_up_after_a_person_has_copied_it() -> None:
    made = move(COPY)
    record = followed(made, "old/copy", old=Sight())
    due = runbook(made, record=record, is_backed_up=False)
    assert due.due == ["old/copy", "old/backup"] and due.acts == []
    copied = runbook(made, "old/copy", record=record, is_backed_up=False)
    assert [step.id for step in copied.acts] == ["old/backup"]


def moved_before(*days_ago: int) -> Move:
    """The worked example, whose first license was moved so many days ago."""
    made = move()
    days = tuple(render_time(NOW - timedelta(days=ago))[:10] for ago in days_ago)
    return replace(made, licenses=(replace(made.licenses[0], transfers_spent=days), *made.licenses[1:]))


def test_declared_transfers_count_for_a_year() -> None:
    budget = runbook(moved_before(400, 300, 10)).budgets[0]
    assert (budget.left, budget.spent, budget.returns) == (1, ("2026-01-31", "2026-11-17"), "2027-01-31")


def test_a_license_without_a_transfer_left_is_refused_by_the_record_unless_that_is_overridden() -> None:
    made = moved_before(300, 200, 100)
    with pytest.raises(LicensingError) as refused:
        runbook(made)
    (problem,) = refused.value.problems
    assert f"License {SERVER} has no transfer left" in problem.what
    assert "Wait until 2027-01-31" in problem.todo and "not the authority's word" in problem.todo
    assert runbook(made, may_exceed=True).budgets[0].left == 0


def test_a_move_that_leaves_no_transfer_says_from_when_on_there_is_a_way_back() -> None:
    made = moved_before(200, 100)
    first = runbook(made)
    assert first.notes == [
        f"License {SERVER} cannot be moved back before 2027-05-11, as far as the record knows: this move leaves it no "
        "transfer. If you may need the way back before, ask the vendor first."
    ]
    assert first.as_dict()["notes"] == first.notes and first.as_dict()["transfers"][0]["back"] == "2027-05-11"
    assert [budget.back for budget in first.budgets[1:]] == [None, None] and runbook(moved_before(200)).notes == []
    # Where the limit is exceeded, one transfer that returns is not enough.
    (note,) = runbook(moved_before(300, 200, 100), may_exceed=True).notes
    assert "before 2027-05-11" in note
    # Once it has moved, it is too late to ask.
    moved = runbook(made, new=Sight(nodelocks("b" * 64), BEFORE))
    assert moved.notes == [] and moved.budgets[0].back == "2027-05-11"


def test_the_transfer_that_this_move_has_spent_is_counted_and_not_refused() -> None:
    made = moved_before(200, 100)
    new = Sight(nodelocks("b" * 64), BEFORE)
    done = runbook(made, new=new)
    assert done.budgets[0].left == 0
    assert done.record.moved[SERVER] == "2026-11-27T01:00:00Z"
    assert runbook(made, record=done.record, new=new).budgets[0].left == 0


def test_the_day_of_this_move_that_is_declared_later_is_counted_once() -> None:
    new = Sight(nodelocks("b" * 64), BEFORE)
    record = runbook(move(), new=new).record
    assert runbook(moved_before(0), record=record, new=new).budgets[0].left == 2


def test_a_record_is_read_as_it_was_written_and_damage_confirms_nothing() -> None:
    record = followed(move(), "no such step")
    assert Record.from_dict(json.loads(json.dumps(record.as_dict())), "old", "new") == record
    for damaged in (None, [], {"confirmed": {"old/screenshot": "yes"}, "moved": {SERVER: "yesterday"}}):
        assert Record.from_dict(damaged, "old", "new") == Record("old", "new")


OLD_LINES = (
    "proLicenseProfile=old.example.com:3400,PROServer\n  clientLicenseProfile=old.example.com:3400,Client\n"
    "  workerProfiles[0].profile=old.example.com:3400,PROSession\n"
)
NEW_LINES = OLD_LINES.replace("old.", "new.")


@pytest.mark.parametrize(
    ("log", "named"),
    [
        ("", None),
        ("INFO started at old.example.com\n", None),
        (OLD_LINES, False),
        (OLD_LINES + NEW_LINES, True),
        (NEW_LINES + OLD_LINES, False),
        # one of three settings was forgotten
        (NEW_LINES.replace("new.example.com:3400,PROSession", "OLD.example.com:3400,PROSession"), False),
        # other hosts whose names only look like it
        (NEW_LINES + "bold.example.com old.example.com.au xold.example.com\n", True),
        ("proLicenseProfile=elsewhere:3400,PROServer\n", None),
    ],
)
def test_the_log_of_pro_shows_whether_its_last_configuration_names_the_target(log: str, named: bool | None) -> None:
    assert names_target(log, "old.example.com", "new.example.com") is named


def test_what_pro_shows_is_evidence_only_where_it_was_looked_at() -> None:
    def states(made: Move, **sight: Any) -> list[str]:
        entries = runbook(made, PRO=Sight(**sight)).as_dict()["steps"]
        return [f"{one['evidence']}: {one['verdict']}" for one in entries if one["id"] in ("PRO/reach", "PRO/strings")]

    assert states(move()) == ["none: cannot tell", "none: cannot tell"]
    seen = move(pro_nodes=("pro1",), has_tried_nodes=True, has_pro_log=True)
    assert states(seen) == ["port answers: cannot tell", "log names the target: cannot tell"]
    assert states(seen, answers=True, is_named=True) == ["port answers: done", "log names the target: done"]
    assert states(seen, answers=False, is_named=False) == ["port answers: not done", "log names the target: not done"]


def test_the_outage_is_told_by_its_steps_and_since_when_it_lasts() -> None:
    outage = runbook(move()).as_dict()["outage"]
    assert (outage["begins"], outage["ends"], outage["since"]) == ("old/maintenance", "new/order", None)
    # The playbook activates three licenses with their profiles, and carries their files.
    assert outage["steps"] == outage["by_persons"] + 7
    record = followed(move(), DEACTIVATE)
    assert runbook(move(), record=record).as_dict()["outage"]["since"] == "2026-11-27T01:00:00Z"


SEEN = Sight(answers=True)


def test_what_a_host_has_shown_counts_while_nobody_can_look() -> None:
    seen = runbook(move(), new=SEEN)
    assert "new/install" not in seen.due and seen.record.confirmed["new/install"].by == EVIDENCE
    later = runbook(move(), record=seen.record)
    assert "new/install" not in later.due and later.record == seen.record
    # Where the host can be looked at again, that counts, and it is no error of a person's.
    gone = runbook(move(), record=seen.record, new=Sight(answers=False))
    assert "new/install" in gone.due and gone.void == () and "new/install" not in gone.record.confirmed


def test_what_a_host_shows_of_a_phase_that_has_not_come_is_not_remembered() -> None:
    left = runbook(move(), new=Sight(nodelocks("b" * 64), answers=True))
    assert set(left.record.confirmed) == {"new/install"}


@pytest.mark.parametrize("is_fresh", [True, False])
def test_nodelocks_are_remembered_only_beside_a_bundle_of_this_move(is_fresh: bool) -> None:
    made = move()
    record = followed(made, "old/maintenance", old=Sight(BEFORE, BEFORE))
    given = Sight(nodelocks("c" * 64), BEFORE, present=frozenset({BUNDLE}))
    seen = make_runbook(made, {"old": given}, record, [], NOW, "admin", is_fresh=is_fresh)
    assert (f"old/deactivate/{SERVER}" in seen.record.confirmed) is is_fresh
    assert (f"old/deactivate/{SERVER}" in runbook(made, record=seen.record).due) is not is_fresh


def stoppable(source: Platform = Platform.WINDOWS, **values: Any) -> Move:
    made = move(source, **values)
    return replace(made, source=replace(made.source, service="AIMMS License Server"))


@pytest.mark.parametrize("source", [Platform.WINDOWS, Platform.LINUX])
def test_the_source_is_stopped_by_the_playbook_once_everything_else_is_done(source: Platform) -> None:
    made, runs = stoppable(source), Sight(runs=True)
    record = followed(made, "old/keep", old=runs)
    first = runbook(made, record=Record("old", "new"), old=runs)
    assert "old/keep" not in [step.id for step in first.acts]
    # While anything of the last phase is open, the service goes on.
    open_still = replace(record, confirmed={id: word for id, word in record.confirmed.items() if "scripts" not in id})
    assert runbook(made, record=open_still, old=runs).acts == []
    last = runbook(made, record=record, old=runs)
    assert last.due == ["old/keep"] and [step.id for step in last.acts] == ["old/keep"]
    (kept,) = last.acts
    stops = "systemctl stop 'AIMMS License Server'" if source is LINUX else 'net stop "AIMMS License Server"'
    assert kept.commands == (stops,)
    assert runbook(made, record=record, old=Sight(runs=False)).is_done


def test_a_source_that_has_other_licenses_goes_on_running() -> None:
    made = stoppable(staying=("020.000.000.001", "Licenses/other.lic"))
    (kept,) = [step for step in steps_of(made) if step.kind is Kind.KEEP]
    assert not kept.is_ours and kept.commands == kept.path == () and kept.evidence is Evidence.NONE
    assert kept.title.startswith("Keep the source running")
    assert [value.text for value in kept.values] == ["020.000.000.001", "Licenses/other.lic"]
    record = followed(made, "old/keep", old=Sight(runs=True))
    assert runbook(made, record=record, old=Sight(runs=True)).acts == []


def test_a_service_of_unknown_name_is_stopped_by_a_person() -> None:
    (kept,) = [step for step in steps_of(move()) if step.kind is Kind.KEEP]
    assert not kept.is_ours and kept.path == ("Maintenance", "Stop the Service")
    assert kept.evidence is Evidence.NONE and "Maintenance > Maintenance mode" in kept.reason


def test_a_target_whose_service_is_there_is_started_by_the_playbook_without_a_package() -> None:
    made = move()
    assert not made.is_ours(made.target, Kind.INSTALL)
    assert replace(made, target=replace(made.target, service="licsrv.service")).is_ours(
        replace(made.target, service="licsrv.service"), Kind.INSTALL
    )
