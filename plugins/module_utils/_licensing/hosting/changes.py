# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The changes that bring a host to its declared state, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ChangeKind(Enum):
    """A kind of change. The value is its text; ``{}`` is the object of the change."""

    INSTALL = "install {}"
    UPGRADE = "upgrade {}"
    RESTORE = "restore the files of {}"
    REMOVE = "remove {}"
    SET_AUTHORITY = "set the authority to {}"
    PIN_REALM = "pin realm {}"
    TAKE_CERTIFICATE = "take the certificate of realm {}"
    LISTEN = "listen on {}"
    ALLOW_HOSTS = "answer under the names {}"
    LOG_USAGE = "turn the log of the usage {}"
    RUN_BY = "run the server by {}"
    WRITE_UNIT = "write the unit {}"
    ENABLE = "enable {}"
    START = "start {}"
    STOP = "stop {}"
    SHARE = "set mode and owner of {}"
    RESTART = "restart {}"
    # The service runs but does not answer.
    REVIVE = "restart {}, which does not answer"
    WRITE_FACTS = "write the facts {}"
    REMOVE_UNIT = "remove the unit {}"


@dataclass(frozen=True)
class HostChange:
    """One change to a host, and its object."""

    kind: ChangeKind
    about: str

    def __str__(self) -> str:
        return self.kind.value.format(self.about)
