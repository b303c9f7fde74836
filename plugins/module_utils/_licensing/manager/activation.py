# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Activation: what is pending is finished, the authority asked, and a license requested unless it is as declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Callable

from ..channel.base import Channel
from ..declared import DeclaredLicense
from ..documents import Document, Realm
from ..errors import LicensingError
from ..home.journal import Intent, unsettled
from ..home.state import State
from ..home.store import OURS
from ..license_view import Status
from ..model import DEACTIVATE
from ..overview import Overview
from ..quote import Quote
from .carried_files import CarriedFiles
from .emergency import Sorted, bridges, foreseen, sort_out
from .exchange import Requests, check_response
from .forecast import ended, granted, predict, waits
from .port import Activation, Change
from .preflight import check_declared, check_named, raise_refusals, without_code
from .profiles import arranged
from .results import Action, LicenseResult
from .session import HomeSession, change_of


@dataclass(frozen=True)
class Inquiry:
    """The licenses that are to be requested, how each is to be activated, and what the authority says of them.

    :ivar quotes: by license number; none offline
    """

    sorted: Sorted
    quotes: Mapping[str, Quote]

    @property
    def usual_quotes(self) -> list[Quote]:
        """The quotes of the licenses that are to be activated for good."""
        return [self.quotes[license.number] for license in self.sorted.usual if license.number in self.quotes]


@dataclass(frozen=True)
class PreparedActivation:
    """An activation as check mode and run know it before anything is changed.

    :ivar read: the home as it was read
    :ivar superseded: the numbers of licenses whose pending updates the activation makes needless
    :ivar before: what the manager shows of the home
    :ivar due: the open exchanges that end first; none where every license is as declared
    :ivar responses: the checked responses to these that are at hand, by license number
    :ivar inquiry: about the licenses that are to be requested; None where exchanges end first, as what is left to be
        requested depends on what these come to
    """

    session: HomeSession
    activation: Activation
    channel: Channel
    read: State
    superseded: Sequence[str]
    before: Overview
    due: Sequence[Intent]
    responses: Mapping[str, Document]
    inquiry: Inquiry | None

    @property
    def state(self) -> State:
        """The home without the updates that the activation drops."""
        return self.read.giving_up(self.superseded)

    @property
    def new(self) -> list[DeclaredLicense]:
        """The licenses that are not yet as declared."""
        return [license for license in self.activation.licenses if not self.state.satisfies(license)]

    def carried_files(self) -> CarriedFiles:
        """Return the files that came with the call."""
        activation = self.activation
        return CarriedFiles(
            self.session.home,
            activation.files,
            numbers=activation.numbers,
            state=self.read,
            source=activation.source,
        )


def prepare(session: HomeSession, activation: Activation, *, channel: Channel) -> PreparedActivation:
    """Look at the home and ask the authority; change nothing.

    :raises LicensingError: the licenses cannot be activated as declared, or a response at hand is not usable
    """
    read = session.read()
    before = session.overview(read)
    check_declared(session.home, read, licenses=activation.licenses, channel=channel)
    # Profiles and users that will be refused are so before anybody is asked.
    arranged(read, activation)
    if not activation.keep_profiles:
        check_named(session.home, read, licenses=activation.licenses, further=activation.extra_profiles)
    superseded = read.superseded(activation.numbers)
    state = read.giving_up(superseded)
    # Where every license is as declared, nobody is asked, and nothing is finished.
    is_needless = all(state.satisfies(license) for license in activation.licenses)
    due = [] if is_needless else state.due(activation.numbers, channel.online)
    responses = session.responses(state, due, channel=channel, realm=activation.realm)
    inquiry = None if due else _inquire(session, activation, channel=channel, state=state)
    return PreparedActivation(session, activation, channel, read, superseded, before, due, responses, inquiry)


def _inquire(session: HomeSession, activation: Activation, *, channel: Channel, state: State) -> Inquiry:
    """Ask what activating would be answered, for the licenses of which nothing is pending; nothing is recorded.

    :raises LicensingError: one of them cannot be asked for, or the authority cannot be reached
    """
    new = [license for license in activation.licenses if not state.satisfies(license)]
    new = [license for license in new if license.number not in state.intents]
    problems = without_code(state, new)
    if problems:
        raise LicensingError(problems)
    quotes = quote(session, new, state=state, channel=channel, realm=activation.realm, emergency=activation.emergency)
    known = {quote.number: quote for quote in quotes}
    return Inquiry(sort_out(new, known, state=state, activation=activation, online=channel.online), known)


def quote(
    session: HomeSession,
    licenses: Sequence[DeclaredLicense],
    *,
    state: State,
    channel: Channel,
    realm: Realm | None,
    emergency: Sequence[str] = (),
) -> list[Quote]:
    """Ask the authority what it would answer to activations here; offline nobody can be asked.

    :param realm: whose answers to honour, where none is pinned yet
    :param emergency: numbers of those that are also asked about as an emergency
    """
    if not licenses or not channel.online:
        return []
    honoured = session.realm(state, channel, proposed=realm)
    key = session.home.host_key() if session.home.state() == OURS else None
    requests = Requests(honoured, state.fingerprint, host_key=key, now=session.now())
    quotes = []
    for license in licenses:
        request = requests.quote(license, emergency=license.number in emergency)
        data = channel.exchange(license.number, request)
        quotes.append(Quote.from_body(check_response(data or b"", request, realm=honoured, where=channel.where).body))
    return quotes


def forecast(prepared: PreparedActivation) -> Change:
    """Return what the activation would do; refuse where the authority would."""
    session, activation, state = prepared.session, prepared.activation, prepared.state
    results = _foreseen(prepared)
    config = arranged(state, prepared.activation)
    pending = [number for number in results if results[number].action is Action.PENDING]
    # A fence stays until the license is granted.
    fenced = {n: since for n, since in state.config.fenced.items() if n in pending}
    files = prepared.carried_files()
    renewed = all(state.is_served(number) for number in activation.numbers) and bool(files.stale())
    state = replace(state, config=replace(config, fenced={**config.fenced, **fenced}))
    after = session.foreseen(state, [i for i in prepared.due if i.number not in activation.numbers])
    after = replace(after, files=tuple(sorted({*after.files, *files.missing})))
    ends = {number: result.until for number, result in results.items() if result.until}
    served = [number for number in results if results[number].is_over]
    after = predict(after, served, status=Status.ACTIVE, until=ends)
    after = predict(after, pending, status=Status.PENDING_ACTIVATION)
    return _change(prepared, after, results=results, intents=state.intents, renewed=renewed)


def _inquiry(prepared: PreparedActivation, state: State) -> Inquiry:
    """Return the inquiry about the licenses that are to be requested, in the state that they are in by now."""
    if prepared.inquiry is not None:
        return prepared.inquiry
    return _inquire(prepared.session, prepared.activation, channel=prepared.channel, state=state)


def _foreseen(prepared: PreparedActivation) -> dict[str, LicenseResult]:
    """Return what would become of each license; refuse where the authority would."""
    activation, online = prepared.activation, prepared.channel.online
    responses = granted(prepared.due, prepared.responses)
    _check_codes(prepared, responses)
    inquiry = _inquiry(prepared, prepared.state)
    raise_refusals(
        inquiry.usual_quotes, prepared.state, home=prepared.session.home.where, released_by=activation.released_by
    )
    done = ended(prepared.state, prepared.new, responses=responses, returned=activation.returned, online=online)
    ways = inquiry.sorted
    if not online:
        return {**done, **bridges(ways, inquiry.quotes), **waits([*ways.usual, *ways.bridged])}
    usual = {license.number: foreseen(license.number, inquiry.quotes.get(license.number)) for license in ways.usual}
    return {**done, **usual, **bridges(ways, inquiry.quotes)}


def _check_codes(prepared: PreparedActivation, responses: Mapping[str, Document]) -> None:
    """Refuse licenses that have to be requested again once their deactivation has ended, and have no code for it.

    :param responses: those at hand that grant
    """
    ending = [
        intent.number
        for intent in prepared.due
        if intent.action == DEACTIVATE and (prepared.channel.online or intent.number in responses)
    ]
    problems = without_code(prepared.state, [license for license in prepared.new if license.number in ending])
    if problems:
        raise LicensingError(problems)


def execute(prepared: PreparedActivation) -> Change:
    """Finish what is pending, then activate the licenses; the home is to be held.

    :raises LicensingError: the authority refuses, or the outcome of a request is not known
    """
    session, activation = prepared.session, prepared.activation
    home, files = session.home, prepared.carried_files()
    session.drop_updates(prepared.read, prepared.superseded)
    results = _carry_out(prepared, _arrival(prepared, files)) if prepared.new else {}
    state = session.read()
    # Offline, a finished exchange may have made room for the next: what is open is pending.
    results = {number: result for number, result in results.items() if number not in state.intents}
    config = arranged(state, prepared.activation)
    if config != state.config:
        home.save(config)
    complete = all(state.is_served(number) for number in activation.numbers)
    renewed = complete and bool(files.stale())
    files.fill(complete)
    after = session.overview(replace(state, config=config))
    return _change(prepared, after, results=results, intents=state.intents, renewed=renewed)


def _arrival(prepared: PreparedActivation, files: CarriedFiles) -> Callable[[str], None]:
    """Return what is to be done when a license is about to become active."""
    home, activation = prepared.session.home, prepared.activation
    users = arranged(prepared.read, activation).users

    def arrive(number: str) -> None:
        files.arrive(number)
        # With the first license: cut off after it, nobody would know that users are still to come.
        config = home.config()
        if number in activation.numbers and activation.users is not None and config.users != users:
            home.save(replace(config, users=users))

    return arrive


def _carry_out(prepared: PreparedActivation, arrival: Callable[[str], None]) -> dict[str, LicenseResult]:
    """Finish what is pending for the licenses, then request those that are not active."""
    session, channel, realm = prepared.session, prepared.channel, prepared.activation.realm
    state = prepared.state
    finished: dict[str, LicenseResult] = {}
    if prepared.due:
        settlement, requests = session.settlement(state, channel, realm=realm, arrival=arrival)
        settlement.finish(prepared.due)
        finished, state = settlement.results, session.read()
    inquiry = _inquiry(prepared, state)
    # Before the realm is pinned and the key is made: a refusal leaves the home as it was.
    raise_refusals(inquiry.usual_quotes, state, home=session.home.where)
    settlement, requests = session.settlement(state, channel, realm=realm, arrival=arrival)
    for license in inquiry.sorted.usual:
        settlement.begin(license.number, requests.activate(license))
    for license in inquiry.sorted.bridged:
        settlement.begin(license.number, requests.activate(license, emergency=True))
    return {**finished, **settlement.results}


def _change(
    prepared: PreparedActivation,
    after: Overview,
    *,
    results: Mapping[str, LicenseResult],
    intents: Mapping[str, Intent],
    renewed: bool,
) -> Change:
    """Put together what was or would be done.

    :param intents: what is open. A license whose update is pending is active meanwhile: nobody has to wait for it
    :param renewed: whether files that move with the licenses are replaced
    """
    numbers = prepared.activation.numbers
    change = change_of(prepared.before, after, numbers=numbers, results=results, intents=unsettled(intents))
    return replace(change, changed=change.changed or renewed)
