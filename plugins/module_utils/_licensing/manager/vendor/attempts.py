# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``licman`` was asked for: written before it runs, so that no later run repeats what may have happened.

The vendor's authority knows no ids of requests. An attempt whose effect no file shows is therefore open until a person
has looked, and removes its record (invariant I3).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...errors import LicensingError, refuse
from ...files import PRIVATE, Folder
from ...model import digits
from .evidence import Snapshot
from .licman import Outcome

# Outside of the vendor's home, of which nothing is ours (invariant I9).
STATE = "/var/lib/aims-licensing"
ACTIVATE, ADD_PROFILE = "activate", "profile-add"
# By commands that an operator names.
DEACTIVATE, RENAME_PROFILE, REGISTER_USER = "deactivate", "profile-rename", "user-register"
MAINTENANCE_ON, MAINTENANCE_OFF = "maintenance-on", "maintenance-off"
_ACTIONS = (
    ACTIVATE,
    ADD_PROFILE,
    DEACTIVATE,
    RENAME_PROFILE,
    REGISTER_USER,
    MAINTENANCE_ON,
    MAINTENANCE_OFF,
)
# Stands for the number where a command concerns no license of its own.
WHOLE_SERVER = "server"
_OPEN, _CLOSED = "Attempts", "Attempts/closed"


# License number, action, subject.
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Attempt:
    """One command that was, or is about to be, run for a license, or for the whole server.

    :ivar number: the license's, or ``server``
    :ivar action: ``activate``, ``profile-add``, or what an operator's own command is for
    :ivar made: when it was written, UTC
    :ivar before: the license's files before the command
    :ivar profile: the profile to be added
    :ivar outcome: how the command ended, in words; None while nobody knows
    :ivar is_due: whether the command has not been run yet
    :ivar subject: what else it concerns: a user, or the old and the new name of a profile
    :ivar processes: the license server's processes before the command; of a closed attempt, after it
    :ivar after: of a closed attempt, the license's files after the command
    """

    number: str
    action: str
    made: str
    before: Snapshot
    profile: str | None = None
    outcome: str | None = None
    is_due: bool = False
    subject: str = ""
    processes: str = ""
    after: Snapshot | None = None

    @property
    def name(self) -> str:
        mark = f"-{hashlib.sha256(self.subject.encode()).hexdigest()[:12]}" if self.subject else ""
        return f"{digits(self.number)}{mark}.{self.action}"

    @property
    def key(self) -> Key:
        return (self.number, self.action, self.subject)

    def seen(self, after: Snapshot | None, processes: str = "") -> Attempt:
        """Return the attempt with what the host shows after its command."""
        return replace(self, after=after, processes=processes)

    def as_dict(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "action": self.action,
            "made": self.made,
            "before": self.before.as_dict(),
            "profile": self.profile,
            "outcome": self.outcome,
            "due": self.is_due,
            "subject": self.subject,
            "processes": self.processes,
            "after": self.after.as_dict() if self.after else None,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Attempt:
        """Read what :meth:`as_dict` gave.

        :raises ValueError, KeyError, TypeError: it is something else
        """
        if data["action"] not in _ACTIONS:
            raise ValueError("another action")
        # A record of an earlier version has neither subject nor processes.
        subject, processes, after = data.get("subject", ""), data.get("processes", ""), data.get("after")
        texts = [data["number"], data["made"], data["profile"] or "", data["outcome"] or "", subject, processes]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("no text")
        return cls(
            data["number"],
            data["action"],
            data["made"],
            Snapshot.from_dict(data["before"]),
            data["profile"],
            data["outcome"],
            data["due"] is True,
            subject,
            processes,
            Snapshot.from_dict(after) if after else None,
        )


class Attempts:
    """The open and closed attempts of this machine.

    :param folder: of our own state, ``STATE``
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    def prepare(self) -> None:
        """Make the folder, for its owner only."""
        self.folder.make(mode=0o700)
        self.folder.make(_OPEN, 0o700)
        self.folder.make(_CLOSED, 0o700)

    def open(self) -> dict[Key, Attempt]:
        """Return the open attempts by license number, action and subject.

        :raises LicensingError: one cannot be read
        """
        names = [name for action in _ACTIONS for name in self.folder.names(_OPEN, f".{action}")]
        attempts = [self._read(f"{_OPEN}/{name}") for name in names]
        return {attempt.key: attempt for attempt in attempts}

    def numbers(self) -> set[str]:
        """Return the numbers of all licenses that an open or closed deactivation concerns."""
        closed = {attempt.number for attempt in self.closed(DEACTIVATE)}
        return closed | {attempt.number for attempt in self.open().values() if attempt.action == DEACTIVATE}

    def closed(self, *actions: str) -> list[Attempt]:
        """Return the closed attempts of these actions, the last one at the end.

        :raises LicensingError: one cannot be read
        """
        names = [name for name in self.folder.names(_CLOSED) if any(f".{action}-" in name for action in actions)]
        return [self._read(f"{_CLOSED}/{name}") for name in sorted(names, key=_order)]

    def _read(self, name: str) -> Attempt:
        try:
            return Attempt.from_dict(json.loads(self.folder.read(name)))
        except LicensingError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise refuse(
                "The record of an attempt is damaged, so that nobody knows what licman was asked for.",
                self.folder.place(name),
                "Look in the license manager whether this license is active here, then remove this file.",
            ) from None

    def place(self, attempt: Attempt) -> str:
        return self.folder.place(f"{_OPEN}/{attempt.name}")

    def begin(self, attempt: Attempt) -> None:
        """Write an attempt, durably, before its command runs."""
        self._write(replace(attempt, is_due=False))

    def plan(self, attempt: Attempt) -> None:
        """Write an attempt, durably, whose command is to be run next."""
        self._write(replace(attempt, is_due=True))

    def tell(self, attempt: Attempt, outcome: Outcome) -> Attempt:
        """Write how the command ended; return the attempt with it."""
        known = replace(attempt, is_due=False, outcome=outcome.in_words)
        self._write(known)
        return known

    def undo(self, attempt: Attempt) -> None:
        """Forget an attempt whose command could not be started; one that was planned stays planned."""
        if attempt.is_due:
            self.plan(attempt)
        else:
            self.folder.remove(f"{_OPEN}/{attempt.name}")

    def close(self, attempt: Attempt) -> None:
        """Put an attempt whose effect was seen, or which the command reported, among the closed ones."""
        self._write(attempt)
        self.folder.move(f"{_OPEN}/{attempt.name}", self._closed_name(attempt))

    def closed_place(self, attempt: Attempt) -> str:
        """Return where an attempt lies once it is closed."""
        return self.folder.place(self._closed_name(attempt))

    def _closed_name(self, attempt: Attempt) -> str:
        # Several attempts may be closed within a second; their order decides what holds now.
        stamp, serial = attempt.made.replace("-", "").replace(":", ""), len(self.folder.names(_CLOSED))
        return f"{_CLOSED}/{attempt.name}-{stamp}-{serial:06d}"

    def _write(self, attempt: Attempt) -> None:
        data = json.dumps(attempt.as_dict(), indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"
        self.folder.write(f"{_OPEN}/{attempt.name}", data, PRIVATE)


def _order(name: str) -> tuple[str, str]:
    """Return by what closed attempts are ordered: serials only grow, and earlier versions wrote none."""
    serial = name.rpartition("-")[2]
    return (serial if serial.isdecimal() else "", name)
