# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A license and a profile as a license server shows them.

Whether a license is held, served, fenced, given back or elsewhere is a property here, and is asked nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Callable, TypeVar

from .fingerprint import DRIFTED, SAME
from .model import Account, Profile, Word, parse_time

T = TypeVar("T")


class Status(Word):
    """The status of a license, in the license manager's own words."""

    ACTIVE = "Active"
    INACTIVE = "Inactive Nodelock"
    PENDING_ACTIVATION = "Pending Activation"
    PENDING_DEACTIVATION = "Pending Deactivation"
    PENDING_UPDATE = "Pending Update"
    EXPIRED = "Expired"


# A nodelock of this machine is here, whether or not the license has expired or waits for its update.
HELD = (Status.ACTIVE, Status.EXPIRED, Status.PENDING_UPDATE)


@dataclass(frozen=True)
class Transfers:
    """The account of a license's transfers.

    :ivar limit: how many may be spent within ``window_seconds``
    :ivar spent: when those were spent that still count, UTC
    :ivar left: how many may be spent now
    :ivar returns: when the next one comes back, UTC; None if none is spent
    """

    limit: int | None
    window_seconds: int | None
    spent: tuple[str, ...]
    left: int | None
    returns: str | None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Transfers:
        spent = data.get("spent")
        return cls(
            data.get("limit"),
            data.get("window_seconds"),
            tuple(spent) if isinstance(spent, (list, tuple)) else (),
            data.get("left"),
            data.get("returns"),
        )

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Transfers | None:
        """Read the account of an authority's response; None where it has none."""
        account = body.get("account")
        return cls.from_dict(account) if isinstance(account, Mapping) and account else None

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "spent": list(self.spent)}

    @classmethod
    def of_account(cls, account: Account, now: datetime) -> Transfers:
        return cls.from_dict(account.as_dict(now))

    def account(self, nodelock: str, where: str) -> Account:
        """Return the account under the rule of a kind of nodelock."""
        return Account(nodelock, tuple(parse_time(time, where) for time in self.spent))


@dataclass(frozen=True)
class Drift:
    """How a machine differs from the one that a license was activated on, or asked for.

    :ivar verdict: of :mod:`fingerprint`
    :ivar changed: the components that differ; ``components`` says it in words, ``means`` what follows
    """

    verdict: str
    changed: tuple[str, ...]
    components: str
    means: str

    @property
    def is_another_machine(self) -> bool:
        return self.verdict not in (SAME, DRIFTED)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Drift:
        changed = tuple(str(name) for name in data.get("changed") or ())
        return cls(
            str(data.get("verdict")),
            changed,
            str(data.get("components") or ", ".join(changed)),
            str(data.get("means") or ""),
        )

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "changed": list(self.changed)}


@dataclass(frozen=True)
class LicenseView:
    """A license of a host.

    :ivar fenced: since when it is not served, UTC; the fence stays after it was given back
    :ivar until: when its emergency activation ends, UTC; None where it is activated for good
    :ivar file: None where the license file is still to come, as check mode foresees it; all below is unknown then
    :ivar invalid: why the license file is not valid today
    :ivar serial: of the response that activated it; those of one authority only rise
    :ivar holder: the public key that it was activated with
    :ivar in_use: seats; None where the server does not run
    """

    number: str
    status: Status
    fenced: str | None = None
    until: str | None = None
    file: str | None = None
    type: str | None = None
    seats: int | None = None
    start: str | None = None
    expiry: str | None = None
    maintenance_expiry: str | None = None
    invalid: str | None = None
    protection: str = "None"
    var: bool = False
    code_key: str | None = None
    transfers: Transfers | None = None
    serial: int | None = None
    holder: str | None = None
    drift: Drift | None = None
    in_use: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether a nodelock of this machine is here."""
        return self.status in HELD

    @property
    def is_served(self) -> bool:
        """Whether it is held, and not fenced."""
        return self.is_held and not self.fenced

    @property
    def is_fenced(self) -> bool:
        """Whether it is fenced and not given back yet."""
        return bool(self.fenced) and (self.is_held or self.status is Status.PENDING_DEACTIVATION)

    @property
    def is_given_back(self) -> bool:
        """Whether this host gave it back: its nodelock is gone, and is not another machine's."""
        return self.status is Status.INACTIVE and bool(self.fenced) and not self.holder

    @property
    def is_emergency(self) -> bool:
        """Whether it is held for a few days only, as another machine that holds it is lost."""
        return self.is_held and bool(self.until)

    @property
    def is_elsewhere(self) -> bool:
        """Whether its nodelock is another machine's."""
        return self.drift is not None and self.drift.is_another_machine

    @property
    def is_expired(self) -> bool:
        return self.status is Status.EXPIRED

    @property
    def nodelock(self) -> str | None:
        """The type of its nodelock, ``machine`` or ``personal``; None where it has none."""
        word = self.protection.partition(" ")[0].lower()
        return None if word == "none" else word

    @property
    def rank(self) -> int:
        """Its serial, for comparison: of two hosts' nodelocks the higher one is the newer."""
        return self.serial if isinstance(self.serial, int) else 0

    @classmethod
    def unknown(cls, number: str) -> LicenseView:
        """Return a license that a host knows nothing of: it has no nodelock there."""
        return cls(number, Status.INACTIVE)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LicenseView:
        known = {item.name: data[item.name] for item in fields(cls) if data.get(item.name) is not None}
        return cls(
            **{
                **known,
                "status": Status(data["status"]),
                "transfers": maybe(Transfers.from_dict, data.get("transfers")),
                "drift": maybe(Drift.from_dict, data.get("drift")),
            }
        )

    def as_dict(self) -> dict[str, Any]:
        brief = {"number": self.number, "status": self.status.value, "fenced": self.fenced, "until": self.until}
        if self.file is None:
            return brief
        rest = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in brief}
        return {
            **brief,
            **rest,
            "transfers": self.transfers.as_dict() if self.transfers else None,
            "drift": self.drift.as_dict() if self.drift else None,
        }


@dataclass(frozen=True)
class ProfileView:
    """A profile, and how many seats are in use on it; None where the server does not run."""

    name: str
    license: str
    in_use: int | None = None
    reuse: bool = False
    default: bool = False

    @property
    def profile(self) -> Profile:
        return Profile(self.name, self.license, self.default)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ProfileView:
        return cls(
            data["name"],
            data["license"],
            data.get("in_use"),
            bool(data.get("reuse")),
            bool(data.get("default")),
        )


def maybe(read: Callable[[Any], T], data: Any) -> T | None:
    return read(data) if data else None


def each(read: Callable[[Any], T], rows: Iterable[Any]) -> tuple[T, ...]:
    return tuple(read(row) for row in rows)
