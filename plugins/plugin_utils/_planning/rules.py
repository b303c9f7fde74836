# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules by which the facts of a license become a step: the first that matches decides. Pure.

docs/planning.md shows this table; a test prints it, and decides every combination of facts by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from ansible_collections.aims.licensing.plugins.plugin_utils._planning.facts import Facts
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.steps import Reason, Step


@dataclass(frozen=True)
class Condition:
    """Something that is true of the facts, or is not.

    :ivar words: how the table names it
    :ivar opposite: how the table says that it is not so
    """

    words: str
    test: Callable[[Facts], bool]
    opposite: str = ""

    def __call__(self, facts: Facts) -> bool:
        return self.test(facts)

    def __invert__(self) -> Condition:
        return Condition(self.opposite, lambda facts: not self.test(facts), self.words)


@dataclass(frozen=True)
class Rule:
    """A row of the table: where all conditions hold, this is the step.

    :ivar gives_up: whether the license is given up on the source
    """

    reason: Reason
    step: Step
    conditions: tuple[Condition, ...]
    gives_up: bool = False

    def matches(self, facts: Facts) -> bool:
        return all(condition(facts) for condition in self.conditions)


SOURCE_HOLDS = Condition(
    "the source holds it", lambda facts: facts.source.license.is_held, "the source does not hold it"
)
SOURCE_FENCED = Condition("it is fenced on the source", lambda facts: facts.source.license.is_fenced)
SOURCE_BRIDGES = Condition("the source serves it in an emergency", lambda facts: facts.source.bridges)
SOURCE_REQUEST = Condition(
    "an exchange is open on the source",
    lambda facts: facts.source.request is not None,
    "no exchange is open on the source",
)
TARGET_HOLDS = Condition(
    "the target holds it", lambda facts: facts.target.license.is_held, "the target does not hold it"
)
TARGET_SERVES = Condition("the target serves it", lambda facts: facts.target.license.is_served)
TARGET_EMERGENCY = Condition(
    "the target holds it for an emergency", lambda facts: facts.target.license.is_emergency, "not for an emergency"
)
TARGET_REQUEST = Condition(
    "an exchange is open on the target",
    lambda facts: facts.target.request is not None,
    "no exchange is open on the target",
)
TARGET_OUTDATED = Condition(
    "the source has it by now", lambda facts: facts.is_outdated_on_target, "the source has not got it since"
)
LOST = Condition("the source is declared lost", lambda facts: facts.is_lost, "the source is not declared lost")
BRIDGED = Condition("an emergency activation is asked for", lambda facts: facts.is_bridged)
ASKED = Condition("the authority answered", lambda facts: facts.quote.is_known, "the authority was not asked")
VOID = Condition("the authority says that nobody holds it", lambda facts: facts.quote.is_free)
FREE = Condition("no machine is known to hold it", lambda facts: facts.is_free, "another machine may hold it")
LOST_HOLDS = Condition(
    "the authority says that the source holds it",
    lambda facts: facts.is_held_by_lost_source,
    "the authority says that the source does not hold it",
)
OFFERED = Condition("the authority would grant an emergency activation", lambda facts: bool(facts.quote.until))

# A target that holds a license for good settles it. What is open is finished before anything else is begun.
RULES: tuple[Rule, ...] = (
    Rule(Reason.SERVED_BY_BOTH, Step.END, (TARGET_SERVES, ~TARGET_EMERGENCY, SOURCE_BRIDGES), gives_up=True),
    Rule(Reason.HELD_BY_TARGET, Step.KEEP, (TARGET_SERVES, ~TARGET_EMERGENCY)),
    Rule(Reason.FENCED_ON_TARGET, Step.SERVE, (TARGET_HOLDS, ~TARGET_EMERGENCY, ~TARGET_OUTDATED)),
    Rule(Reason.REQUESTED_BY_TARGET_BRIDGED, Step.FINISH, (TARGET_REQUEST, SOURCE_BRIDGES), gives_up=True),
    Rule(Reason.REQUESTED_BY_TARGET, Step.FINISH, (TARGET_REQUEST,)),
    Rule(Reason.REQUESTED_BY_SOURCE, Step.FINISH_MOVE, (SOURCE_REQUEST,), gives_up=True),
    # It serves nobody and is nobody's, so that nothing can be given back: asking for that would be refused.
    Rule(Reason.VOID_ON_SOURCE, Step.ACTIVATE, (SOURCE_HOLDS, SOURCE_FENCED, VOID)),
    Rule(Reason.HELD_BY_SOURCE, Step.MOVE, (SOURCE_HOLDS,), gives_up=True),
    Rule(Reason.BRIDGED_BY_TARGET, Step.EMERGENCY, (TARGET_EMERGENCY, ~FREE)),
    Rule(Reason.ASKED_BY_FILE_BRIDGED, Step.EMERGENCY, (LOST, ~ASKED, BRIDGED)),
    Rule(Reason.ASKED_BY_FILE, Step.ACTIVATE, (LOST, ~ASKED)),
    Rule(Reason.LOST_WITH_SOURCE_BRIDGED, Step.EMERGENCY, (LOST, LOST_HOLDS, OFFERED)),
    Rule(Reason.LOST_WITH_SOURCE, Step.RELEASE, (LOST, LOST_HOLDS)),
    Rule(Reason.FREE_OF_SOURCE, Step.ACTIVATE, (LOST, ASKED, ~LOST_HOLDS)),
    Rule(Reason.FREE_OF_EMERGENCY, Step.ACTIVATE, (TARGET_EMERGENCY, FREE)),
    Rule(
        Reason.HELD_BY_NEITHER,
        Step.ACTIVATE,
        (~LOST, ~SOURCE_HOLDS, ~SOURCE_REQUEST, ~TARGET_HOLDS, ~TARGET_REQUEST),
    ),
)


def decide(facts: Facts) -> Rule:
    """Return the rule that decides what is done with a license."""
    return next(rule for rule in RULES if rule.matches(facts))
