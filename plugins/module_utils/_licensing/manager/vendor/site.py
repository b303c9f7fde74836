# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where commands of ``licman`` are run, once each: the intent first, then the command, then the evidence."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Callable

from ...errors import LicensingError, Problem, refuse
from ...model import now_utc, render_time
from .attempts import DEACTIVATE, Attempt, Attempts
from .evidence import Evidence, Snapshot, compare, take_snapshots
from .layout import Layout
from .licman import Licman, Outcome
from .named_commands import NamedCommand

# Seconds that a file has to come, to change or to become whole, after the command ended.
SETTLE = 30.0
PAUSE = 0.5
CUT_OFF = "was started by a run that was cut off."


@dataclass(frozen=True)
class Site:
    """A license server on this machine, and what runs its command.

    :ivar layout: lists the license server's files anew
    :ivar busy: returns the numbers of processes of ``licman`` that run
    :ivar processes: returns the processes of the license server in a form that changes with a restart; "" where none
        is seen
    :ivar settle: seconds that evidence has to come after the command ended
    """

    layout: Callable[[], Layout]
    licman: Licman
    attempts: Attempts
    busy: Callable[[], Sequence[int]]
    processes: Callable[[], str]
    settle: float = SETTLE
    now: Callable[[], str] = field(default=lambda: render_time(now_utc()))

    def snapshot(self, number: str) -> Snapshot:
        return take_snapshots(self.layout(), [number])[number]

    def released(self, snapshots: Mapping[str, Snapshot]) -> dict[str, str]:
        """Return the licenses that were deactivated here by a command, as of :func:`released`."""
        return released(self.attempts, snapshots)

    def busy_problems(self) -> list[Problem]:
        """Say whether a command runs already."""
        busy = self.busy()
        if not busy:
            return []
        what = f"licman runs already (process {', '.join(str(number) for number in busy)})."
        return [Problem(what, self.licman.where, "Wait for its end, then run this again.")]

    def command_problems(self, commands: Sequence[NamedCommand]) -> list[Problem]:
        """Say what keeps commands that an operator names from being run here; asks ``licman --help``.

        :raises LicensingError: there is no help
        """
        if not commands:
            return []
        text, home = self.licman.help(), self.layout().where
        return [problem for command in commands for problem in command.problems(text, self.licman.where, home)]

    def run_once(self, attempt: Attempt, run: Callable[[], Outcome]) -> tuple[Attempt, Outcome]:
        """Write the intent, run the command, write how it ended."""
        self.attempts.begin(attempt)
        try:
            outcome = run()
        except LicensingError:
            # It could not be started, so that nothing happened.
            self.attempts.undo(attempt)
            raise
        return self.attempts.tell(attempt, outcome), outcome

    def wait(self, attempt: Attempt, shows: Callable[[Evidence], bool]) -> Evidence:
        """Look until the files show the effect, and are as they were a moment before, or until the time is over."""
        until = time.monotonic() + self.settle
        last = self.snapshot(attempt.number)
        while True:
            evidence = compare(attempt.before, last)
            if time.monotonic() > until:
                return evidence
            time.sleep(min(PAUSE, self.settle))
            now = self.snapshot(attempt.number)
            if shows(evidence) and now == last:
                return evidence
            last = now


def released(attempts: Attempts, snapshots: Mapping[str, Snapshot]) -> dict[str, str]:
    """Return the licenses that were deactivated on this machine by a command, and when, UTC.

    A nodelock file may stay after a deactivation (docs/domain.md#reset-after-a-nodelock-error). It counts as given back
    for as long as it is what the deactivation has left; another one came with a later activation.
    """
    found: dict[str, str] = {}
    for attempt in attempts.closed(DEACTIVATE):
        now = snapshots.get(attempt.number)
        # A record that a person closed has no second look: the files were as before then.
        left = attempt.after or attempt.before
        found.pop(attempt.number, None)
        if now is not None and (now.lock, now.version) == (left.lock, left.version):
            found[attempt.number] = attempt.made
    for attempt in attempts.open().values():
        now = snapshots.get(attempt.number)
        if attempt.action == DEACTIVATE and now is not None and compare(attempt.before, now).shows_deactivation:
            found[attempt.number] = attempt.made
    return found


def with_done(error: LicensingError, done: Sequence[str], verb: str) -> LicensingError:
    """Add to an error what the call did before."""
    if not done:
        return error
    words = f" Before it, {', '.join(done)} was {verb} by this call, and stays so."
    first, *others = error.problems
    return LicensingError([Problem(first.what + words, first.where, first.todo), *others])


def unnamed(what: str, how: str, purpose: str, where: str) -> LicensingError:
    """Return the refusal of a person's step for which the operator names no command."""
    return refuse(
        f"With the vendor's license server this version {what}: that is a person's step.",
        where,
        f"Do it in the license manager ({how}), then look with aims_license_info. If 'licman --help' on the host names "
        f"an option for it, name the command instead (aims_license_server_vendor_commands, {purpose}).",
    )
