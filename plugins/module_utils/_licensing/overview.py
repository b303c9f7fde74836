# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a license server shows, as data (docs/domain.md#what-the-overview-shows).

These values become dictionaries at the Ansible edge only: ``from_dict`` reads what a module returned or a bundle holds,
and refuses a field of the wrong type by its name; ``as_dict`` gives it back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from dataclasses import fields as fields_of
from typing import Any

from .addresses import Listen
from .documents import Realm
from .fields import Fields, Kind
from .license_view import Drift, LicenseView, ProfileView
from .model import ACTIVATE, UPDATE

KIND = Kind(
    "an overview", "Give the overview that aims_license_info returned, or use a bundle that nobody has changed."
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
    def read(cls, fields: Fields) -> ClientView:
        return cls(
            fields.text_or_none("client"),
            fields.text_or_none("address"),
            fields.text("user"),
            fields.text("profile"),
            fields.text("license"),
            fields.time("since"),
        )

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> ClientView:
        """Take it from a row of the seats' record, or of an answer that was checked."""
        return cls(**{item.name: row[item.name] for item in fields_of(cls)})


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
    def read(cls, fields: Fields) -> PendingRequest:
        drift = fields.part_or_none("drift")
        return cls(
            fields.text("number"),
            fields.text("action"),
            fields.text_or_none("request_id"),
            fields.time_or_none("made"),
            fields.text("file", ""),
            fields.flag("answered", False),
            fields.text_or_none("holder"),
            Drift.read(drift) if drift else None,
            fields.flag_or_none("here"),
        )

    def as_dict(self) -> dict[str, Any]:
        request = {**asdict(self), "drift": self.drift.as_dict() if self.drift else None}
        if self.request_id is None and self.drift is None and self.here is None:
            # Of a request that is not made there is no machine to compare.
            del request["drift"], request["here"]
        return request


@dataclass(frozen=True)
class ServerView:
    """A license server, apart from its licenses.

    :ivar installed: None where nobody has seen whether it is
    :ivar version, digest: of the installed package; None where none is installed
    :ivar backend: whose server it is; what the vendor's does not show is None
    :ivar running: whether it answers; None where nothing runs it
    :ivar unit: the systemd unit of the vendor's server
    :ivar ports: who listens on each port of the vendor's server
    """

    installed: bool | None = False
    version: str | None = None
    digest: str | None = None
    backend: str = "bundled"
    home: str = ""
    root: str = ""
    home_id: str | None = None
    authority: str | None = None
    realm: Realm | None = None
    maintenance: bool | None = False
    service: str = "none"
    running: bool | None = None
    listen: Listen | None = field(default_factory=Listen)
    unit: str | None = None
    ports: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The home's path on the host, an alternate root before it."""
        return f"{self.root}{self.home}"

    @property
    def is_missing(self) -> bool:
        """Whether no license server is installed, as far as anybody has seen."""
        return self.installed is False

    @classmethod
    def read(cls, fields: Fields) -> ServerView:
        if not fields.has("realm"):
            raise fields.refused("realm", "there")
        listen, ports = fields.part_or_none("listen"), fields.part_or_none("ports")
        return cls(
            installed=fields.flag_or_none("installed"),
            version=fields.text_or_none("version"),
            digest=fields.text_or_none("digest"),
            backend=fields.text("backend", "bundled"),
            home=fields.text("home", ""),
            root=fields.text("root", ""),
            home_id=fields.text_or_none("home_id"),
            authority=fields.text_or_none("authority"),
            realm=_realm(fields),
            maintenance=fields.flag_or_none("maintenance") if fields.has("maintenance") else False,
            service=fields.text("service", "none"),
            running=fields.flag_or_none("running"),
            listen=Listen.from_dict(listen.values, fields.place("listen")) if listen else _unsaid_listen(fields),
            unit=fields.text_or_none("unit"),
            ports={str(port): ports.texts(port) for port in ports.values} if ports else {},
        )

    def as_dict(self) -> dict[str, Any]:
        server = {item.name: getattr(self, item.name) for item in fields_of(self) if item.name not in ("unit", "ports")}
        server["realm"] = self.realm.as_dict() if self.realm else None
        server["listen"] = self.listen.as_dict() if self.listen else None
        if self.unit is not None or self.ports:
            server["unit"] = self.unit
            server["ports"] = {port: list(holders) for port, holders in self.ports.items()}
        return server


def _unsaid_listen(server: Fields) -> Listen | None:
    # A bundle of an earlier version does not say it; null is said of the vendor's server.
    return None if server.has("listen") else Listen()


def _realm(server: Fields) -> Realm | None:
    fields = server.part_or_none("realm")
    if fields is None:
        return None
    # The id follows from the key.
    fields.text("id", "")
    known = {"name": fields.text("name"), "key": fields.text("key"), "ca": fields.text_or_none("ca")}
    return Realm.from_dict(known, server.place("realm"))


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
    def with_nodelock(self) -> set[str]:
        """The numbers of the licenses whose nodelocks are in the home."""
        return {license.number for license in self.licenses if license.has_nodelock}

    @property
    def ended(self) -> set[str]:
        """The numbers of the licenses that the host gave back, or whose emergency ended."""
        return {license.number for license in self.licenses if license.has_ended}

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
        """Read an overview from what a module returned, or a bundle holds.

        :param where: what is read, for the message
        :raises LicensingError: it is not an overview; the message names the first field that is wrong
        """
        fields = Fields.of(data, KIND, where)
        return cls(
            ServerView.read(fields.part("server")),
            tuple(map(LicenseView.read, fields.rows("licenses"))),
            tuple(map(ProfileView.read, fields.rows("profiles"))),
            tuple(map(ClientView.read, fields.rows("clients", ()))),
            fields.whole("clients_total", 0),
            fields.texts("users"),
            fields.texts("files", ()),
            tuple(map(PendingRequest.read, fields.rows("pending", ()))),
        )

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
