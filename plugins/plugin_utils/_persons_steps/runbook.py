# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook of a move: every step with where it is, the budget, and the time without licenses. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, Problem, redact
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.evidence import Snapshot
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits, render_time
from ansible_collections.aims.licensing.plugins.module_utils._licensing.remedies import REMEDIES
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.confirmations import (
    EVIDENCE,
    PLAYBOOK,
    Confirmation,
    State,
    check_ids,
    contradiction,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.evidence import Sight, Verdict, judge
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.move import Move
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.record import Budget, Record, budget_of
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.sequence import steps_of
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.steps import (
    Evidence,
    Kind,
    Outage,
    PersonsStep,
    Phase,
)

# Steps that leave no evidence, and those that cannot be done before them: the later one's evidence counts for both.
_SHOWN_BY = {
    Kind.MAINTENANCE: (Kind.DEACTIVATE, Kind.LOAD),
    Kind.DEACTIVATE: (Kind.LOAD,),
    Kind.EXCHANGE: (Kind.LOAD,),
    Kind.ACTIVATE: (Kind.LOAD,),
}


# What a person has to do first in the same phase.
_NEEDS = {Kind.BACKUP: (Kind.COPY,)}
# What the playbook does only once everything else is done, whoever does that.
_LAST = (Kind.KEEP,)
# After these, the licenses are on the target.
MOVES = (Phase.PREPARE, Phase.BACKUP, Phase.GIVE_UP, Phase.ACTIVATE)


@dataclass(frozen=True)
class Entry:
    """A step of a runbook, and where it is.

    :ivar confirmation: the person's word that counts; None where evidence does, or nothing
    """

    step: PersonsStep
    state: State
    verdict: Verdict
    confirmation: Confirmation | None = None

    def as_dict(self) -> dict[str, Any]:
        step = self.step
        return {
            "id": step.id,
            "phase": step.phase.value,
            "host": step.host,
            "title": step.title,
            "reason": step.reason,
            "path": list(step.path),
            "commands": list(step.commands),
            "values": [
                {"label": value.label, "text": value.text, "variable": value.variable or None} for value in step.values
            ],
            "shows": step.shows,
            "evidence": step.evidence.value,
            "transfers": step.transfers,
            "outage": step.outage.value,
            "ours": step.is_ours,
            "state": self.state.value,
            "verdict": self.verdict.value,
            "confirmed": self.confirmation.as_dict() if self.confirmation else None,
        }


@dataclass(frozen=True)
class OutageSpan:
    """The time without a license server.

    :ivar first, last: numbers of steps, from 1
    :ivar by_persons: how many of these steps a person does
    :ivar since: when it began, UTC, while it lasts and somebody has confirmed its first step
    """

    first: int
    last: int
    by_persons: int
    since: str | None

    @property
    def steps(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True)
class Runbook:
    """A move as it is now.

    :ivar record: what is to be remembered
    :ivar other: the record of the way back
    :ivar void: confirmations that a host contradicts
    :ivar symptoms: known messages in logs
    """

    move: Move
    entries: tuple[Entry, ...]
    budgets: tuple[Budget, ...]
    record: Record
    void: tuple[Problem, ...]
    made: str
    other: Record
    symptoms: tuple[Problem, ...] = ()

    @property
    def due(self) -> list[str]:
        """The ids of the steps that are due, in order."""
        return [entry.step.id for entry in self.entries if entry.state is State.DUE]

    @property
    def acts(self) -> list[PersonsStep]:
        """The due steps that the playbook can carry out, on the hosts of the pair: it does not come to clients.

        The licenses are given up in the order of the steps: PRO stops before maintenance mode begins.
        """
        hosts = (self.move.source.host, self.move.target.host)
        due = [entry.step for entry in self.entries if entry.state is State.DUE]
        by_persons = {(step.host, step.kind) for step in due if not step.is_ours}
        if due and due[0].phase is Phase.GIVE_UP:
            due = list(takewhile(lambda step: step.is_ours, due))
        return [
            step
            for step in due
            if step.is_ours
            and step.host in hosts
            and (step.kind not in _LAST or len(due) == 1)
            and not any((step.host, kind) in by_persons for kind in _NEEDS.get(step.kind, ()))
        ]

    @property
    def notes(self) -> list[str]:
        """What is to be known before licenses move: which of them cannot be moved back at once."""
        return [
            f"License {budget.number} cannot be moved back before {budget.back}, as far as the record knows: this move "
            "leaves it no transfer. If you may need the way back before, ask the vendor first."
            for budget in self.budgets
            if budget.back is not None and not budget.is_moved
        ]

    @property
    def is_moved(self) -> bool:
        """Whether the target has everything, so that what is left is to be checked and told to clients."""
        return all(entry.state is State.DONE for entry in self.entries if entry.step.phase in MOVES)

    @property
    def is_done(self) -> bool:
        return all(entry.state is State.DONE for entry in self.entries)

    def as_dict(self) -> dict[str, Any]:
        source, target, outage = self.move.source, self.move.target, self.outage
        return {
            "pair": {"source": redact(source.host), "target": redact(target.host)},
            "platforms": {"source": source.platform.value, "target": target.platform.value},
            "offline": self.move.is_offline,
            "made": self.made,
            "steps": [entry.as_dict() for entry in self.entries],
            "due": self.due,
            "done": self.is_done,
            "transfers": [budget.as_dict() for budget in self.budgets],
            "notes": self.notes,
            "outage": {
                "begins": self.entries[outage.first - 1].step.id,
                "ends": self.entries[outage.last - 1].step.id,
                "steps": outage.steps,
                "by_persons": outage.by_persons,
                "since": outage.since,
            },
            "void": [problem.as_dict() for problem in self.void],
            "symptoms": [problem.as_dict() for problem in self.symptoms],
            "remedies": [{"message": message, "todo": todo} for message, todo in REMEDIES],
        }

    @property
    def outage(self) -> OutageSpan:
        """From which step to which clients have no license server (docs/domain.md#clients)."""
        marks = {entry.step.outage: at for at, entry in enumerate(self.entries)}
        first, last = marks[Outage.BEGINS], marks[Outage.ENDS]
        confirmation = self.entries[first].confirmation
        is_over = self.entries[last].state is State.DONE
        return OutageSpan(
            first + 1,
            last + 1,
            sum(not entry.step.is_ours for entry in self.entries[first : last + 1]),
            confirmation.at if confirmation and confirmation.by != EVIDENCE and not is_over else None,
        )


def make_runbook(
    move: Move,
    sights: Mapping[str, Sight],
    record: Record,
    confirmed: Sequence[str],
    now: datetime,
    by: str,
    *,
    carried_out: Sequence[str] = (),
    other: Record | None = None,
    may_exceed: bool = False,
    is_fresh: bool = True,
) -> Runbook:
    """Return the runbook of a move as it is now.

    :param sights: what was seen of each host, by its name; a host without one was not looked at
    :param confirmed: the ids that are confirmed in this call
    :param by: who confirms
    :param other: the record of the way back, whose transfers count too
    :param carried_out: the ids of steps that the playbook has carried out since it last looked
    :param is_fresh: whether the source's bundle is one of this move, so that what nodelocks show is remembered
    :raises LicensingError: an id that cannot be confirmed, or a license without a transfer left
    """
    steps = steps_of(move)
    other = other or Record(move.target.host, move.source.host)
    sights = _with_former(move, sights, record)
    before = _entries(steps, sights, record.confirmed)
    problems = check_ids(confirmed, {entry.step.id: entry.state for entry in before}, steps)
    if problems:
        raise LicensingError(problems)
    due = {entry.step.id for entry in before if entry.state is State.DUE}
    words = {
        **{id: Confirmation(render_time(now), by) for id in confirmed if id in due},
        **{id: Confirmation(render_time(now), PLAYBOOK) for id in carried_out},
        **record.confirmed,
    }
    void = [step for step in steps if step.id in words and _judge(step, sights, True) is Verdict.CONTRADICTED]
    # Evidence that is seen no more is no error of a person's.
    told = [step for step in void if words[step.id].by != EVIDENCE]
    words = {id: word for id, word in words.items() if id not in {step.id for step in void}}
    entries = _entries(steps, sights, words)
    remembered = {**_shown(entries, now, is_fresh), **words}
    record = replace(record, confirmed=remembered, moved=_moved(entries, record, now))
    has_begun = any(entry.state is State.DONE for entry in entries if entry.step.phase is Phase.GIVE_UP)
    if has_begun:
        # What was confirmed on the way there says nothing of the next time.
        other = other.ended()
    else:
        record = replace(record, before=_left_over(move, sights))
    budgets = _budgets(move, entries, (record, other), now)
    if not may_exceed:
        _refuse_overdrawn(budgets)
    return Runbook(
        move,
        entries,
        budgets,
        record,
        tuple(contradiction(step) for step in told),
        render_time(now),
        other,
    )


def _shown(entries: Sequence[Entry], now: datetime, is_fresh: bool) -> dict[str, Confirmation]:
    """Return what evidence shows, for when nobody can look any more. Files of the controller are always there to see.

    What a host shows of a phase that has not come may be left from an earlier move.
    """
    phases = list(Phase)
    current = next((entry.step.phase for entry in entries if entry.state is State.DUE), phases[-1])
    forgotten = {Evidence.FILE_PRESENT, *(() if is_fresh else (Evidence.NODELOCK_CHANGED, Evidence.NODELOCK_APPEARED))}
    return {
        entry.step.id: Confirmation(render_time(now), EVIDENCE)
        for entry in entries
        if phases.index(entry.step.phase) <= phases.index(current)
        and entry.verdict is Verdict.DONE
        and entry.step.evidence not in forgotten
    }


def _left_over(move: Move, sights: Mapping[str, Sight]) -> dict[str, str] | None:
    """Return the target's nodelocks of licenses that the source still has: they are of an earlier move."""
    source, target = (sights.get(server.host, Sight()).files for server in (move.source, move.target))
    if source is None or target is None:
        return None
    held = [n for n in (license.number for license in move.licenses) if Snapshot.of_digests(n, source).has_nodelock]
    return {name: digest for name, digest in target.items() if any(digits(number) in name for number in held)}


def _with_former(move: Move, sights: Mapping[str, Sight], record: Record) -> Mapping[str, Sight]:
    """Return the sights with what the target had before this move."""
    target = sights.get(move.target.host)
    if target is None:
        return sights
    return {**sights, move.target.host: replace(target, before=record.before or {})}


def _judge(step: PersonsStep, sights: Mapping[str, Sight], is_confirmed: bool = False) -> Verdict:
    return judge(step, sights.get(step.host, Sight()), is_confirmed=is_confirmed)


def _entries(
    steps: Sequence[PersonsStep], sights: Mapping[str, Sight], words: Mapping[str, Confirmation]
) -> tuple[Entry, ...]:
    verdicts = {step.id: _judge(step, sights) for step in steps}
    for step in steps:
        if verdicts[step.id] is Verdict.UNKNOWN and _is_shown_later(step, steps, verdicts):
            verdicts[step.id] = Verdict.DONE
    is_done = {
        id: verdict is Verdict.DONE or (verdict is Verdict.UNKNOWN and id in words) for id, verdict in verdicts.items()
    }
    phase = next((step.phase for step in steps if not is_done[step.id]), None)
    return tuple(
        Entry(
            step,
            State.DONE if is_done[step.id] else State.DUE if step.phase is phase else State.LATER,
            verdicts[step.id],
            words.get(step.id) if verdicts[step.id] is Verdict.UNKNOWN else None,
        )
        for step in steps
    )


def _is_shown_later(step: PersonsStep, steps: Sequence[PersonsStep], verdicts: Mapping[str, Verdict]) -> bool:
    return any(
        verdicts[other.id] is Verdict.DONE
        for other in steps
        if other.kind in _SHOWN_BY.get(step.kind, ())
        and other.host == step.host
        and other.phase is step.phase
        and step.subject in ("", other.subject)
    )


def _moved(entries: Sequence[Entry], record: Record, now: datetime) -> dict[str, str]:
    """When each license was first known to be on the target."""
    arrived = {entry.step.subject for entry in entries if entry.step.transfers and entry.state is State.DONE}
    return {**{number: render_time(now) for number in sorted(arrived)}, **record.moved}


def _budgets(
    move: Move,
    entries: Sequence[Entry],
    records: Sequence[Record],
    now: datetime,
) -> tuple[Budget, ...]:
    arrived = {entry.step.subject for entry in entries if entry.step.transfers and entry.state is State.DONE}
    return tuple(
        budget_of(
            license.number,
            license.nodelock,
            license.transfers_spent,
            [day for record in records for day in record.days(license.number)],
            is_moved=license.number in arrived,
            now=now,
        )
        for license in move.licenses
    )


def _refuse_overdrawn(budgets: Sequence[Budget]) -> None:
    problems = [
        Problem(
            f"License {budget.number} has no transfer left: the record has {', '.join(budget.spent)}.",
            "transfers_spent and the record of the pair",
            f"Wait until {budget.returns}, or ask the vendor: this is the collection's record, and not the authority's "
            "word. To go on nevertheless, set aims_license_migrate_exceed_transfers: true.",
        )
        for budget in budgets
        if budget.left == 0 and not budget.is_moved
    ]
    if problems:
        raise LicensingError(problems)
