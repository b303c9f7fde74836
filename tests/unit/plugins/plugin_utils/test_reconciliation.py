# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What brings the vendor's license server of one host to what is declared, and what is left to persons."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.action.aims_license_plan import _reconciled
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, Problem
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView, Status
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.reading import FILE_GONE
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import (
    Overview,
    PendingRequest,
    ServerView,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.hosts import read_hosts
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import HostVariables
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.move import Move, Platform
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.steps import Kind
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.reconciliation import (
    Reconciliation,
    Source,
    reconcile,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.sides import Side
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.runbook import left_text
from support.moves import move
from support.worked_example import CLIENT, CODE, NUMBERS, SERVER, SESSION, WORKED_EXAMPLE

LINUX, WINDOWS = Platform.LINUX, Platform.WINDOWS
INSTALLED = ServerView(installed=True, backend="vendor")


def declared(platform: Platform = LINUX, **values: Any) -> Move:
    made = move(platform, platform, **values)
    return replace(made, source=made.target)


def seen(*active: str, **values: Any) -> Overview:
    licenses = tuple(LicenseView(number, Status.ACTIVE) for number in active)
    return Overview(**{"server": INSTALLED, "licenses": licenses, **values})


def pending(number: str) -> PendingRequest:
    return PendingRequest(number, "activate", None, None, "015.request")


def made(server: Move, here: Overview, source: Source | None = None, registers: bool = False) -> Reconciliation:
    return reconcile(server, here, source, registers=registers)


def activates(result: Reconciliation) -> list[str]:
    return [license.number for license in result.activates]


def kinds(result: Reconciliation) -> list[Kind]:
    return [step.kind for step in result.steps]


def test_on_linux_all_is_activated_and_nothing_is_left() -> None:
    for here in (seen(), seen(SERVER), seen(*NUMBERS)):
        result = made(declared(), here)
        assert activates(result) == list(NUMBERS) and not result.steps and not result.problems
        assert left_text("new", result.steps, result.problems) == ""


def test_on_windows_each_license_without_a_nodelock_is_a_persons_step_with_the_name_of_its_codes_variable() -> None:
    result = made(declared(WINDOWS), seen(SERVER))
    assert activates(result) == [SERVER] and kinds(result) == [Kind.ACTIVATE, Kind.ACTIVATE]
    text = left_text("new", result.steps, result.problems)
    assert "2 steps are a person's. Carry out what follows, then run the same command again." in text
    assert "License Configuration... > Install License" in text and "vault_code_client" in text
    assert f"Install and activate license {SERVER}" not in text and "confirm" not in text
    assert left_text("new", made(declared(WINDOWS), seen(*NUMBERS)).steps, ()) == ""


def test_what_the_documented_command_does_not_do_is_left_to_a_person() -> None:
    personal = [replace(one, nodelock="personal") if one.number == CLIENT else one for one in declared().licenses]
    result = made(replace(declared(), licenses=tuple(personal)), seen())
    assert activates(result) == [SERVER, SESSION] and kinds(result) == [Kind.ACTIVATE]
    offline = made(declared(is_offline=True), seen(SERVER, SESSION))
    assert activates(offline) == [SERVER, SESSION] and kinds(offline) == [Kind.ACTIVATE, Kind.EXCHANGE, Kind.LOAD]


@pytest.mark.parametrize("platform", [LINUX, WINDOWS])
def test_a_pending_exchange_is_ended_and_no_second_one_begun(platform: Platform) -> None:
    result = made(declared(platform), seen(SERVER, SESSION, pending=(pending(CLIENT),)))
    assert activates(result) == [SERVER, SESSION] and kinds(result) == [Kind.EXCHANGE, Kind.LOAD]
    assert all(step.subject == CLIENT for step in result.steps)


@pytest.mark.parametrize("platform", [LINUX, WINDOWS])
def test_without_a_package_the_installation_is_a_persons_and_with_one_the_playbooks(platform: Platform) -> None:
    nothing = Overview(server=ServerView(installed=False, backend="vendor"))
    result = made(declared(platform), nothing)
    assert kinds(result)[0] is Kind.INSTALL and activates(result) == []
    result = made(declared(platform, has_package=True), nothing)
    assert Kind.INSTALL not in kinds(result)
    assert activates(result) == (list(NUMBERS) if platform is LINUX else [])


def test_a_license_that_the_source_may_still_have_is_not_activated() -> None:
    for there in (seen(SERVER), seen(pending=(pending(SERVER),))):
        result = made(declared(), seen(CLIENT), Source("old", there))
        assert activates(result) == [SESSION, CLIENT]
        assert [problem.what for problem in result.problems] == [
            f"License {SERVER} has a nodelock or a pending exchange on old."
        ]
    result = made(declared(), seen(CLIENT), Source("old", None))
    assert activates(result) == [CLIENT] and len(result.problems) == 2
    assert "remove aims_license_migrate_source of new" in result.problems[0].todo
    # As the messages say: it was moved; the source is reachable; the source is declared no longer.
    assert not made(declared(), seen(SERVER, CLIENT), Source("old", seen(SERVER))).problems
    assert not made(declared(), seen(CLIENT), Source("old", seen())).problems
    assert not made(declared(), seen(CLIENT)).problems


def test_a_license_without_its_file_is_not_valid_until_the_file_is_there() -> None:
    gone = LicenseView(SERVER, Status.ACTIVE, invalid=FILE_GONE)
    result = made(declared(), seen(licenses=(gone, LicenseView(CLIENT, Status.ACTIVE))))
    assert [problem.what for problem in result.problems] == [f"License {SERVER} is not valid here: {FILE_GONE}."]
    assert "the folder of aims_license_server_license_files" in result.problems[0].todo
    # The activation puts the file there, and then nothing is left.
    assert activates(result) == list(NUMBERS)
    assert not made(declared(), seen(*NUMBERS)).problems


def test_what_no_file_shows_is_a_note() -> None:
    server = declared(users=("AIMS\\dora",))
    (profiles, users) = made(server, seen(*NUMBERS)).notes
    assert f"PROServer of {SERVER} (not default), PROSession of {SESSION} (default)" in profiles
    assert "AIMS\\dora" in users
    assert made(server, seen(*NUMBERS), registers=True).notes == (profiles,)
    found = reconcile(server, seen(*NUMBERS), None, registers=True, obstacles=[Problem("Port.", "here", "Free it.")])
    assert found.notes == ("Port. Free it.", profiles)


def host(name: str, **variables: Any) -> HostVariables:
    licenses = [{**license, "activation_code": CODE} for license in WORKED_EXAMPLE]
    values = {
        "aims_license_server_backend": "vendor",
        "aims_license_server_licenses": licenses,
        **variables,
    }
    written = {**values, "aims_license_server_licenses": [{**one, "activation_code": "{{ a }}"} for one in licenses]}
    return HostVariables(name, values, values.__getitem__, written.__getitem__, lambda part: part)


def test_the_inventory_gives_the_vendors_server_with_its_source_and_no_codes() -> None:
    new = host("new", aims_license_migrate_source="old", aims_license_server_package="aimms.rpm")
    found = read_hosts(["new"], {"new": new, "old": host("old", ansible_shell_type="cmd")})["new"]
    assert found["vendor"] and (found["platform"], found["package"]) == ("linux", "aimms.rpm")
    assert found["source"]["platform"] == "windows" and found["options"]["authority"] == ""
    assert (found["offline"], found["users"], found["registers"]) == (False, None, False)
    assert CODE not in str(found) and found["codes"] == dict.fromkeys(NUMBERS, "a")
    # The bundled server has no license of the vendor's.
    bundled = host("old", aims_license_server_backend="bundled")
    assert read_hosts(["new"], {"new": new, "old": bundled})["new"]["source"] is None
    commands = {"register_user": ["licman", "--u", "{user}"]}
    named = host("new", aims_license_server_vendor_commands=commands, aims_license_server_authority="offline")
    found = read_hosts(["new"], {"new": named})["new"]
    assert found["registers"] and found["offline"] and found["source"] is None
    # Several licenses are activated in one call, which cannot say of which one a user is.
    commands["register_user"].append("{number}")
    assert not read_hosts(["new"], {"new": named})["new"]["registers"]


@pytest.mark.parametrize(
    ("variables", "what"),
    [
        ({"aims_license_migrate_source": "gone"}, "The source gone is not in the inventory."),
        ({"aims_license_migrate_source": "new"}, "Source and target are the same host."),
        ({"aims_license_server_copy": "/srv/copy"}, "A copy of the target's files cannot stand for the target."),
        ({"aims_license_server_home": "x"}, "is not an absolute path of a folder"),
        ({"aims_license_server_vendor_commands": ["x"]}, "vendor_commands"),
        ({"aims_license_server_hoem": "/x"}, "There is no variable aims_license_server_hoem."),
    ],
)
def test_a_wrong_declaration_of_the_vendors_server_is_refused_in_words(variables: dict[str, Any], what: str) -> None:
    with pytest.raises(LicensingError) as refused:
        read_hosts(["new"], {"new": host("new", **variables)})
    assert what in str(refused.value)


def test_the_plan_reads_what_the_inventory_returns() -> None:
    new = host("new", aims_license_migrate_source="old", aims_license_server_users=["AIMS\\dora"])
    server = read_hosts(["new"], {"new": new, "old": host("old")})["new"]
    licenses = declared().licenses
    there, here = Side("old", seen(SERVER), reachable=True), Side("new", seen(CLIENT), reachable=True)
    result = _reconciled(server, there, here, licenses, ())["reconciliation"]
    assert [license["number"] for license in result["activates"]] == [SESSION, CLIENT]
    assert "Move it by the playbook migrate." in result["left"] and len(result["notes"]) == 2
    result = _reconciled(server, replace(there, reachable=False), here, licenses, ())["reconciliation"]
    assert [license["number"] for license in result["activates"]] == [CLIENT]
    result = _reconciled({**server, "source": None}, there, here, licenses, ())["reconciliation"]
    assert result["left"] == "" and len(result["activates"]) == 3
    with pytest.raises(LicensingError, match="Give what aims_license_inventory returned of it in servers"):
        _reconciled({**server, "platform": "aix"}, there, here, licenses, ())
