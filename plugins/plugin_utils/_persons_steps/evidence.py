# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge by what is on a host whether a step was done. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.evidence import (
    Snapshot,
    compare,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Word
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.steps import Evidence, PersonsStep

# The first of the settings that the log prints of each saved configuration.
_SETTING = "proLicenseProfile"


class Verdict(Word):
    """What a host says of a step."""

    DONE = "done"
    NOT_DONE = "not done"
    CONTRADICTED = "contradicts a confirmation"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True)
class Sight:
    """What was seen of a host; None where it was not looked at.

    :ivar files: digests by file name, relative to the home, with slashes
    :ivar bundled: the same as the bundle of the source has it; None where there is no bundle
    :ivar before: the same as they were before the source gave anything up
    :ivar answers: whether port 3400 answers
    :ivar runs: whether the service runs
    :ivar is_named: whether the configuration that PRO's log has last names the target, and not the source
    :ivar present: names of files outside the home that are there: the bundle, archived responses
    """

    files: Mapping[str, str] | None = None
    bundled: Mapping[str, str] | None = None
    before: Mapping[str, str] = field(default_factory=dict)
    answers: bool | None = None
    runs: bool | None = None
    is_named: bool | None = None
    present: frozenset[str] = field(default_factory=frozenset)


def judge(step: PersonsStep, sight: Sight, *, is_confirmed: bool = False) -> Verdict:
    """Say whether a step was done. Where evidence says that it was not, a confirmation is void."""
    is_done = _is_done(step, sight)
    if is_done is None:
        return Verdict.UNKNOWN
    if is_done:
        return Verdict.DONE
    return Verdict.CONTRADICTED if is_confirmed else Verdict.NOT_DONE


def _is_done(step: PersonsStep, sight: Sight) -> bool | None:
    if step.evidence is Evidence.PORT_ANSWERS:
        return sight.answers
    if step.evidence is Evidence.SERVICE_RUNNING:
        return sight.runs
    if step.evidence is Evidence.SERVICE_STOPPED:
        return None if sight.runs is None else not sight.runs
    if step.evidence is Evidence.LOG_NAMES_TARGET:
        return sight.is_named
    if step.evidence is Evidence.FILE_PRESENT:
        return step.evidence_file in sight.present
    if step.evidence is Evidence.NODELOCK_CHANGED:
        return _is_changed(step.subject, sight)
    if step.evidence is Evidence.NODELOCK_APPEARED:
        return _is_there(step.subject, sight)
    return None


def _is_changed(number: str, sight: Sight) -> bool | None:
    """Whether a nodelock is not what the bundle has: that a deactivation removes it is not documented."""
    if sight.files is None or sight.bundled is None:
        return None
    before = Snapshot.of_digests(number, sight.bundled)
    change = compare(before, Snapshot.of_digests(number, sight.files))
    # A bundle without the nodelock says nothing of what a deactivation has changed, and a half-written one nothing yet.
    if not before.has_nodelock or change.is_unclear:
        return None
    return change.shows_deactivation


def _is_there(number: str, sight: Sight) -> bool | None:
    """Whether a whole nodelock is there that is not a copy of the source's, and not what is left of an earlier move."""
    if sight.files is None:
        return None
    now = Snapshot.of_digests(number, sight.files)
    if now.is_half_written:
        return None
    former = [Snapshot.of_digests(number, files).lock for files in (sight.bundled or {}, sight.before)]
    return now.has_nodelock and now.lock not in former


def names_target(log: str, source: str, target: str) -> bool | None:
    """Whether the configuration that PRO's log has last names the target and not the source (docs/domain.md#pro).

    The form of the log is not public: what follows the last name of its first setting counts as that configuration.

    :param source, target: where clients and PRO reach them
    :returns: None where the log has no configuration, or one that names neither
    """
    _before, setting, saved = log.rpartition(_SETTING)
    if not setting:
        return None
    if _names(saved, source):
        return False
    return True if _names(saved, target) else None


def _names(text: str, host: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(host)}(?![\w-]|\.\w)", text, re.IGNORECASE) is not None
