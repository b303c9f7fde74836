# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The home of a bundled license server as it was read at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ..declared import DeclaredLicense
from ..fingerprint import compare, read_fingerprint
from ..model import UPDATE
from .config import Config
from .journal import Intent, Journal, unsettled
from .nodelock import Installed
from .store import FOREIGN, OURS, Home


def is_here(installed: Installed, fingerprint: Mapping[str, str]) -> bool:
    """Whether a license has a nodelock, and that nodelock is this machine's."""
    return installed.nodelock is not None and compare(installed.nodelock.fingerprint, fingerprint).is_same_machine


@dataclass(frozen=True)
class State:
    """The home as it was read at one moment."""

    config: Config
    installed: Mapping[str, Installed]
    intents: Mapping[str, Intent]
    fingerprint: Mapping[str, str]
    now: datetime

    def is_active(self, number: str) -> bool:
        found = self.installed.get(number)
        lock = found.nodelock if found else None
        over = lock is None or lock.is_over(self.now)
        return number not in self.intents and found is not None and not over and is_here(found, self.fingerprint)

    def holds(self, number: str) -> bool:
        """Whether a license is active here, whether or not an update of it is pending."""
        return self.giving_up([number]).is_active(number)

    def is_served(self, number: str) -> bool:
        """Whether a license is active here and not fenced."""
        return self.holds(number) and number not in self.config.fenced

    def giving_up(self, numbers: Sequence[str]) -> State:
        """Return the home without the updates that are pending for these licenses.

        Who gives a license up needs no newer file of it, and an update does not decide who holds it.
        """
        intents = {n: one for n, one in self.intents.items() if n not in numbers or one.action != UPDATE}
        return replace(self, intents=intents)

    def concerned(self, numbers: Sequence[str]) -> list[str]:
        """Return which of these licenses are active here, or have an exchange that is pending."""
        return [number for number in numbers if self.is_active(number) or number in self.intents]

    def superseded(self, numbers: Sequence[str]) -> list[str]:
        """Return which of these licenses have a pending update that their activation makes needless.

        It brings the newest file; and fenced or for a few days, a license is still to be activated.
        """
        waiting = [n for n in numbers if n in self.intents and self.intents[n].action == UPDATE]
        locks = {n: self.installed[n].nodelock for n in waiting if n in self.installed}
        bridged = [n for n, lock in locks.items() if lock is not None and lock.until is not None]
        return [n for n in waiting if n in self.config.fenced or n in bridged]

    def is_bridged(self, number: str) -> bool:
        """Whether a license is active by an emergency activation that has not ended."""
        found = self.installed.get(number)
        ends = found is not None and found.nodelock is not None and found.nodelock.until is not None
        return ends and self.is_active(number) and number not in self.config.fenced

    def satisfies(self, declared: DeclaredLicense) -> bool:
        """Whether a license is active as declared, so that the authority need not be asked.

        It is asked for a personal nodelock that is to become a machine one, and for a fenced license: only the
        authority knows whether that was given back (invariant I1). So it is for an emergency activation, which is to
        become a real one as soon as it can. Without its code a license is never asked for: served is all it can be.
        """
        found = self.installed.get(declared.number)
        lock = found.nodelock if found else None
        served = self.is_active(declared.number) and declared.number not in self.config.fenced
        if declared.activation_code is None:
            return served
        return served and lock is not None and lock.type == declared.nodelock and lock.until is None

    def due_of_others(self, numbers: Sequence[str], online: bool) -> list[Intent]:
        """Of the exchanges that are :meth:`due`, those of other licenses: a call finishes these first."""
        return [intent for intent in self.due(numbers, online) if intent.number not in numbers]

    def due(self, numbers: Sequence[str], online: bool) -> list[Intent]:
        """The open exchanges to finish before any of these licenses is asked for.

        Online that is every one, so that no two licenses are in doubt at a time (invariant I3).
        """
        others = [number for number in self.intents if number not in numbers] if online else []
        return [self.intents[number] for number in [*others, *numbers] if number in self.intents]


def read_state(home: Home, now: datetime) -> State:
    """Read a home; one that nothing was installed in is empty.

    :raises LicensingError: the folder is another product's, or something in it is damaged
    """
    fingerprint = read_fingerprint(home.root)
    owner = home.state()
    if owner == FOREIGN:
        home.require()
    if owner != OURS:
        return State(Config(), {}, {}, fingerprint, now)
    intents = Journal(home.folder).open()
    return State(home.config(), home.installed(unsettled(intents)), intents, fingerprint, now)
