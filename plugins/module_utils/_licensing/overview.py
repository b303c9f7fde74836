# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a license server shows, as data (docs/domain.md#what-the-overview-shows).

Whether a license is held, served, fenced, given back or elsewhere is a property here, and is asked nowhere else. These
values become dictionaries at the Ansible edge only: ``from_dict`` reads what a module or bundle holds, ``as_dict``
gives it back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from enum import Enum
from typing import Any, Callable, TypeVar

from .addresses import Listen
from .documents import Realm
from .errors import Problem, refuse
from .fingerprint import DRIFTED, SAME
from .model import ACTIVATE, UPDATE, Account, Profile, parse_time

T = TypeVar("T")


class Status(str, Enum):
    """The status of a license, in the license manager's own words."""

    ACTIVE = "Active"
    INACTIVE = "Inactive Nodelock"
    PENDING_ACTIVATION = "Pending Activation"
    PENDING_DEACTIVATION = "Pending Deactivation"
    PENDING_UPDATE = "Pending Update"
    EXPIRED = "Expired"

    def __str__(self) -> str:
        return self.value


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
                "transfers": _maybe(Transfers.from_dict, data.get("transfers")),
                "drift": _maybe(Drift.from_dict, data.get("drift")),
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


@dataclass(frozen=True)
class ClientView:
    """Who holds a seat, since when (UTC)."""

    client: str | None
    address: str | None
    user: str
    profile: str
    license: str
    since: str

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ClientView:
        return cls(*(data.get(item.name) for item in fields(cls)))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Usage:
    """The seats that a running server has granted.

    :ivar licenses, profiles: how many are in use, by license number and by profile
    :ivar clients: who holds them, the newest first, not all; ``clients_total`` how many there are
    :ivar home_id: of the home that the server serves
    """

    licenses: Mapping[str, int] = field(default_factory=dict)
    profiles: Mapping[str, int] = field(default_factory=dict)
    clients: tuple[ClientView, ...] = ()
    clients_total: int = 0
    home_id: str | None = None

    def of_licenses(self, numbers: Collection[str] | None) -> Usage:
        """Return the usage of these licenses only, or with None all of it."""
        if numbers is None:
            return self
        return replace(
            self,
            licenses={number: seats for number, seats in self.licenses.items() if number in numbers},
            clients=tuple(client for client in self.clients if client.license in numbers),
            clients_total=sum(seats for number, seats in self.licenses.items() if number in numbers),
        )


@dataclass(frozen=True)
class PendingRequest:
    """An exchange that was begun and is not over.

    :ivar request_id, made: None where check mode foresees a request that is not made
    :ivar answered: whether its response is on the host
    :ivar holder: the public key that it was asked with
    :ivar here: whether this machine asked; None where it is not known
    """

    number: str
    action: str
    request_id: str | None
    made: str | None
    file: str
    answered: bool = False
    holder: str | None = None
    drift: Drift | None = None
    here: bool | None = None

    @property
    def is_move(self) -> bool:
        """Whether it decides who holds the license; an update does not."""
        return self.action != UPDATE

    @property
    def is_activation(self) -> bool:
        return self.action == ACTIVATE

    @property
    def is_elsewhere(self) -> bool:
        """Whether the host was another machine when it asked."""
        return self.drift is not None and self.drift.is_another_machine

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PendingRequest:
        return cls(
            data["number"],
            data["action"],
            data.get("request_id"),
            data.get("made"),
            str(data.get("file") or ""),
            bool(data.get("answered")),
            data.get("holder"),
            _maybe(Drift.from_dict, data.get("drift")),
            data.get("here"),
        )

    def as_dict(self) -> dict[str, Any]:
        told = asdict(self)
        told["drift"] = self.drift.as_dict() if self.drift else None
        if self.request_id is None:
            # Of a request that is not made there is no machine to compare.
            del told["drift"], told["here"]
        return told


@dataclass(frozen=True)
class ServerView:
    """A license server, apart from its licenses.

    :ivar version, digest: of the installed package; None where none is installed
    :ivar running: whether it answers; None where nothing runs it
    """

    installed: bool = False
    version: str | None = None
    digest: str | None = None
    backend: str = "bundled"
    home: str = ""
    root: str = ""
    home_id: str | None = None
    authority: str | None = None
    realm: Realm | None = None
    maintenance: bool = False
    service: str = "none"
    running: bool | None = None
    listen: Listen = field(default_factory=Listen)

    @property
    def where(self) -> str:
        """The home's path on the host, an alternate root before it."""
        return f"{self.root}{self.home}"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ServerView:
        known = {item.name: data[item.name] for item in fields(cls) if data.get(item.name) is not None}
        known["realm"] = _maybe(lambda realm: Realm.from_dict(realm, "realm"), data.get("realm"))
        known["listen"] = Listen.from_dict(data.get("listen"), "listen")
        return cls(**known)

    def as_dict(self) -> dict[str, Any]:
        told = {item.name: getattr(self, item.name) for item in fields(self)}
        return {**told, "realm": self.realm.as_dict() if self.realm else None, "listen": self.listen.as_dict()}


@dataclass(frozen=True)
class Overview:
    """What a license server shows.

    :ivar clients: who holds seats, the newest first, not all; ``clients_total`` how many there are
    :ivar files: names of the files that move with the licenses
    """

    server: ServerView = field(default_factory=ServerView)
    licenses: tuple[LicenseView, ...] = ()
    profiles: tuple[ProfileView, ...] = ()
    clients: tuple[ClientView, ...] = ()
    clients_total: int = 0
    users: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    pending: tuple[PendingRequest, ...] = ()

    def license(self, number: str) -> LicenseView | None:
        return next((license for license in self.licenses if license.number == number), None)

    def request(self, number: str) -> PendingRequest | None:
        """The exchange of a license that is pending."""
        return next((request for request in self.pending if request.number == number), None)

    def move(self, number: str) -> PendingRequest | None:
        """The exchange of a license that is pending, and that decides who holds it."""
        return next((request for request in self.pending if request.number == number and request.is_move), None)

    @property
    def held(self) -> set[str]:
        """The numbers of the licenses that are held."""
        return {license.number for license in self.licenses if license.is_held}

    @property
    def numbers(self) -> list[str]:
        """The licenses that the host has, or has asked for."""
        return sorted({license.number for license in self.licenses} | {request.number for request in self.pending})

    def of_licenses(self, numbers: Collection[str] | None) -> Overview:
        """Return the overview with only these licenses and their profiles, or with None all of it."""
        if numbers is None:
            return self
        return replace(
            self,
            licenses=tuple(license for license in self.licenses if license.number in numbers),
            profiles=tuple(profile for profile in self.profiles if profile.license in numbers),
        )

    @classmethod
    def from_dict(cls, data: object, where: str) -> Overview:
        """Read an overview from what a module returned, or a bundle holds; refuse what is none.

        :param where: what is read, for the message
        """
        try:
            if not isinstance(data, Mapping):
                raise TypeError
            return cls(
                ServerView.from_dict(data["server"]),
                _each(LicenseView.from_dict, data["licenses"]),
                _each(ProfileView.from_dict, data["profiles"]),
                _each(ClientView.from_dict, data.get("clients") or ()),
                int(data.get("clients_total") or 0),
                tuple(data["users"]),
                tuple(data.get("files") or ()),
                _each(PendingRequest.from_dict, data.get("pending") or ()),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise refuse(
                "This is not an overview.", where, "Give the overview that aims_license_info returned."
            ) from None

    def as_dict(self) -> dict[str, Any]:
        return {
            "server": self.server.as_dict(),
            "licenses": [license.as_dict() for license in self.licenses],
            "profiles": [asdict(profile) for profile in self.profiles],
            "clients": [asdict(client) for client in self.clients],
            "clients_total": self.clients_total,
            "users": list(self.users),
            "files": list(self.files),
            "pending": [request.as_dict() for request in self.pending],
        }


@dataclass(frozen=True)
class Quote:
    """What the authority would answer to an activation. It changes nothing there.

    :ivar spends: transfers; None where it was not asked, as offline
    :ivar live: whether a machine holds the license; None where it was not asked
    :ivar holder: the public key of that machine
    :ivar refusal: why an activation would be refused
    :ivar until: when an emergency activation would end, UTC; None where none would be granted, or was asked about
    :ivar emergency_refusal: why none would be granted, where one was asked about
    """

    number: str
    spends: int | None = None
    transfers: Transfers | None = None
    live: bool | None = None
    holder: str | None = None
    refusal: Problem | None = None
    until: str | None = None
    emergency_refusal: Problem | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether another machine holds the license."""
        return bool(self.live and self.spends)

    @property
    def is_free(self) -> bool:
        """Whether no machine holds the license."""
        return self.live is False

    @property
    def is_known(self) -> bool:
        """Whether the authority was asked."""
        return self.live is not None

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Quote:
        """Read the body of an authority's response to a quote."""
        asked = body.get("emergency")
        emergency = asked if isinstance(asked, Mapping) else {}
        return cls(
            str(body.get("number")),
            body.get("spends"),
            Transfers.from_body(body),
            body.get("live"),
            body.get("holder"),
            _maybe(_problem, body.get("reason")),
            emergency.get("until"),
            _maybe(_problem, emergency.get("reason")),
        )

    @classmethod
    def from_result(cls, data: Mapping[str, Any]) -> Quote:
        """Read it from a result of ``aims_license_activate`` in check mode."""
        return cls(
            str(data["number"]),
            data.get("spends"),
            _maybe(Transfers.from_dict, data.get("transfers")),
            data.get("live"),
            data.get("holder"),
            None,
            data.get("until"),
            _maybe(_problem, data.get("refused")),
        )


def _problem(data: object) -> Problem:
    if not isinstance(data, Mapping):
        return Problem(str(data), "", "")
    return Problem(str(data.get("what") or ""), str(data.get("where") or ""), str(data.get("todo") or ""))


def _maybe(read: Callable[[Any], T], data: Any) -> T | None:
    return read(data) if data else None


def _each(read: Callable[[Any], T], rows: Iterable[Any]) -> tuple[T, ...]:
    return tuple(read(row) for row in rows)
