# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call leaves on its host when nobody is there any more: a drain that ends by itself, and nothing given up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.lease import LENGTH, Lease
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager import (
    freshness,
    maintenance,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.bundled import BundledManager
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.drain import Drained, DrainOptions, Step
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.freshness import Freshness, uptime
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import (
    Activation,
    Deactivation,
    Maintenance,
    ProfileChange,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc, render_time
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import ClientView
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.entitlements import Entitlements
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    NUMBERS,
    SERVER,
    SESSION,
    CoreLab,
)

FIRST = Step("a" * 32)
NEXT = Step("a" * 32, 3.0)


class Seats:
    """In the place of a server: how many seats are in use, and what each look at them does besides."""

    def __init__(self) -> None:
        self.in_use = 1
        self.looks = 0

    def drain(self, *given: Any, **more: Any) -> Drained:
        self.looks += 1
        return Drained(0.0, self.in_use, (ClientView("pc", None, "anna", "PROSession", SESSION, "now"),))


@pytest.fixture
def seats(lab: CoreLab, monkeypatch: pytest.MonkeyPatch) -> Seats:
    lab.activate(lab.old)
    made = Seats()
    monkeypatch.setattr(maintenance, "drain", made.drain)
    return made


def config(lab: CoreLab) -> Any:
    return lab.old.home.config()


def drained(lab: CoreLab) -> dict[str, Any]:
    """The tickets of the drains on disk, and their licenses."""
    return {lease.ticket: lease.licenses for lease in config(lab).drains}


def is_untouched(lab: CoreLab) -> bool:
    return not config(lab).fenced and set(lab.old.statuses().values()) == {"Active"}


def test_a_drain_lasts_for_a_minute_and_a_step_renews_it(lab: CoreLab, seats: Seats) -> None:
    change = lab.deactivate(lab.old, drain_seconds=300, step=FIRST)
    assert (change.changed, change.again, change.drained.total) == (False, FIRST.ticket, 1)
    assert is_untouched(lab) and config(lab).draining() == set(NUMBERS) and not config(lab).is_closed()
    assert not config(lab).draining(now_utc() + LENGTH)
    first = Lease(FIRST.ticket, now_utc() + timedelta(seconds=30), tuple(sorted(NUMBERS)))
    lab.old.home.save(replace(config(lab), drains=(first,)))
    assert lab.deactivate(lab.old, drain_seconds=300, step=NEXT).again == FIRST.ticket
    assert config(lab).drains[0].until > first.until
    # The last call, which finds no seat in use.
    seats.in_use = 0
    change = lab.deactivate(lab.old, drain_seconds=300, step=NEXT)
    assert change.changed and change.again is None
    assert not change.before.server.maintenance and change.after.server.maintenance
    assert (config(lab).maintenance, config(lab).drains) == (True, ())
    assert set(lab.old.statuses().values()) == {"Inactive Nodelock"}


def test_a_server_gives_seats_again_once_nobody_renews_the_drain_although_no_file_changes(lab: CoreLab) -> None:
    lab.activate(lab.old)
    now = now_utc()
    leases = (Lease("x", now + LENGTH), Lease("y", now + LENGTH - timedelta(seconds=30), (SESSION,)))
    lab.old.home.save(replace(config(lab), drains=leases))
    clock = [now]
    grants = Entitlements(lab.old.home, lab.old.manager.fingerprint(), lambda: clock[0])
    assert grants.current().maintenance and grants.current().grant(SESSION).draining
    clock[0] = now + LENGTH - timedelta(seconds=2)
    assert grants.current().maintenance and not grants.current().grant(SESSION).draining
    clock[0] = now + LENGTH
    assert not grants.current().maintenance
    # Nor does a clock that was set back keep it closed.
    clock[0] = now - timedelta(days=1)
    assert not grants.current().maintenance


def test_a_call_that_waited_for_a_seat_goes_back_to_its_controller_first(lab: CoreLab, seats: Seats) -> None:
    def last_seat(*given: Any, **more: Any) -> Drained:
        seats.in_use = 0 if seats.looks else 1
        return Seats.drain(seats)

    maintaining_drain = maintenance.drain
    maintenance.drain = last_seat  # type: ignore[assignment]
    try:
        change = lab.deactivate(lab.old, drain_seconds=300, step=FIRST)
    finally:
        maintenance.drain = maintaining_drain
    assert change.again == FIRST.ticket and change.drained.total == 0
    assert is_untouched(lab)
    assert lab.deactivate(lab.old, drain_seconds=300, step=NEXT).again is None
    assert not lab.old.served()


def late(lab: CoreLab, seconds: float = freshness.LIMIT + 1) -> BundledManager:
    return BundledManager(lab.old.home, lab.clock, freshness=Freshness(uptime() - seconds))


@pytest.mark.parametrize("drain", [None, 0.0, 20.0])
def test_a_call_that_was_held_up_gives_nothing_up(lab: CoreLab, drain: float | None) -> None:
    lab.activate(lab.old)
    before = lab.old.files()
    with pytest.raises(LicensingError, match="This was asked for 41 seconds ago"):
        late(lab).deactivate(
            Deactivation(
                list(NUMBERS), drain=DrainOptions(drain) if drain is not None else None, step=FIRST if drain else None
            ),
            lab.channel(),
        )
    assert {name: kept for name, kept in lab.old.files().items() if ".lock" not in name} == {
        name: kept for name, kept in before.items() if ".lock" not in name
    }
    late(lab, 20).deactivate(
        Deactivation(list(NUMBERS), drain=DrainOptions(drain) if drain is not None else None), lab.channel()
    )
    assert not lab.old.served()


def test_no_other_call_that_was_held_up_changes_anything(lab: CoreLab) -> None:
    lab.activate(lab.old, SERVER, SESSION)
    acts: Mapping[str, Any] = {
        "activate": lambda manager: manager.activate(Activation([]), lab.channel()),
        "update": lambda manager: manager.update([SERVER], lab.channel()),
        "maintenance": lambda manager: manager.set_maintenance(Maintenance(True)),
        "drain": lambda manager: manager.set_maintenance(Maintenance(True, drain=DrainOptions(10), step=FIRST)),
        "profiles": lambda manager: manager.set_profiles(ProfileChange(absent=["PROServer"])),
    }
    before = json.loads(lab.old.read("Config/server.json"))
    for name, act in acts.items():
        with pytest.raises(LicensingError, match="seconds ago"):
            act(late(lab))
        assert json.loads(lab.old.read("Config/server.json")) == before, name


def test_a_machine_that_stood_still_counts_the_time_by_its_clock(lab: CoreLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that is gone on from has the uptime that it had; its time of day is set right at some moment."""
    asked = Freshness()
    asked.check("here")
    monkeypatch.setattr(freshness.time, "time", lambda now=freshness.time.time: now() + 3600)
    with pytest.raises(LicensingError, match="asked for 3600 seconds ago"):
        asked.check("here")


def test_a_call_that_nobody_listens_to_any_more_gives_nothing_up(lab: CoreLab) -> None:
    lab.activate(lab.old)
    unheard = BundledManager(lab.old.home, lab.clock, freshness=Freshness(is_heard=lambda: False))
    for step, drain in ((FIRST, 10.0), (None, None)):
        with pytest.raises(LicensingError, match="Whoever made this call is gone"):
            unheard.deactivate(
                Deactivation(list(NUMBERS), drain=DrainOptions(drain) if drain is not None else None, step=step),
                lab.channel(),
            )
        assert is_untouched(lab) and not config(lab).is_closed()


def test_a_step_of_a_drain_that_has_ended_meanwhile_begins_it_anew_and_gives_nothing_up(lab: CoreLab) -> None:
    """It may be a call that hung on the way to the host while its controller went away."""
    lab.activate(lab.old)
    change = lab.deactivate(lab.old, drain_seconds=300, step=NEXT)
    assert change.again not in (None, NEXT.ticket) and is_untouched(lab)
    again = lab.deactivate(lab.old, drain_seconds=300, step=Step(change.again, 6.0))
    assert again.again is None and not lab.old.served()


def test_a_drain_that_somebody_ended_at_the_last_moment_is_asked_for_again(
    lab: CoreLab, seats: Seats, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*given: Any, **more: Any) -> Drained:
        lab.old.manager.end_drain(FIRST.ticket)
        return Drained()

    monkeypatch.setattr(maintenance, "drain", ended)
    assert lab.deactivate(lab.old, drain_seconds=300, step=FIRST).again == FIRST.ticket
    assert is_untouched(lab)
    with pytest.raises(LicensingError, match="The drain ended before the licenses were fenced"):
        monkeypatch.setattr(maintenance, "_enter", lambda *given: (Lease("b", now_utc()), True))
        lab.deactivate(lab.old, drain_seconds=300)
    assert is_untouched(lab)


def test_maintenance_mode_that_a_person_has_entered_outlasts_a_drain(lab: CoreLab, seats: Seats) -> None:
    lab.old.manager.set_maintenance(Maintenance(True))
    lab.deactivate(lab.old, SESSION, drain_seconds=300, step=FIRST)
    assert drained(lab) == {FIRST.ticket: (SESSION,)}
    lab.old.manager.end_drain(FIRST.ticket)
    assert (config(lab).maintenance, config(lab).drains) == (True, ())
    with pytest.raises(LicensingError, match="The server is in maintenance mode"):
        lab.deactivate(lab.old, SESSION, drain_seconds=0, step=FIRST)
    assert config(lab).is_closed(now_utc() + LENGTH)
    seats.in_use = 0
    # The server goes on with the other licenses, in maintenance mode as before.
    assert lab.deactivate(lab.old, SESSION, drain_seconds=300, step=FIRST).after.server.maintenance
    assert config(lab).is_closed(now_utc() + LENGTH)
    lab.old.manager.set_maintenance(Maintenance(False))
    assert not config(lab).is_closed()


def test_entering_maintenance_mode_lasts_only_once_the_seats_are_back(lab: CoreLab, seats: Seats) -> None:
    change = lab.old.manager.set_maintenance(Maintenance(True, drain=DrainOptions(300), step=FIRST))
    assert change.again == FIRST.ticket and not config(lab).maintenance
    seats.in_use = 0
    change = lab.old.manager.set_maintenance(Maintenance(True, drain=DrainOptions(300), step=NEXT))
    assert (change.changed, change.again) == (True, None)
    assert not change.before.server.maintenance and config(lab).is_closed(now_utc() + LENGTH)


def test_a_drain_ends_where_what_follows_it_is_refused(lab: CoreLab, seats: Seats) -> None:
    lab.deactivate(lab.old, drain_seconds=300, step=FIRST)
    seats.in_use = 0

    def refuse_all(dry: bool = False) -> None:
        raise LicensingError([])

    away = lab.channel()
    away.probe = refuse_all  # type: ignore[method-assign]
    with pytest.raises(LicensingError):
        lab.old.manager.deactivate(Deactivation(list(NUMBERS), drain=DrainOptions(300), step=NEXT), away)
    assert is_untouched(lab) and not drained(lab)


def test_an_older_package_takes_drains_for_a_closed_server(lab: CoreLab, seats: Seats) -> None:
    """One that knows no drains reads maintenance mode; one that knows one drain reads the last one to end, for all."""
    lab.deactivate(lab.old, SESSION, drain_seconds=300, step=FIRST)
    first = config(lab).drains[0]
    later = replace(first, ticket="b", until=first.until + timedelta(seconds=3), licenses=(CLIENT,))
    lab.old.home.save(config(lab).with_lease(later))
    written = json.loads(lab.old.read("Config/server.json"))
    assert written["maintenance"] is True
    assert written["drain"] == {"ticket": "b", "until": render_time(later.until), "alone": True}
    assert config(lab).drains == (first, later) and not config(lab).maintenance
    for ticket in ("b", FIRST.ticket):
        lab.old.manager.end_drain(ticket)
    written = json.loads(lab.old.read("Config/server.json"))
    assert written["maintenance"] is False and not {"drain", "drains"} & set(written)


def test_a_drain_of_an_older_package_is_one_of_the_whole_server(lab: CoreLab, seats: Seats) -> None:
    lab.old.manager.set_maintenance(Maintenance(False))
    written = json.loads(lab.old.read("Config/server.json"))
    until = render_time(now_utc() + timedelta(seconds=50))
    for alone in (True, False):
        drain = {"ticket": "c", "until": until, "alone": alone}
        lab.old.write("Config/server.json", json.dumps({**written, "maintenance": True, "drain": drain}))
        assert drained(lab) == {"c": None} and config(lab).is_closed()
        assert config(lab).maintenance is not alone
        # Its own next call finds it, and a drain of licenses leaves it as it is.
        lab.deactivate(lab.old, SESSION, drain_seconds=300, step=FIRST)
        assert drained(lab) == {"c": None, FIRST.ticket: (SESSION,)}


DAMAGED = [[], "x", {"until": "2026-01-01T00:00:00Z"}, {"ticket": "x", "until": 1}, 7]


@pytest.mark.parametrize("damaged", [*DAMAGED, {"ticket": "x", "until": "2026-01-01T00:00:00Z", "licenses": "x"}])
@pytest.mark.parametrize("key", ["drain", "drains"])
def test_a_drain_that_is_damaged_is_told(lab: CoreLab, key: str, damaged: Any) -> None:
    written = json.loads(lab.old.read("Config/server.json")) if (lab.old.folder / "Config/server.json").exists() else {}
    found = damaged or [1]
    lab.old.write("Config/server.json", json.dumps({**written, key: [found] if key == "drains" else found}))
    with pytest.raises(LicensingError, match=r"damaged|is not a time"):
        lab.old.home.config()


def test_many_licenses_are_given_back_by_more_calls_than_one(lab: CoreLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are fenced by the first; none is begun that was asked for too long ago."""
    lab.activate(lab.old)
    asked = Freshness()
    answered: list[bool] = []
    monkeypatch.setattr(Freshness, "is_over", property(lambda self: self is asked and len(answered) >= 1))
    channel = lab.channel()
    exchange = channel.exchange
    channel.exchange = lambda number, request: (answered.append(True), exchange(number, request))[1]  # type: ignore[method-assign]
    change = BundledManager(lab.old.home, lab.clock, freshness=asked).deactivate(
        Deactivation(list(NUMBERS), drain=DrainOptions(20), step=FIRST), channel
    )
    assert change.again == "" and len(lab.ledger_path.read_bytes()) and not lab.old.served()
    assert sorted(lab.old.statuses().values()) == ["Active", "Active", "Inactive Nodelock"]
    again = lab.old.manager.deactivate(Deactivation(list(NUMBERS), drain=DrainOptions(20), step=Step("", 3.0)), channel)
    assert again.again is None and len(answered) == 3
    assert set(lab.old.statuses().values()) == {"Inactive Nodelock"}
    assert [row.action for row in again.results].count("deactivated") == 2
    assert CLIENT in lab.old.statuses()
