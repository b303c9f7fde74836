# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seats that a home's licenses grant, read again whenever its files change."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Callable

from .. import documents
from ..documents import Realm
from ..errors import LicensingError, Problem
from ..fingerprint import compare
from ..home.config import Config
from ..home.journal import Intent, Journal, unsettled
from ..home.nodelock import Installed
from ..home.store import Home
from ..model import ACTIVATE, UPDATE, Profile, digits, is_counted_by_device, now_utc, render_time

_WATCHED = ("Config/server.json", "Licenses", "Nodelocks", "Journal")
# Nanoseconds. Two changes within one tick of the kernel's clock get the same time. So if a file was changed less than
# this before it was read, a further change could look the same.
_TICK = 20_000_000
# How often to read a home that changes during the reading.
_ATTEMPTS = 5
# Seconds before retrying an unreadable home that looks unchanged: errors pass and permissions get fixed without a
# change of times, sizes or inodes. If the failed reading took longer than this, the pause is as long as the reading.
_PAUSE = 0.2


@dataclass(frozen=True)
class Grant:
    """The seats that a license grants here.

    :ivar seats: how many may be in use at the same time
    :ivar problem: the reason why no seat is granted; None if seats are granted
    :ivar ends: whether the problem also ends the seats in use
    :ivar draining: whether no new seat is granted because a drain waits for those in use
    :ivar by_device: whether a user on a device takes one seat for any number of sessions
    """

    number: str
    seats: int
    problem: Problem | None
    ends: bool
    draining: bool = False
    by_device: bool = False


@dataclass(frozen=True)
class Snapshot:
    """The entitlements of a home at one moment.

    :ivar at: the time, UTC, that the licenses' dates were checked against
    :ivar until: the next end of an emergency activation or a drain, UTC; None if there is none
    :ivar maintenance: whether all new seats are refused, because of maintenance mode or a drain of the whole server
    :ivar draining: the numbers of the licenses of which new seats are refused because of a drain
    :ivar problems: the reasons why the home cannot be read; if there are any, no seat is granted
    :ivar profiles: profiles by name, in their declared order
    :ivar users: the registered users, case-folded; if empty, any user may take a seat
    """

    at: datetime
    problems: tuple[Problem, ...] = ()
    until: datetime | None = None
    maintenance: bool = False
    draining: frozenset[str] = frozenset()
    config: Config = field(default_factory=Config)
    installed: Mapping[str, Installed] = field(default_factory=dict)
    intents: Mapping[str, Intent] = field(default_factory=dict)
    licenses: Mapping[str, Grant] = field(default_factory=dict)
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    users: frozenset[str] = frozenset()

    def grant(self, number: str) -> Grant:
        """Return the grant of a license. A license that is not installed grants no seats."""
        return self.licenses.get(number) or Grant(number, 0, _absent(number), ends=True)


class Entitlements:
    """Reads the entitlements of a home, and reads them again when its files change.

    :param fingerprint: this machine's fingerprint
    :param clock: returns the time, UTC
    """

    def __init__(self, home: Home, fingerprint: Mapping[str, str], clock: Callable[[], datetime] = now_utc) -> None:
        self._home = home
        self._fingerprint = fingerprint
        self._clock = clock
        self._places = [str(home.folder.path / name) for name in _WATCHED]
        self._seen: tuple[Any, ...] = ()
        self._settled = False
        self._again = 0.0
        self._snapshot = Snapshot(datetime.min.replace(tzinfo=timezone.utc))

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """This machine's fingerprint."""
        return self._fingerprint

    def current(self) -> Snapshot:
        """Return the current snapshot. The home is read only if it may have changed or could not be read."""
        seen, known = self._stamps(), self._snapshot
        failed = bool(known.problems) and time.monotonic() >= self._again
        if not self._settled or seen != self._seen or failed or _is_past(known, self._clock()):
            self._read(seen)
        return self._snapshot

    def _stamps(self) -> tuple[Any, ...]:
        stamps: list[Any] = []
        for place in self._places:
            try:
                status = os.stat(place)  # noqa: PTH116 - on every request; Path.stat takes three times as long
                stamps.append((status.st_mtime_ns, status.st_ino, status.st_size))
            except OSError as error:
                stamps.append((0, error.errno, 0))
        return tuple(stamps)

    def _read(self, seen: tuple[Any, ...]) -> None:
        started = time.monotonic()
        for _attempt in range(_ATTEMPTS):
            begun = time.time_ns()
            snapshot = self._fresh()
            before, seen = seen, self._stamps()
            if seen == before:
                break
        # The snapshot may lack changes that happened during the last reading.
        still = seen == before
        self._settled = still and all(abs(begun - changed) > _TICK for changed, _inode, _size in seen)
        self._seen, self._snapshot = seen, snapshot
        stopped = time.monotonic()
        self._again = stopped + max(_PAUSE, stopped - started)

    def _fresh(self) -> Snapshot:
        now = self._clock()
        try:
            self._home.require()
            intents = Journal(self._home.folder).open()
            config = self._home.config()
            installed = self._home.installed(unsettled(intents))
            licenses = {
                number: self._grant(entry, config, intents.get(number), now) for number, entry in installed.items()
            }
        except LicensingError as error:
            # Settings of the server itself stay as they were.
            return Snapshot(now, error.problems, config=self._snapshot.config)
        ends = [entry.nodelock.until for entry in installed.values() if entry.nodelock and entry.nodelock.until]
        ends += [lease.until for lease in config.drains]
        return Snapshot(
            at=now,
            until=min((end for end in ends if end > now), default=None),
            maintenance=config.is_closed(now),
            draining=config.draining(now),
            config=config,
            installed=installed,
            intents=intents,
            licenses=licenses,
            profiles={profile.name: profile for profile in config.profiles},
            users=frozenset(user.casefold() for user in config.users),
        )

    def _grant(self, entry: Installed, config: Config, intent: Intent | None, now: datetime) -> Grant:
        number = entry.license.number
        problem = self._problem(entry, config, intent, now)
        # A pending activation does not end the seats of a license that was already active.
        pending = intent is not None and intent.action == ACTIVATE and number not in config.fenced
        return Grant(
            number,
            entry.license.seats,
            problem,
            ends=problem is not None and not pending,
            draining=number in config.draining(now),
            by_device=is_counted_by_device(entry.license.type),
        )

    def _problem(self, entry: Installed, config: Config, intent: Intent | None, now: datetime) -> Problem | None:
        """Return the reason why a license is not served; None if it is served."""
        number, lock = entry.license.number, entry.nodelock
        where = f"license {number}"
        if number in config.fenced:
            todo = "Use the license server that it moves to."
            return Problem(f"License {number} is being given back here.", where, todo)
        # A pending update does not affect the service.
        if intent is not None and intent.action != UPDATE:
            return Problem(
                f"License {number} has a pending request.", where, "Load the response to this request first."
            )
        if lock is None or not compare(lock.fingerprint, self._fingerprint).is_same_machine:
            todo = "Activate it here (aims_license_activate)."
            return Problem(f"License {number} is not active on this machine.", where, todo)
        if config.realm is None or not self._is_genuine(entry, config.realm):
            todo = "Restore the home from the newest bundle."
            return Problem(f"License {number} is not signed by the authority of this license server.", where, todo)
        if lock.is_over(now):
            what = f"The emergency activation of license {number} ended at {render_time(lock.until or datetime.min)}."
            return Problem(what, where, "Have the authority's owner release the license, then activate it here.")
        dated = entry.license.problem_on(now.date())
        todo = "Ask the authority's owner for a license that is valid now."
        return Problem(f"License {number} is not valid today: it {dated}.", where, todo) if dated else None

    def _is_genuine(self, installed: Installed, realm: Realm) -> bool:
        """Whether the realm signed both the license file and its activation's response."""
        number, lock = installed.license.number, installed.nodelock
        name = f"Licenses/{digits(number)}.lic"
        where = self._home.folder.place(name)
        license = documents.read(self._home.folder.read(name), documents.LICENSE, where)
        if lock is None or not license.is_signed("realm", realm.key):
            return False
        body = lock.document.body
        activated = (body.get("action"), body.get("outcome"), body.get("number")) == (ACTIVATE, "granted", number)
        return activated and lock.document.is_signed("realm", realm.key)


def _is_past(snapshot: Snapshot, now: datetime) -> bool:
    """Whether dates need a new check: a new day, an emergency activation or drain that ended, a clock set back."""
    ended = snapshot.until is not None and now >= snapshot.until
    return ended or now < snapshot.at or now.date() != snapshot.at.date()


def _absent(number: str) -> Problem:
    return Problem(
        f"License {number} is not installed here.",
        f"license {number}",
        "Install it, or assign an installed license to the profile (aims_license_profile).",
    )
