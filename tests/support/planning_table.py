# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every combination of the facts of a license, and the table of rules as docs/planning.md shows it.

``python -m support.planning_table --update`` writes the table into the page.
"""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, NamedTuple

from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import OTHER
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import Drift, LicenseView, Status
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import ACTIVATE, DEACTIVATE, UPDATE
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview, PendingRequest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.quote import Quote
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.assessment import spends
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.facts import Facts, HostFacts
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.rules import RULES, Rule, decide

from support.worked_example import SERVER

NUMBER = SERVER
PAGE = Path(__file__).parents[2] / "docs/planning.md"
BEGIN, END = "<!-- rules: begin -->\n", "<!-- rules: end -->\n"
_TIME = "2026-06-05T12:00:00Z"
_REQUESTS = {
    Status.PENDING_ACTIVATION: ACTIVATE,
    Status.PENDING_DEACTIVATION: DEACTIVATE,
    Status.PENDING_UPDATE: UPDATE,
}
# A nodelock: none, of this machine, or of another one.
NO, OURS, FOREIGN = "none", "of this machine", "of another machine"


class Shown(NamedTuple):
    """What a host shows of a license, as far as a step may follow from it; without a status, nothing."""

    status: Status | None
    fenced: bool = False
    until: bool = False
    nodelock: str = NO
    request: str | None = None

    def host(self, serial: int) -> HostFacts:
        """Return the facts as a plan reads them."""
        licenses = () if self.status is None else (self._view(self.status, serial),)
        pending = () if self.request is None else (PendingRequest(NUMBER, self.request, "id", _TIME, "file"),)
        return HostFacts.of(Overview(licenses=licenses, pending=pending), NUMBER)

    def _view(self, status: Status, serial: int) -> LicenseView:
        return LicenseView(
            NUMBER,
            status,
            fenced=_TIME if self.fenced else None,
            until=_TIME if self.until else None,
            holder=None if self.nodelock == NO else "key",
            drift=Drift(OTHER, (), "", "") if self.nodelock == FOREIGN else None,
            serial=serial,
        )


@dataclass(frozen=True)
class Impossible:
    """Facts that no host shows and no authority says, by name."""

    words: str
    test: Callable[..., bool]


def _is_ghost(shown: Shown) -> bool:
    return shown.status is None and (shown.fenced or shown.until or shown.nodelock != NO)


def _is_torn(shown: Shown) -> bool:
    if shown.status is None:
        # Of a license that comes for the first time there is only the request.
        return shown.request not in (None, ACTIVATE)
    return _REQUESTS.get(shown.status) != shown.request


IMPOSSIBLE_ON_A_HOST = (
    Impossible("an unknown license with a fence, an end or a nodelock", _is_ghost),
    Impossible("a status without its exchange, or an exchange without its status", _is_torn),
    Impossible(
        "a license that is held without a nodelock of this machine",
        lambda shown: shown.status in (Status.ACTIVE, Status.EXPIRED, Status.PENDING_UPDATE) and shown.nodelock != OURS,
    ),
    Impossible(
        "an inactive nodelock of this machine that has not ended",
        lambda shown: shown.status is Status.INACTIVE and shown.nodelock == OURS and not shown.until,
    ),
    Impossible("an end without a nodelock", lambda shown: shown.until and shown.nodelock == NO),
    Impossible(
        "an exchange to give back a license that is not fenced",
        lambda shown: shown.status is Status.PENDING_DEACTIVATION and not shown.fenced,
    ),
)


class Combination(NamedTuple):
    """All that is known of a license, and how it was learned."""

    source: Shown
    target: Shown
    quote: Quote
    is_newer_on_source: bool
    is_reachable: bool
    is_lost: bool
    is_bridged: bool
    is_online: bool
    returns: bool

    @property
    def facts(self) -> Facts:
        serials = (2, 1) if self.is_newer_on_source else (1, 2)
        return Facts(
            _host(self.source, serials[0]),
            _host(self.target, serials[1]),
            self.quote,
            is_reachable=self.is_reachable,
            is_lost=self.is_lost,
            is_bridged=self.is_bridged,
            returns=self.returns,
        )


@functools.cache
def _host(shown: Shown, serial: int) -> HostFacts:
    return shown.host(serial)


IMPOSSIBLE_TOGETHER = (
    Impossible("a lost source that was looked at", lambda case: case.is_lost and case.is_reachable),
    Impossible(
        "a source that was not looked at and shows something",
        lambda case: not case.is_reachable and case.source != Shown(None),
    ),
    Impossible(
        "an emergency activation asked for though no source is lost", lambda case: case.is_bridged and not case.is_lost
    ),
    Impossible("a rollback to a source that is declared lost", lambda case: case.is_lost and case.returns),
    Impossible("an answer of the authority offline", lambda case: case.quote.is_known and not case.is_online),
    Impossible(
        "an emergency activation granted that was not asked for, or of a license that nobody holds",
        lambda case: bool(case.quote.until) and not (case.is_bridged and case.quote.live),
    ),
)

QUOTES = (
    Quote(NUMBER),
    *(Quote(NUMBER, spent, live=False) for spent in (0, 1)),
    *(Quote(NUMBER, spent, live=True, until=until) for spent in (0, 1) for until in (None, _TIME)),
)
_FLAGS = (False, True)


def all_shown() -> Iterator[Shown]:
    """Every combination of what a host may show, possible or not."""
    requests = (None, ACTIVATE, DEACTIVATE, UPDATE)
    for values in itertools.product((None, *Status), _FLAGS, _FLAGS, (NO, OURS, FOREIGN), requests):
        yield Shown(*values)


def possible_shown() -> list[Shown]:
    return [shown for shown in all_shown() if not any(rule.test(shown) for rule in IMPOSSIBLE_ON_A_HOST)]


def all_combinations() -> Iterator[Combination]:
    """Every combination of the facts of a license whose hosts show what hosts can show."""
    shown = possible_shown()
    yield from map(Combination._make, itertools.product(shown, shown, QUOTES, *(_FLAGS,) * 6))


def why_impossible(combination: Combination) -> list[str]:
    """Why a combination of facts never comes, by name."""
    return [rule.words for rule in IMPOSSIBLE_TOGETHER if rule.test(combination)]


@functools.cache
def possible_combinations() -> tuple[Combination, ...]:
    """The combinations that may come."""
    return tuple(combination for combination in all_combinations() if not why_impossible(combination))


def rendered() -> str:
    """Return the table of rules, each with what it spends over all combinations of facts."""
    spent: dict[int, set[int | None]] = {}
    for combination in possible_combinations():
        facts = combination.facts
        rule = decide(facts)
        spent.setdefault(RULES.index(rule), set()).add(spends(facts, rule.step))
    lines = [
        "| | where all of this holds | so | step | given up on the source | transfers |",
        "|---|---|---|---|---|---|",
    ]
    for at, rule in enumerate(RULES):
        lines.append(_row(at, rule, spent.get(at, set())))
    return "\n".join(lines) + "\n"


def _row(at: int, rule: Rule, spent: set[int | None]) -> str:
    words = "; ".join(condition.words for condition in rule.conditions)
    known = sorted(value for value in spent if value is not None)
    transfers = " or ".join([*map(str, known), *(["as the authority answers"] if None in spent else [])])
    given_up = "yes" if rule.gives_up else ""
    return f"| {at + 1} | {words} | {rule.reason.value} | `{rule.step.value}` | {given_up} | {transfers} |"


def page_with(table: str) -> str:
    """Return the page with a table in the place of the one that it has."""
    text = PAGE.read_text(encoding="utf-8")
    before, _begin, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}{table}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    if "--update" in sys.argv[1:]:
        PAGE.write_text(page_with(rendered()), encoding="utf-8")
    else:
        sys.stdout.write(rendered())
