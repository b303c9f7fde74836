# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person confirms where a host shows no evidence. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, Problem, quoted
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Word
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.steps import Evidence, PersonsStep

CONFIRMED = "aims_license_migrate_confirmed"
# Who carried out a step that is the playbook's.
PLAYBOOK = "the playbook"
EVIDENCE = "evidence"


class State(Word):
    """Where a step is."""

    DONE = "done"
    DUE = "due"
    LATER = "later"


@dataclass(frozen=True)
class Confirmation:
    """What is remembered of a step that was done.

    :ivar at: when it was recorded, UTC
    :ivar by: the user of the controller, ``PLAYBOOK``, or ``EVIDENCE`` that was seen once
    """

    at: str
    by: str

    def as_dict(self) -> dict[str, str]:
        return {"at": self.at, "by": self.by}


def read_ids(value: object, where: str = CONFIRMED) -> tuple[str, ...]:
    """Return the ids that are confirmed, or refuse what is not a list of texts."""
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        todo = 'Write a list of ids as the runbook prints them, such as ["old/deactivate/015.120.064.022"].'
        raise LicensingError([Problem(f"{quoted(value)} is not a list of steps.", where, todo)])
    return tuple(dict.fromkeys(value))


_SHOWN_INSTEAD = {
    Evidence.NODELOCK_CHANGED: "the nodelock is as it was in the bundle.",
    Evidence.NODELOCK_APPEARED: "the host has no nodelock of this license of its own.",
    Evidence.PORT_ANSWERS: "port 3400 does not answer.",
    Evidence.SERVICE_RUNNING: "the service does not run.",
    Evidence.SERVICE_STOPPED: "the service runs.",
    Evidence.FILE_PRESENT: "the file is not there.",
    Evidence.LOG_NAMES_TARGET: "the configuration that PRO's log has last names the source.",
}


def contradiction(step: PersonsStep) -> Problem:
    """Say that a host shows that a confirmed step was not done.

    Deleting the files after a deactivation is documented (docs/domain.md#reset-after-a-nodelock-error).
    """
    todo = "Do the step, then run the same command again."
    if step.evidence is Evidence.NODELOCK_CHANGED:
        todo = (
            f"Look at the status of {step.subject} in the license configuration. If it shows Inactive Nodelock, delete "
            "the files of the license in Nodelocks; the bundle has them. Otherwise do the step. Then run the same "
            "command again."
        )
    return Problem(f"The confirmation of {step.id} is void: {_SHOWN_INSTEAD[step.evidence]}", step.host, todo)


def check_ids(ids: Sequence[str], states: Mapping[str, State], steps: Sequence[PersonsStep]) -> list[Problem]:
    """Return what is wrong with ids that are confirmed now.

    :param states: of each step, without these confirmations
    """
    known = {step.id: step for step in steps}
    first = next((step for step in steps if states[step.id] is State.DUE), None)
    problems = []
    for id in ids:
        step = known.get(id)
        if step is None:
            problems.append(_unknown(id, steps))
        elif states[id] is State.LATER and first is not None:
            todo = f"Confirm it when it is due. Due first: {first.title} ({first.id})."
            problems.append(Problem(f"{id} cannot be confirmed: the step is not due yet.", CONFIRMED, todo))
    return problems


def _unknown(id: str, steps: Sequence[PersonsStep]) -> Problem:
    near = difflib.get_close_matches(id[:300], [step.id for step in steps], 1, 0.5)
    step = next((step for step in steps if step.id in near), None)
    todo = f"Did you mean {step.id} ({step.title} on {step.host})?" if step else "Use an id that the runbook prints."
    return Problem(f"{quoted(id)} is not a step of this move.", CONFIRMED, todo)


def read_confirmations(data: Any) -> dict[str, Confirmation]:
    """Read the confirmations of a record; what is damaged confirms nothing."""
    rows = data if isinstance(data, Mapping) else {}
    return {
        id: Confirmation(row["at"], row["by"])
        for id, row in rows.items()
        if isinstance(id, str)
        and isinstance(row, Mapping)
        and isinstance(row.get("at"), str)
        and isinstance(row.get("by"), str)
    }
