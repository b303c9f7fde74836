# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An update brings the license file as the ledger has it, to the machine that holds it; it is served all the while."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.issue import changed_license
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.release import release
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client import Management, SeatClient
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import read_fingerprint
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.drain import DrainOptions
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation, Deactivation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.entitlements import Entitlements
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.service_lab import run
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.test_service import (
    audited,
    outcome,
    requests_of,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    CODES,
    HOME,
    NUMBERS,
    SERVER,
    SESSION,
    CoreLab,
    Host,
    LostReply,
    PowerCut,
    declared,
    fault_at,
)
from support.licsrv import Server

FAULTS = [OSError, PowerCut]
LICENSE, LOCK, VERSION = "Licenses/015120064022.lic", "Nodelocks/015120064022.lock", "Nodelocks/015120064022.ver"


def reissue(lab: CoreLab, number: str = SERVER, **changes: Any) -> None:
    license = lab.ledger.license(number)
    assert license is not None
    with lab.ledger.change():
        lab.ledger.put_license(changed_license(license, **changes), lab.clock(), "reissue")


def update(lab: CoreLab, host: Host, *numbers: str) -> Any:
    return host.manager.update(list(numbers or (SERVER,)), lab.channel())


def seats(host: Host, number: str = SERVER) -> int:
    """What a running license server would grant now."""
    grant = Entitlements(host.home, read_fingerprint(str(host.root)), host.clock).current().grant(number)
    return 0 if grant.problem else grant.seats


def shown(host: Host, number: str = SERVER) -> Any:
    return next(license for license in host.overview["licenses"] if license["number"] == number)


def test_an_update_brings_what_the_ledger_grants_by_now_and_changes_nothing_else(lab: CoreLab) -> None:
    lab.activate(lab.old)
    before, lock, holding = shown(lab.old), lab.old.read(LOCK), lab.ledger.holding(SERVER)
    reissue(lab, seats=250, expiry="2100-06-30", type="AIMMS - PRO Server, larger")
    change = update(lab, lab.old, *NUMBERS)
    assert change.changed
    assert [(one.action, one.spends) for one in change.results] == [("updated", 0)] * 3
    wanted_now = {"seats": 250, "expiry": "2100-06-30", "maintenance_expiry": "2100-06-30"}
    assert shown(lab.old) == {**before, **wanted_now, "type": "AIMMS - PRO Server, larger"}
    assert (lab.old.read(LOCK), lab.ledger.holding(SERVER), lab.spent()) == (lock, holding, 0)
    assert json.loads(lab.old.read(VERSION)) == {
        "lock": documents.digest(lock),
        "lic": documents.digest(lab.old.read(LICENSE)),
    }
    assert lab.old.open_requests() == [] and seats(lab.old) == 250
    assert [one["event"] for one in lab.ledger.audit()][-4:] == ["reissue", "update", "update", "update"]


def test_an_update_that_brings_nothing_new_changes_nothing(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    parts = ("Licenses", "Nodelocks", "Config")
    before = {name: held for name, held in lab.old.files().items() if any(part in name for part in parts)}
    change = update(lab, lab.old)
    assert not change.changed and change.results[0].action == "updated"
    assert before == {name: held for name, held in lab.old.files().items() if any(part in name for part in parts)}


def test_what_is_not_active_here_is_not_updated(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER, SESSION)
    lab.deactivate(lab.old, SESSION)
    before, ledger = lab.old.files(), lab.ledger_path.read_bytes()
    with pytest.raises(LicensingError) as refused:
        update(lab, lab.old, SERVER, SESSION, CLIENT)
    assert [problem.what.partition(" is ")[0] for problem in refused.value.problems] == [
        f"License {SESSION}",
        f"License {CLIENT}",
    ]
    assert (lab.old.files(), lab.ledger_path.read_bytes()) == (before, ledger)


def test_only_the_machine_that_holds_a_license_gets_its_file(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    stranger = lab.desk().process(requests_of(lab, lab.new).update(SERVER, "machine"))  # type: ignore[arg-type]
    assert (stranger.outcome, stranger.proven) == ("refused", False)
    (lab.new.folder / "Config" / "host.key").write_bytes(lab.old.read("Config/host.key"))
    clone = lab.desk().process(requests_of(lab, lab.new).update(SERVER, "machine"))  # type: ignore[arg-type]
    assert clone.outcome == "refused"
    lab.deactivate(lab.old, SERVER)
    former = lab.desk().process(requests_of(lab, lab.old).update(SERVER, "machine"))  # type: ignore[arg-type]
    assert (former.outcome, former.proven) == ("refused", True)
    for answer in (stranger, clone, former):
        assert "license" not in documents.read(answer.content, documents.RESPONSE, "").body


def test_offline_a_license_is_served_while_its_update_is_pending(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    reissue(lab, seats=250)
    asked = lab.old.manager.update([SERVER], lab.offline())
    assert set(asked.requests) == {SERVER} and asked.results[0].action == "pending"
    assert lab.old.statuses() == {SERVER: "Pending Update"}
    assert seats(lab.old) == 100 and lab.old.served() == {"015120064022"}
    again = lab.old.manager.update([SERVER], lab.offline())
    assert again.requests == asked.requests and not again.changed
    loaded = lab.old.manager.update([SERVER], lab.offline(lab.process(asked.requests)))
    assert (loaded.results[0].action, loaded.requests) == ("updated", {})
    assert lab.old.statuses() == {SERVER: "Active"} and seats(lab.old) == 250


def test_an_altered_update_is_not_applied(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    asked = lab.old.manager.update([SERVER], lab.offline())
    (response,) = lab.process(asked.requests).values()
    files = lab.old.files()
    other = json.loads(response)
    other["body"]["license"]["body"]["seats"] = 999
    swapped = json.loads(
        lab.process(lab.new.manager.activate(Activation(declared(CLIENT), realm=lab.realm), lab.offline()).requests)[
            CLIENT
        ]
    )
    for wrong in (json.dumps(other).encode(), json.dumps(swapped).encode(), response[:-9]):
        with pytest.raises(LicensingError):
            lab.old.manager.update([SERVER], lab.offline({SERVER: wrong}))
        assert {n: held for n, held in lab.old.files().items() if ".lock" not in n} == {
            n: held for n, held in files.items() if ".lock" not in n
        }
    assert seats(lab.old) == 100


def test_an_update_whose_reply_was_lost_is_asked_for_again_under_its_id(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    reissue(lab, seats=250)
    bad = LostReply(lab.realm, lab.desk().answer)
    for _attempt in range(2):
        with pytest.raises(ConnectionResetError):
            lab.old.manager.update([SERVER], bad)
        assert seats(lab.old) == 100
    update(lab, lab.old)
    assert seats(lab.old) == 250
    assert len({documents.digest(request) for request in bad.requests}) == 1
    assert [one["event"] for one in lab.ledger.audit()].count("update") == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_an_update_that_is_cut_at_any_step_is_served_on_and_finished_by_the_next(
    lab: CoreLab, monkeypatch: pytest.MonkeyPatch, fault: type[BaseException]
) -> None:
    lab.activate(lab.old, SERVER)
    granted = 100
    reissue(lab, seats=(granted := granted + 1))
    with fault_at(monkeypatch, 10_000, OSError) as steps:
        update(lab, lab.old)
    # request, response, digests, license file, digests, and two moves
    assert len(steps) == 7
    for step in range(1, len(steps) + 1):
        before = granted
        reissue(lab, seats=(granted := granted + 1))
        records = len(lab.ledger.audit())
        with fault_at(monkeypatch, step, fault) as made, pytest.raises((LicensingError, PowerCut)):
            update(lab, lab.old)
        assert len(made) >= step
        assert seats(lab.old) in (before, granted), made[-1]
        assert lab.old.served() == {"015120064022"}
        update(lab, lab.old)
        assert seats(lab.old) == granted, made[-1]
        assert lab.old.open_requests() == []
        assert set(json.loads(lab.old.read(VERSION))) == {"lock", "lic"}
        # Cut at its very end, the exchange is over, and the next one is another.
        assert len(lab.ledger.audit()) - records == 1
        assert not lab.activate(lab.old, SERVER).changed
    assert lab.spent() == 0
    lab.check_one_holder()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_license_whose_update_was_cut_can_be_given_back(
    lab: CoreLab, monkeypatch: pytest.MonkeyPatch, fault: type[BaseException]
) -> None:
    for step in range(1, 8):
        lab.activate(lab.old, SERVER)
        reissue(lab, seats=100 + step)
        with fault_at(monkeypatch, step, fault), pytest.raises((LicensingError, PowerCut)):
            update(lab, lab.old)
        lab.deactivate(lab.old, SERVER)
        assert lab.old.statuses() == {SERVER: "Inactive Nodelock"}
        assert lab.old.open_requests() == [] and lab.old.served() == set()
        holding = lab.ledger.holding(SERVER)
        assert holding is not None and not holding.live


def test_a_pending_update_keeps_no_license_from_being_given_back(lab: CoreLab) -> None:
    """Offline nobody has answered it, and nobody needs to: the authority is asked to take the license back."""
    lab.activate(lab.old)
    lab.old.manager.update([SERVER], lab.offline())
    assert lab.old.statuses()[SERVER] == "Pending Update"
    dry = lab.old.manager.deactivate(Deactivation(list(NUMBERS), drain=DrainOptions(0)), lab.offline(), dry=True)
    change = lab.old.manager.deactivate(Deactivation(list(NUMBERS), drain=DrainOptions(0)), lab.offline())
    assert {one.number for one in dry.results} == {one.number for one in change.results} == set(NUMBERS)
    assert lab.old.served() == set()
    asked = {number: json.loads(request)["body"]["action"] for number, request in change.requests.items()}
    assert asked == dict.fromkeys(NUMBERS, "deactivate")
    lab.old.manager.deactivate(Deactivation(list(NUMBERS)), lab.offline(lab.process(change.requests)))
    assert set(lab.old.statuses().values()) == {"Inactive Nodelock"} and lab.old.open_requests() == []


def test_service_ends_where_the_authority_released_a_license_while_its_update_was_cut_off(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    with pytest.raises(ConnectionResetError):
        lab.old.manager.update([SERVER], LostReply(lab.realm, lab.desk().answer))
    release(lab.ledger, SERVER, "the machine was thought to be lost", lab.clock())
    lab.activate(lab.new, SERVER)
    with pytest.raises(LicensingError, match="is not live on this license server"):
        lab.deactivate(lab.old, SERVER)
    lab.check_one_holder()
    assert lab.old.served() == set()


def test_an_update_takes_no_fence_away(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    config = lab.old.home.config()
    lab.old.home.save(replace(config, fenced={SERVER: "2026-01-01T12:00:00Z"}))
    reissue(lab, seats=250)
    update(lab, lab.old)
    assert shown(lab.old)["seats"] == 250 and shown(lab.old)["fenced"] == "2026-01-01T12:00:00Z"
    assert lab.old.served() == set() and seats(lab.old) == 0


def test_a_dry_update_asks_nobody_and_says_what_would_wait(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    before, ledger = lab.old.files(), lab.ledger_path.read_bytes()
    online = lab.old.manager.update([SERVER], lab.channel(), dry=True)
    assert [one.action for one in online.results] == ["updated"]
    offline = lab.old.manager.update([SERVER], lab.offline(), dry=True)
    assert offline.changed and offline.after.licenses[0].status == "Pending Update"
    assert (lab.old.files(), lab.ledger_path.read_bytes()) == (before, ledger)


def test_a_license_is_reissued_by_the_command_and_fetched_by_way_of_the_service(lab: Any) -> None:
    service = lab.serve()
    lab.old.manager.activate(Activation(declared(SERVER)), service.channel())
    ledger = ("--ledger", str(lab.ledger_path), "--json")
    done = run("reissue", SERVER, "--seats", "250", "--expiry", "2100-06-30", *ledger)
    assert json.loads(done.stdout)["changed"] is True
    assert json.loads(run("reissue", SERVER, "--seats", "250", *ledger).stdout)["changed"] is False
    lab.old.manager.update([SERVER], service.channel())
    assert seats(lab.old) == 250
    assert [one["event"] for one in audited(service)][3:] == ["activate", "reissue", "update"]
    (asked,) = lab.old.manager.update([SERVER], lab.offline()).requests.values()
    assert outcome(service.ask(asked)) == "granted"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["015.120.064.099", "--seats", "1"], "is not issued"),
        ([SERVER, "--seats", "0"], "is not a number of seats"),
        ([SERVER, "--expiry", "soon"], "is not a date"),
        ([SERVER, "--expiry", "2001-01-01"], "before it starts"),
        (["15", "--seats", "1"], "is not a license number"),
    ],
)
def test_what_makes_no_license_is_not_reissued(lab: CoreLab, arguments: list[str], said: str) -> None:
    before = lab.ledger_path.read_bytes()
    done = run("reissue", *arguments, "--ledger", str(lab.ledger_path))
    assert done.returncode == 1 and said in done.stderr
    assert lab.ledger_path.read_bytes() == before
    assert CODES[SERVER] not in done.stderr


def test_a_license_file_without_a_nodelock_gets_no_digests(lab: CoreLab, tmp_path: Path) -> None:
    lab.activate(lab.old, SERVER)
    lab.deactivate(lab.old, SERVER)
    lab.old.home.replace_license(SERVER, lab.old.read(LICENSE) + b" ")
    assert lab.old.read(LICENSE).endswith(b" ") and not (lab.old.folder / VERSION).exists()


def test_seats_live_on_through_updates_of_their_license(lab: CoreLab) -> None:
    lab.clock.now = now_utc()
    lab.activate(lab.old, SERVER)
    with Server(HOME, str(lab.old.root)) as server:
        client, ended = SeatClient(server.address), threading.Event()
        taken = [client.take(client.new_id(), "PROServer", f"AIMS\\user{at}", "client")["seat"] for at in range(20)]
        beats = []

        def beat() -> None:
            while not ended.is_set():
                beats.extend(client.heartbeat(seat) for seat in taken)

        with ThreadPoolExecutor(1) as pool:
            beating = pool.submit(beat)
            for granted in range(101, 121):
                reissue(lab, seats=granted)
                update(lab, lab.old)
            ended.set()
            beating.result(60)
        assert len(beats) >= len(taken)
        overview = Management(server.address).overview()
        assert (overview["licenses"][0]["seats"], overview["licenses"][0]["in_use"]) == (120, 20)
