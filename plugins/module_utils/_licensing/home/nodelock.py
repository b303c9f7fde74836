# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installed license, and the nodelock that binds it to a machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ..documents import Document
from ..errors import refuse
from ..model import Account, License, parse_time


@dataclass(frozen=True)
class Nodelock:
    """The response that activated a license on a machine.

    :ivar serial: the authority's sequence number of the exchange
    :ivar until: the end of an emergency activation; None for a regular activation
    """

    type: str
    fingerprint: Mapping[str, str]
    host_key: str
    serial: int
    account: Account
    document: Document
    until: datetime | None = None

    def is_over(self, now: datetime) -> bool:
        """Whether this is an emergency activation that has ended."""
        return self.until is not None and now >= self.until


@dataclass(frozen=True)
class Installed:
    """A license file in the home, with its nodelock if it has one."""

    license: License
    nodelock: Nodelock | None


def read_nodelock(document: Document) -> Nodelock:
    """Read the nodelock in the response to an activation. The signature is not checked here.

    :raises LicensingError: the nodelock is damaged
    """
    body = document.body
    machine, serial = body.get("fingerprint"), body.get("serial")
    if not isinstance(machine, dict) or not isinstance(serial, int):
        raise refuse("The nodelock is damaged.", document.where, "Restore the file from the newest bundle.")
    nodelock = "personal" if body.get("nodelock") == "personal" else "machine"
    return Nodelock(
        type=nodelock,
        fingerprint={str(k): str(v) for k, v in machine.items()},
        host_key=str(body.get("host_key")),
        serial=serial,
        account=Account.from_dict(nodelock, body.get("account"), document.where),
        document=document,
        until=None if body.get("until") is None else parse_time(body["until"], document.where),
    )
