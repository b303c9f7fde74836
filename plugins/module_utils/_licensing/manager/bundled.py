# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager of the bundled license server: it works on the home's files directly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Callable

from ..channel.base import Channel
from ..declared import DeclaredLicense, check_names
from ..documents import Realm
from ..errors import LicensingError, Problem
from ..files import PRIVATE
from ..fingerprint import read_fingerprint
from ..home.config import UNMANAGED
from ..home.journal import unsettled
from ..home.state import State
from ..home.store import OURS, Home, is_secret
from ..license_view import Status
from ..model import Profile, now_utc
from ..overview import Overview
from ..places import place_of
from ..quote import Quote
from . import deactivation, maintenance
from .carried_files import CarriedFiles, carried
from .drain import Step, drain
from .emergency import bridges, foreseen, sort_out
from .exchange import Requests, check_response
from .forecast import ended, updated, waits
from .freshness import Freshness
from .port import Carried, Change, HomeFile, SeatTrial
from .preflight import check_declared, check_named, check_updated, obstacles_of, raise_refusals, without_code
from .profiles import arranged, predict
from .results import Action, LicenseResult
from .session import HomeSession, change_of


class BundledManager:
    """Implements :class:`LicenseManager` on a :class:`Home`.

    :param clock: gives the time, UTC
    :param freshness: when the call was asked for, where whoever asked may be gone by now
    """

    def __init__(self, home: Home, clock: Callable[[], datetime] = now_utc, freshness: Freshness | None = None) -> None:
        self._home = home
        self._managed = HomeSession(home, clock, freshness)

    def overview(self) -> Overview:
        return self._managed.overview(self._managed.read())

    def fingerprint(self) -> dict[str, str]:
        return read_fingerprint(self._home.root)

    def places(self) -> dict[str, str | None]:
        machine_id = Path(self._home.root or "/") / "etc" / "machine-id"
        return {"home": place_of(self._home.folder.path), "machine": place_of(machine_id)}

    def obstacles(self) -> list[Problem]:
        return obstacles_of(self._home, self._managed.read()) if self._home.state() == OURS else []

    def quote(self, wanted: Sequence[DeclaredLicense], channel: Channel, realm: Realm | None) -> list[Quote]:
        return self._quote(self._managed.read(), wanted, channel, realm)

    def _quote(
        self,
        state: State,
        wanted: Sequence[DeclaredLicense],
        channel: Channel,
        given: Realm | None,
        emergency: Sequence[str] = (),
    ) -> list[Quote]:
        if not wanted or not channel.online:
            return []
        realm = self._managed.realm(state, channel, given)
        key = self._home.host_key() if self._home.state() == OURS else None
        requests = Requests(realm, state.fingerprint, key, self._managed.now())
        quotes = []
        for one in wanted:
            request = requests.quote(one, one.number in emergency)
            data = channel.exchange(one.number, request)
            quotes.append(Quote.from_body(check_response(data or b"", request, realm, channel.where).body))
        return quotes

    def activate(
        self,
        wanted: Sequence[DeclaredLicense],
        channel: Channel,
        realm: Realm | None = None,
        extra_profiles: Sequence[Profile] = (),
        users: Sequence[str] | None = None,
        released_by: Sequence[str] = (),
        files: Sequence[HomeFile] = (),
        emergency: Sequence[str] = (),
        given_back: Sequence[str] = (),
        keep_profiles: bool = False,
        source: str | None = None,
        dry: bool = False,
    ) -> Change:
        numbers = [one.number for one in wanted]
        with self._managed.held(dry):
            state = self._managed.read()
            before = self._managed.overview(state)
            check_declared(self._home, state, wanted, channel)
            # Profiles and users that will be refused are so before anything is activated.
            planned = arranged(state, wanted, extra_profiles, users, keep_profiles)
            if not keep_profiles:
                check_named(self._home, state, wanted, extra_profiles)
            carrying = CarriedFiles(self._home, files, numbers, state, source)

            def arriving(number: str) -> None:
                carrying.arrive(number)
                # With the first license: cut off after it, nobody would know that users are still to come.
                config = self._home.config()
                if number in numbers and users is not None and config.users != planned.users:
                    self._home.save(replace(config, users=planned.users))

            stale = state.superseded(numbers)
            if not dry:
                self._managed.drop_updates(state, stale)
            state = state.giving_up(stale)
            # A call that asks nobody finishes nothing either.
            asks = not all(state.is_as(license) for license in wanted)
            ended_first = state.due_of_others(numbers, channel.online) if asks else ()
            if dry:
                results = self._foresee(state, wanted, channel, realm, released_by, emergency, given_back)
            else:
                finished = self._carry_out(state, wanted, channel, realm, emergency, given_back, arriving)
                state = self._managed.read()
                # Offline, a finished exchange may have made room for the next: what is open now is pending.
                results = {number: result for number, result in finished.items() if number not in state.intents}
            config = arranged(state, wanted, extra_profiles, users, keep_profiles)
            if dry:
                # A fence stays until the license is granted.
                waiting = [number for number in results if results[number].action is Action.PENDING]
                fenced = {n: since for n, since in state.config.fenced.items() if n in waiting}
                config = replace(config, fenced={**config.fenced, **fenced})
            if not dry and config != state.config:
                self._home.save(config)
            complete = all(state.is_served(number) for number in numbers)
            came, renewed = carrying.missing, complete and bool(carrying.stale())
            if not dry:
                carrying.fill(complete)
            state = replace(state, config=config)
            if not dry:
                after = self._managed.overview(state)
            else:
                after = self._managed.foreseen(state, ended_first)
                after = replace(after, files=tuple(sorted({*after.files, *came})))
                ends = {number: result.until for number, result in results.items() if result.until}
                served = [n for n in results if results[n].is_over]
                after = predict(after, served, Status.ACTIVE, until=ends)
                asked = [n for n in results if results[n].action is Action.PENDING]
                after = predict(after, asked, Status.PENDING_ACTIVATION)
            # A license whose update is pending is active meanwhile: nobody has to wait for its response.
            change = change_of(before, after, numbers, results, unsettled(state.intents))
            return replace(change, changed=change.changed or renewed)

    def _foresee(
        self,
        state: State,
        wanted: Sequence[DeclaredLicense],
        channel: Channel,
        realm: Realm | None,
        released_by: Sequence[str],
        emergency: Sequence[str],
        given_back: Sequence[str],
    ) -> dict[str, LicenseResult]:
        """What activating would do; refuse where the authority would."""
        new = [w for w in wanted if not state.is_as(w)]
        asked = [w for w in new if w.number not in state.intents]
        responses = self._managed.responses(state, [w.number for w in wanted], channel, realm) if new else {}
        done = ended(state, new, responses, given_back, channel.online)
        quotes = self._quote(state, asked, channel, realm, emergency)
        found = sort_out(state, asked, quotes, emergency, given_back, channel.online)
        usual = [one.number for one in found.usual]
        refused = [quote for quote in quotes if quote.number in usual]
        raise_refusals(refused, released_by, state, self._home.where)
        known = {quote.number: quote for quote in quotes}
        if not channel.online:
            return {**done, **bridges(found, known), **waits([*found.usual, *found.bridged])}
        return {**done, **{w.number: foreseen(w.number, known.get(w.number)) for w in asked}, **bridges(found, known)}

    def _carry_out(
        self,
        state: State,
        wanted: Sequence[DeclaredLicense],
        channel: Channel,
        realm: Realm | None,
        emergency: Sequence[str],
        given_back: Sequence[str],
        arriving: Callable[[str], None],
    ) -> dict[str, LicenseResult]:
        """Finish what is pending for the wanted licenses, then request those that are not active."""
        if all(state.is_as(w) for w in wanted):
            return {}
        finished: dict[str, LicenseResult] = {}
        due = state.due([w.number for w in wanted], channel.online)
        if due:
            settling, requests = self._managed.settling(state, channel, realm, arriving)
            settling.finish(due)
            finished, state = settling.results, self._managed.read()
        new = [w for w in wanted if not state.is_as(w) and w.number not in state.intents]
        missing = without_code(state, new)
        if missing:
            raise LicensingError(missing)
        # Asked before the realm is pinned and the key is made: a refusal leaves the home as it was.
        quotes = self._quote(state, new, channel, realm, emergency)
        found = sort_out(state, new, quotes, emergency, given_back, channel.online)
        usual = [quote for quote in quotes if quote.number in [license.number for license in found.usual]]
        raise_refusals(usual, (), state, self._home.where)
        settling, requests = self._managed.settling(state, channel, realm, arriving)
        for one in found.usual:
            settling.begin(one.number, requests.activate(one))
        for one in found.bridged:
            settling.begin(one.number, requests.activate(one, emergency=True))
        return {**finished, **settling.results}

    def deactivate(
        self,
        numbers: Sequence[str],
        channel: Channel,
        drain_seconds: float | None = None,
        force: bool = False,
        dry: bool = False,
        step: Step | None = None,
    ) -> Change:
        return deactivation.deactivate(self._managed, numbers, channel, drain_seconds, force, dry, step)

    def update(self, numbers: Sequence[str], channel: Channel, dry: bool = False) -> Change:
        with self._managed.held(dry):
            state = self._managed.read()
            before = self._managed.overview(state)
            check_updated(self._home, state, numbers, channel)
            results: dict[str, LicenseResult] = {}
            if not dry:
                settling, requests = self._managed.settling(state, channel, None)
                settling.finish(state.due(numbers, channel.online))
                state = self._managed.read()
                for number in numbers:
                    lock = state.installed[number].nodelock if state.is_active(number) else None
                    if lock is not None and number not in settling.results:
                        settling.begin(number, requests.update(number, lock.type))
                state = self._managed.read()
                results = {n: result for n, result in settling.results.items() if n not in state.intents}
                after = self._managed.overview(state)
            else:
                responses = self._managed.responses(state, numbers, channel)
                results = updated(state, numbers, responses, channel.online)
                due = state.due(numbers, channel.online)
                after = self._managed.foreseen(state, [i for i in due if channel.online or i.number in responses])
                asked = [n for n in results if results[n].action is Action.PENDING]
                after = predict(after, asked, Status.PENDING_UPDATE)
            return change_of(before, after, numbers, results, state.intents)

    def set_maintenance(
        self,
        enabled: bool,
        drain_seconds: float | None = None,
        force: bool = False,
        dry: bool = False,
        step: Step | None = None,
    ) -> Change:
        return maintenance.set_maintenance(self._managed, enabled, drain_seconds, force, dry, step)

    def end_drain(self, ticket: str) -> Change:
        return maintenance.end_drain(self._managed, ticket)

    def verify(self, served: bool, numbers: Sequence[str] | None = None, dry: bool = False) -> list[SeatTrial]:
        # Imported here for the HTTP library, which nothing else of the manager needs at once.
        from .verification import check_released, check_served, try_profiles

        state = self._managed.read()
        if dry or state.config.service == UNMANAGED:
            return []
        trials = try_profiles(self._managed.overview(state).of_licenses(numbers), state.config)
        if not served:
            # The server ends what a fence has ended within a moment.
            drain(self._home, state.config, _MOMENT, numbers)
        self._managed.look_again()
        overview = self._managed.overview(state).of_licenses(numbers)
        (check_served if served else check_released)(overview, trials, self._home.where)
        return trials

    def set_profiles(
        self, wanted: Sequence[Profile], absent: Sequence[str] = (), purge: bool = False, dry: bool = False
    ) -> Change:
        check_names(wanted)
        with self._managed.held(dry):
            state = self._managed.read()
            unknown = [p for p in wanted if p.license not in state.installed and p.license not in state.intents]
            if unknown:
                raise LicensingError(
                    Problem(
                        f"Profile {p.name} names license {p.license}, which is not installed.",
                        self._home.where,
                        "Install the license first (aims_license_activate), or name one that is.",
                    )
                    for p in unknown
                )
            # Others stay, also those of a license that something is declared for: here nothing is renamed unasked.
            gone = {*absent, *(p.name for p in wanted)}
            others = () if purge else tuple(p for p in state.config.profiles if p.name not in gone)
            return self._managed.configured(state, replace(state.config, profiles=(*wanted, *others)), dry)

    def carried(self) -> Carried:
        return carried(self._home)

    def files(self) -> list[HomeFile]:
        self._home.require()
        self._managed.read()
        folder = self._home.folder
        return [
            HomeFile(name, folder.mode(name) or PRIVATE, is_secret(name), folder.read(name, 16 << 20))
            for name in self._home.state_files()
        ]


# Seconds that the server may take to notice a fence and to record what it ended.
_MOMENT = 5.0
