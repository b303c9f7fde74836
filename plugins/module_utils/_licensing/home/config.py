# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of a license server, ``Config/server.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ..addresses import Listen, parse_hosts
from ..declared import read_profiles
from ..documents import Realm
from ..lease import Lease
from ..model import FENCE, OPERATOR, Profile, now_utc, parse_number, render_time

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
    :ivar maintenance: whether maintenance mode is on, which lasts until somebody leaves it
    :ivar maintenance_by: who entered it, FENCE or OPERATOR; None if it is off, or an earlier version entered it
    :ivar drains: the leases of drains, each of some licenses or of the whole server; each ends by itself
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
    maintenance_by: str | None = None
    fenced: Mapping[str, str] = field(default_factory=dict)
    listen: Listen = field(default_factory=Listen)
    service: str = UNMANAGED
    drains: tuple[Lease, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    usage_log: bool = True

    def is_closed(self, now: datetime | None = None) -> bool:
        """Whether the server grants no new seats: in maintenance mode, or while all of it is drained.

        :param now: the time, UTC; by default this machine's
        """
        return self.maintenance or any(lease.licenses is None for lease in self._lasting(now))

    def in_maintenance(self, by: str) -> Config:
        """Return the configuration in maintenance mode. An operator's stays an operator's."""
        if self.maintenance and by == FENCE:
            return self
        return replace(self, maintenance=True, maintenance_by=by)

    def out_of_maintenance(self) -> Config:
        return replace(self, maintenance=False, maintenance_by=None)

    def draining(self, now: datetime | None = None) -> frozenset[str]:
        """Return the numbers of the licenses that are drained, where the rest of the server is not."""
        return frozenset(number for lease in self._lasting(now) for number in lease.licenses or ())

    def lease(self, ticket: str, now: datetime | None = None) -> Lease | None:
        """Return the valid lease of a drain, or None."""
        return next((lease for lease in self._lasting(now) if lease.ticket == ticket), None)

    def lease_of(self, licenses: tuple[str, ...] | None, now: datetime | None = None) -> Lease | None:
        """Return a valid lease of exactly these licenses, or None."""
        return next((lease for lease in self._lasting(now) if lease.licenses == licenses), None)

    def with_lease(self, lease: Lease, now: datetime | None = None) -> Config:
        """Return the configuration with a lease, in place of the one with its ticket, and without those that ended."""
        others = [other for other in self._lasting(now) if other.ticket != lease.ticket]
        return replace(self, drains=(*others, lease))

    def without_lease(self, ticket: str) -> Config:
        """Return the configuration without the lease of this drain; the leases of others stay."""
        return replace(self, drains=tuple(lease for lease in self.drains if lease.ticket != ticket))

    def without_drain_of_all(self) -> Config:
        """Return the configuration without leases of the whole server, by which maintenance mode is entered."""
        return replace(self, drains=tuple(lease for lease in self.drains if lease.licenses is not None))

    def _lasting(self, now: datetime | None) -> list[Lease]:
        at = now or now_utc()
        return [lease for lease in self.drains if lease.is_valid(at)]

    def as_dict(self) -> dict[str, Any]:
        return {
            **self._drains_as_dict(),
            "authority": self.authority,
            "realm": self.realm.as_dict() if self.realm else None,
            "profiles": [{"name": p.name, "license": p.license, "default": p.default} for p in self.profiles],
            "users": list(self.users),
            "maintenance": self.maintenance or bool(self.drains),
            "maintenance_by": self.maintenance_by,
            "fenced": dict(self.fenced),
            "listen": self.listen.as_dict(),
            "service": self.service,
            "allowed_hosts": list(self.allowed_hosts),
            "usage_log": self.usage_log,
        }

    def _drains_as_dict(self) -> dict[str, Any]:
        if not self.drains:
            return {}
        # A version that knows one drain only reads the last one to end, as a drain of the whole server. One that knows
        # none reads maintenance mode. Both grant no new seats until the last drain is over.
        last = max(self.drains, key=lambda lease: lease.until)
        one = {"ticket": last.ticket, "until": render_time(last.until), "alone": not self.maintenance}
        return {"drains": [lease.as_dict() for lease in self.drains], "drain": one}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str) -> Config:
        realm, authority, drain = data.get("realm"), data.get("authority"), data.get("drain")
        if data.get("service", UNMANAGED) not in SERVICES:
            raise ValueError("service")
        if authority is not None and not isinstance(authority, str):
            raise TypeError("authority")
        if data.get("maintenance_by") not in (None, FENCE, OPERATOR):
            raise ValueError("maintenance_by")
        maintenance = data.get("maintenance") is True and not (drain and drain.get("alone") is True)
        return cls(
            authority=authority,
            realm=Realm.from_dict(realm, where) if realm else None,
            profiles=read_profiles(data.get("profiles", []), where),
            users=tuple(str(user) for user in data.get("users", [])),
            maintenance=maintenance,
            maintenance_by=data.get("maintenance_by") if maintenance else None,
            fenced={parse_number(n, where): str(t) for n, t in dict(data.get("fenced", {})).items()},
            listen=Listen.from_dict(data.get("listen"), where),
            service=str(data.get("service", UNMANAGED)),
            drains=_read_drains(data, where),
            allowed_hosts=parse_hosts(data.get("allowed_hosts", []), where),
            usage_log=data.get("usage_log") is not False,
        )


def _read_drains(data: Mapping[str, Any], where: str) -> tuple[Lease, ...]:
    # A version that knows one drain only has written it for the whole server.
    leases = data.get("drains") or ([data["drain"]] if data.get("drain") else [])
    return tuple(Lease.from_dict(lease, where) for lease in leases)
