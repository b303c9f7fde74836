# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where licenses are: on which host each is live, what is pending there, and what the next run will do. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import OFFLINE
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import DEACTIVATE, UNKNOWN, UPDATE, Word
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview, PendingRequest
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.format import day_of, time_in_words
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.terminal import TERMINAL_WIDTH, text_table

CHANGED = "stop: the machine has changed"
COPIED = "stop: one host is a copy of the other"


class Response(Word):
    """Where the response to a pending request is."""

    ON_HOST = "on the host"
    IN_FOLDER = "in the folder"
    NONE = "none"
    UNKNOWN = "unknown"


_IN_WORDS = {
    Response.ON_HOST: "response on the host",
    Response.IN_FOLDER: "response in the folder",
    Response.NONE: "no response",
    Response.UNKNOWN: "outcome unknown",
}
_GOES_ON = {
    Response.ON_HOST: "apply the response",
    Response.IN_FOLDER: "apply the response",
    Response.NONE: "wait for the response",
    Response.UNKNOWN: "ask again under the same id",
}
_BY_PAGE = {**_GOES_ON, Response.NONE: "hand it to the request page"}
_NOUNS = {DEACTIVATE: "deactivation", UPDATE: "update", UNKNOWN: "exchange of unknown kind"}
LOST_RESPONSE = (
    "Where no response is beside a request: if the authority has processed it, have the same file processed again. The "
    "same response comes, and nothing more is spent (for a rehearsal, 'authority status FILE.request --ledger PATH' "
    "says which)."
)
OTHERS = "Stopped because of other hosts of this play (any_errors_fatal, max_fail_percentage); nothing failed here."
GO_ON = "Run the same command again to go on from here: nothing is asked for twice, and nothing is spent twice."


@dataclass(frozen=True)
class OpenExchange:
    """An exchange that is not over.

    :ivar request_id, made: None where check mode foresees a request that is not made
    """

    host: str
    action: str
    request_id: str | None
    made: str | None
    response: Response

    def as_dict(self) -> dict[str, Any]:
        return {
            "host": self.host,
            "action": self.action,
            "request_id": self.request_id,
            "made": self.made,
            "response": self.response.value,
        }

    @property
    def in_words(self) -> str:
        noun = _NOUNS.get(self.action, "activation")
        return f"{noun} on {self.host} since {time_in_words(self.made)}, {_IN_WORDS[self.response]}"


@dataclass(frozen=True)
class SeenHost:
    """A host as a look at it ended.

    :ivar overview: None where the host was not reached or could not be read
    :ivar authority: what the host asks; that of its installation unless declared
    :ivar problem: why there is no overview, in a word or two; ``message`` in full, where it is not told elsewhere
    """

    host: str
    overview: Overview | None
    authority: str | None = None
    problem: str = "not reached"
    message: str = ""

    @property
    def is_offline(self) -> bool:
        configured = self.overview.server.authority if self.overview else None
        return (self.authority or configured) == OFFLINE

    def license(self, number: str) -> LicenseView:
        shown = self.overview.license(number) if self.overview else None
        return shown or LicenseView.unknown(number)

    def requests(self, number: str) -> list[PendingRequest]:
        pending = self.overview.pending if self.overview else ()
        return [request for request in pending if request.number == number]

    def exchanges(self, number: str, at_hand: Collection[str]) -> list[OpenExchange]:
        """The open exchanges of a license."""
        return [
            OpenExchange(self.host, request.action, request.request_id, request.made, self._response(request, at_hand))
            for request in self.requests(number)
        ]

    def has_changed_since_request(self, number: str) -> bool:
        """Whether the host was another machine when it asked for a license whose activation is pending."""
        return any(request.is_elsewhere for request in self.requests(number))

    def _response(self, request: PendingRequest, at_hand: Collection[str]) -> Response:
        if request.answered:
            return Response.ON_HOST
        if not self.is_offline:
            return Response.UNKNOWN
        return Response.IN_FOLDER if request.number in at_hand else Response.NONE


@dataclass(frozen=True)
class LicenseStatus:
    """Where a license is.

    :ivar live: the hosts that serve it; ``where`` says so in words
    :ivar pending: its open exchanges
    :ivar next: what the next run will do
    """

    number: str
    live: tuple[str, ...]
    where: str
    pending: tuple[OpenExchange, ...]
    next: str

    def as_dict(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "live": list(self.live),
            "where": self.where,
            "pending": [exchange.as_dict() for exchange in self.pending],
            "next": self.next,
        }


def pair_status(
    hosts: Sequence[SeenHost],
    numbers: Sequence[str],
    steps: Mapping[str, str],
    at_hand: Collection[str] = (),
    *,
    by_page: bool = False,
) -> list[LicenseStatus]:
    """Return where each license is.

    :param steps: the plan's step for each license, in words; a step that is missing follows from what is seen
    :param at_hand: numbers of licenses whose response file lies in the folder of requests
    :param by_page: whether the run hands requests to a request page by itself
    """
    goes_on = _BY_PAGE if by_page else _GOES_ON
    rows = []
    for number in numbers:
        pending = [exchange for host in hosts for exchange in host.exchanges(number, at_hand)]
        changed = [host.host for host in hosts if host.has_changed_since_request(number)]
        going_on = [CHANGED if exchange.host in changed else goes_on[exchange.response] for exchange in pending]
        step = steps.get(number) or (_unplanned(hosts, number) if not pending else "")
        live = tuple(host.host for host in hosts if host.license(number).is_served)
        following = ": ".join(dict.fromkeys([*([step] if step else []), *going_on]))
        rows.append(LicenseStatus(number, live, _where(hosts, number), tuple(pending), following))
    return rows


def status_lines(rows: Sequence[LicenseStatus]) -> list[str]:
    """Return the table for a terminal, line by line, and below it what helps where responses are missing."""
    cells = [
        [row.number, row.where, "; ".join(exchange.in_words for exchange in row.pending) or "nothing", row.next]
        for row in rows
    ]
    lines = text_table(("License", "Live on", "Pending", "Next run"), cells, TERMINAL_WIDTH).split("\n")
    missing = any(exchange.response is Response.NONE for row in rows for exchange in row.pending)
    return [*lines, *(wrapped(LOST_RESPONSE) if missing else [])]


def stopped_lines(task: str, message: str, rows: Sequence[LicenseStatus], hosts: Sequence[SeenHost]) -> list[str]:
    """Return what the end of a run that stopped says: where, why, and where the licenses are.

    :param task: the name of the task that it stopped at, or nothing where it stopped because of other hosts
    :param message: why, as that task reported it
    """
    unread = [line for host in hosts for line in host.message.splitlines() if line not in message]
    reasons = [line for text in [*message.splitlines(), *unread] for line in wrapped(text)]
    stopped = f"Stopped at: {task}" if task else OTHERS
    return [stopped, *reasons, "", *status_lines(rows), *wrapped(GO_ON)]


def wrapped(text: str) -> list[str]:
    """Break a text into lines of a terminal; what is indented is a command, and stays whole."""
    return [text] if text.startswith(" ") else textwrap.wrap(text, 118, break_long_words=False, break_on_hyphens=False)


def _where(hosts: Sequence[SeenHost], number: str) -> str:
    """Say on which host a license is live, or what is known of the hosts where it is not."""
    shown = [(host, host.license(number)) for host in hosts]
    live = [host.host + _limits(license) for host, license in shown if license.is_served]
    if live:
        return ", ".join(live)
    seen = [host.host for host in hosts if host.overview is not None]
    nowhere = "not known" if not seen else "neither" if len(seen) > 1 else f"not on {seen[0]}"
    missing = [f"{host.host} {host.problem}" for host in hosts if host.overview is None]
    fenced = [f"fenced on {host.host}" for host, license in shown if license.is_fenced]
    changed = [
        f"{host.host} has changed"
        for host, license in shown
        if license.is_elsewhere or host.has_changed_since_request(number)
    ]
    return ", ".join([nowhere, *fenced, *changed, *missing])


def _limits(license: LicenseView) -> str:
    if license.is_emergency:
        return f" until {day_of(license.until)} (emergency)"
    return f", {license.invalid or f'expired on {license.expiry}'}" if license.is_expired else ""


def _unplanned(hosts: Sequence[SeenHost], number: str) -> str:
    """What a run of any kind will find to do with a license of which nothing is pending."""
    shown = [host.license(number) for host in hosts]
    if any(license.is_fenced for license in shown):
        return "give it back, or ask whether it may serve again"
    return "keep" if any(license.is_served for license in shown) else "nothing"
