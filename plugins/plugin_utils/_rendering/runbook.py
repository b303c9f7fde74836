# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook of a move for a terminal and as a page: pure functions of its values."""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import Problem, redact
from ansible_collections.aims.licensing.plugins.module_utils._licensing.remedies import REMEDIES
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.confirmations import CONFIRMED, State
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.evidence import Verdict
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.runbook import Entry, Runbook
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.steps import Evidence, Outage, PersonsStep
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.environment import ENVIRONMENT
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.format import (
    DASH,
    counted,
    in_words,
    time_in_words,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.tables import Cell, Table, code_cell
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.terminal import text_table

_WIDTH = 100
_INDENT = 6
_BADGES = {State.DONE: "good", State.DUE: "warn", State.LATER: "quiet"}
_HEADERS = ("License", "Spent", "Left", "Next returns")
_RECORD = (
    "Transfers as far as the inventory (transfers_spent) and this controller's record know. "
    "The vendor's own count may differ."
)


def runbook_text(runbook: Runbook) -> str:
    """Return a runbook for a terminal; the same arguments give the same text."""
    lines = [_title(runbook), "", *_wrapped(_progress(runbook)), *_wrapped(_outage(runbook))]
    for void in runbook.void:
        lines += ["", *_wrapped(f"! {in_words(void.what)} {in_words(void.todo)}")]
    lines += ["", *_wrapped(_RECORD), "", text_table(_HEADERS, _transfers(runbook))]
    for note in runbook.notes:
        lines += ["", *_wrapped(f"Note: {in_words(note)}")]
    for phase, entries in _phases(runbook):
        lines += ["", f"== {phase} =="]
        for at, entry in entries:
            lines += ["", *_step_lines(at, entry)]
    lines += ["", "== Known messages =="]
    for symptom in runbook.symptoms:
        lines += ["", *_wrapped(f"! {_symptom(symptom)}")]
    for message, todo in REMEDIES:
        lines += ["", f"'{message}'", *_wrapped(todo, "  ")]
    return "\n".join(lines) + "\n"


def next_step(runbook: Runbook, page: str) -> str:
    """Return what is to be done before the same command goes on; empty where everything is done.

    :param page: the path of the runbook's page
    """
    due = [entry.step for entry in runbook.entries if entry.state is State.DUE]
    if not due:
        return ""
    lines = [
        f"{counted(len(due), 'step')} of the phase '{due[0].phase}' {'is' if len(due) == 1 else 'are'} due. "
        "Carry out what follows, then run the same command again."
    ]
    for at, entry in enumerate(runbook.entries, 1):
        if entry.state is State.DUE:
            lines += ["", *_step_lines(at, entry)]
    words = [
        entry.step.id
        for entry in runbook.entries
        if entry.state is State.DUE and entry.verdict is Verdict.UNKNOWN and not entry.step.is_ours
    ]
    if words:
        confirmed = json.dumps({CONFIRMED: words}, ensure_ascii=False)
        lines += ["", f"Confirm what no evidence was seen of, once it is done: -e {in_words(shlex.quote(confirmed))}"]
    return "\n".join([*lines, "", f"The whole runbook: {in_words(page)}"])


def left_text(host: str, steps: Sequence[PersonsStep], problems: Sequence[Problem]) -> str:
    """Return what is left on a host before it is as declared; empty where nothing is."""
    lines = [f"- {in_words(problem.what)} {in_words(problem.todo)}" for problem in problems]
    if steps:
        word = "A step is" if len(steps) == 1 else f"{len(steps)} steps are"
        lines += [f"- {word} a person's. Carry out what follows, then run the same command again."]
    for at, step in enumerate(steps, 1):
        lines += ["", _heading(at, step), *_part_lines(_parts(step))]
    return "\n".join([f"{in_words(host)} is not as declared.", *lines]) if lines else ""


def _symptom(problem: Problem) -> str:
    return f"{in_words(problem.what)} {in_words(problem.todo)} ({in_words(problem.where)})"


def _wrapped(text: str, indent: str = "", first: str | None = None) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _title(runbook: Runbook) -> str:
    source, target = runbook.move.source, runbook.move.target
    way = "offline" if runbook.move.is_offline else "online"
    return (
        f"Runbook {in_words(redact(source.host))} -> {in_words(redact(target.host))} "
        f"({source.platform} to {target.platform}, {way}), {time_in_words(runbook.made)}"
    )


def _count(runbook: Runbook, state: State) -> int:
    return sum(entry.state is state for entry in runbook.entries)


def _progress(runbook: Runbook) -> str:
    total = counted(len(runbook.entries), "step")
    if runbook.is_done:
        return f"All {total} are done."
    ours = sum(entry.step.is_ours for entry in runbook.entries)
    return (
        f"{_count(runbook, State.DONE)} of {total} are done, {_count(runbook, State.DUE)} are due. "
        f"The playbook does {ours} of them, a person the others."
    )


def _outage(runbook: Runbook) -> str:
    outage = runbook.outage
    since = f" It began at {time_in_words(outage.since)}." if outage.since else ""
    return (
        f"Clients have no license server from step {outage.first} to step {outage.last}: "
        f"{counted(outage.steps, 'step')}, {outage.by_persons} of them by a person.{since} "
        "AIMMS 4.79.6 and later goes on for 24 hours without its license server."
    )


def _transfers(runbook: Runbook) -> list[tuple[object, ...]]:
    return [(budget.number, ", ".join(budget.spent) or DASH, budget.left, budget.returns) for budget in runbook.budgets]


def _phases(runbook: Runbook) -> Iterator[tuple[str, list[tuple[int, Entry]]]]:
    for phase, group in groupby(enumerate(runbook.entries, 1), lambda item: item[1].step.phase):
        yield phase.value.capitalize(), list(group)


def _heading(at: int, step: PersonsStep) -> str:
    return f"{at}. {in_words(step.host)}: {in_words(step.title)}"


def _step_lines(at: int, entry: Entry) -> Iterator[str]:
    box = "[x]" if entry.state is State.DONE else "[ ]"
    yield f"{box} {_heading(at, entry.step)} ({_by(entry.step)}, {_state(entry)})"
    yield from _part_lines([*_parts(entry.step), ("Checked", _check(entry.step), True)])


def _part_lines(parts: Iterable[tuple[str, str, bool]]) -> Iterator[str]:
    blank = " " * _INDENT
    for label, text, is_prose in parts:
        first = f"{blank}{label + ':':<10} "
        yield from _wrapped(text, blank + " " * 11, first) if is_prose else [first + text]


def _by(step: PersonsStep) -> str:
    return "playbook" if step.is_ours else "person"


def _state(entry: Entry) -> str:
    if entry.confirmation is not None:
        return f"done: confirmed by {in_words(entry.confirmation.by)} at {time_in_words(entry.confirmation.at)}"
    return entry.state.value


def _parts(step: PersonsStep) -> Iterator[tuple[str, str, bool]]:
    """The parts of a step with their labels, and whether they are prose that may be wrapped."""
    yield "Why", in_words(step.reason), True
    if step.path:
        yield "Where", " > ".join(in_words(menu) for menu in step.path), True
    for command in step.commands:
        yield "Run", in_words(command), False
    for value in step.values:
        yield "Value", f"{in_words(value.label)}: {in_words(value.text)}", True
    yield "Done when", in_words(step.shows), True
    if step.transfers:
        yield "Spends", counted(step.transfers, "transfer"), True
    if step.outage is not Outage.UNCHANGED:
        yield "Outage", f"{step.outage} here", True


def _check(step: PersonsStep) -> str:
    if step.evidence is Evidence.NONE:
        return f"by your word: confirm {in_words(step.id)}"
    return f"by evidence ({step.evidence}); where the host cannot be looked at, confirm {in_words(step.id)}"


def runbook_page(runbook: Runbook) -> str:
    """Return a runbook as one self-contained HTML page with boxes to tick; it has no script."""
    source, target = (in_words(redact(server.host)) for server in (runbook.move.source, runbook.move.target))
    rows = _transfers(runbook)
    return ENVIRONMENT.get_template("runbook.html.j2").render(
        title=f"Runbook: {source} to {target}",
        heading=f"{source} → {target}",
        kind="good" if runbook.is_done else "warn",
        summary=_title(runbook),
        progress=_progress(runbook),
        outage=_outage(runbook),
        notes=[in_words(note) for note in runbook.notes],
        void=[f"{in_words(void.what)} {in_words(void.todo)}" for void in runbook.void],
        tiles=[
            ("Done", f"{_count(runbook, State.DONE)} of {len(runbook.entries)}"),
            ("Due now", str(_count(runbook, State.DUE))),
            ("Transfers that it spends", str(sum(entry.step.transfers for entry in runbook.entries))),
        ],
        transfers=Table(
            "Transfers",
            _HEADERS,
            [[code_cell(str(row[0])), *(Cell(in_words(value)) for value in row[1:])] for row in rows],
            DASH,
        ),
        record=_RECORD,
        symptoms=[_symptom(symptom) for symptom in runbook.symptoms],
        phases=[(phase, [_page_step(at, entry) for at, entry in entries]) for phase, entries in _phases(runbook)],
        remedies=Table(
            "Known messages",
            ("Message", "What to do"),
            [[Cell(message), Cell(todo)] for message, todo in REMEDIES],
            DASH,
        ),
    )


def _page_step(at: int, entry: Entry) -> dict[str, Any]:
    return {
        "at": at,
        "id": in_words(entry.step.id),
        "heading": _heading(at, entry.step),
        "by": _by(entry.step),
        "state": _state(entry),
        "badge": _BADGES[entry.state],
        "is_done": entry.state is State.DONE,
        "parts": [*_parts(entry.step), ("Checked", _check(entry.step), True)],
    }
