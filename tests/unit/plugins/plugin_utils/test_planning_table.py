# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every combination of the facts of a license has a step, or a refusal; docs/planning.md shows the rules."""

from __future__ import annotations

import itertools
from datetime import datetime, timezone

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import Status
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import ACTIVATE, DEACTIVATE
from ansible_collections.aims.licensing.plugins.module_utils._licensing.quote import Quote
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.assessment import Assessment, spends
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.checks import is_held_by_third, needs_source
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.facts import Facts
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.rules import RULES, decide
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.steps import Reason, Step
from support.planning_table import (
    IMPOSSIBLE_ON_A_HOST,
    IMPOSSIBLE_TOGETHER,
    NUMBER,
    PAGE,
    Combination,
    Shown,
    all_shown,
    page_with,
    possible_combinations,
    rendered,
)

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def combinations() -> list[tuple[Combination, Facts]]:
    """Every combination of facts that may come."""
    return [(combination, combination.facts) for combination in possible_combinations()]


def assessed(facts: Facts) -> Assessment:
    rule = decide(facts)
    license = DeclaredLicense(NUMBER, None)
    spent = spends(facts, rule.step)
    return Assessment(license, facts, rule.step, rule.reason, rule.gives_up and facts.is_reachable, spent, None)


def test_every_combination_has_a_rule_and_every_rule_decides_some(
    combinations: list[tuple[Combination, Facts]],
) -> None:
    assert len(combinations) > 30_000
    deciding = {decide(facts).reason for combination, facts in combinations}
    assert deciding == set(Reason) == {rule.reason for rule in RULES} and len(RULES) == len(Reason)


def test_the_last_rule_is_for_licenses_of_neither_and_takes_no_other(
    combinations: list[tuple[Combination, Facts]],
) -> None:
    last = RULES[-1]
    for combination, facts in combinations:
        if not last.matches(facts):
            continue
        # Whatever matches the last rule matches it alone.
        assert [rule for rule in RULES if rule.matches(facts)] == [last], combination
        for shown in (combination.source, combination.target):
            without_nodelock = (None, Status.INACTIVE, Status.KEYLESS_OR_INACTIVE)
            assert shown.status in without_nodelock and shown.request not in (ACTIVATE, DEACTIVATE)


def test_what_no_host_shows_has_a_rule_too() -> None:
    """A host may be hostile, and show what cannot be."""
    shown = [one for one in all_shown() if one.nodelock == "of this machine"]
    quotes = (Quote(NUMBER), Quote(NUMBER, 1, live=False), Quote(NUMBER, 1, live=True))
    for source, target in itertools.product(shown, shown[::3]):
        for quote in quotes:
            decide(Combination(source, target, quote, True, True, False, False, True, False).facts)


def test_facts_are_impossible_for_a_reason_that_has_a_name() -> None:
    possible = {combination[:2] for combination in possible_combinations()}
    names = [rule.words for rule in (*IMPOSSIBLE_ON_A_HOST, *IMPOSSIBLE_TOGETHER)]
    assert len(names) == len(set(names))
    assert all(any(rule.test(shown) for shown in all_shown()) for rule in IMPOSSIBLE_ON_A_HOST)
    # Whatever a host can show, it can show beside any other.
    shown = {one for one in all_shown() if not any(rule.test(one) for rule in IMPOSSIBLE_ON_A_HOST)}
    assert possible == set(itertools.product(shown, shown)) and Shown(None) in shown


def test_a_step_is_possible_or_has_one_refusal(combinations: list[tuple[Combination, Facts]]) -> None:
    for combination, facts in combinations:
        assessment = assessed(facts)
        refusals = [needs_source(assessment), is_held_by_third(assessment)]
        assert sum(refusals) <= 1, combination
        if not combination.is_reachable and not combination.is_lost and not any(refusals):
            # Without the source: what the target has, has asked for, or may ask for again.
            assert assessment.step in (Step.KEEP, Step.SERVE, Step.FINISH, Step.ACTIVATE), combination
            assert assessment.step is not Step.ACTIVATE or facts.target.is_known, combination
        if assessment.step is Step.ACTIVATE and facts.quote.is_elsewhere and facts.is_reachable:
            assert is_held_by_third(assessment), combination


def test_no_step_lets_both_hosts_serve_a_license_for_good(combinations: list[tuple[Combination, Facts]]) -> None:
    for combination, facts in combinations:
        assessment = assessed(facts)
        if facts.source.serves_for_good and assessment.step.arrives:
            # Finished is asked under the id of the open request: the authority refuses it while the source holds it.
            assert assessment.gives_up or assessment.step is Step.FINISH, combination
        if assessment.gives_up:
            assert facts.source.license.is_held or facts.source.request is not None, combination
        if facts.is_lost or not facts.is_reachable:
            assert not assessment.gives_up, combination


def test_a_license_that_the_target_serves_for_good_is_kept_whatever_else_is_known(
    combinations: list[tuple[Combination, Facts]],
) -> None:
    for combination, facts in combinations:
        if facts.target.serves_for_good:
            assert decide(facts).step in (Step.KEEP, Step.END), combination
            assert spends(facts, decide(facts).step) == 0


def test_the_page_shows_the_rules() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_with(rendered()), (
        "write it: python -m support.planning_table --update"
    )
