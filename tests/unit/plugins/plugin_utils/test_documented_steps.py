# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's steps repeat what is documented: menus, dialogs, messages, ports and places (docs/domain.md)."""

from __future__ import annotations

import pytest
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.move import Platform
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.sequence import steps_of
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.steps import Kind, PersonsStep
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.runbook import runbook_text
from support.moves import move, runbook
from support.worked_example import NUMBERS, SERVER, SESSION

LINUX, WINDOWS = Platform.LINUX, Platform.WINDOWS
CONFIGURATION = ("Maintenance", "License", "License Configuration...")
PRO = "PRO Configurator (http://localhost:9191, admin@ROOT)"


def step_of(
    kind: Kind, source: Platform = WINDOWS, target: Platform = WINDOWS, is_offline: bool = False
) -> PersonsStep:
    steps = steps_of(move(source, target, is_offline=is_offline))
    return next(step for step in steps if step.kind is kind)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (Kind.MAINTENANCE, ("Maintenance", "Maintenance mode")),
        (Kind.DEACTIVATE, (*CONFIGURATION, f"select {SERVER}", "Deactivate...")),
        (Kind.ACTIVATE, (*CONFIGURATION, "Install License")),
        (Kind.ORDER, (*CONFIGURATION, "Move Up, Move Down, tick Default")),
        (Kind.USERS, (f"select {SERVER}", "Maintenance", "License", "Registered Users...")),
        (
            Kind.PROFILE,
            ("left panel", "All Profiles (+)", "click the profile, and a second later click its name again"),
        ),
        (Kind.PRO_STOP, (PRO, "Stop All Started Services")),
        (Kind.PRO_BACKUP, (PRO, "Backup Management", "Backup Now")),
        (Kind.STRINGS, (PRO, "PRO server license; Client license server; Profile of each worker profile")),
    ],
)
def test_a_step_leads_through_the_documented_menus(kind: Kind, path: tuple[str, ...]) -> None:
    assert step_of(kind).path == path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Kind.MAINTENANCE, "has a tick, and Start the Service and Stop the Service are greyed"),
        (Kind.DEACTIVATE, "'Successful Deactivation', and the status is Inactive Nodelock"),
        (Kind.ACTIVATE, "with the status Active."),
        (Kind.INSTALL, "It says 'No valid License installed yet', which is right for a new server"),
        (Kind.TRY, "log/aimms-log.txt of the client says 'Successfully selected a license'."),
        (Kind.STRINGS, "At level DEBUG, the configurator's log prints each saved configuration"),
        (Kind.PRO_START, "All services that match 'AIMMS PRO*' run"),
    ],
)
def test_a_step_is_done_when_the_documented_words_appear(kind: Kind, words: str) -> None:
    assert words in step_of(kind).shows


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Kind.INSTALL, "The installation fails if another program uses port 3400"),
        (Kind.ACTIVATE, "Where the wizard offers to store the activation code, leave that unticked"),
        (Kind.PRO_STOP, "running jobs end with an error, and so do queued jobs that start meanwhile"),
        (Kind.PRO_START, "It takes one to two minutes, and the backend is there before the portal"),
        (Kind.STRINGS, "Change only Profile of a worker profile and keep its Name"),
        (Kind.ADD_TARGET, "A client takes the first valid license of its list"),
        (Kind.ADD_TARGET, "Desktop clients that log on through PRO need no change"),
        (Kind.SCRIPTS, "AIMMS with --license NAME takes that entry of the list and no other"),
        (Kind.STORED_CODES, "The wizard stores the activation code in the registry of its computer"),
        (Kind.FILES, "A license may need a .cpx file, whose name can differ from its own"),
        (Kind.KEYS, "Published applications that are encrypted with these keys do not open without them"),
        (Kind.USERS, "Each license has a list of its own"),
        (Kind.ORDER, "takes the first valid default from top to bottom"),
    ],
)
def test_a_step_gives_the_documented_reason(kind: Kind, words: str) -> None:
    assert words in step_of(kind).reason


def test_on_windows_one_port_is_looked_at_and_on_linux_two() -> None:
    assert step_of(Kind.INSTALL).commands == ("netstat -ano | findstr :3400",)
    assert "Ports 3400 and 3401 have to be free" in step_of(Kind.INSTALL, target=LINUX).reason
    assert step_of(Kind.INSTALL).path[0] == "the installer AimmsLicenseServer...msi, started as administrator"
    assert step_of(Kind.REACH).commands == ("powershell Test-NetConnection new.example.com -Port 3400",)


def test_a_request_goes_to_the_vendors_page_with_an_address_and_its_documented_name() -> None:
    step = step_of(Kind.EXCHANGE, is_offline=True)
    assert step.path[1].startswith("https://www.aimms.com/") and step.path[-2:] == ("Choose File", "Process")
    request, address, archive = step.values
    assert request.text == "015120064022.request, from old" and address.label == "E-mail address"
    assert archive.text.endswith("/old/015120064022.response") and "has mailed it as well" in step.shows
    waiting = step_of(Kind.ACTIVATE, is_offline=True)
    assert "The license shows 'Pending Activation'" in waiting.shows and waiting.values[-1].text.endswith(".request")


def test_the_pages_of_an_offline_deactivation_are_said_to_be_undocumented() -> None:
    assert "pages of an offline deactivation are not documented" in step_of(Kind.DEACTIVATE, is_offline=True).reason


def test_registered_users_are_entered_for_each_license_where_the_dialog_has_its_field() -> None:
    steps = [step for step in steps_of(move(WINDOWS, WINDOWS, users=("AIMS\\anna",))) if step.kind is Kind.USERS]
    assert [step.subject for step in steps] == NUMBERS
    assert {(value.label, value.text) for step in steps for value in step.values} == {("Domain\\User", "AIMS\\anna")}


def test_each_default_mark_of_the_worked_example_is_set() -> None:
    assert [(value.label, value.text) for value in step_of(Kind.ORDER).values][:2] == [
        (SERVER, "Default not ticked"),
        (SESSION, "Default ticked"),
    ]


def test_a_client_gets_the_documented_line_of_the_target() -> None:
    values = {value.label: value.text for value in step_of(Kind.ADD_TARGET).values}
    assert values["In Config/licenses.cfg"] == "1<TAB>network<TAB>new.example.com:3400"


def test_the_runbook_says_how_long_a_client_goes_on_without_its_license_server() -> None:
    text = " ".join(runbook_text(runbook(move())).split())
    assert "AIMMS 4.79.6 and later goes on for 24 hours without its license server." in text


def test_a_response_is_loaded_where_the_pending_license_says_so() -> None:
    made = move(Platform.WINDOWS, Platform.WINDOWS, is_offline=True)
    (here,) = [step for step in steps_of(made) if step.kind is Kind.LOAD and step.id == f"new/load/{SERVER}"]
    assert here.path == ("Maintenance", "License", "License Configuration...", f"select {SERVER}", "Activate")
    assert "'Pending Activation'" in here.reason and "'Press Activate to Finish'" in here.reason
    (there,) = [step for step in steps_of(made) if step.kind is Kind.LOAD and step.id == f"old/load/{SERVER}"]
    assert "is not documented" in there.reason
