# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where licenses stand: on which host each is live, what is pending there, and what the next run will do. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import DRIFTED, SAME
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.inspection import (
    EXPIRED,
    PENDING_DEACTIVATION,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import DEACTIVATE, UPDATE
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.format import day_of, time_in_words
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.tables import HELD
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.terminal import TERMINAL_WIDTH, text_table

OFFLINE = "offline"
CHANGED = "stop: the machine has changed"
COPIED = "stop: one host is a copy of the other"

# Where the response to a pending request is.
ON_HOST = "on the host"
IN_FOLDER = "in the folder"
NONE = "none"
UNKNOWN = "unknown"
_TOLD = {
    ON_HOST: "response on the host",
    IN_FOLDER: "response in the folder",
    NONE: "no response",
    UNKNOWN: "outcome unknown",
}
_GOES_ON = {
    ON_HOST: "apply the response",
    IN_FOLDER: "apply the response",
    NONE: "wait for the response",
    UNKNOWN: "ask again under the same id",
}
_NOUNS = {DEACTIVATE: "deactivation", UPDATE: "update"}
LOST_RESPONSE = (
    "Where no response is beside a request: if the authority has processed it, have the same file processed again. The "
    "same response comes, and nothing more is spent (for a rehearsal, 'authority status FILE.request --ledger PATH' "
    "says which)."
)
OTHERS = "Stopped because of other hosts of this play (any_errors_fatal, max_fail_percentage); nothing failed here."
GO_ON = "Run the same command again to go on from here: nothing is asked for twice, and nothing is spent twice."


@dataclass(frozen=True)
class Side:
    """A host as it was found.

    :ivar overview: as of ``aims_license_info``, or None where the host was not reached or could not be read
    :ivar authority: what the host asks; that of its installation unless given
    :ivar problem: why there is no overview, in a word or two; ``message`` in full, where it is not told elsewhere
    """

    host: str
    overview: Mapping[str, Any] | None
    authority: str | None = None
    problem: str = "not reached"
    message: str = ""

    @property
    def is_offline(self) -> bool:
        server = (self.overview or {}).get("server") or {}
        return str(self.authority or server.get("authority") or "") == OFFLINE

    def license(self, number: str) -> Mapping[str, Any]:
        """The overview's license, or nothing."""
        licenses = self.overview["licenses"] if self.overview else []
        return next((one for one in licenses if one["number"] == number), {})

    def pending(self, number: str, at_hand: Collection[str]) -> list[dict[str, Any]]:
        """The open exchanges of a license: ``{host, action, request_id, made, response}``."""
        return [
            {
                "host": self.host,
                "action": one["action"],
                "request_id": one["request_id"],
                "made": one["made"],
                "response": self._response(one, at_hand),
            }
            for one in (self.overview["pending"] if self.overview else [])
            if one["number"] == number
        ]

    def asked_elsewhere(self, number: str) -> bool:
        """Whether the host was another machine when it asked for a license whose activation is pending."""
        pending = self.overview["pending"] if self.overview else []
        return any(one["number"] == number and is_another_machine(one.get("drift")) for one in pending)

    def _response(self, pending: Mapping[str, Any], at_hand: Collection[str]) -> str:
        if pending["answered"]:
            return ON_HOST
        if not self.is_offline:
            return UNKNOWN
        return IN_FOLDER if pending["number"] in at_hand else NONE


def pair_status(
    sides: Sequence[Side],
    numbers: Sequence[str],
    steps: Mapping[str, str],
    at_hand: Collection[str] = (),
    by_page: bool = False,
) -> list[dict[str, Any]]:
    """Return ``{number, live, where, pending, next}`` for each license.

    ``live`` names the hosts that serve it, ``where`` says so in words, ``pending`` has its open exchanges, ``next`` is
    what the next run will do.

    :param steps: the plan's step for each license; one that is missing follows from what is found
    :param at_hand: numbers of licenses whose response file lies in the folder of requests
    :param by_page: whether the run hands requests to a request page by itself
    """
    goes_on = {**_GOES_ON, **({NONE: "hand it to the request page"} if by_page else {})}
    rows = []
    for number in numbers:
        pending = [one for side in sides for one in side.pending(number, at_hand)]
        changed = [side.host for side in sides if side.asked_elsewhere(number)]
        going_on = [CHANGED if one["host"] in changed else goes_on[one["response"]] for one in pending]
        step = steps.get(number) or (_unplanned(sides, number) if not pending else "")
        live = [side.host for side in sides if is_live(side.license(number))]
        rows.append(
            {
                "number": number,
                "live": live,
                "where": _where(sides, number),
                "pending": pending,
                "next": ": ".join(dict.fromkeys([*([step] if step else []), *going_on])),
            }
        )
    return rows


def numbers_of(overview: Mapping[str, Any]) -> list[str]:
    """Return the licenses that a host has, or is about to have."""
    found = [one["number"] for part in ("licenses", "pending") for one in overview[part]]
    return sorted(set(found))


def status_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the table for a terminal, line by line, and below it what helps where responses are missing."""
    cells = [
        [row["number"], row["where"], "; ".join(_told(one) for one in row["pending"]) or "nothing", row["next"]]
        for row in rows
    ]
    lines = text_table(("License", "Live on", "Pending", "Next run"), cells, TERMINAL_WIDTH).split("\n")
    missing = any(one["response"] == NONE for row in rows for one in row["pending"])
    return [*lines, *(wrapped(LOST_RESPONSE) if missing else [])]


def stopped_lines(task: str, message: str, rows: Sequence[Mapping[str, Any]], sides: Sequence[Side]) -> list[str]:
    """Return what the end of a run that stopped says: where, why, and where the licenses stand.

    :param task: the name of the task that it stopped at, or nothing where it stopped because of other hosts
    :param message: why, as that task told it
    """
    unread = [line for side in sides for line in side.message.splitlines() if line not in message]
    told = [line for text in [*message.splitlines(), *unread] for line in wrapped(text)]
    stopped = f"Stopped at: {task}" if task else OTHERS
    return [stopped, *told, "", *status_lines(rows), *wrapped(GO_ON)]


def wrapped(text: str) -> list[str]:
    """Break a text into lines of a terminal; what is indented is a command, and stays whole."""
    return [text] if text.startswith(" ") else textwrap.wrap(text, 118, break_long_words=False, break_on_hyphens=False)


def is_another_machine(drift: Mapping[str, Any] | None) -> bool:
    """Whether an overview's ``drift`` says that a license was activated on another machine than the host is."""
    return bool(drift) and (drift or {})["verdict"] not in (SAME, DRIFTED)


def is_live(license: Mapping[str, Any]) -> bool:
    """Whether an overview's license is held by its host and served there."""
    return license.get("status") in HELD and not license.get("fenced")


def _is_fenced(license: Mapping[str, Any]) -> bool:
    """Whether a license is fenced and not given back yet; its fence stays after that."""
    return bool(license.get("fenced")) and license.get("status") in (*HELD, PENDING_DEACTIVATION)


def _where(sides: Sequence[Side], number: str) -> str:
    """Say on which host a license is live, or what is known of the hosts where it is not."""
    found = [(side, side.license(number)) for side in sides]
    live = [side.host + _limits(one) for side, one in found if is_live(one)]
    if live:
        return ", ".join(live)
    seen = [side.host for side in sides if side.overview is not None]
    nowhere = "not known" if not seen else "neither" if len(seen) > 1 else f"not on {seen[0]}"
    missing = [f"{side.host} {side.problem}" for side in sides if side.overview is None]
    fenced = [f"fenced on {side.host}" for side, one in found if _is_fenced(one)]
    changed = [
        f"{side.host} has changed"
        for side, one in found
        if is_another_machine(one.get("drift")) or side.asked_elsewhere(number)
    ]
    return ", ".join([nowhere, *fenced, *changed, *missing])


def _limits(license: Mapping[str, Any]) -> str:
    if license.get("until"):
        return f" until {day_of(license['until'])} (emergency)"
    invalid = license.get("invalid") or f"expired on {license.get('expiry')}"
    return f", {invalid}" if license.get("status") == EXPIRED else ""


def _unplanned(sides: Sequence[Side], number: str) -> str:
    """What a run of any kind will find to do with a license of which nothing is pending."""
    found = [side.license(number) for side in sides]
    if any(_is_fenced(one) for one in found):
        return "give it back, or ask whether it may serve again"
    return "keep" if any(is_live(one) for one in found) else "nothing"


def _told(pending: Mapping[str, Any]) -> str:
    noun = _NOUNS.get(pending["action"], "activation")
    since = time_in_words(pending["made"])
    return f"{noun} on {pending['host']} since {since}, {_TOLD[pending['response']]}"
