# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worked example moves from one machine to another, once, and every call can be repeated."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import read_fingerprint
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.drain import DrainOptions
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import open_manager
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import (
    Activation,
    Deactivation,
    Maintenance,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    CODES,
    NUMBERS,
    SERVER,
    SESSION,
    WRONG_CODE,
    CoreLab,
    LostReply,
    actions,
    declared,
    names,
    problems_of,
)

ACTIVE = dict.fromkeys(NUMBERS, "Active")
INACTIVE = dict.fromkeys(NUMBERS, "Inactive Nodelock")
EXAMPLE = [("PROServer", SERVER), ("PROSession", SESSION), ("Client", CLIENT)]


def test_the_worked_example_moves_from_one_machine_to_the_other(lab: CoreLab) -> None:
    change = lab.activate(lab.old)
    assert (change.changed, actions(change)) == (True, ["activated"] * 3)
    assert lab.old.statuses() == ACTIVE
    assert lab.old.profiles() == EXAMPLE
    lab.check_one_holder()

    again = lab.activate(lab.old)
    assert (again.changed, actions(again)) == (False, ["unchanged"] * 3)

    lab.clock.forward(hours=1)
    given_back = lab.deactivate(lab.old)
    assert (given_back.changed, actions(given_back)) == (True, ["deactivated"] * 3)
    assert [result.fenced_since for result in given_back.results] == ["2026-01-01T13:00:00Z"] * 3
    assert lab.old.statuses() == INACTIVE
    assert lab.old.served() == set()
    assert lab.old.profiles() == EXAMPLE

    again = lab.deactivate(lab.old)
    assert (again.changed, actions(again)) == (False, ["unchanged"] * 3)

    moved = lab.activate(lab.new)
    assert [(result.action, result.spends) for result in moved.results] == [("activated", 1)] * 3
    assert lab.new.statuses() == ACTIVE
    assert lab.new.profiles() == EXAMPLE
    assert lab.new.served() == {"015120064022", "015120065016", "015120055014"}
    lab.check_one_holder()
    assert [lab.spent(number) for number in NUMBERS] == [1, 1, 1]
    assert not lab.activate(lab.new).changed
    assert not lab.deactivate(lab.old).changed
    assert [lab.spent(number) for number in NUMBERS] == [1, 1, 1]
    assert lab.old.open_requests() == lab.new.open_requests() == []


def test_the_overview_shows_what_the_vendors_manager_shows(lab: CoreLab) -> None:
    lab.activate(lab.old)
    shown = {license["number"]: license for license in lab.old.overview["licenses"]}[SERVER]
    expected = {
        "file": "015120064022.lic",
        "type": "AIMMS - PRO Server",
        "seats": 100,
        "start": "2025-01-01",
        "expiry": "2099-12-31",
        "protection": "Machine Nodelock",
        "status": "Active",
        "fenced": None,
        "var": False,
    }
    assert {key: shown[key] for key in expected} == expected
    assert (shown["transfers"]["limit"], shown["transfers"]["left"]) == (3, 3)
    assert names(lab.old.overview["profiles"]) == ["PROServer", "PROSession", "Client"]
    assert [profile["default"] for profile in lab.old.overview["profiles"]] == [False, True, True]


def test_the_third_move_is_the_last_for_a_year(lab: CoreLab) -> None:
    lab.activate(lab.old)
    hosts = [lab.new, lab.old]
    for move in range(3):
        lab.clock.forward(days=1)
        lab.deactivate(hosts[(move + 1) % 2])
        lab.activate(hosts[move % 2])
        lab.check_one_holder()
    assert lab.spent() == 3
    lab.deactivate(lab.new)
    before = (lab.old.files(), lab.new.files(), lab.ledger_path.read_bytes())
    with pytest.raises(LicensingError) as refused:
        lab.activate(lab.old)
    assert problems_of(refused) == [f"License {number} has spent its 3 transfers." for number in NUMBERS]
    assert "2027-01-02T12:00:00Z" in str(refused.value)
    assert (
        (lab.old.files()["opt/aims-license-server/Config/server.json"])
        == (before[0]["opt/aims-license-server/Config/server.json"])
    )
    assert lab.ledger_path.read_bytes() == before[2]
    lab.activate(lab.new)
    lab.deactivate(lab.new)
    lab.clock.now = lab.clock.now.replace(year=2027, day=2)
    lab.activate(lab.old)
    assert lab.old.statuses() == ACTIVE
    lab.check_one_holder()


def test_a_license_that_is_live_on_the_old_machine_is_refused_to_the_new_one(lab: CoreLab) -> None:
    lab.activate(lab.old)
    before = lab.new.files()
    with pytest.raises(LicensingError) as refused:
        lab.activate(lab.new)
    assert problems_of(refused) == [f"License {number} is live on another machine." for number in NUMBERS]
    assert lab.new.statuses() == {}
    assert lab.new.open_requests() == []
    assert lab.new.files().keys() - before.keys() <= {
        f"opt/aims-license-server/{name}" for name in (".lock", "Config/server.json", "Config/host.key")
    }
    assert lab.spent() == 0
    lab.check_one_holder()


def test_one_wrong_code_stops_all_before_anything_is_asked_for(lab: CoreLab) -> None:
    some = [declared(SERVER)[0], DeclaredLicense(SESSION, WRONG_CODE, "PROSession"), declared(CLIENT)[0]]
    with pytest.raises(LicensingError, match=f"knows no license {SESSION} with this activation code") as refused:
        lab.old.manager.activate(Activation(some), lab.channel())
    assert WRONG_CODE not in str(refused.value)
    assert lab.old.statuses() == {}
    assert lab.ledger.holding(SERVER) is None
    lab.activate(lab.old)
    before = lab.old.files()
    with pytest.raises(LicensingError, match=f"activation code declared for license {SESSION} is not this license's"):
        lab.old.manager.activate(Activation(some), lab.channel())
    assert lab.old.files() == before


def test_no_file_of_a_home_and_no_result_holds_a_code(lab: CoreLab) -> None:
    change = lab.activate(lab.old)
    for code in CODES.values():
        assert code not in repr(change)
        for path in lab.old.root.rglob("*"):
            assert not path.is_file() or code.encode() not in path.read_bytes()


def test_a_dead_machines_license_is_quoted_but_not_activated(lab: CoreLab) -> None:
    lab.activate(lab.old)
    quotes = lab.new.manager.quote(declared(), lab.channel())
    assert [(quote.refusal, quote.live, quote.spends) for quote in quotes] == [(None, True, 1)] * 3
    holder = lab.old.overview["licenses"][0]["holder"]
    assert {quote.holder for quote in quotes} == {holder}
    with pytest.raises(LicensingError, match="live on another machine"):
        lab.activate(lab.new, dry=True)
    foreseen = lab.activate(lab.new, dry=True, released_by=[holder])
    assert actions(foreseen) == ["activated"] * 3


def test_an_expired_license_is_shown_as_expired_and_can_be_given_back(lab: CoreLab) -> None:
    lab.activate(lab.old)
    lab.clock.now = lab.clock.now.replace(year=2100)
    assert set(lab.old.statuses().values()) == {"Expired"}
    lab.deactivate(lab.old)
    assert lab.old.statuses() == INACTIVE
    with pytest.raises(LicensingError, match="expired on 2099-12-31"):
        lab.activate(lab.new)


def test_a_copied_home_is_not_active_on_another_machine_and_gives_nothing_back(lab: CoreLab) -> None:
    lab.activate(lab.old)
    then = read_fingerprint(str(lab.old.root))["machine-id"][:8]
    lab.old.set_machine_id("3" * 31 + "c")
    now = read_fingerprint(str(lab.old.root))["machine-id"][:8]
    assert lab.old.statuses() == INACTIVE
    assert f"machine-id ({then} then, {now} now)" in lab.old.overview["licenses"][0]["drift"]["components"]
    before, ledger = lab.old.files(), lab.ledger_path.read_bytes()
    with pytest.raises(LicensingError) as refused:
        lab.deactivate(lab.old)
    assert problems_of(refused) == [
        f"License {number} was activated on another machine: machine-id ({then} then, {now} now) differ."
        for number in NUMBERS
    ]
    assert lab.old.files() == before
    assert lab.ledger_path.read_bytes() == ledger


def test_a_license_that_is_not_installed_cannot_be_given_back(lab: CoreLab) -> None:
    with pytest.raises(LicensingError) as refused:
        lab.deactivate(lab.old)
    assert problems_of(refused) == [f"License {number} is not installed here." for number in NUMBERS]


def test_another_realm_than_the_pinned_one_is_refused(lab: CoreLab) -> None:
    lab.activate(lab.old)
    foreign = Realm("foreign", "A" * 43 + "=")
    elsewhere = lab.channel()
    elsewhere.realm = foreign
    before = lab.old.files()
    calls = [
        lambda: lab.old.manager.quote(declared(), lab.channel(), realm=foreign),
        lambda: lab.old.manager.quote(declared(), elsewhere),
        lambda: lab.old.manager.deactivate(Deactivation([SERVER]), elsewhere),
    ]
    for call in calls:
        with pytest.raises(LicensingError, match=r"honours realm .* does not change its realm"):
            call()
    assert lab.old.files() == before


def test_without_any_realm_nothing_is_asked(lab: CoreLab) -> None:
    with pytest.raises(LicensingError, match="not known whose responses to honour"):
        lab.old.manager.activate(Activation(declared()), lab.offline())
    assert lab.old.open_requests() == []


@pytest.mark.parametrize("drain", [None, 0.0], ids=["at once", "drained"])
@pytest.mark.parametrize("dry", [False, True], ids=["run", "check"])
def test_a_response_that_is_refused_ends_no_service(lab: CoreLab, drain: float | None, dry: bool) -> None:
    lab.activate(lab.old, SERVER)
    lab.old.manager.activate(Activation(declared(SESSION)), lab.offline())
    before = lab.old.files()
    damaged = lab.offline({SESSION: b"cut o"})
    with pytest.raises(LicensingError, match="truncated or damaged"):
        lab.old.manager.deactivate(
            Deactivation([SERVER, SESSION], drain=DrainOptions(drain) if drain is not None else None), damaged, dry=dry
        )
    assert lab.old.files() == before and lab.old.served() == {"015120064022"}


def test_what_is_pending_of_licenses_that_stay_is_finished_before_others_are_given_up(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    with pytest.raises(ConnectionResetError):
        lab.old.manager.activate(Activation(declared(SESSION)), LostReply(lab.realm, lab.desk().answer))
    change = lab.deactivate(lab.old, SERVER, drain_seconds=0)
    assert lab.old.statuses() == {SERVER: "Inactive Nodelock", SESSION: "Active"}
    assert change.after.as_dict() == lab.old.overview and not change.after.server.maintenance


def test_where_nothing_is_left_to_give_up_maintenance_mode_is_the_operators(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER, SESSION)
    lab.deactivate(lab.old, SERVER)
    lab.old.manager.set_maintenance(Maintenance(True))
    for dry in (True, False):
        assert not lab.deactivate(lab.old, SERVER, drain_seconds=0, dry=dry).changed
    assert lab.old.overview["server"]["maintenance"]


@pytest.mark.parametrize("bridged", [False, True], ids=["fenced", "bridged"])
def test_a_pending_update_keeps_no_license_from_being_activated_for_good(lab: CoreLab, bridged: bool) -> None:
    lab.activate(lab.old, SERVER)
    if bridged:
        lab.activate(lab.new, SERVER, emergency=[SERVER])
        lab.new.manager.update([SERVER], lab.offline())
        lab.deactivate(lab.old, SERVER)
    else:
        lab.old.manager.update([SERVER], lab.offline())
        lab.old.home.save(replace(lab.old.home.config(), fenced={SERVER: "2026-01-01T12:00:00Z"}))
    host, given_back = (lab.new, [SERVER]) if bridged else (lab.old, [])
    for dry in (True, False):
        change = host.manager.activate(Activation(declared(SERVER), returned=given_back), lab.offline(), dry=dry)
        assert [one.action for one in change.results] == ["pending"]
    assert {json.loads(request)["body"]["action"] for request in change.requests.values()} == {"activate"}
    host.manager.activate(Activation(declared(SERVER), returned=given_back), lab.offline(lab.process(change.requests)))
    assert host.served() == {"015120064022"} and host.open_requests() == []
    lab.check_one_holder()


def test_maintenance_mode_is_entered_and_left_once(lab: CoreLab) -> None:
    assert [lab.old.manager.set_maintenance(Maintenance(on)).changed for on in (True, True, False, False)] == [
        True,
        False,
    ] * 2
    assert lab.old.overview["server"]["maintenance"] is False


def test_only_a_known_backend_is_opened() -> None:
    for backend in ("", "other"):
        with pytest.raises(LicensingError):
            open_manager(backend, "/opt/aims-license-server")
