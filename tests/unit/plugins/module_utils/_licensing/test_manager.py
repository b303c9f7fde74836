# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worked example moves from one machine to another, once, and every call can be repeated."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.release import release
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
    ProfileChange,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    CODES,
    NUMBERS,
    SERVER,
    SESSION,
    WRONG_CODE,
    CoreLab,
    LostReply,
    all_files,
    names,
    problems_of,
    wanted,
)

ACTIVE = dict.fromkeys(NUMBERS, "Active")
INACTIVE = dict.fromkeys(NUMBERS, "Inactive Nodelock")
EXAMPLE = [("PROServer", SERVER), ("PROSession", SESSION), ("Client", CLIENT)]


def actions(change: Any) -> list[str]:
    return [result.action for result in change.results]


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
    some = [wanted(SERVER)[0], DeclaredLicense(SESSION, WRONG_CODE, "PROSession"), wanted(CLIENT)[0]]
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
    quotes = lab.new.manager.quote(wanted(), lab.channel())
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


class TestHostKeys:
    """One home, one key: what was activated with it can be given up with no other."""

    KEY = "Config/host.key"

    def lose(self, lab: CoreLab) -> bytes:
        key = lab.old.read(self.KEY)
        (lab.old.folder / self.KEY).unlink()
        return key

    @pytest.mark.parametrize("dry", [False, True], ids=["real", "dry"])
    @pytest.mark.parametrize("pending", [False, True], ids=["active", "pending"])
    @pytest.mark.parametrize("other", [False, True], ids=["missing", "another"])
    def test_no_license_is_activated_with_a_second_key(
        self, lab: CoreLab, other: bool, pending: bool, dry: bool
    ) -> None:
        if pending:
            lab.old.manager.activate(Activation(wanted(SERVER), realm=lab.realm), lab.offline())
        else:
            lab.activate(lab.old, SERVER)
        key = self.lose(lab)
        told = "The private key that the licenses were activated with is missing."
        if other:
            lab.old.write(self.KEY, documents.new_private_key())
            told = f"The private key is another than the one that was used to activate {SERVER}."
        before, ledger = lab.old.files(), lab.ledger_path.read_bytes()
        for channel in (lab.channel(), lab.offline()):
            with pytest.raises(LicensingError) as refused:
                lab.old.manager.activate(Activation(wanted(SERVER, SESSION)), channel, dry=dry)
            assert problems_of(refused) == [told]
        assert lab.old.files() == before and lab.ledger_path.read_bytes() == ledger
        if not dry:
            lab.old.write(self.KEY, key)
            lab.activate(lab.old, SERVER, SESSION)
            lab.deactivate(lab.old, SERVER, SESSION)

    @pytest.mark.parametrize("pending", [False, True], ids=["active", "pending"])
    def test_a_host_whose_key_is_lost_for_good_forgets_what_was_released(self, lab: CoreLab, pending: bool) -> None:
        lab.activate(lab.old, SERVER, SESSION)
        if pending:
            with pytest.raises(ConnectionResetError):
                lab.old.manager.activate(Activation(wanted(CLIENT)), LostReply(lab.realm, lab.desk().answer))
        self.lose(lab)
        with pytest.raises(LicensingError) as refused:
            lab.activate(lab.old)
        todo = refused.value.problems[0].todo
        for number in (SERVER, SESSION, *([CLIENT] if pending else [])):
            release(lab.ledger, number, "its key is lost", lab.clock())
        subprocess.run(re.findall(r"\((rm -f .*)\)", todo)[0], shell=True, check=True)
        assert lab.old.served() == set() and lab.old.open_requests() == []
        lab.activate(lab.old)
        assert set(lab.old.statuses().values()) == {"Active"}
        lab.check_one_holder()

    def test_what_is_active_stays_so_without_the_key(self, lab: CoreLab) -> None:
        lab.activate(lab.old, SERVER)
        self.lose(lab)
        assert lab.activate(lab.old, SERVER).changed is False
        assert not (lab.old.folder / self.KEY).exists()

    def test_licenses_of_two_keys_are_each_given_up_with_their_own(self, lab: CoreLab) -> None:
        """As homes are that were made before a second key was refused."""
        lab.activate(lab.old, SERVER)
        first, nodelocks = self.lose(lab), lab.old.folder / "Nodelocks"
        nodelocks.rename(lab.folder / "aside")
        nodelocks.mkdir()
        lab.activate(lab.old, SESSION)
        for file in (lab.folder / "aside").iterdir():
            file.rename(nodelocks / file.name)
        with pytest.raises(LicensingError, match=f"used to activate {SERVER}"):
            lab.deactivate(lab.old, SERVER)
        with pytest.raises(LicensingError, match=f"used to activate {SERVER}"):
            lab.old.manager.update([SERVER], lab.channel())
        assert actions(lab.old.manager.update([SESSION], lab.channel())) == ["updated"]
        lab.deactivate(lab.old, SESSION)
        lab.old.write(self.KEY, first)
        lab.deactivate(lab.old, SERVER)
        assert lab.old.served() == set()


def test_a_license_that_is_not_installed_cannot_be_given_back(lab: CoreLab) -> None:
    with pytest.raises(LicensingError) as refused:
        lab.deactivate(lab.old)
    assert problems_of(refused) == [f"License {number} is not installed here." for number in NUMBERS]


class TestPersonalNodelocks:
    def activate(self, lab: CoreLab, host: Any, nodelock: str = "personal") -> Any:
        return host.manager.activate(Activation(wanted(SERVER, nodelock=nodelock)), lab.channel())

    def test_a_personal_nodelock_has_its_own_account(self, lab: CoreLab) -> None:
        self.activate(lab, lab.old)
        lab.deactivate(lab.old, SERVER)
        self.activate(lab, lab.new)
        assert (lab.spent(SERVER, "personal"), lab.spent(SERVER, "machine")) == (1, 0)
        shown = lab.new.overview["licenses"][0]
        assert (shown["protection"], shown["transfers"]["window_seconds"]) == ("Personal Nodelock", 86400)

    def test_a_machine_nodelock_does_not_become_a_personal_one(self, lab: CoreLab) -> None:
        self.activate(lab, lab.old, "machine")
        before = lab.old.files()
        with pytest.raises(LicensingError, match="machine nodelock cannot be changed into a personal one"):
            self.activate(lab, lab.old)
        assert lab.old.files() == before
        lab.deactivate(lab.old, SERVER)
        with pytest.raises(LicensingError, match="machine nodelock cannot be changed into a personal one"):
            self.activate(lab, lab.new)

    def test_a_personal_nodelock_becomes_a_machine_nodelock_where_one_is_declared(self, lab: CoreLab) -> None:
        self.activate(lab, lab.old)
        assert self.activate(lab, lab.old, "machine").changed
        assert lab.old.overview["licenses"][0]["protection"] == "Machine Nodelock"
        assert not self.activate(lab, lab.old, "machine").changed
        assert (lab.spent(SERVER, "personal"), lab.spent(SERVER, "machine")) == (0, 0)

    def test_a_personal_nodelock_is_refused_offline_before_a_request_is_made(self, lab: CoreLab) -> None:
        with pytest.raises(LicensingError, match="personal nodelock cannot be activated offline"):
            lab.old.manager.activate(Activation(wanted(SERVER, nodelock="personal"), realm=lab.realm), lab.offline())
        assert lab.old.open_requests() == []


def test_another_realm_than_the_pinned_one_is_refused(lab: CoreLab) -> None:
    lab.activate(lab.old)
    foreign = Realm("foreign", "A" * 43 + "=")
    elsewhere = lab.channel()
    elsewhere.realm = foreign
    before = lab.old.files()
    calls = [
        lambda: lab.old.manager.quote(wanted(), lab.channel(), realm=foreign),
        lambda: lab.old.manager.quote(wanted(), elsewhere),
        lambda: lab.old.manager.deactivate(Deactivation([SERVER]), elsewhere),
    ]
    for call in calls:
        with pytest.raises(LicensingError, match=r"honours realm .* does not change its realm"):
            call()
    assert lab.old.files() == before


def test_without_any_realm_nothing_is_asked(lab: CoreLab) -> None:
    with pytest.raises(LicensingError, match="not known whose responses to honour"):
        lab.old.manager.activate(Activation(wanted()), lab.offline())
    assert lab.old.open_requests() == []


def dry_calls(lab: CoreLab) -> list[Callable[[], Any]]:
    manager = lab.old.manager
    return [
        manager.overview,
        manager.fingerprint,
        lambda: manager.quote(wanted(), lab.channel(), realm=lab.realm),
        lambda: manager.activate(Activation(wanted(), users=["CORP\\jane"]), lab.channel(), dry=True),
        lambda: manager.activate(Activation(wanted(), realm=lab.realm), lab.offline(), dry=True),
        lambda: manager.deactivate(Deactivation(list(lab.old.statuses())), lab.channel(), dry=True),
        lambda: manager.deactivate(Deactivation(list(lab.old.statuses())), lab.offline(), dry=True),
        lambda: manager.set_maintenance(Maintenance(True), dry=True),
        lambda: manager.set_profiles(
            ProfileChange([Profile("New", n) for n in list(lab.old.statuses())[:1]], purge=True), dry=True
        ),
        manager.files,
    ]


@pytest.mark.parametrize("state", ["fresh", "active", "inactive", "pending"])
def test_check_mode_changes_no_byte(lab: CoreLab, state: str) -> None:
    if state in ("active", "inactive"):
        lab.activate(lab.old)
    if state == "inactive":
        lab.deactivate(lab.old)
    if state == "pending":
        lab.old.manager.activate(Activation(wanted(), realm=lab.realm), lab.offline())
    before = all_files(lab.folder)
    for call in dry_calls(lab):
        call()
        assert all_files(lab.folder) == before


def test_check_mode_foresees_what_is_then_done(lab: CoreLab) -> None:
    for _move in range(2):
        for call in (
            lambda **dry: lab.activate(lab.old, **dry),
            lambda **dry: lab.deactivate(lab.old, **dry),
        ):
            foreseen, done = call(dry=True), call()
            assert (foreseen.changed, actions(foreseen)) == (done.changed, actions(done))
            assert [license.status for license in foreseen.after.licenses] == [
                license.status for license in sorted(done.after.licenses, key=lambda one: one.number)
            ]
            repeated = call(dry=True)
            assert (repeated.changed, actions(repeated)) == (False, ["unchanged"] * 3)


def test_check_mode_foresees_that_a_pending_exchange_will_be_finished(lab: CoreLab) -> None:
    pending = lab.old.manager.activate(Activation(wanted(SERVER), realm=lab.realm), lab.offline())
    responses = lab.process(pending.requests)
    foreseen = lab.old.manager.activate(Activation(wanted(SERVER)), lab.offline(responses), dry=True)
    waiting = lab.old.manager.activate(Activation(wanted(SERVER)), lab.offline(), dry=True)
    assert (foreseen.changed, actions(foreseen)) == (True, ["activated"])
    assert (waiting.changed, actions(waiting)) == (False, ["pending"])


def shown(change: Any) -> Any:
    """What a call leaves, as check mode has to foresee it."""
    licenses = {one.number: (one.status, bool(one.fenced), one.until) for one in change.after.licenses}
    pending = [(one.number, one.action) for one in change.after.pending]
    return change.changed, actions(change), licenses, pending


def test_check_mode_foresees_offline_what_will_be_pending(lab: CoreLab) -> None:
    old, numbers = lab.old.manager, [SERVER, SESSION]

    def step(call: Callable[..., Any], responses: Any = None) -> Any:
        """Foresee a call and make it; the second time, nothing is left to change."""
        for _time in range(2):
            before = all_files(lab.folder)
            foreseen = call(lab.offline(responses), dry=True)
            assert all_files(lab.folder) == before
            done = call(lab.offline(responses))
            assert shown(foreseen) == shown(done)
            responses = {}
        assert done.changed is False
        return done

    def take(line: Any, dry: bool = False, **options: Any) -> Any:
        return old.activate(Activation(wanted(*numbers), realm=lab.realm, **options), line, dry=dry)

    def give(line: Any, dry: bool = False) -> Any:
        return old.deactivate(Deactivation(numbers), line, dry=dry)

    pending = step(take)
    assert actions(pending) == ["pending"] * 2 and lab.old.statuses() == {}
    # The response to one of them ends that one, and the other goes on waiting.
    answers = lab.process(pending.requests)
    step(take, {SERVER: answers[SERVER]})
    step(take, {SESSION: answers[SESSION]})
    asked = step(give)
    assert set(lab.old.statuses().values()) == {"Pending Deactivation"}
    # What is given back first, for it to be taken again, makes room for a request of the other kind.
    again = step(take, lab.process(asked.requests))
    assert [json.loads(request)["body"]["action"] for request in again.requests.values()] == ["activate"] * 2
    # And the other way round.
    asked = step(give, lab.process(again.requests))
    assert [json.loads(request)["body"]["action"] for request in asked.requests.values()] == ["deactivate"] * 2
    step(give, lab.process(asked.requests))
    assert set(lab.old.statuses().values()) == {"Inactive Nodelock"}

    # What bridges is ended without a request; what the other machine gave back is requested for good.
    lab.activate(lab.new, *numbers)
    bridge = step(lambda line, **dry: take(line, emergency=numbers, **dry))
    step(take, lab.process(bridge.requests))
    lab.deactivate(lab.new, SERVER)
    step(lambda line, **dry: take(line, returned=[SERVER], **dry))
    assert lab.old.statuses() == {SERVER: "Pending Activation", SESSION: "Active"}
    step(lambda line, **dry: old.deactivate(Deactivation([SESSION]), line, **dry))
    assert lab.old.statuses()[SESSION] == "Inactive Nodelock"


def test_check_mode_tells_the_refusal_at_hand(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    pending = lab.new.manager.activate(Activation(wanted(SERVER), realm=lab.realm), lab.offline())
    refusing = lab.offline(lab.process(pending.requests))
    for call in (
        lambda **dry: lab.new.manager.activate(Activation(wanted(SERVER)), refusing, **dry),
        lambda **dry: lab.new.manager.deactivate(Deactivation([SERVER]), refusing, **dry),
    ):
        before = all_files(lab.folder)
        with pytest.raises(LicensingError, match="is live on another machine"):
            call(dry=True)
        assert all_files(lab.folder) == before
    damaged = lab.process(pending.requests)[SERVER][:-9]
    mistaken = lab.offline({SERVER: damaged})
    with pytest.raises(LicensingError) as foreseen:
        lab.new.manager.activate(Activation(wanted(SERVER)), mistaken, dry=True)
    with pytest.raises(LicensingError) as done:
        lab.new.manager.activate(Activation(wanted(SERVER)), mistaken)
    assert problems_of(foreseen) == problems_of(done)
    with pytest.raises(LicensingError, match="is live on another machine"):
        lab.new.manager.activate(Activation(wanted(SERVER)), refusing)


@pytest.mark.parametrize("drain", [None, 0.0], ids=["at once", "drained"])
@pytest.mark.parametrize("dry", [False, True], ids=["run", "check"])
def test_a_response_that_is_refused_ends_no_service(lab: CoreLab, drain: float | None, dry: bool) -> None:
    lab.activate(lab.old, SERVER)
    lab.old.manager.activate(Activation(wanted(SESSION)), lab.offline())
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
        lab.old.manager.activate(Activation(wanted(SESSION)), LostReply(lab.realm, lab.desk().answer))
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
        change = host.manager.activate(Activation(wanted(SERVER), returned=given_back), lab.offline(), dry=dry)
        assert [one.action for one in change.results] == ["pending"]
    assert {json.loads(request)["body"]["action"] for request in change.requests.values()} == {"activate"}
    host.manager.activate(Activation(wanted(SERVER), returned=given_back), lab.offline(lab.process(change.requests)))
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
