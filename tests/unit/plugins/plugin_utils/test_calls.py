# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan hands to the modules that carry it out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview, ServerView
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.calls import (
    Activation,
    as_options,
    is_source_verified,
    unfinished,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.carried_files import FilesPlan
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.plan import Plan, PlannedLicense
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.sides import Side
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.steps import Step
from support.worked_example import CLIENT, CODE, SERVER, SESSION

LICENSES = [
    DeclaredLicense(SERVER, CODE, "PROServer", nodelock="personal"),
    DeclaredLicense(SESSION, CODE, "PROSession", default=True),
    DeclaredLicense(CLIENT, CODE),
]
PROFILES = [Profile("Spare", SESSION), Profile("Night", CLIENT, default=True)]


def plan(*steps: Step) -> Plan:
    rows = zip(LICENSES, steps)
    planned = [PlannedLicense(one.number, None, "", step, None, None, None, None) for one, step in rows]
    return Plan(tuple(planned), files=FilesPlan())


def activation(made: Plan) -> Activation:
    return Activation.of(made, LICENSES, PROFILES, "old")


def test_a_license_that_only_the_owner_can_release_is_left_out_with_its_profiles() -> None:
    call = activation(plan(Step.MOVE, Step.RELEASE, Step.EMERGENCY))
    assert [license.number for license in call.licenses] == [SERVER, CLIENT]
    assert [profile.name for profile in call.profiles] == ["Night"]
    assert call.emergency == (CLIENT,)


def test_the_options_say_all_that_is_declared_but_the_codes() -> None:
    made = activation(replace(plan(Step.MOVE, Step.MOVE, Step.MOVE), returned=(SERVER,), users=("AIMS\\anna",)))
    options = made.as_dict()
    assert options["licenses"] == as_options(LICENSES)
    assert options["licenses"][:2] == [
        {"number": SERVER, "profile": "PROServer", "default": False, "nodelock": "personal"},
        {"number": SESSION, "profile": "PROSession", "default": True, "nodelock": "machine"},
    ]
    assert options["profiles"] == [
        {"name": "Spare", "license": SESSION, "default": False},
        {"name": "Night", "license": CLIENT, "default": True},
    ]
    assert (options["returned"], options["users"], options["emergency"]) == ([SERVER], ["AIMS\\anna"], [])
    assert CODE not in str(options)


@pytest.mark.parametrize("users", [None, ()])
def test_a_target_that_keeps_its_users_is_told_from_a_target_that_gets_none(users: tuple[str, ...] | None) -> None:
    options = activation(replace(plan(Step.KEEP, Step.KEEP, Step.KEEP), users=users)).as_dict()
    assert options["users"] == (None if users is None else [])


@pytest.mark.parametrize("unknown", [True, False])
def test_files_are_put_on_record_only_where_it_is_known_which_belong_there(unknown: bool) -> None:
    made = replace(plan(Step.KEEP, Step.KEEP, Step.KEEP), files=FilesPlan(unknown=unknown))
    assert activation(made).source == (None if unknown else "old")


def test_the_source_finishes_the_activations_that_it_has_requested() -> None:
    made = replace(plan(Step.MOVE, Step.MOVE, Step.MOVE), unfinished=(SESSION,))
    assert unfinished(made, LICENSES) == [LICENSES[1]]


@pytest.mark.parametrize(
    ("running", "reachable", "verified"),
    [(True, True, True), (False, True, False), (None, True, False), (True, False, False)],
)
def test_a_source_is_verified_where_its_server_can_be_asked(
    running: bool | None, reachable: bool, verified: bool
) -> None:
    shown = Overview(replace(ServerView(), running=running))
    assert is_source_verified(Side("old", shown, reachable=reachable)) is verified
