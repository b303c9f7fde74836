# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager of the bundled license server: it works on the home's files directly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from typing import Any, Callable

from ..channel import Channel
from ..documents import Document, Realm
from ..errors import LicensingError, Problem, refuse
from ..files import PRIVATE
from ..fingerprint import read_fingerprint
from ..journal import Intent, Journal, unsettled
from ..model import (
    MACHINE,
    UPDATE,
    Profile,
    Wanted,
    check_names,
    now_utc,
    render_time,
)
from ..store import FOREIGN, OURS, UNMANAGED, Config, Home, is_carried, is_secret
from . import Change, HomeFile
from .arranging import arranged, predict
from .bridging import UNCHANGED, bridges, foreseen, raise_ungranted, sort_out
from .checking import check_given_up, check_updated, check_wanted, obstacles_of, raise_refusals
from .draining import Drained, drain, still_held
from .exchange import Requests, check_response
from .foreseeing import PENDING, ended, given_up, updated, waits
from .overview import ACTIVE, INACTIVE, PENDING_ACTIVATION, PENDING_DEACTIVATION, PENDING_UPDATE, Usage, assemble
from .running import running, usage_of
from .settling import ACTIVATED, DEACTIVATED, UPDATED, Settling
from .state import State


class BundledManager:
    """Implements :class:`LicenseManager` on a :class:`Home`.

    :param clock: gives the time, UTC
    """

    def __init__(self, home: Home, clock: Callable[[], datetime] = now_utc) -> None:
        self._home = home
        self._clock = clock
        self._journal = Journal(home.folder)
        self._usage: list[Usage | None] = []

    def overview(self) -> dict[str, Any]:
        return self._overview(self._read())

    def fingerprint(self) -> dict[str, str]:
        return read_fingerprint(self._home.root)

    def obstacles(self) -> list[Problem]:
        return obstacles_of(self._home, self._read()) if self._home.state() == OURS else []

    def _read(self) -> State:
        fingerprint = self.fingerprint()
        state = self._home.state()
        if state == FOREIGN:
            self._home.require()
        if state != OURS:
            return State(Config(), {}, {}, fingerprint, self._clock())
        intents = self._journal.open()
        installed = self._home.installed(unsettled(intents))
        return State(self._home.config(), installed, intents, fingerprint, self._clock())

    def _overview(self, state: State) -> dict[str, Any]:
        # Looked at once: clients come and go, and that is no change of this call's making.
        if not self._usage:
            self._usage.append(usage_of(self._home, state.config))
        return assemble(
            self._home,
            state.config,
            state.installed,
            state.intents,
            state.fingerprint,
            self._clock(),
            self._usage[0],
        )

    def _held(self, dry: bool) -> AbstractContextManager[None]:
        return nullcontext() if dry else self._home.locked()

    def _realm(self, state: State, channel: Channel, given: Realm | None) -> Realm:
        """The realm to deal with: the pinned one, or before the first activation that of the channel or the caller."""
        named = [realm for realm in (state.config.realm, channel.realm, given) if realm is not None]
        if not named:
            raise refuse(
                "It is not known whose responses to honour: no realm is pinned here yet.",
                self._home.where,
                "Give the authority's realm (aims_license_server_realm), as 'authority init' printed it.",
            )
        other = next((realm for realm in named if realm.key != named[0].key), None)
        if other is not None:
            raise refuse(
                f"This license server honours realm {named[0].id} ({named[0].name}), not {other.id} ({other.name}).",
                self._home.where,
                "Correct aims_license_server_authority; a license server does not change its realm.",
            )
        # The key says which realm it is. Its certificate is what was told last: a service may have come later.
        told = [realm.ca for realm in (given, channel.realm, named[0]) if realm is not None and realm.ca]
        return replace(named[0], ca=told[0] if told else None)

    def quote(self, wanted: Sequence[Wanted], channel: Channel, realm: Realm | None) -> list[dict[str, Any]]:
        return self._quote(self._read(), wanted, channel, realm)

    def _quote(
        self,
        state: State,
        wanted: Sequence[Wanted],
        channel: Channel,
        given: Realm | None,
        emergency: Sequence[str] = (),
    ) -> list[dict[str, Any]]:
        if not wanted or not channel.online:
            return []
        realm = self._realm(state, channel, given)
        key = self._home.host_key() if self._home.state() == OURS else None
        requests = Requests(realm, state.fingerprint, key, self._clock())
        quotes = []
        for one in wanted:
            request = requests.quote(one, one.number in emergency)
            data = channel.exchange(one.number, request)
            body = check_response(data or b"", request, realm, channel.where).body
            keys = ("number", "outcome", "reason", "spends", "account", "live", "holder", "emergency")
            quotes.append({key: body.get(key) for key in keys})
        return quotes

    def activate(
        self,
        wanted: Sequence[Wanted],
        channel: Channel,
        realm: Realm | None = None,
        extra_profiles: Sequence[Profile] = (),
        users: Sequence[str] | None = None,
        released_by: Sequence[str] = (),
        files: Sequence[HomeFile] = (),
        emergency: Sequence[str] = (),
        given_back: Sequence[str] = (),
        dry: bool = False,
    ) -> Change:
        numbers = [one.number for one in wanted]
        with self._held(dry):
            state = self._read()
            before = self._overview(state)
            check_wanted(self._home, state, wanted, channel)
            # Profiles and users that will be refused are so before anything is activated.
            arranged(state, wanted, extra_profiles, users)
            stale = state.superseded(numbers)
            if not dry:
                self._drop_updates(state, stale)
            state = state.giving_up(stale)
            if dry:
                results = self._foresee(state, wanted, channel, realm, released_by, emergency, given_back)
            else:
                finished = self._carry_out(state, wanted, channel, realm, emergency, given_back)
                state = self._read()
                # Offline, a finished exchange may have made room for the next: what is open now is pending.
                results = {number: done for number, done in finished.items() if number not in state.intents}
            config = arranged(state, wanted, extra_profiles, users)
            if not dry and config != state.config:
                self._home.save(config)
            carried = self._carry(files, dry)
            state = replace(state, config=config)
            after = self._overview(state)
            if dry:
                after["files"] = sorted({*after["files"], *carried})
                ends = {number: done["until"] for number, done in results.items() if done.get("until")}
                served = [n for n in results if results[n]["action"] in (ACTIVATED, UPDATED)]
                predict(after, served, ACTIVE, until=ends)
                predict(after, [n for n in results if results[n]["action"] == PENDING], PENDING_ACTIVATION)
            # A license whose update is pending is active meanwhile: nobody has to wait for its response.
            return self._change(before, after, numbers, results, unsettled(state.intents))

    def _carry(self, files: Sequence[HomeFile], dry: bool) -> list[str]:
        folder = self._home.folder
        missing = [file for file in files if is_carried(file.name) and not folder.has(file.name)]
        for file in missing if not dry else ():
            folder.write(file.name, file.content, file.mode)
        return [file.name for file in missing]

    def _foresee(
        self,
        state: State,
        wanted: Sequence[Wanted],
        channel: Channel,
        realm: Realm | None,
        released_by: Sequence[str],
        emergency: Sequence[str],
        given_back: Sequence[str],
    ) -> dict[str, dict[str, Any]]:
        """What activating would do; refuse where the authority would."""
        new = [w for w in wanted if not state.is_as(w)]
        asked = [w for w in new if w.number not in state.intents]
        responses = self._responses(state, [w.number for w in wanted], channel, realm) if new else {}
        done = ended(state, new, responses, given_back, channel.online)
        quotes = self._quote(state, asked, channel, realm, emergency)
        found = sort_out(state, asked, quotes, emergency, given_back, channel.online)
        usual = [one.number for one in found.usual]
        raise_refusals([quote for quote in quotes if quote["number"] in usual], released_by, state)
        known = {quote["number"]: quote for quote in quotes}
        if not channel.online:
            return {**done, **bridges(found, known), **waits([*found.usual, *found.bridged])}
        return {**done, **{w.number: foreseen(known.get(w.number)) for w in asked}, **bridges(found, known)}

    def _responses(
        self, state: State, numbers: Sequence[str], channel: Channel, given: Realm | None = None
    ) -> dict[str, Document]:
        """The responses at hand that a call would apply before it asks for anything; refuse where it would."""
        due = state.due(numbers, channel)
        return Settling(self._home, channel, self._realm(state, channel, given)).foresee(due) if due else {}

    def _carry_out(
        self,
        state: State,
        wanted: Sequence[Wanted],
        channel: Channel,
        realm: Realm | None,
        emergency: Sequence[str],
        given_back: Sequence[str],
    ) -> dict[str, dict[str, Any]]:
        """Finish what is pending for the wanted licenses, then request those that are not active."""
        if all(state.is_as(w) for w in wanted):
            return {}
        finished: Mapping[str, dict[str, Any]] = {}
        due = state.due([w.number for w in wanted], channel)
        if due:
            settling, requests = self._settling(state, channel, realm)
            settling.finish(due)
            finished, state = settling.results, self._read()
        new = [w for w in wanted if not state.is_as(w) and w.number not in state.intents]
        # Asked before the realm is pinned and the key is made: a refusal leaves the home as it was.
        quotes = self._quote(state, new, channel, realm, emergency)
        found = sort_out(state, new, quotes, emergency, given_back, channel.online)
        usual = [quote for quote in quotes if quote["number"] in [one.number for one in found.usual]]
        raise_ungranted(usual)
        raise_refusals(usual, (), state)
        settling, requests = self._settling(state, channel, realm)
        for one in found.usual:
            settling.begin(one.number, requests.activate(one))
        for one in found.bridged:
            settling.begin(one.number, requests.activate(one, emergency=True))
        return {**finished, **settling.results}

    @staticmethod
    def _change(
        before: Mapping[str, Any],
        after: Mapping[str, Any],
        numbers: Sequence[str],
        results: Mapping[str, Mapping[str, Any]],
        intents: Mapping[str, Intent],
    ) -> Change:
        """Put together what was done; a license whose exchange is still open is pending."""
        requests = {n: intents[n].request for n in numbers if n in intents and n not in results}
        done = {**{number: {"action": PENDING, "spends": 0} for number in requests}, **results}
        fenced = {license["number"]: license.get("fenced") for license in after["licenses"]}
        idle = {"action": UNCHANGED, "spends": 0}
        listed = [{"number": n, **done.get(n, idle), "fenced_since": fenced.get(n)} for n in numbers]
        return Change(before != after, before, after, listed, requests)

    def _settling(self, state: State, channel: Channel, given: Realm | None) -> tuple[Settling, Requests]:
        """Pin the realm and make the host's key, which the first request needs."""
        realm = self._realm(state, channel, given)
        if realm != state.config.realm:
            self._home.save(replace(state.config, realm=realm))
        requests = Requests(realm, state.fingerprint, self._home.make_host_key(), self._clock())
        return Settling(self._home, channel, realm), requests

    def deactivate(
        self,
        numbers: Sequence[str],
        channel: Channel,
        drain_seconds: float | None = None,
        force: bool = False,
        dry: bool = False,
    ) -> Change:
        self._home.require()
        state = self._read()
        check_given_up(self._home, state, numbers, channel)
        if any(state.is_served(number) and not state.is_bridged(number) for number in numbers):
            # Before anybody loses his seat: where the authority cannot be reached, the server goes on serving.
            self._realm(state, channel, None)
            channel.probe()
        if drain_seconds is None:
            return self._deactivate(numbers, channel, {}, dry)
        before = self._overview(state)
        # What is refused here has ended nobody's session either.
        finished = {} if dry else self._finish(numbers, channel)
        drained, maintenance = self._emptied(numbers, drain_seconds, force, dry)
        change = self._deactivate(numbers, channel, finished, dry)
        after = {**change.after, "server": {**change.after["server"], "maintenance": maintenance}}
        return replace(change, changed=before != after, before=before, after=after, drained=drained)

    def _finish(self, numbers: Sequence[str], channel: Channel) -> dict[str, dict[str, Any]]:
        """Finish what is pending before licenses are given up, but for updates of these."""
        with self._home.locked():
            state = self._read().giving_up(numbers)
            todo = state.concerned(numbers)
            due = state.due(todo, channel) if todo else []
            if not due:
                return {}
            settling, _requests = self._settling(state, channel, None)
            settling.finish(due)
            return settling.results

    def _emptied(self, numbers: Sequence[str], seconds: float, force: bool, dry: bool) -> tuple[Drained, bool]:
        """Have the seats of these licenses given back; return what that came to, and whether maintenance mode lasts."""
        state, drained = self._read(), Drained()
        others = any(state.is_served(number) for number in state.installed if number not in numbers)
        if not others or any(state.is_served(number) for number in numbers):
            drained = self.set_maintenance(True, seconds, force, dry, numbers if others else None).drained
        if not others:
            return drained, True
        if not state.concerned(numbers):
            return drained, state.config.maintenance
        if not dry:
            # Fenced, these licenses are given to nobody any more; the server goes on for the others.
            with self._home.locked():
                self._fence(numbers)
            self.set_maintenance(False)
        return drained, False

    def _deactivate(
        self, numbers: Sequence[str], channel: Channel, finished: Mapping[str, dict[str, Any]], dry: bool
    ) -> Change:
        with self._held(dry):
            state = self._read()
            before = self._overview(state)
            check_given_up(self._home, state, numbers, channel)
            state = state.giving_up(numbers)
            todo = state.concerned(numbers)
            results: dict[str, dict[str, Any]] = {}
            if todo and not dry:
                settling, requests = self._settling(state, channel, None)
                settling.finish(state.due(todo, channel))
                self._give_up(todo, settling, requests)
                state = self._read()
                done = {**finished, **settling.results}
                results = {number: one for number, one in done.items() if number not in state.intents}
            after = self._overview(state)
            if dry:
                results = given_up(state, todo, self._responses(state, todo, channel), channel.online)
                now = render_time(self._clock())
                predict(after, [n for n in results if results[n]["action"] == DEACTIVATED], INACTIVE, now)
                predict(after, [n for n in results if results[n]["action"] == PENDING], PENDING_DEACTIVATION, now)
            return self._change(before, after, numbers, results, state.intents)

    def _give_up(self, asked: Sequence[str], settling: Settling, requests: Requests) -> None:
        """Give these licenses back one after the other, those too that have just become active."""
        self._fence(asked)
        state = self._read()
        for number in (number for number in asked if state.is_active(number)):
            lock = state.installed[number].nodelock
            if lock is not None and lock.until is not None:
                settling.end(number)
            else:
                settling.begin(number, requests.deactivate(number, lock.type if lock else MACHINE))

    def _fence(self, numbers: Sequence[str]) -> None:
        """Stop giving seats of these licenses, of all at once, and drop their pending updates."""
        state = self._read()
        self._drop_updates(state, numbers)
        now = render_time(self._clock())
        fenced = {**{n: now for n in numbers if state.holds(n)}, **state.config.fenced}
        if fenced != state.config.fenced:
            self._home.save(replace(state.config, fenced=fenced))

    def _drop_updates(self, state: State, numbers: Sequence[str]) -> None:
        for number in numbers:
            intent = state.intents.get(number)
            if intent is not None and intent.action == UPDATE:
                self._journal.close(intent)

    def update(self, numbers: Sequence[str], channel: Channel, dry: bool = False) -> Change:
        with self._held(dry):
            state = self._read()
            before = self._overview(state)
            check_updated(self._home, state, numbers, channel)
            results: dict[str, dict[str, Any]] = {}
            if not dry:
                settling, requests = self._settling(state, channel, None)
                settling.finish(state.due(numbers, channel))
                state = self._read()
                for number in numbers:
                    lock = state.installed[number].nodelock if state.is_active(number) else None
                    if lock is not None and number not in settling.results:
                        settling.begin(number, requests.update(number, lock.type))
                state = self._read()
                results = {number: done for number, done in settling.results.items() if number not in state.intents}
            after = self._overview(state)
            if dry:
                results = updated(state, numbers, self._responses(state, numbers, channel), channel.online)
                predict(after, [n for n in results if results[n]["action"] == PENDING], PENDING_UPDATE)
            return self._change(before, after, numbers, results, state.intents)

    def set_maintenance(
        self,
        enabled: bool,
        drain_seconds: float | None = None,
        force: bool = False,
        dry: bool = False,
        numbers: Sequence[str] | None = None,
    ) -> Change:
        with self._held(dry):
            state = self._read()
            config = replace(state.config, maintenance=enabled)
            change = self._configured(state, config, dry)
        if dry:
            return change
        if not enabled and change.changed:
            self._restart(config)
        if not enabled or drain_seconds is None:
            return change
        # The home is free while clients are waited for: they may take their time.
        drained = drain(self._home, config, drain_seconds, numbers)
        if drained.total and not force:
            if change.changed:
                self.set_maintenance(False)
            raise still_held(self._home, drained, back=change.changed)
        return replace(change, drained=drained)

    def _restart(self, config: Config) -> None:
        """Restart what runs the server, as leaving maintenance mode does (D pro/license-server)."""
        # Imported here, as only this call of the manager has to do with systemd.
        from .service import service_of, wait_until_healthy

        service = service_of(self._home, config)
        status = running(self._home, config) if service is not None else None
        if service is not None and status is not None:
            service.restart()
            wait_until_healthy(self._home, config, service, None, since=status)

    def verify(self, served: bool, numbers: Sequence[str] | None = None, dry: bool = False) -> list[dict[str, Any]]:
        # Imported here for the HTTP library, which nothing else of the manager needs at once.
        from .verifying import check_released, check_served, of_licenses, try_profiles

        state = self._read()
        if dry or state.config.service == UNMANAGED:
            return []
        rows = try_profiles(of_licenses(self._overview(state), numbers), state.config)
        if not served:
            # The server ends what a fence has ended within a moment.
            drain(self._home, state.config, _MOMENT, numbers)
        self._usage.clear()
        overview = of_licenses(self._overview(state), numbers)
        (check_served if served else check_released)(overview, rows, self._home.where)
        return rows

    def set_profiles(
        self, wanted: Sequence[Profile], absent: Sequence[str] = (), purge: bool = False, dry: bool = False
    ) -> Change:
        check_names(wanted)
        with self._held(dry):
            state = self._read()
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
            return self._configured(state, replace(state.config, profiles=(*wanted, *others)), dry)

    def _configured(self, state: State, config: Config, dry: bool) -> Change:
        if not dry and config != state.config:
            self._home.save(config)
        after = self._overview(replace(state, config=config))
        return Change(config != state.config, self._overview(state), after)

    def files(self) -> list[HomeFile]:
        self._home.require()
        self._read()
        folder = self._home.folder
        return [
            HomeFile(name, folder.mode(name) or PRIVATE, is_secret(name), folder.read(name, 16 << 20))
            for name in self._home.state_files()
        ]


# Seconds that the server may take to notice a fence and to record what it ended.
_MOMENT = 5.0
