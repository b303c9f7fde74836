# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the commands that an operator names for what no documented file shows: maintenance mode, profiles, users.

Where no file can show an effect, a command that ends with exit code 0 counts as done, and the result says where a
person can look. Any other end is a doubt, which no later run resolves by running the command again. Leaving
maintenance mode restarts the server (docs/domain.md#maintenance-mode), so that the restart is its evidence.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

from ...errors import LicensingError, Problem
from ...remedies import explain
from .attempts import (
    MAINTENANCE_OFF,
    MAINTENANCE_ON,
    REGISTER_USER,
    RENAME_PROFILE,
    WHOLE_SERVER,
    Attempt,
    Key,
)
from .evidence import Snapshot
from .licman import End, Outcome
from .named_commands import NUMBER, OLD_PROFILE, PROFILE, USER, NamedCommand
from .site import CUT_OFF, PAUSE, Site

_MAINTENANCE = (MAINTENANCE_ON, MAINTENANCE_OFF)
LOOK = "no documented file shows this, so look in the license manager"


@dataclass(frozen=True)
class Job:
    """One command for what no file shows.

    :ivar number: the license's, or ``server``
    :ivar subject: what else it concerns, as of :class:`Attempt`
    """

    command: NamedCommand
    action: str
    number: str
    subject: str
    arguments: tuple[str, ...]

    @property
    def key(self) -> Key:
        return (self.number, self.action, self.subject)


def maintenance_job(command: NamedCommand, is_on: bool) -> Job:
    action = MAINTENANCE_ON if is_on else MAINTENANCE_OFF
    return Job(command, action, WHOLE_SERVER, "", tuple(command.filled({})))


def rename_job(command: NamedCommand, number: str, old: str, new: str) -> Job:
    arguments = tuple(command.filled({NUMBER: number, OLD_PROFILE: old, PROFILE: new}))
    # No profile has a slash in its name.
    return Job(command, RENAME_PROFILE, number, f"{old}/{new}", arguments)


def user_job(command: NamedCommand, number: str | None, user: str) -> Job:
    arguments = tuple(command.filled({USER: user, **({NUMBER: number} if number else {})}))
    return Job(command, REGISTER_USER, number or WHOLE_SERVER, user, arguments)


def is_in_maintenance(site: Site) -> bool | None:
    """Say whether the server is in maintenance mode, as far as our own commands show; None where they do not.

    A server that was restarted since has left it, or somebody has looked after it: then nobody knows.
    """
    last = next(reversed(site.attempts.closed(*_MAINTENANCE)), None)
    if last is None:
        return None
    if last.action == MAINTENANCE_OFF:
        return False
    return True if last.processes == site.processes() else None


def foresee(site: Site, jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs that are to be done; refuse with everything that would stop them."""
    attempts = site.attempts.open()
    todo = [job for job in jobs if job.key in attempts or not _is_done(site, job)]
    # Whether a job is done shows the record of the last command, and in doubt nobody knows which one that is.
    problems = [
        unseen_doubt(site, attempt)
        for attempt in attempts.values()
        if any(_concerns(attempt, job) for job in jobs) and not is_shown(site, attempt)
    ]
    fresh = [job for job in todo if job.key not in attempts]
    if fresh:
        problems += site.busy_problems()
        problems += site.command_problems([*{job.command.purpose: job.command for job in fresh}.values()])
    if problems:
        raise LicensingError(problems)
    return todo


def run(site: Site, jobs: Sequence[Job]) -> list[Job]:
    """Do what is to be done, once each; return the jobs that were done.

    :raises LicensingError: before anything is done, with everything that stands in the way; or after a command that
        does not say that it succeeded
    """
    site.attempts.prepare()
    with site.attempts.folder.locked():
        shown = [attempt for attempt in site.attempts.open().values() if is_shown(site, attempt)]
        for attempt in shown:
            _close(site, attempt)
        todo = foresee(site, jobs)
        for job in todo:
            _do(site, job)
    return [job for job in jobs if job in todo or job.key in {attempt.key for attempt in shown}]


def _do(site: Site, job: Job) -> None:
    attempt = Attempt(
        job.number,
        job.action,
        site.now(),
        Snapshot(job.number),
        subject=job.subject,
        processes=site.processes() if job.action in _MAINTENANCE else "",
    )
    attempt, outcome = site.run_once(attempt, lambda: site.licman.run(job.arguments))
    if not _succeeded(site, attempt, outcome):
        raise LicensingError([unseen_doubt(site, attempt)])
    _close(site, attempt)


def _close(site: Site, attempt: Attempt) -> None:
    site.attempts.close(attempt.seen(None, _settled(site) if attempt.action in _MAINTENANCE else ""))


def _succeeded(site: Site, attempt: Attempt, outcome: Outcome) -> bool:
    is_reported = (outcome.end, outcome.code) == (End.EXITED, 0)
    if attempt.action != MAINTENANCE_OFF or not attempt.processes:
        return is_reported
    return _within(site, lambda: is_shown(site, attempt))


def is_shown(site: Site, attempt: Attempt) -> bool:
    """Whether the host itself shows the effect: a server that runs, and is another process than before."""
    now = site.processes()
    return attempt.action == MAINTENANCE_OFF and bool(attempt.processes and now) and now != attempt.processes


def _within(site: Site, shows: Callable[[], bool]) -> bool:
    until = time.monotonic() + site.settle
    while not shows():
        if time.monotonic() > until:
            return False
        time.sleep(min(PAUSE, site.settle))
    return True


def _settled(site: Site) -> str:
    """Return the server's processes once two looks show the same, or the time is over."""
    last = [site.processes()]

    def is_same() -> bool:
        last.append(site.processes())
        return last[-1] == last[-2]

    _within(site, is_same)
    return last[-1]


def _is_done(site: Site, job: Job) -> bool:
    """Whether the last command that concerned this is this one."""
    if job.action in _MAINTENANCE:
        return is_in_maintenance(site) is (job.action == MAINTENANCE_ON)
    concerned = [attempt for attempt in site.attempts.closed(job.action) if _concerns(attempt, job)]
    return bool(concerned) and concerned[-1].key == job.key


def _concerns(attempt: Attempt, job: Job) -> bool:
    """Whether an attempt was for the same mode, user or profile."""
    if job.action in _MAINTENANCE:
        return attempt.action in _MAINTENANCE
    is_same_kind = (attempt.number, attempt.action) == (job.number, job.action)
    return is_same_kind and bool({*attempt.subject.split("/")} & {*job.subject.split("/")})


def unseen_doubt(site: Site, attempt: Attempt) -> Problem:
    """Say that nobody knows whether a command did its work, and how to find out."""
    how, place = attempt.outcome or CUT_OFF, site.attempts.place(attempt)
    old, _slash, new = attempt.subject.partition("/")
    work = {
        MAINTENANCE_ON: "maintenance mode was entered",
        MAINTENANCE_OFF: "maintenance mode was left",
        RENAME_PROFILE: f"profile {old} was renamed to {new}",
        REGISTER_USER: f"user {old} was registered",
    }[attempt.action]
    return Problem(
        f"Whether {work} is not known. licman {how}",
        place,
        f"{explain(how)}Look in the license manager. If it was done, put the record among the closed ones "
        f"(mv {shlex.quote(place)} {shlex.quote(site.attempts.closed_place(attempt))}). If it was not, remove the "
        f"record (rm -f {shlex.quote(place)}). Then run this again.",
    )
