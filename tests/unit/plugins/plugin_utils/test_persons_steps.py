# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a move of the vendor's license server, between all platforms that can be moved."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import replace

import pytest
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.move import Move, Platform, code_variables
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.sequence import steps_of
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.steps import (
    Evidence,
    Kind,
    Outage,
    PersonsStep,
    Phase,
)
from support.moves import VARIABLES, move
from support.worked_example import CODES, NUMBERS, SERVER

LINUX, WINDOWS, COPY = Platform.LINUX, Platform.WINDOWS, Platform.COPY
PAIRS = [(LINUX, LINUX), (WINDOWS, LINUX), (WINDOWS, WINDOWS), (LINUX, WINDOWS), (COPY, LINUX), (COPY, WINDOWS)]
MOVES = {
    f"{source}-{target}-{'offline' if is_offline else 'online'}": move(source, target, is_offline=is_offline)
    for (source, target), is_offline in itertools.product(PAIRS, (False, True))
}
# What the table of the design leaves to the playbook, once all of it is built.
DESIGNED = {
    LINUX: frozenset({Kind.INSTALL, Kind.BACKUP, Kind.FILES, Kind.ACTIVATE, Kind.PROFILE, Kind.PORTS}),
    WINDOWS: frozenset({Kind.INSTALL, Kind.BACKUP, Kind.PORTS}),
    COPY: frozenset({Kind.BACKUP}),
}

each_move = pytest.mark.parametrize("made", MOVES.values(), ids=MOVES)


def positions(steps: tuple[PersonsStep, ...], kind: Kind, host: str = "") -> list[int]:
    return [at for at, step in enumerate(steps) if step.kind is kind and host in ("", step.host)]


def first(steps: tuple[PersonsStep, ...], kind: Kind, host: str = "") -> int:
    return positions(steps, kind, host)[0]


@each_move
def test_nothing_is_given_up_before_the_target_runs_and_the_backup_is_there(made: Move) -> None:
    steps = steps_of(made)
    assert first(steps, Kind.INSTALL, "new") < first(steps, Kind.BACKUP, "old") < first(steps, Kind.DEACTIVATE)


@each_move
def test_the_phases_come_in_their_order(made: Move) -> None:
    order = list(Phase)
    at = [order.index(step.phase) for step in steps_of(made)]
    assert at == sorted(at)
    assert set(at) == set(range(len(order)))


@each_move
def test_pro_stops_before_maintenance_mode_and_that_comes_before_the_first_deactivation(made: Move) -> None:
    steps = steps_of(made)
    stop, maintenance = first(steps, Kind.PRO_STOP), first(steps, Kind.MAINTENANCE, "old")
    assert stop < maintenance < first(steps, Kind.DEACTIVATE)
    # PRO asks for its license at its start, so that its strings come first, and all checks before both.
    assert first(steps, Kind.TRY) < first(steps, Kind.STRINGS) < first(steps, Kind.PRO_START)


@each_move
def test_each_license_is_deactivated_once_and_activated_once(made: Move) -> None:
    steps = steps_of(made)
    for kind, host in ((Kind.DEACTIVATE, "old"), (Kind.ACTIVATE, "new")):
        assert [step.subject for step in steps if step.kind is kind and step.host == host] == NUMBERS
    assert max(positions(steps, Kind.DEACTIVATE)) < first(steps, Kind.ACTIVATE)


@each_move
def test_each_license_spends_one_transfer_in_one_step_on_the_target(made: Move) -> None:
    spending = [step for step in steps_of(made) if step.transfers]
    assert [(step.subject, step.transfers, step.host) for step in spending] == [(n, 1, "new") for n in NUMBERS]
    assert {step.kind for step in spending} == {Kind.EXCHANGE if made.is_offline else Kind.ACTIVATE}


@each_move
def test_the_outage_begins_with_maintenance_mode_and_ends_with_the_last_step_on_the_target(made: Move) -> None:
    steps = steps_of(made)
    begins = [step for step in steps if step.outage is Outage.BEGINS]
    ends = [step for step in steps if step.outage is Outage.ENDS]
    assert [step.kind for step in begins] == [Kind.MAINTENANCE]
    assert [step.id for step in ends] == [[step for step in steps if step.phase is Phase.ACTIVATE][-1].id]


@each_move
def test_ids_are_unique_and_of_one_form(made: Move) -> None:
    ids = [step.id for step in steps_of(made)]
    assert [id for id, times in Counter(ids).items() if times > 1] == []
    assert all(re.fullmatch(r"(old|new|PRO|clients)/[a-z-]+(/[\w.]+)?", id) for id in ids)
    assert f"old/deactivate/{SERVER}" in ids


@each_move
def test_each_step_says_what_will_show_it_and_why_it_is_done(made: Move) -> None:
    for step in steps_of(made):
        assert step.title and step.reason.endswith(".") and step.shows.endswith("."), step.id
        assert bool(step.evidence_file) == (step.evidence is Evidence.FILE_PRESENT), step.id


@each_move
def test_offline_each_request_is_answered_and_archived_before_its_response_is_loaded(made: Move) -> None:
    steps = steps_of(made)
    if not made.is_offline:
        assert positions(steps, Kind.EXCHANGE) == positions(steps, Kind.LOAD) == []
        return
    for number, (host, kind) in itertools.product(NUMBERS, (("old", Kind.DEACTIVATE), ("new", Kind.ACTIVATE))):
        of = [step for step in steps if step.subject == number and step.host == host and step.kind is not Kind.USERS]
        assert [step.kind for step in of] == [kind, Kind.EXCHANGE, Kind.LOAD]
        request, exchange, _load = of
        assert "second request" in request.shows
        assert "never make a second request" in exchange.reason
        assert [value.label for value in exchange.values][-1] == "Archive the response as"


@each_move
def test_a_code_is_named_by_its_variable_in_the_step_that_needs_it_and_nowhere_else(made: Move) -> None:
    with_code = [step for step in steps_of(made) if any(value.variable for value in step.values)]
    assert [step.subject for step in with_code] == NUMBERS
    for step in with_code:
        assert step.kind is Kind.ACTIVATE
        assert [value.variable for value in step.values if value.variable] == [VARIABLES[step.subject]]


@each_move
def test_who_does_a_step_changes_nothing_else_of_it(made: Move) -> None:
    designed = steps_of(replace(made, does=DESIGNED))
    nobody = steps_of(replace(made, does={platform: frozenset() for platform in Platform}))
    assert [replace(step, is_ours=False) for step in designed if step.kind is not Kind.BACKUP] == [
        step for step in nobody if step.kind is not Kind.BACKUP
    ]
    assert not any(step.is_ours for step in nobody)


@pytest.mark.parametrize("source", [WINDOWS, COPY])
def test_from_windows_to_linux_a_person_only_deactivates_once_the_design_is_built(source: Platform) -> None:
    made = move(source, LINUX, does=DESIGNED, has_package=True)
    persons = {step.kind for step in steps_of(made) if not step.is_ours and step.host in ("old", "new")}
    assert {Kind.DEACTIVATE, Kind.MAINTENANCE, Kind.SCREENSHOT} <= persons
    assert not persons & {Kind.INSTALL, Kind.BACKUP, Kind.ACTIVATE, Kind.PROFILE, Kind.PORTS}


def test_the_wizard_asks_for_its_values_in_its_order() -> None:
    step = next(step for step in steps_of(move(WINDOWS, WINDOWS)) if step.kind is Kind.ACTIVATE)
    assert [(value.label, value.text) for value in step.values] == [
        ("License number", SERVER),
        ("License protection", "Activation code"),
        ("Activation code", "the value of vault_code_server"),
        ("Nodelock protection", "Machine nodelock"),
        ("Communication method", "Online"),
    ]
    assert step.path == ("Maintenance", "License", "License Configuration...", "Install License")


def test_the_commands_on_linux_are_the_documented_ones_and_keep_the_code_out_of_the_history() -> None:
    steps = steps_of(move(LINUX, LINUX))
    activate = next(step for step in steps if step.kind is Kind.ACTIVATE)
    assert activate.commands == (
        "read -rs CODE",
        f'/usr/local/Aimms/Bin/licman --nodelock-activate {SERVER} --type machine --activation-code "$CODE" '
        "--add-license",
        "unset CODE",
    )
    profile = next(step for step in steps if step.kind is Kind.PROFILE)
    assert profile.commands == (f"/usr/local/Aimms/Bin/licman --profile-add PROServer --license {SERVER}",)
    install = next(step for step in steps if step.kind is Kind.INSTALL)
    assert install.commands == ("ss -ltn '( sport = :3400 or sport = :3401 )'",)
    undocumented = [step for step in steps if "No document names the option" in step.reason]
    assert {step.commands for step in undocumented} == {("/usr/local/Aimms/Bin/licman --help",)}


def test_a_personal_nodelock_is_chosen_where_it_is_declared() -> None:
    made = move(WINDOWS, WINDOWS)
    made = replace(made, licenses=tuple(replace(license, nodelock="personal") for license in made.licenses))
    step = next(step for step in steps_of(made) if step.kind is Kind.ACTIVATE)
    assert "Personal nodelock" in [value.text for value in step.values]


def test_a_copied_source_is_copied_again_after_its_deactivations() -> None:
    steps = steps_of(move(COPY, LINUX))
    assert first(steps, Kind.COPY) < first(steps, Kind.BACKUP)
    assert max(positions(steps, Kind.DEACTIVATE)) < first(steps, Kind.COPY_AGAIN) < first(steps, Kind.ACTIVATE)
    assert steps[first(steps, Kind.COPY)].values[-1].text == "/srv/copies/old"


@pytest.mark.parametrize("source", [WINDOWS, LINUX])
def test_read_only_nodelocks_are_made_writable_before_the_deactivation(source: Platform) -> None:
    lock = "Nodelocks/015120064022.lock"
    steps = steps_of(move(source, LINUX, read_only=(lock,)))
    assert first(steps, Kind.READ_ONLY) < first(steps, Kind.DEACTIVATE)
    assert [value.text for value in steps[first(steps, Kind.READ_ONLY)].values] == [lock]
    assert positions(steps_of(move(source, LINUX)), Kind.READ_ONLY) == []


def test_only_a_source_with_a_manager_may_keep_codes_in_its_registry() -> None:
    assert [bool(positions(steps_of(move(source, LINUX)), Kind.STORED_CODES)) for source in (WINDOWS, COPY, LINUX)] == [
        True,
        True,
        False,
    ]


def test_an_empty_list_of_nodes_leaves_pro_out() -> None:
    assert not any(step.host == "PRO" for step in steps_of(move(pro_nodes=())))
    reach = next(step for step in steps_of(move(pro_nodes=("pro1", "pro2"))) if step.kind is Kind.REACH)
    assert reach.values[0].text == "pro1, pro2"


def test_declared_users_are_entered_and_an_empty_list_needs_no_step() -> None:
    declared = [step for step in steps_of(move(users=("AIMS\\anna",))) if step.kind is Kind.USERS]
    assert [value.text for step in declared for value in step.values] == ["AIMS\\anna"] * 3
    assert positions(steps_of(move(users=())), Kind.USERS) == []


def test_workers_keep_their_names_in_pro() -> None:
    step = next(step for step in steps_of(move()) if step.kind is Kind.STRINGS)
    assert "keep its Name" in step.reason
    assert step.values[0].label == "new.example.com:3400,PROServer"


def test_what_still_names_the_source_is_looked_for_last() -> None:
    steps = steps_of(move(LINUX, LINUX))
    last = [step for step in steps if step.phase is Phase.CLEAN_UP]
    assert [step.kind for step in last] == [Kind.SCRIPTS, Kind.REMOVE_SOURCE, Kind.KEEP]
    assert last[0].values[0].text == "--license"
    backup = next(step for step in steps if step.kind is Kind.BACKUP)
    assert backup.is_ours and backup.commands == ("ansible-playbook aims.licensing.backup",)


def test_a_code_is_named_by_its_variable_or_by_its_place() -> None:
    raw = [
        {"number": NUMBERS[0], "activation_code": "{{ vault_code_server }}"},
        {"number": NUMBERS[1], "activation_code": CODES[NUMBERS[1]]},
        {"number": NUMBERS[2], "activation_code": f"{{{{ lookup('pipe', 'echo {CODES[NUMBERS[2]]}') }}}}"},
    ]
    names = code_variables(raw, tuple(NUMBERS))
    assert names == {
        NUMBERS[0]: "vault_code_server",
        NUMBERS[1]: "aims_license_server_licenses[1].activation_code",
        NUMBERS[2]: "aims_license_server_licenses[2].activation_code",
    }
    assert code_variables("{{ all_licenses }}", tuple(NUMBERS))[NUMBERS[0]].startswith(
        "aims_license_server_licenses[0]"
    )


def test_where_the_inventory_names_the_clients_their_lists_are_the_playbooks_to_keep() -> None:
    kinds = (Kind.ADD_TARGET, Kind.REMOVE_SOURCE)
    by_a_person = [step for step in steps_of(move()) if step.kind in kinds]
    by_playbook = [step for step in steps_of(move(clients=("desk1",))) if step.kind in kinds]
    assert [(step.is_ours, step.commands) for step in by_a_person] == [(False, ())] * 2
    assert [(step.is_ours, step.commands) for step in by_playbook] == [
        (True, ("ansible-playbook aims.licensing.cut_over",)),
        (True, ("ansible-playbook aims.licensing.cut_over -e aims_license_client_remove_source=true",)),
    ]
    # How a person would do it stays in the step.
    assert [replace(step, is_ours=False, commands=()) for step in by_playbook] == by_a_person
