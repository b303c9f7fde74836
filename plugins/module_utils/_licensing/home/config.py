# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of a license server, ``Config/server.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..addresses import Listen, parse_hosts
from ..declared import read_profiles
from ..documents import Realm
from ..lease import Lease
from ..model import Profile, now_utc, parse_number

SYSTEMD = "systemd"
PROCESS = "process"
UNMANAGED = "none"
SERVICES = (SYSTEMD, PROCESS, UNMANAGED)


@dataclass(frozen=True)
class Config:
    """The configuration of a license server. The manager replaces it as a whole.

    :ivar authority: the address that requests go to: ``https://HOST[:PORT]``, ``offline`` or ``ledger:PATH``; None
        until an installation sets it
    :ivar realm: the realm whose responses the server honours, pinned at the first activation
    :ivar maintenance: whether a person has set maintenance mode, which lasts until a person leaves it
    :ivar drain: the lease of a drain; it acts as maintenance mode and ends by itself
    :ivar fenced: license number → time of its fence (UTC, ISO 8601)
    :ivar allowed_hosts: further names of this host, under which the management port answers
    :ivar usage_log: whether the server writes who held which seat (``Logging/Usage.csv``)
    :ivar service: the service manager: ``systemd``, ``process`` (our own process, until the next boot) or ``none``
    """

    authority: str | None = None
    realm: Realm | None = None
    profiles: tuple[Profile, ...] = ()
    users: tuple[str, ...] = ()
    maintenance: bool = False
    fenced: Mapping[str, str] = field(default_factory=dict)
    listen: Listen = field(default_factory=Listen)
    service: str = UNMANAGED
    drain: Lease | None = None
    allowed_hosts: tuple[str, ...] = ()
    usage_log: bool = True

    def is_closed(self, now: datetime | None = None) -> bool:
        """Whether the server grants no new seats: in maintenance mode, or while a drain lasts.

        :param now: the time, UTC; by default this machine's
        """
        return self.maintenance or (self.drain is not None and self.drain.is_valid(now or now_utc()))

    def as_dict(self) -> dict[str, Any]:
        # A version that does not know drains reads maintenance mode, which also stops new seats.
        drain = {"drain": {**self.drain.as_dict(), "alone": not self.maintenance}} if self.drain else {}
        return {
            **drain,
            "authority": self.authority,
            "realm": self.realm.as_dict() if self.realm else None,
            "profiles": [{"name": p.name, "license": p.license, "default": p.default} for p in self.profiles],
            "users": list(self.users),
            "maintenance": self.maintenance or self.drain is not None,
            "fenced": dict(self.fenced),
            "listen": self.listen.as_dict(),
            "service": self.service,
            "allowed_hosts": list(self.allowed_hosts),
            "usage_log": self.usage_log,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str) -> Config:
        realm, authority, drain = data.get("realm"), data.get("authority"), data.get("drain")
        if data.get("service", UNMANAGED) not in SERVICES:
            raise ValueError("service")
        if authority is not None and not isinstance(authority, str):
            raise TypeError("authority")
        return cls(
            authority=authority,
            realm=Realm.from_dict(realm, where) if realm else None,
            profiles=read_profiles(data.get("profiles", []), where),
            users=tuple(str(user) for user in data.get("users", [])),
            maintenance=data.get("maintenance") is True and not (drain and drain.get("alone") is True),
            fenced={parse_number(n, where): str(t) for n, t in dict(data.get("fenced", {})).items()},
            listen=Listen.from_dict(data.get("listen"), where),
            service=str(data.get("service", UNMANAGED)),
            drain=Lease.from_dict(drain, where) if drain else None,
            allowed_hosts=parse_hosts(data.get("allowed_hosts", []), where),
            usage_log=data.get("usage_log") is not False,
        )
