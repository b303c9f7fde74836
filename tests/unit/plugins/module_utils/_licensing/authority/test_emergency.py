# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lost machine holds can be activated elsewhere for 7 days; it is served until then and not longer."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.audit import check_ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.release import release
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import read_fingerprint
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.entitlements import Entitlements
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.service_lab import run
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.test_service import (
    requests_of,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    SERVER,
    SESSION,
    WRONG_CODE,
    CoreLab,
    Host,
    LostReply,
    PowerCut,
    declared,
    fault_at,
)

UNTIL = "2026-01-08T12:00:00Z"
DATES = ("2027-01-01T12:00:00Z",)


def bridge(lab: CoreLab, host: Host, *numbers: str, dry: bool = False) -> Any:
    asked = numbers or (SERVER,)
    return host.manager.activate(Activation(declared(*asked), emergency=asked), lab.channel(), dry=dry)


def shown(host: Host, number: str = SERVER) -> tuple[Any, Any]:
    license = next(one for one in host.overview["licenses"] if one["number"] == number)
    return license["status"], license["until"]


def served(grants: Entitlements, number: str = SERVER) -> bool:
    return grants.current().grant(number).problem is None


def grants_of(host: Host) -> Entitlements:
    return Entitlements(host.home, read_fingerprint(str(host.root)), host.clock)


def ask(lab: CoreLab, host: Host, online: bool = True, **changes: Any) -> dict[str, Any]:
    """The authority's answer to an emergency request of a host, changed and signed anew."""
    request = requests_of(lab, host).activate(declared(SERVER)[0], emergency=True)  # type: ignore[arg-type]
    if changes:
        keys = {"host": documents.load_private_key(host.home.make_host_key(), "key")}
        keys["code"] = documents.key_from_code(SERVER, declared(SERVER)[0].activation_code, lab.realm.key)
        request = documents.sign(documents.REQUEST, {**json.loads(request)["body"], **changes}, keys)
    body: dict[str, Any] = json.loads(lab.desk(online).answer(request))["body"]
    return body


def test_it_is_granted_for_seven_days_spends_nothing_and_leaves_the_holder_what_it_holds(lab: CoreLab) -> None:
    lab.activate(lab.old)
    holding = lab.ledger.holding(SERVER)
    result = bridge(lab, lab.new).results[0]
    assert (result.action, result.spends) == ("activated", 0)
    assert shown(lab.new) == ("Active", UNTIL)
    assert (lab.ledger.holding(SERVER), lab.spent()) == (holding, 0)
    record = check_ledger(lab.ledger)[-1]
    assert (record["event"], record["detail"]["until"]) == ("emergency", UNTIL)


def test_it_is_served_until_it_ends_and_not_a_second_longer(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    bridge(lab, lab.new)
    grants = grants_of(lab.new)
    assert served(grants)
    lab.clock.forward(days=7, seconds=-1)
    assert served(grants)
    # Nothing of the home has changed, and the day is the same.
    lab.clock.forward(seconds=1)
    grant = grants.current().grant(SERVER)
    assert grant.ends and grant.problem is not None and f"ended at {UNTIL}" in grant.problem.what
    assert shown(lab.new) == ("Inactive Nodelock", UNTIL)
    assert not served(grants_of(lab.new))


def test_what_a_clock_that_was_ahead_ended_is_served_when_it_is_right_again(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    bridge(lab, lab.new)
    for name in ("Config/server.json", "Licenses", "Nodelocks", "Journal"):
        os.utime(lab.new.folder / name, (1_000_000_000, 1_000_000_000))
    lab.clock.forward(days=7, seconds=-60)
    grants = grants_of(lab.new)
    assert served(grants)
    lab.clock.forward(hours=2)
    assert not served(grants)
    lab.clock.forward(hours=-2)
    assert served(grants)
    first = grants.current()
    lab.clock.forward(seconds=59)
    assert grants.current() is first
    lab.clock.forward(seconds=1)
    assert not served(grants)


def test_without_being_asked_for_it_is_not_taken(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    with pytest.raises(LicensingError, match="is live on another machine"):
        lab.activate(lab.new, SERVER)
    assert lab.ledger.records(SERVER, "emergency") == []


def test_again_and_again_while_the_other_machine_holds_it_changes_nothing(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    bridge(lab, lab.new)
    before = lab.new.files()
    for options in ({}, {"emergency": (SERVER,)}):
        change = lab.new.manager.activate(Activation(declared(SERVER), **options), lab.channel())
        assert not change.changed and change.results[0].action == "unchanged"
        dry = lab.new.manager.activate(Activation(declared(SERVER), **options), lab.channel(), dry=True)
        assert not dry.changed and dry.results[0].live is True
    assert lab.new.files() == before and len(lab.ledger.records(SERVER, "emergency")) == 1


@pytest.mark.parametrize("how", ["released", "given back"])
def test_once_the_license_is_free_it_is_activated_for_good(lab: CoreLab, how: str) -> None:
    lab.activate(lab.old, SERVER)
    bridge(lab, lab.new)
    if how == "released":
        release(lab.ledger, SERVER, "lost", lab.clock())
    else:
        lab.deactivate(lab.old, SERVER)
    dry = lab.new.manager.activate(Activation(declared(SERVER)), lab.channel(), dry=True)
    assert dry.changed and (dry.results[0].action, dry.results[0].spends) == ("activated", 1)
    result = lab.activate(lab.new, SERVER).results[0]
    assert (result.action, result.spends, shown(lab.new)) == ("activated", 1, ("Active", None))
    lab.clock.forward(days=30)
    assert served(grants_of(lab.new)) and lab.spent() == 1
    assert not lab.activate(lab.new, SERVER).changed
    check_ledger(lab.ledger)


def test_the_plan_of_it_says_what_the_call_then_does(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    ledger = lab.ledger_path.read_bytes()
    dry = bridge(lab, lab.new, SERVER, SESSION, dry=True)
    seen = {one.number: (one.action, one.spends, one.until) for one in dry.results}
    assert seen == {SERVER: ("activated", 0, UNTIL), SESSION: ("activated", 0, None)}
    assert lab.ledger_path.read_bytes() == ledger
    done = bridge(lab, lab.new, SERVER, SESSION)
    assert [one.status for one in done.after.licenses] == [one.status for one in dry.after.licenses]
    assert {one.number: one.until for one in done.after.licenses} == {SERVER: UNTIL, SESSION: None}


def test_there_is_one_in_365_days_whoever_asks(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    bridge(lab, lab.new)
    third = lab.host("third", "3" * 32)
    lab.clock.forward(days=365, seconds=-1)
    for host in (lab.new, third):
        with pytest.raises(
            LicensingError, match=f"had an emergency activation at .* The next is possible at {DATES[0]}"
        ):
            bridge(lab, host)
    lab.clock.forward(seconds=1)
    bridge(lab, third)
    assert shown(third) == ("Active", "2027-01-08T12:00:00Z")


@pytest.mark.parametrize("state", ["free", "given back", "live here"])
def test_where_no_other_machine_holds_it_there_is_no_emergency(lab: CoreLab, state: str) -> None:
    if state != "free":
        lab.activate(lab.new if state == "live here" else lab.old, SERVER)
    if state == "given back":
        lab.deactivate(lab.old, SERVER)
    answer = ask(lab, lab.new)
    assert answer["outcome"] == "refused" and "there is no emergency" in answer["reason"]["what"]
    assert lab.spent() == 0
    # A manager that may have one then activates for good.
    bridge(lab, lab.new)
    assert shown(lab.new) == ("Active", None)


def test_without_the_code_there_is_none(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    request = requests_of(lab, lab.new).activate(declared(SERVER, code=WRONG_CODE)[0], emergency=True)  # type: ignore[arg-type]
    answer = lab.desk().process(request)
    assert (answer.outcome, answer.proven) == ("refused", False)
    assert lab.ledger.records(SERVER, "emergency") == []


@pytest.mark.parametrize("mark", ["yes", 1, None, [], {}])
def test_a_mark_that_is_neither_true_nor_false_is_damage(lab: CoreLab, mark: Any) -> None:
    lab.activate(lab.old, SERVER)
    with pytest.raises(LicensingError, match="incomplete or damaged"):
        ask(lab, lab.new, emergency=mark)


def test_an_expired_license_and_what_cannot_be_had_offline_is_refused(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    assert "cannot be changed into a personal one" in ask(lab, lab.new, nodelock="personal")["reason"]["what"]
    offline = ask(lab, lab.new, online=False, nodelock="personal")
    assert "personal nodelock cannot be activated offline" in offline["reason"]["what"]
    with lab.ledger.change():
        lab.ledger.put_license(lab.license(SERVER, expiry="2025-12-31"), lab.clock(), "reissue")
    assert "expired on 2025-12-31" in ask(lab, lab.new)["reason"]["what"]


def test_a_reply_that_was_lost_is_asked_for_again_and_is_no_second_emergency(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    with pytest.raises(ConnectionResetError):
        lab.new.manager.activate(
            Activation(declared(SERVER), emergency=[SERVER]), LostReply(lab.realm, lab.desk().answer)
        )
    lab.clock.forward(hours=1)
    lab.activate(lab.new, SERVER)
    assert shown(lab.new) == ("Active", UNTIL) and len(lab.ledger.records(SERVER, "emergency")) == 1


def test_a_budget_that_is_spent_does_not_stand_against_it(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    for giver, taker in ((lab.old, lab.new), (lab.new, lab.old), (lab.old, lab.new)):
        lab.deactivate(giver, SERVER)
        lab.activate(taker, SERVER)
    assert lab.spent() == 3
    bridge(lab, lab.old)
    assert shown(lab.old) == ("Active", UNTIL) and lab.spent() == 3


def test_it_is_ended_where_it_is_and_nobody_is_asked(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    bridge(lab, lab.new)
    ledger = lab.ledger_path.read_bytes()
    assert lab.deactivate(lab.new, SERVER).results[0].action == "deactivated"
    assert lab.new.served() == set() and shown(lab.new) == ("Inactive Nodelock", None)
    assert lab.ledger_path.read_bytes() == ledger


@pytest.mark.parametrize("step", range(1, 5))
def test_a_crash_while_it_is_ended_leaves_a_home_that_goes_on(
    lab: CoreLab, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.activate(lab.old, SERVER)
    bridge(lab, lab.new)
    with contextlib.suppress(PowerCut), fault_at(monkeypatch, step, PowerCut):
        lab.deactivate(lab.new, SERVER)
    lab.deactivate(lab.new, SERVER)
    assert lab.new.served() == set()
    lab.deactivate(lab.old, SERVER)
    lab.activate(lab.new, SERVER)
    assert shown(lab.new) == ("Active", None)
    lab.check_one_holder()


def test_offline_it_comes_by_file_and_stays_until_it_has_ended(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    change = lab.new.manager.activate(Activation(declared(SERVER), realm=lab.realm, emergency=[SERVER]), lab.offline())
    responses = lab.process(change.requests)
    lab.new.manager.activate(Activation(declared(SERVER)), lab.offline(responses))
    assert shown(lab.new) == ("Active", UNTIL)
    assert not lab.new.manager.activate(Activation(declared(SERVER)), lab.offline()).requests
    lab.clock.forward(days=7)
    release(lab.ledger, SERVER, "lost", lab.clock())
    change = lab.new.manager.activate(Activation(declared(SERVER)), lab.offline())
    lab.new.manager.activate(Activation(declared(SERVER)), lab.offline(lab.process(change.requests)))
    assert shown(lab.new) == ("Active", None)


def test_offline_what_the_other_machine_gave_back_is_requested_for_good(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    change = lab.new.manager.activate(Activation(declared(SERVER), realm=lab.realm, emergency=[SERVER]), lab.offline())
    lab.new.manager.activate(Activation(declared(SERVER)), lab.offline(lab.process(change.requests)))
    lab.deactivate(lab.old, SERVER)
    bridging = lab.new.read(f"Nodelocks/{digits(SERVER)}.lock")
    taken = lab.new.manager.activate(Activation(declared(SERVER), returned=[SERVER]), lab.offline())
    body = json.loads(taken.requests[SERVER])["body"]
    assert (body["action"], body.get("emergency")) == ("activate", None)
    # The bridge stays until the response is applied, and serves again where it refuses.
    assert lab.new.read(f"Nodelocks/{digits(SERVER)}.lock") == bridging
    third = lab.host("third", "3" * 31 + "c")
    lab.activate(third, SERVER)
    with pytest.raises(LicensingError, match="live on another machine"):
        lab.new.manager.activate(
            Activation(declared(SERVER), returned=[SERVER]), lab.offline(lab.process(taken.requests))
        )
    assert shown(lab.new) == ("Active", UNTIL)
    lab.deactivate(third, SERVER)
    taken = lab.new.manager.activate(Activation(declared(SERVER), returned=[SERVER]), lab.offline())
    lab.new.manager.activate(Activation(declared(SERVER), returned=[SERVER]), lab.offline(lab.process(taken.requests)))
    assert shown(lab.new) == ("Active", None) and lab.ledger.holding(SERVER).live
    assert not lab.new.manager.activate(Activation(declared(SERVER), returned=[SERVER]), lab.offline()).changed


def test_how_long_is_the_authoritys_choice_and_never_is_one(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER)
    for days in (0, 3):
        with lab.ledger.change():
            assert lab.ledger.set_emergency_days(days, lab.clock())
        answer = ask(lab, lab.new)
        if days:
            assert answer["until"] == "2026-01-04T12:00:00Z"
        else:
            assert answer["reason"]["what"] == "This authority grants no emergency activations."
    check_ledger(lab.ledger)
    with contextlib.closing(sqlite3.connect(lab.ledger_path, isolation_level=None)) as db:
        db.execute("UPDATE setting SET value = 30")
    with pytest.raises(LicensingError, match=r"The ledger's settings differ from its audit log: emergency_days"):
        check_ledger(lab.ledger)


def test_it_is_chosen_with_the_ledger(tmp_path: Any) -> None:
    for days, code in ((-1, 1), (31, 1), (0, 0)):
        done = run("init", "--ledger", str(tmp_path / "a.db"), "--host", "127.0.0.1", "--emergency-days", str(days))
        assert done.returncode == code and (code == 0 or f"cannot last {days} days" in done.stderr)
        assert (tmp_path / "a.db").exists() == (code == 0)
    audit = json.loads(run("audit", "--ledger", str(tmp_path / "a.db"), "--json").stdout)
    assert {"emergency_days": 0} in [record["detail"] for record in audit]
