# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``licman`` was asked for: written before it runs, so that no later run repeats what may have happened.

The vendor's authority knows no ids of requests. An attempt whose effect no file shows is therefore open until a person
has looked, and removes its record (invariant I3).
"""

from __future__ import annotations

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
_ACTIONS = (ACTIVATE, ADD_PROFILE)
_OPEN, _CLOSED = "Attempts", "Attempts/closed"


@dataclass(frozen=True)
class Attempt:
    """One command that was, or is about to be, run for a license.

    :ivar action: ``activate`` or ``profile-add``
    :ivar made: when it was written, UTC
    :ivar before: the license's files before the command
    :ivar profile: the profile to be added
    :ivar outcome: how the command ended, in words; None while nobody knows
    :ivar is_due: whether the command has not been run yet
    """

    number: str
    action: str
    made: str
    before: Snapshot
    profile: str | None = None
    outcome: str | None = None
    is_due: bool = False

    @property
    def name(self) -> str:
        return f"{digits(self.number)}.{self.action}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "action": self.action,
            "made": self.made,
            "before": self.before.as_dict(),
            "profile": self.profile,
            "outcome": self.outcome,
            "due": self.is_due,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Attempt:
        """Read what :meth:`as_dict` gave.

        :raises ValueError, KeyError, TypeError: it is something else
        """
        if data["action"] not in _ACTIONS:
            raise ValueError("another action")
        texts = [data["number"], data["made"], data["profile"] or "", data["outcome"] or ""]
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

    def open(self) -> dict[tuple[str, str], Attempt]:
        """Return the open attempts by license number and action.

        :raises LicensingError: one cannot be read
        """
        names = [name for action in _ACTIONS for name in self.folder.names(_OPEN, f".{action}")]
        attempts = [self._read(f"{_OPEN}/{name}") for name in names]
        return {(attempt.number, attempt.action): attempt for attempt in attempts}

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

    def close(self, attempt: Attempt) -> None:
        """Put an attempt whose effect was seen among the closed ones."""
        stamp = attempt.made.replace("-", "").replace(":", "")
        self.folder.move(f"{_OPEN}/{attempt.name}", f"{_CLOSED}/{attempt.name}-{stamp}")

    def _write(self, attempt: Attempt) -> None:
        data = json.dumps(attempt.as_dict(), indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"
        self.folder.write(f"{_OPEN}/{attempt.name}", data, PRIVATE)
