# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a bundled license server's home at one moment."""

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
    """Whether the license has a nodelock of this machine."""
    return installed.nodelock is not None and compare(installed.nodelock.fingerprint, fingerprint).is_same_machine


@dataclass(frozen=True)
class State:
    """The state of a home at one moment.

    :ivar installed: installed licenses by number
    :ivar intents: open exchanges by license number
    :ivar fingerprint: this machine's, by component
    :ivar now: the time of reading, UTC
    """

    config: Config
    installed: Mapping[str, Installed]
    intents: Mapping[str, Intent]
    fingerprint: Mapping[str, str]
    now: datetime

    def is_active(self, number: str) -> bool:
        installed = self.installed.get(number)
        lock = installed.nodelock if installed else None
        over = lock is None or lock.is_over(self.now)
        return (
            number not in self.intents and installed is not None and not over and is_here(installed, self.fingerprint)
        )

    def holds(self, number: str) -> bool:
        """Whether a license is active here, regardless of a pending update."""
        return self.giving_up([number]).is_active(number)

    def is_served(self, number: str) -> bool:
        """Whether a license is active here and not fenced."""
        return self.holds(number) and number not in self.config.fenced

    def giving_up(self, numbers: Sequence[str]) -> State:
        """Return the state without the pending updates of these licenses.

        A deactivation needs no newer license file, and an update does not change who holds a license.
        """
        intents = {n: intent for n, intent in self.intents.items() if n not in numbers or intent.action != UPDATE}
        return replace(self, intents=intents)

    def concerned(self, numbers: Sequence[str]) -> list[str]:
        """Return those of these licenses that are active here or have an open exchange."""
        return [number for number in numbers if self.is_active(number) or number in self.intents]

    def superseded(self, numbers: Sequence[str]) -> list[str]:
        """Return those of these licenses whose pending update is superseded by an activation.

        These are fenced licenses and emergency activations: they have to be activated anyway, and an activation brings
        the newest license file.
        """
        waiting = [n for n in numbers if n in self.intents and self.intents[n].action == UPDATE]
        locks = {n: self.installed[n].nodelock for n in waiting if n in self.installed}
        bridged = [n for n, lock in locks.items() if lock is not None and lock.until is not None]
        return [n for n in waiting if n in self.config.fenced or n in bridged]

    def is_bridged(self, number: str) -> bool:
        """Whether a license is served by an emergency activation."""
        installed = self.installed.get(number)
        ends = installed is not None and installed.nodelock is not None and installed.nodelock.until is not None
        return ends and self.is_active(number) and number not in self.config.fenced

    def satisfies(self, declared: DeclaredLicense) -> bool:
        """Whether a license is active as declared, so that no request to the authority is needed.

        A request is needed to change a personal nodelock into a machine nodelock; for a fenced license, because only
        the authority knows whether it was given back (invariant I1); and to replace an emergency activation by a
        regular one as soon as possible. Without an activation code there is no request, so being served is enough.
        """
        installed = self.installed.get(declared.number)
        lock = installed.nodelock if installed else None
        served = self.is_active(declared.number) and declared.number not in self.config.fenced
        if declared.activation_code is None:
            return served
        return served and lock is not None and lock.type == declared.nodelock and lock.until is None

    def due(self, numbers: Sequence[str], online: bool) -> list[Intent]:
        """Return the open exchanges to finish before a request for any of these licenses.

        Online these are all open exchanges, so that at most one license has an unknown outcome (invariant I3).
        """
        others = [number for number in self.intents if number not in numbers] if online else []
        return [self.intents[number] for number in [*others, *numbers] if number in self.intents]


def read_state(home: Home, now: datetime) -> State:
    """Read a home. A home without an installation gives an empty state.

    :raises LicensingError: the folder belongs to another product, or a file in it is damaged
    """
    fingerprint = read_fingerprint(home.root)
    owner = home.state()
    if owner == FOREIGN:
        home.require()
    if owner != OURS:
        return State(Config(), {}, {}, fingerprint, now)
    intents = Journal(home.folder).open()
    return State(home.config(), home.installed(unsettled(intents)), intents, fingerprint, now)
