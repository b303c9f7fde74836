# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a license server shows, as data (docs/domain.md#what-the-overview-shows).

These values become dictionaries at the Ansible edge only: ``from_dict`` reads what a module returned or a bundle holds,
``as_dict`` gives it back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from .addresses import Listen
from .documents import Realm
from .errors import refuse
from .license_view import Drift, LicenseView, ProfileView, each, maybe
from .model import ACTIVATE, UPDATE


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
            maybe(Drift.from_dict, data.get("drift")),
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
        known["realm"] = maybe(lambda realm: Realm.from_dict(realm, "realm"), data.get("realm"))
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
                each(LicenseView.from_dict, data["licenses"]),
                each(ProfileView.from_dict, data["profiles"]),
                each(ClientView.from_dict, data.get("clients") or ()),
                int(data.get("clients_total") or 0),
                tuple(data["users"]),
                tuple(data.get("files") or ()),
                each(PendingRequest.from_dict, data.get("pending") or ()),
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
