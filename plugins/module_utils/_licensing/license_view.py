# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A license and a profile as a license server shows them.

Whether a license is held, served, fenced, given back or elsewhere is a property here, and is asked nowhere else.
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


# What protects a license whose nodelock is here and shows no type, as on the vendor's server.
NODELOCK_OF_ANY_TYPE = "Nodelock"
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
        """Read the account of a response that the authority signed; None where it has none."""
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
    def read(cls, fields: Fields) -> Drift:
        changed = fields.texts("changed", ())
        return cls(
            fields.text("verdict"), changed, fields.text("components", ", ".join(changed)), fields.text("means", "")
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
    :ivar var: None where nothing shows it
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
    var: bool | None = False
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
        return bool(self.fenced) and self.has_nodelock

    @property
    def is_given_back(self) -> bool:
        """Whether this host gave it back: its nodelock is gone, and is not another machine's."""
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
        """The type of its nodelock, ``machine`` or ``personal``; None where it has none, or nothing shows the type."""
        word = self.protection.partition(" ")[0].lower()
        return word if word in NODELOCKS else None

    @property
    def rank(self) -> int:
        """Its serial, for comparison: of two hosts' nodelocks the higher one is the newer."""
        return self.serial or 0

    @classmethod
    def unknown(cls, number: str) -> LicenseView:
        """Return a license that a host knows nothing of: it has no nodelock there."""
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
    def read(cls, fields: Fields) -> ProfileView:
        return cls(
            fields.text("name"),
            fields.text("license"),
            fields.whole_or_none("in_use"),
            fields.flag("reuse", False),
            fields.flag("default", False),
        )
