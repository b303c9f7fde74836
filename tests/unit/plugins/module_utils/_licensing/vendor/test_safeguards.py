# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each safeguard around the vendor's command is taken away once, and a check fails: no safeguard is there in vain.

A check is a small story of a command that betrays whoever relies on it. With all safeguards it ends well; with its own
one taken away it does not.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from _pytest.outcomes import Failed
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor import (
    deactivation,
    licman,
    site,
    unseen,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.attempts import Attempts
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.commands import Commands
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.evidence import (
    Evidence,
    NodelockChange,
    Snapshot,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.named_commands import (
    NamedCommand,
)
from support import vendor_stories as story
from support.vendor_host import VendorHost, hurry

Patch = pytest.MonkeyPatch


# What takes a safeguard away.


def nothing(*arguments: Any, **more: Any) -> None:
    """Do nothing."""


def without_intent(patch: Patch) -> None:
    patch.setattr(Attempts, "begin", nothing)


def without_a_look_at_processes(patch: Patch) -> None:
    patch.setattr(Commands, "_running", lambda self, program: [])


def without_limit(patch: Patch) -> None:
    patch.setattr(licman.Licman.__init__, "__defaults__", (3600.0,))


def believe(patch: Patch, change: NodelockChange) -> None:
    """Have every wait end with this evidence, whatever the files are."""
    patch.setattr(site.Site, "wait", lambda self, attempt, shows: Evidence(attempt.number, change))


def open_nothing(patch: Patch) -> None:
    patch.setattr(Attempts, "open", lambda self: {})


def popen_with(patch: Patch, **more: Any) -> None:
    """Have the command be started in another way."""
    start = subprocess.Popen

    class Started(start):  # type: ignore[type-arg, misc, valid-type]
        def __init__(self, arguments: Sequence[str], **options: Any) -> None:
            if str(arguments[0]).endswith("/licman"):
                options.update(more)
            super().__init__(" ".join(arguments) if more.get("shell") else arguments, **options)

    patch.setattr(licman.subprocess, "Popen", Started)


def with_real_environment(patch: Patch) -> None:
    patch.setattr(licman, "_environment", lambda: dict(os.environ))


def by_exit_code(patch: Patch) -> None:
    """Have a deactivation be judged by the exit code alone."""
    run = site.Site.run_once
    ends: list[int] = []

    def run_once(self: site.Site, attempt: Any, command: Any) -> Any:
        done, outcome = run(self, attempt, command)
        ends.append(outcome.code)
        return done, outcome

    def wait(self: site.Site, attempt: Any, shows: Any) -> Evidence:
        return Evidence(attempt.number, NodelockChange.UNCHANGED if ends[-1] else NodelockChange.GONE)

    patch.setattr(site.Site, "run_once", run_once)
    patch.setattr(site.Site, "wait", wait)


def without_settling(patch: Patch) -> None:
    def wait(self: site.Site, attempt: Any, shows: Any) -> Evidence:
        return site.compare(attempt.before, self.snapshot(attempt.number))

    patch.setattr(site.Site, "wait", wait)


def half_is_whole(patch: Patch) -> None:
    patch.setattr(Snapshot, "is_half_written", property(lambda self: False))


def without_bundle(patch: Patch) -> None:
    make = deactivation.Request

    def request(*arguments: Any, **more: Any) -> deactivation.Request:
        return replace(make(*arguments, **more), bundled=None)

    patch.setattr(deactivation, "Request", request)


def without_records(patch: Patch) -> None:
    patch.setattr(Attempts, "closed", lambda self, *actions: [])


def with_any_help(patch: Patch) -> None:
    patch.setattr(NamedCommand, "problems", lambda self, *arguments: [])


def with_no_help(patch: Patch) -> None:
    patch.setattr(licman.Licman, "help", lambda self: "--give-back")


def without_redaction(patch: Patch) -> None:
    patch.setattr(licman, "without_code", lambda text, code: text)


def without_snapshots_of_exchanges(patch: Patch) -> None:
    whole = Snapshot.of_digests

    def of_digests(number: str, files: Mapping[str, str]) -> Snapshot:
        return replace(whole(number, files), pending=())

    patch.setattr(Snapshot, "of_digests", of_digests)


def with_options_as_values(patch: Patch) -> None:
    def filled(self: NamedCommand, values: Mapping[str, str]) -> list[str]:
        return [argument.format(**values) for argument in self.arguments]

    patch.setattr(NamedCommand, "filled", filled)


def without_an_end(patch: Patch) -> None:
    patch.setattr(licman, "_signal", lambda process, number: process.send_signal(number))


def with_every_success(patch: Patch) -> None:
    patch.setattr(unseen, "_succeeded", lambda site, attempt, outcome: True)


@dataclass(frozen=True)
class Safeguard:
    """What is taken away, and the check that then fails."""

    take_away: Callable[[Patch], None]
    check: Callable[[VendorHost], None]


SAFEGUARDS = {
    "the intent is written first": Safeguard(without_intent, story.an_intent_outlives_a_run_that_is_killed),
    "an activation's intent is written first": Safeguard(
        without_intent,
        story.an_activations_intent_outlives_a_run_that_is_killed,
    ),
    "a deactivation needs evidence": Safeguard(
        lambda patch: believe(patch, NodelockChange.GONE), story.success_without_effect_is_no_deactivation
    ),
    "an activation needs evidence": Safeguard(
        lambda patch: believe(patch, NodelockChange.APPEARED), story.success_without_effect_is_no_activation
    ),
    "no exit code decides for it": Safeguard(by_exit_code, story.success_without_effect_is_no_deactivation),
    "no exit code decides against it": Safeguard(by_exit_code, story.failure_with_effect_is_a_deactivation),
    "evidence may come late": Safeguard(without_settling, story.a_half_written_nodelock_is_waited_for),
    "the time is limited": Safeguard(without_limit, story.a_command_that_does_not_end_in_time_is_stopped),
    "a half-written nodelock shows nothing": Safeguard(half_is_whole, story.a_half_written_nodelock_is_no_deactivation),
    "each option is in the help": Safeguard(with_any_help, story.an_option_that_the_help_lacks_is_not_run),
    "there is a help": Safeguard(with_no_help, story.a_licman_without_help_is_not_run),
    "a doubt is remembered": Safeguard(open_nothing, story.a_command_in_doubt_is_not_repeated),
    "a doubt without evidence is remembered": Safeguard(
        open_nothing, story.a_command_without_evidence_in_doubt_is_not_repeated
    ),
    "only exit code 0 is a success": Safeguard(
        with_every_success, story.failure_is_no_success_where_nothing_shows_the_effect
    ),
    "what was done is remembered": Safeguard(without_records, story.what_no_file_shows_is_done_once),
    "the input is closed": Safeguard(lambda patch: popen_with(patch, stdin=None), story.no_input_is_read),
    "no shell reads the arguments": Safeguard(
        lambda patch: popen_with(patch, shell=True), story.a_profile_with_a_blank_or_a_semicolon_is_one_argument
    ),
    "the command has a process group of its own": Safeguard(
        without_an_end, story.a_hanging_command_ends_with_all_that_it_started
    ),
    "codes are cut from the output": Safeguard(without_redaction, story.no_code_is_kept),
    "the locale is C": Safeguard(with_real_environment, story.the_output_is_in_english),
    "the bundle has the nodelock": Safeguard(without_bundle, story.only_the_bundles_nodelock_is_given_back),
    "the record says what a deactivation has left": Safeguard(
        without_records, story.a_nodelock_that_stays_is_not_active
    ),
    "the record keeps it from being given back twice": Safeguard(without_records, story.a_license_is_given_back_once),
    "nobody else's command runs": Safeguard(
        without_a_look_at_processes,
        story.a_command_that_runs_is_not_joined,
    ),
    "a pending exchange stops it": Safeguard(without_snapshots_of_exchanges, story.what_is_pending_is_left_alone),
    "a value is not read as an option": Safeguard(with_options_as_values, story.a_value_is_no_option),
}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VendorHost:
    hurry(monkeypatch)
    return VendorHost(tmp_path / "host")


@pytest.mark.parametrize("name", SAFEGUARDS)
def test_with_all_safeguards_each_story_ends_well(host: VendorHost, name: str) -> None:
    SAFEGUARDS[name].check(host)
    assert host.has_lost_nothing()


@pytest.mark.parametrize("name", SAFEGUARDS)
def test_without_a_safeguard_its_check_fails(host: VendorHost, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    SAFEGUARDS[name].take_away(monkeypatch)
    with pytest.raises((AssertionError, Failed)):
        SAFEGUARDS[name].check(host)
