# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The views of a license and a profile in an overview.

Only the properties here decide whether a license is held, served, fenced, given back or elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from dataclasses import fields as fields_of
from datetime import datetime
from typing import Any

from .fields import Fields
from .fingerprint import DRIFTED, SAME
from .model import NODELOCKS, Account, Profile, Word, parse_time


class Status(Word):
    """The status of a license, in the license manager's own words."""

    ACTIVE = "Active"
    INACTIVE = "Inactive Nodelock"
    PENDING_ACTIVATION = "Pending Activation"
    PENDING_DEACTIVATION = "Pending Deactivation"
    PENDING_UPDATE = "Pending Update"
    EXPIRED = "Expired"
    # Of the vendor's server: a keyless license needs no nodelock, and its files look like those that wait for one.
    KEYLESS_OR_INACTIVE = "Keyless or Inactive"


# The protection of a license whose nodelock does not show its kind, as on the vendor's server.
NODELOCK_OF_ANY_TYPE = "Nodelock"
# The host has a nodelock of this machine. The license may be expired, or its update pending.
HELD = (Status.ACTIVE, Status.EXPIRED, Status.PENDING_UPDATE)


@dataclass(frozen=True)
class Transfers:
    """The transfers of a license.

    :ivar limit: maximum of transfers within ``window_seconds``
    :ivar spent: the times of the transfers that still count, UTC
    :ivar left: transfers left
    :ivar returns: the time when the next transfer returns, UTC; None if none is spent
    """

    limit: int | None
    window_seconds: int | None
    spent: tuple[str, ...]
    left: int | None
    returns: str | None

    @classmethod
    def read(cls, fields: Fields) -> Transfers:
        return cls(
            fields.whole_or_none("limit"),
            fields.whole_or_none("window_seconds"),
            fields.times("spent", ()),
            fields.whole_or_none("left"),
            fields.time_or_none("returns"),
        )

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Transfers | None:
        """Read the account in an authority's signed response, or return None."""
        account = body.get("account")
        return cls._of(account) if isinstance(account, Mapping) and account else None

    @classmethod
    def _of(cls, account: Mapping[str, Any]) -> Transfers:
        spent = account.get("spent")
        return cls(
            account.get("limit"),
            account.get("window_seconds"),
            tuple(spent) if isinstance(spent, (list, tuple)) else (),
            account.get("left"),
            account.get("returns"),
        )

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "spent": list(self.spent)}

    @classmethod
    def of_account(cls, account: Account, now: datetime) -> Transfers:
        return cls._of(account.as_dict(now))

    def account(self, nodelock: str, where: str) -> Account:
        """Return the account for a kind of nodelock."""
        return Account(nodelock, tuple(parse_time(time, where) for time in self.spent))


@dataclass(frozen=True)
class Drift:
    """The difference between this machine and the machine of a license's activation or request.

    :ivar verdict: a verdict of :mod:`fingerprint`
    :ivar changed: the components that differ; ``components`` describes them, ``means`` explains the verdict
    """

    verdict: str
    changed: tuple[str, ...]
    components: str
    means: str

    @property
    def is_another_machine(self) -> bool:
        return self.verdict not in (SAME, DRIFTED)

    @classmethod
    def read(cls, fields: Fields) -> Drift:
        changed = fields.texts("changed", ())
        return cls(
            fields.text("verdict"), changed, fields.text("components", ", ".join(changed)), fields.text("means", "")
        )

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "changed": list(self.changed)}


@dataclass(frozen=True)
class LicenseView:
    """A license in a host's overview.

    :ivar fenced: the time of its fence, UTC; the fence stays after the license was given back
    :ivar until: the end of its emergency activation, UTC; None for a regular activation
    :ivar file: the license file's name; None in a forecast without a license file, where all following values are
        unknown
    :ivar invalid: the reason why the license is not valid today, or None
    :ivar var: whether it is a VAR license; None if unknown
    :ivar serial: the serial of its activation's response; serials of an authority only grow
    :ivar holder: the public key of its activation's request
    :ivar in_use: seats in use; None if the server does not run
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
    var: bool | None = False
    code_key: str | None = None
    transfers: Transfers | None = None
    serial: int | None = None
    holder: str | None = None
    drift: Drift | None = None
    in_use: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether the host has a nodelock of this machine."""
        return self.status in HELD

    @property
    def is_served(self) -> bool:
        """Whether the license is held and not fenced."""
        return self.is_held and not self.fenced

    @property
    def is_fenced(self) -> bool:
        """Whether the license is fenced and not given back yet."""
        return bool(self.fenced) and self.has_nodelock

    @property
    def is_given_back(self) -> bool:
        """Whether this host has given the license back: it is fenced and has no nodelock."""
        return self.status is Status.INACTIVE and bool(self.fenced) and not self.holder

    @property
    def has_ended(self) -> bool:
        """Whether this host holds it no longer as it was to be: given back, or an emergency that ended by itself.

        A license whose nodelock is only damaged has not ended.
        """
        return self.is_given_back or (self.status is Status.INACTIVE and bool(self.until))

    @property
    def has_nodelock(self) -> bool:
        """Whether its nodelock is in the home, also where it is about to be given back."""
        return self.is_held or self.status is Status.PENDING_DEACTIVATION

    @property
    def is_emergency(self) -> bool:
        """Whether the license is held by an emergency activation."""
        return self.is_held and bool(self.until)

    @property
    def is_elsewhere(self) -> bool:
        """Whether its nodelock belongs to another machine."""
        return self.drift is not None and self.drift.is_another_machine

    @property
    def is_expired(self) -> bool:
        return self.status is Status.EXPIRED

    @property
    def nodelock(self) -> str | None:
        """The kind of its nodelock, ``machine`` or ``personal``; None without a nodelock, or if the kind is unknown."""
        word = self.protection.partition(" ")[0].lower()
        return word if word in NODELOCKS else None

    @property
    def rank(self) -> int:
        """Its serial, for comparison: of two hosts' nodelocks, the one with the higher serial is newer."""
        return self.serial or 0

    @classmethod
    def unknown(cls, number: str) -> LicenseView:
        """Return the view of a license that a host does not know: it has no nodelock there."""
        return cls(number, Status.INACTIVE)

    @classmethod
    def read(cls, fields: Fields) -> LicenseView:
        transfers, drift = fields.part_or_none("transfers"), fields.part_or_none("drift")
        return cls(
            fields.text("number"),
            fields.word("status", Status, "the status of a license"),
            fenced=fields.time_or_none("fenced"),
            until=fields.time_or_none("until"),
            file=fields.text_or_none("file"),
            type=fields.text_or_none("type"),
            seats=fields.whole_or_none("seats"),
            start=fields.time_or_none("start"),
            expiry=fields.time_or_none("expiry"),
            maintenance_expiry=fields.time_or_none("maintenance_expiry"),
            invalid=fields.text_or_none("invalid"),
            protection=fields.text("protection", "None"),
            var=fields.flag_or_none("var") if fields.has("var") else False,
            code_key=fields.text_or_none("code_key"),
            transfers=Transfers.read(transfers) if transfers else None,
            serial=fields.whole_or_none("serial"),
            holder=fields.text_or_none("holder"),
            drift=Drift.read(drift) if drift else None,
            in_use=fields.whole_or_none("in_use"),
        )

    def as_dict(self) -> dict[str, Any]:
        brief = {"number": self.number, "status": self.status.value, "fenced": self.fenced, "until": self.until}
        if self == LicenseView(self.number, self.status, self.fenced, self.until):
            return brief
        rest = {item.name: getattr(self, item.name) for item in fields_of(self) if item.name not in brief}
        return {
            **brief,
            **rest,
            "transfers": self.transfers.as_dict() if self.transfers else None,
            "drift": self.drift.as_dict() if self.drift else None,
        }


@dataclass(frozen=True)
class ProfileView:
    """A profile in a host's overview.

    :ivar in_use: the seats in use; None if the server does not run
    :ivar reuse: how many sessions share the seat of another one; None if the server does not run, and where each
        session takes a seat
    """

    name: str
    license: str
    in_use: int | None = None
    reuse: int | None = None
    default: bool = False

    @property
    def profile(self) -> Profile:
        return Profile(self.name, self.license, self.default)

    @classmethod
    def read(cls, fields: Fields) -> ProfileView:
        return cls(
            fields.text("name"),
            fields.text("license"),
            fields.whole_or_none("in_use"),
            # Up to 0.1.0 it was always false.
            None if fields.values.get("reuse") is False else fields.whole_or_none("reuse"),
            fields.flag("default", False),
        )
