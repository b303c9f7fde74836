# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A step of a move, as data: where it is done, with which values, and what shows that it is done. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import redact
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Word


class Phase(Word):
    """The parts of a move, in their order. All steps of a phase are due at once."""

    PREPARE = "prepare"
    BACKUP = "backup"
    GIVE_UP = "give up"
    ACTIVATE = "activate"
    VERIFY = "verify"
    CUT_OVER = "cut over"
    CLEAN_UP = "clean up"


class Kind(Word):
    """What a step does: the second part of its id."""

    SCREENSHOT = "screenshot"
    PROFILES = "profiles"
    INSTALL = "install"
    ADD_TARGET = "add-target"
    REACH = "reach"
    PRO_BACKUP = "back-up"
    COPY = "copy"
    BACKUP = "backup"
    PRO_STOP = "stop"
    READ_ONLY = "read-only"
    MAINTENANCE = "maintenance"
    DEACTIVATE = "deactivate"
    EXCHANGE = "exchange"
    LOAD = "load"
    COPY_AGAIN = "copy-again"
    FILES = "files"
    KEYS = "keys"
    ACTIVATE = "activate"
    PROFILE = "profile"
    ORDER = "order"
    USERS = "users"
    PORTS = "ports"
    COMPARE = "compare"
    TRY = "try"
    STRINGS = "strings"
    PRO_START = "start"
    STORED_CODES = "stored-codes"
    SCRIPTS = "scripts"
    REMOVE_SOURCE = "remove-source"
    KEEP = "keep"


class Evidence(Word):
    """What on a host shows that a step was done."""

    NODELOCK_CHANGED = "nodelock changed"
    NODELOCK_APPEARED = "nodelock appeared"
    PORT_ANSWERS = "port answers"
    SERVICE_RUNNING = "service running"
    SERVICE_STOPPED = "service stopped"
    FILE_PRESENT = "file present"
    LOG_NAMES_TARGET = "log names the target"
    NONE = "none"

    @classmethod
    def of_exchange(cls, phase: Phase) -> Evidence:
        """Return what shows that a license was activated, or given up.

        That giving it up removes the nodelock is not documented (docs/domain.md#identifiers-and-files).
        """
        return cls.NODELOCK_APPEARED if phase is Phase.ACTIVATE else cls.NODELOCK_CHANGED


class Outage(Word):
    """Whether the time in which clients have no license server begins or ends with a step."""

    BEGINS = "begins"
    ENDS = "ends"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Value:
    """A value that a person enters, by the label of the page or field.

    :ivar text: what to enter; of an activation code, where it is declared
    :ivar variable: the variable that has the value, where it is not to be shown
    """

    label: str
    text: str
    variable: str = ""

    def __post_init__(self) -> None:
        for part in ("label", "text", "variable"):
            object.__setattr__(self, part, redact(getattr(self, part)))


@dataclass(frozen=True)
class PersonsStep:
    """A step of a move, which a person can carry out by it alone.

    :ivar host: the inventory name of the host, or ``PRO`` or ``clients``, which the inventory does not name
    :ivar subject: the license number or profile; empty where the step is for the whole host
    :ivar path: programs, menus and buttons from left to right
    :ivar commands: lines to enter in a shell, in order
    :ivar values: in the order in which they are entered
    :ivar shows: what will show that the step is done, in words
    :ivar evidence_file: the name of the file of ``Evidence.FILE_PRESENT``
    :ivar transfers: how many it spends
    :ivar is_ours: whether the playbook does it; the rest then says how a person would
    """

    phase: Phase
    kind: Kind
    host: str
    title: str
    reason: str
    shows: str
    subject: str = ""
    path: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    values: tuple[Value, ...] = ()
    evidence: Evidence = Evidence.NONE
    evidence_file: str = ""
    transfers: int = 0
    outage: Outage = Outage.UNCHANGED
    is_ours: bool = False

    def __post_init__(self) -> None:
        for part in ("host", "title", "reason", "shows", "subject", "evidence_file"):
            object.__setattr__(self, part, redact(getattr(self, part)))
        for part in ("path", "commands"):
            object.__setattr__(self, part, tuple(redact(line) for line in getattr(self, part)))

    @property
    def id(self) -> str:
        """What the step is confirmed by, such as ``old/deactivate/015.120.064.022``."""
        return "/".join(filter(None, (self.host, self.kind.value, self.subject)))
