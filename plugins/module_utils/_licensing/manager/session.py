# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A home as the calls of the bundled manager read it, hold it, and finish its exchanges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Callable

from ..channel.base import Channel
from ..documents import Document, Realm
from ..errors import refuse
from ..home.config import Config
from ..home.inspection import overview_of
from ..home.journal import Intent, Journal
from ..home.state import State, read_state
from ..home.store import Home
from ..hosting.liveness import usage_of
from ..license_view import Status
from ..model import ACTIVATE, DEACTIVATE, UPDATE, render_time
from ..overview import Overview, Usage
from .exchange import Requests
from .forecast import predict
from .freshness import Freshness
from .port import Change
from .results import Action, LicenseResult
from .settlement import Settlement


class HomeSession:
    """A home, and what was seen of its server, for the length of a call.

    :ivar now: gives the time, UTC
    :ivar freshness: when the call was asked for; None where nobody can be gone by now
    """

    def __init__(self, home: Home, now: Callable[[], datetime], *, freshness: Freshness | None = None) -> None:
        self.home = home
        self.journal = Journal(home.folder)
        self.now = now
        self.freshness = freshness
        self._usage: list[Usage | None] = []

    @contextmanager
    def held(self, dry: bool = False) -> Iterator[None]:
        """Hold the home for a change, unless the call comes too late; a dry one changes nothing and waits for nobody.

        :raises LicensingError: it was asked for too long ago, also because another run has held the home meanwhile
        """
        with self.home.held(dry):
            if self.freshness is not None and not dry:
                self.freshness.check(self.home.where)
            yield

    def read(self) -> State:
        """Return what is on disk now."""
        return read_state(self.home, self.now())

    def overview(self, state: State) -> Overview:
        """Return what the manager shows of a state."""
        # Looked at once: clients come and go, and that is no change of this call's making.
        if not self._usage:
            self._usage.append(usage_of(self.home, state.config))
        return overview_of(self.home, state, self._usage[0])

    def foreseen(self, state: State, ended: Sequence[Intent]) -> Overview:
        """Return what the manager shows of a state once these exchanges are over, as granted."""
        of_action = {
            action: [intent.number for intent in ended if intent.action == action]
            for action in (ACTIVATE, DEACTIVATE, UPDATE)
        }
        overview = self.overview(state.giving_up(of_action[UPDATE]))
        overview = predict(overview, of_action[ACTIVATE], status=Status.ACTIVE)
        return predict(overview, of_action[DEACTIVATE], status=Status.INACTIVE, fenced=render_time(self.now()))

    def look_again(self) -> None:
        """Have the next overview ask the server anew who uses what."""
        self._usage.clear()

    def realm(self, state: State, channel: Channel, *, proposed: Realm | None = None) -> Realm:
        """Return the realm to deal with: the pinned one, before the first activation that of channel or caller.

        :param proposed: the caller's
        :raises LicensingError: there is none, or they differ
        """
        named = [realm for realm in (state.config.realm, channel.realm, proposed) if realm is not None]
        if not named:
            raise refuse(
                "It is not known whose responses to honour: no realm is pinned here yet.",
                self.home.where,
                "Give the authority's realm (aims_license_server_realm), as 'authority init' printed it.",
            )
        other = next((realm for realm in named if realm.key != named[0].key), None)
        if other is not None:
            raise refuse(
                f"This license server honours realm {named[0].id} ({named[0].name}), not {other.id} ({other.name}).",
                self.home.where,
                "Correct aims_license_server_authority; a license server does not change its realm.",
            )
        # The key says which realm it is. The newest certificate counts: a service may have come later.
        certificates = [realm.ca for realm in (proposed, channel.realm, named[0]) if realm is not None and realm.ca]
        return replace(named[0], ca=certificates[0] if certificates else None)

    def responses(
        self, state: State, due: Sequence[Intent], *, channel: Channel, realm: Realm | None = None
    ) -> dict[str, Document]:
        """Return the responses to open exchanges that are at hand, checked, by license number; nobody is asked.

        :param realm: the caller's, where none is pinned yet
        :raises LicensingError: one of them is not usable
        """
        if not due:
            return {}
        return Settlement(self.home, channel, realm=self.realm(state, channel, proposed=realm)).look(due)

    def settlement(
        self,
        state: State,
        channel: Channel,
        *,
        realm: Realm | None = None,
        arrival: Callable[[str], None] | None = None,
    ) -> tuple[Settlement, Requests]:
        """Pin the realm and make the host's key, which the first request needs.

        :param realm: the caller's, where none is pinned yet
        :param arrival: called with the number of each license that is about to become active
        """
        pinned = self.realm(state, channel, proposed=realm)
        if pinned != state.config.realm:
            self.home.save(replace(state.config, realm=pinned))
        requests = Requests(pinned, state.fingerprint, host_key=self.home.make_host_key(), now=self.now())
        return Settlement(self.home, channel, realm=pinned, arrival=arrival), requests

    def drop_updates(self, state: State, numbers: Sequence[str]) -> None:
        """Drop the updates that are pending for these licenses: nobody waits for their responses any more."""
        for number in numbers:
            intent = state.intents.get(number)
            if intent is not None and intent.action == UPDATE:
                self.journal.close(intent)


def change_to(session: HomeSession, config: Config, *, before: State) -> Change:
    """Return what another configuration changes."""
    after = session.overview(replace(before, config=config))
    return Change(config != before.config, session.overview(before), after)


def change_of(
    before: Overview,
    after: Overview,
    *,
    numbers: Sequence[str],
    results: Mapping[str, LicenseResult],
    intents: Mapping[str, Intent],
) -> Change:
    """Put together what was done; a license whose exchange is still open is pending."""
    requests = {n: intents[n].request for n in numbers if n in intents and n not in results}
    fenced = {license.number: license.fenced for license in after.licenses}
    listed = []
    for number in numbers:
        idle = LicenseResult(number, Action.PENDING if number in requests else Action.UNCHANGED)
        listed.append(replace(results.get(number, idle), fenced_since=fenced.get(number)))
    return Change(before != after, before, after, listed, requests)
