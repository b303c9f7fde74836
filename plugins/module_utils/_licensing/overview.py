# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The overview of a license server, as data (docs/domain.md#what-the-overview-shows).

These values become dictionaries only at the edge to Ansible, bundles and HTTP: ``as_dict`` writes them, ``from_dict``
reads them and refuses fields of a wrong type.
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
    """A client with a seat. ``since`` is the time of the grant, UTC."""

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
        """Read a client from a row of the seat store, or from a checked answer of a server."""
        return cls(**{item.name: row[item.name] for item in fields_of(cls)})


@dataclass(frozen=True)
class Usage:
    """The seats in use on a running server.

    :ivar licenses: seats in use by license number
    :ivar profiles: seats in use by profile
    :ivar clients: the newest clients, newest first
    :ivar clients_total: number of all clients
    :ivar home_id: the id of the server's home
    :ivar reused: by profile, the sessions that share the seat of another one
    """

    licenses: Mapping[str, int] = field(default_factory=dict)
    profiles: Mapping[str, int] = field(default_factory=dict)
    clients: tuple[ClientView, ...] = ()
    clients_total: int = 0
    home_id: str | None = None
    reused: Mapping[str, int] = field(default_factory=dict)

    def of_licenses(self, numbers: Collection[str] | None) -> Usage:
        """Return the usage of these licenses; None selects all."""
        if numbers is None:
            return self
        licenses = {number: seats for number, seats in self.licenses.items() if number in numbers}
        clients = tuple(client for client in self.clients if client.license in numbers)
        # A seat may have several clients, and not all clients are here.
        total = max(sum(licenses.values()), len(clients))
        return replace(self, licenses=licenses, clients=clients, clients_total=total)


@dataclass(frozen=True)
class PendingRequest:
    """An open exchange in a host's overview.

    :ivar request_id: the request's id; None in a forecast
    :ivar made: the request's time, UTC; None in a forecast
    :ivar answered: whether its response is on the host
    :ivar holder: the public key of the request
    :ivar here: whether this machine made the request; None if unknown
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
        """Whether it changes the holder of the license; an update does not."""
        return self.action != UPDATE

    @property
    def is_activation(self) -> bool:
        return self.action == ACTIVATE

    @property
    def is_elsewhere(self) -> bool:
        """Whether another machine made the request."""
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
            # A forecast has no request whose machine could be compared.
            del request["drift"], request["here"]
        return request


@dataclass(frozen=True)
class ServerView:
    """The server in an overview, without its licenses.

    :ivar installed: whether a package is installed; None if unknown
    :ivar version: version of the installed package, or None
    :ivar digest: digest of the installed package, or None
    :ivar backend: ``bundled`` or ``vendor``; values that the vendor's server does not show are None
    :ivar maintenance: whether no new seats are granted; None if unknown
    :ivar maintenance_by: who entered maintenance mode, FENCE or OPERATOR; None if it is off or that is unknown
    :ivar draining: the numbers of the licenses of which no new seats are granted, because they are about to leave. A
        drain ends by itself, so it makes no difference between two overviews
    :ivar running: whether the server answers; None if it is unmanaged
    :ivar unit: the systemd unit of the vendor's server
    :ivar ports: the listening process of each port of the vendor's server
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
    maintenance_by: str | None = None
    draining: tuple[str, ...] = field(default=(), compare=False)
    service: str = "none"
    running: bool | None = None
    listen: Listen | None = field(default_factory=Listen)
    unit: str | None = None
    ports: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The home's path on the host, including an alternate root."""
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
            maintenance_by=fields.text_or_none("maintenance_by"),
            draining=fields.texts("draining", ()),
            service=fields.text("service", "none"),
            running=fields.flag_or_none("running"),
            listen=Listen.from_dict(listen.values, fields.place("listen")) if listen else _unsaid_listen(fields),
            unit=fields.text_or_none("unit"),
            ports={str(port): ports.texts(port) for port in ports.values} if ports else {},
        )

    def as_dict(self) -> dict[str, Any]:
        server = {item.name: getattr(self, item.name) for item in fields_of(self) if item.name not in ("unit", "ports")}
        server["draining"] = list(self.draining)
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
    """The overview of a license server.

    :ivar clients: the newest clients with seats, newest first; ``clients_total`` is the number of all
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
        """Return the pending request of a license, or None."""
        return next((request for request in self.pending if request.number == number), None)

    def move(self, number: str) -> PendingRequest | None:
        """Return the pending activation or deactivation of a license, or None."""
        return next((request for request in self.pending if request.number == number and request.is_move), None)

    @property
    def held(self) -> set[str]:
        """The numbers of the held licenses."""
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
        """The sorted numbers of all licenses with a license file or a pending request."""
        return sorted({license.number for license in self.licenses} | {request.number for request in self.pending})

    def of_licenses(self, numbers: Collection[str] | None) -> Overview:
        """Return the overview with these licenses and their profiles; None selects all."""
        if numbers is None:
            return self
        return replace(
            self,
            licenses=tuple(license for license in self.licenses if license.number in numbers),
            profiles=tuple(profile for profile in self.profiles if profile.license in numbers),
        )

    @classmethod
    def from_dict(cls, data: object, where: str) -> Overview:
        """Read an overview from a module's result or a bundle.

        :param where: the source, for the message
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
