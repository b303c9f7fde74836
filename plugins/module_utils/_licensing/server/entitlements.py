# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a home lets be granted, read anew whenever its files change."""

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
from ..model import ACTIVATE, UPDATE, Profile, digits, now_utc, render_time

_WATCHED = ("Config/server.json", "Licenses", "Nodelocks", "Journal")
# Changes within one tick of the kernel's clock get the same time: what was changed less than this before it was
# read, in nanoseconds, may have been changed once more without looking different.
_TICK = 20_000_000
# A home that is being changed is read again until it stood still meanwhile.
_ATTEMPTS = 5
# Seconds until a home that could not be read is read again although it looks the same: the error may pass, and rights
# are set right, without a trace in times, sizes and inodes. A disk that takes long to fail is left alone for as long.
_PAUSE = 0.2


@dataclass(frozen=True)
class Grant:
    """What one license grants here.

    :ivar seats: how many may be in use at once
    :ivar problem: why none is granted; None where they are
    :ivar ends: whether the seats that are held end too
    """

    number: str
    seats: int
    problem: Problem | None
    ends: bool


@dataclass(frozen=True)
class Snapshot:
    """A home as it was read at one moment.

    :ivar at: the time, UTC, for which the licenses' dates were looked at
    :ivar until: when the next emergency activation or a drain ends; None where there is none
    :ivar maintenance: whether no new seats are granted for the time being
    :ivar problems: why the home cannot be read, so that nothing is granted at all
    :ivar profiles: by name, in their order
    :ivar users: the registered users, case folded; where there are none, any user may have a seat
    """

    at: datetime
    problems: tuple[Problem, ...] = ()
    until: datetime | None = None
    maintenance: bool = False
    config: Config = field(default_factory=Config)
    installed: Mapping[str, Installed] = field(default_factory=dict)
    intents: Mapping[str, Intent] = field(default_factory=dict)
    licenses: Mapping[str, Grant] = field(default_factory=dict)
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    users: frozenset[str] = frozenset()

    def grant(self, number: str) -> Grant:
        """Return what a license grants, also one that is not installed."""
        return self.licenses.get(number) or Grant(number, 0, _absent(number), ends=True)


class Entitlements:
    """Reads a home, and again when its files look changed.

    :param fingerprint: of this machine
    :param clock: gives the time, UTC
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
        """Of this machine, as licenses are compared with it."""
        return self._fingerprint

    def look(self) -> Snapshot:
        """Return the home as it is now; it is read only where it may have changed, or could not be read."""
        seen, known = self._look(), self._snapshot
        failed = bool(known.problems) and time.monotonic() >= self._again
        if not self._settled or seen != self._seen or failed or _is_past(known, self._clock()):
            self._read(seen)
        return self._snapshot

    def _look(self) -> tuple[Any, ...]:
        looks: list[Any] = []
        for place in self._places:
            try:
                found = os.stat(place)  # noqa: PTH116 - on every request; Path.stat takes three times as long
                looks.append((found.st_mtime_ns, found.st_ino, found.st_size))
            except OSError as error:
                looks.append((0, error.errno, 0))
        return tuple(looks)

    def _read(self, seen: tuple[Any, ...]) -> None:
        started = time.monotonic()
        for _attempt in range(_ATTEMPTS):
            begun = time.time_ns()
            snapshot = self._fresh()
            before, seen = seen, self._look()
            if seen == before:
                break
        # What has changed while it was read for the last time is not in the snapshot.
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
                number: self._grant(found, config, intents.get(number), now) for number, found in installed.items()
            }
        except LicensingError as error:
            return Snapshot(now, error.problems)
        ends = [found.nodelock.until for found in installed.values() if found.nodelock and found.nodelock.until]
        if config.drain is not None:
            ends.append(config.drain.until)
        return Snapshot(
            at=now,
            until=min((end for end in ends if end > now), default=None),
            maintenance=config.is_closed(now),
            config=config,
            installed=installed,
            intents=intents,
            licenses=licenses,
            profiles={profile.name: profile for profile in config.profiles},
            users=frozenset(user.casefold() for user in config.users),
        )

    def _grant(self, found: Installed, config: Config, intent: Intent | None, now: datetime) -> Grant:
        number = found.license.number
        problem = self._problem(found, config, intent, now)
        # A request to activate takes nothing away from a license that was active before.
        pending = intent is not None and intent.action == ACTIVATE and number not in config.fenced
        return Grant(number, found.license.seats, problem, ends=problem is not None and not pending)

    def _problem(self, found: Installed, config: Config, intent: Intent | None, now: datetime) -> Problem | None:
        """Say why a license is not served, or None where it is."""
        number, lock = found.license.number, found.nodelock
        where = f"license {number}"
        if number in config.fenced:
            todo = "Use the license server that it moves to."
            return Problem(f"License {number} is being given up here.", where, todo)
        # A license whose update is pending is the one that it was.
        if intent is not None and intent.action != UPDATE:
            return Problem(f"License {number} has a pending request.", where, "Load the response to the request first.")
        if lock is None or not compare(lock.fingerprint, self._fingerprint).is_same_machine:
            todo = "Activate it here (aims_license_activate)."
            return Problem(f"License {number} is not active on this machine.", where, todo)
        if config.realm is None or not self._is_genuine(found, config.realm):
            todo = "Restore the home from the newest bundle."
            return Problem(f"License {number} is not signed by the authority of this license server.", where, todo)
        if lock.is_over(now):
            what = f"The emergency activation of license {number} ended at {render_time(lock.until or datetime.min)}."
            return Problem(what, where, "Have the authority's owner release the license, then activate it here.")
        dated = found.license.problem_on(now.date())
        todo = "Ask the authority's owner for a license that is valid now."
        return Problem(f"License {number} is not valid today: it {dated}.", where, todo) if dated else None

    def _is_genuine(self, found: Installed, realm: Realm) -> bool:
        """Whether the realm signed both the license file and the response that activated it here."""
        number, lock = found.license.number, found.nodelock
        name = f"Licenses/{digits(number)}.lic"
        where = self._home.folder.place(name)
        license = documents.read(self._home.folder.read(name), documents.LICENSE, where)
        if lock is None or not license.is_signed("realm", realm.key):
            return False
        body = lock.document.body
        activated = (body.get("action"), body.get("outcome"), body.get("number")) == (ACTIVATE, "granted", number)
        return activated and lock.document.is_signed("realm", realm.key)


def _is_past(snapshot: Snapshot, now: datetime) -> bool:
    """Whether dates have to be looked at again: on another day, after an end, or as the clock was set back."""
    ended = snapshot.until is not None and now >= snapshot.until
    return ended or now < snapshot.at or now.date() != snapshot.at.date()


def _absent(number: str) -> Problem:
    return Problem(
        f"License {number} is not installed here.",
        f"license {number}",
        "Install it, or point the profile at a license that is (aims_license_profile).",
    )
