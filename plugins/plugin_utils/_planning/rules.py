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
    """

    words: str
    test: Callable[[Facts], bool]

    def __call__(self, facts: Facts) -> bool:
        return self.test(facts)

    def __invert__(self) -> Condition:
        return Condition(f"not: {self.words}", lambda facts: not self.test(facts))


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


def _on_source(words: str, test: Callable[[Facts], bool]) -> Condition:
    return Condition(f"source {words}", test)


def _on_target(words: str, test: Callable[[Facts], bool]) -> Condition:
    return Condition(f"target {words}", test)


SOURCE_HOLDS = _on_source("holds", lambda facts: facts.source.license.is_held)
SOURCE_FENCED = _on_source("fenced", lambda facts: facts.source.license.is_fenced)
SOURCE_BRIDGES = _on_source("serves in an emergency", lambda facts: facts.source.bridges)
SOURCE_REQUEST = _on_source("has an open exchange", lambda facts: facts.source.request is not None)
TARGET_HOLDS = _on_target("holds", lambda facts: facts.target.license.is_held)
TARGET_SERVES = _on_target("serves", lambda facts: facts.target.license.is_served)
TARGET_EMERGENCY = _on_target("has it for an emergency", lambda facts: facts.target.license.is_emergency)
TARGET_REQUEST = _on_target("has an open exchange", lambda facts: facts.target.request is not None)
TARGET_OUTDATED = _on_target(
    "outdated: fenced, and the source has it by now", lambda facts: facts.is_outdated_on_target
)
LOST = _on_source("declared lost", lambda facts: facts.is_lost)
BRIDGED = Condition("emergency activation asked for", lambda facts: facts.is_bridged)
ASKED = Condition("authority asked", lambda facts: facts.quote.is_known)
VOID = Condition("authority: held by nobody", lambda facts: facts.quote.is_free)
FREE = Condition("held by no machine", lambda facts: facts.is_free)
LOST_HOLDS = Condition("authority: held by the lost source", lambda facts: facts.is_held_by_lost_source)
OFFERED = Condition("authority: an emergency activation is granted", lambda facts: bool(facts.quote.until))

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
