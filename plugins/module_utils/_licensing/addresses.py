# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts, IP addresses and ports: the one place where they are read and written; no I/O, and no name is looked up."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from .errors import LicensingError, refuse, shown

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\Z")
_HOST_AND_PORT = re.compile(r"(\[[^\[\]]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?")


def parse_host(text: str, where: str = "host") -> str:
    """Return a host name (ASCII, in lower case) or IP address in its one form, or refuse.

    An address with a zone is refused: a zone means something to one machine only, and a certificate cannot name it.
    """
    host = text.strip().lower().rstrip(".")
    try:
        if "%" in host:
            raise ValueError("a zone")
        return str(ipaddress.ip_address(host))
    except ValueError:
        # Digits and dots that are no address are no name either: a resolver would guess.
        if not _NAME.match(host) or re.fullmatch(r"[0-9.]+", host):
            todo = "Write a name such as authority.example.com (in ASCII), or an IP address without a zone."
            raise refuse(f"{shown(text)} is not a host.", where, todo) from None
    return host


def parse_ip(text: object, where: str) -> str:
    """Return an IP address to listen on in its one form, or refuse; it may have a zone, which is this machine's own."""
    try:
        # A number would be read as an address too, and what stands after a % may be anything for Python.
        if not isinstance(text, str) or not text.isprintable() or not re.fullmatch(r"[0-9A-Fa-f:.]+(%[\w.-]+)?", text):
            raise ValueError("no text")
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise refuse(
            f"{shown(text)} is not an IP address.",
            where,
            "Write an address of this host, such as 192.0.2.10 or ::; leave clients empty for all of them.",
        ) from None


def parse_port(text: str, default: int) -> int:
    """Return a port, or the default for an empty text.

    :raises ValueError: it is none
    """
    port = int(text) if text else default
    if not 0 < port < 65536:
        raise ValueError("no port")
    return port


def parse_host_and_port(text: str, default: int, where: str) -> tuple[str, int]:
    """Return what ``HOST[:PORT]`` names; an IPv6 address stands in brackets.

    :raises ValueError: it has another form
    :raises LicensingError: the host is none
    """
    match = _HOST_AND_PORT.fullmatch(text.strip())
    if match is None:
        raise ValueError("another form")
    return _host_of(match[1], where), parse_port(match[2] or "", default)


def parse_service(text: str, default: int) -> tuple[str, int]:
    """Return host and port of ``https://host[:port]``, with nothing after it but a slash.

    :raises ValueError: it has another form, or its host is none
    """
    address = text.strip()
    try:
        parts = urlsplit(address)
        only = parts.scheme == "https" and parts.path in ("", "/") and "@" not in parts.netloc
        if not only or not address.isprintable() or set(address) & set("?#\\"):
            raise ValueError("more than host and port")
        return parse_host_and_port(parts.netloc, default, "host")
    except LicensingError:
        raise ValueError("no host") from None


def _host_of(text: str, where: str) -> str:
    """The host of an address; brackets stand around an IPv6 address, and nothing else."""
    if not text.startswith("["):
        return parse_host(text, where)
    host = parse_host(text[1:-1], where)
    if ":" not in host:
        raise ValueError("brackets around no IPv6 address")
    return host


def bracketed(host: str) -> str:
    """Return a host as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def with_port(host: str, port: int) -> str:
    """Return ``host:port``."""
    return f"{bracketed(host)}:{port}"


def service_url(host: str, port: int, default: int) -> str:
    """Return ``https://host[:port]`` in its one form."""
    return f"https://{bracketed(host)}" if port == default else f"https://{with_port(host, port)}"


# The ports cannot be configured (docs/domain.md#license-server-on-linux). Using 3401 for the management is our choice.
CLIENTS_PORT = 3400
MANAGEMENT_PORT = 3401


@dataclass(frozen=True)
class Listen:
    """The addresses that the license server listens on, each at its port.

    :ivar clients: where clients take their seats; all addresses of the host if empty
    :ivar management: where the console and the metrics are; they ask nobody who he is
    """

    clients: str = ""
    management: str = "127.0.0.1"

    @classmethod
    def from_dict(cls, data: object, where: str) -> Listen:
        """Read ``{clients, management}``, each an IP address, or refuse."""
        given = data if isinstance(data, Mapping) else {}
        addresses: dict[str, str] = {}
        for name in ("clients", "management"):
            text = given.get(name, getattr(cls, name))
            if text == "" and name == "clients":
                continue
            addresses[name] = parse_ip(text, f"{where}, {name}")
        return cls(**addresses)

    @property
    def reachable(self) -> Listen:
        """The addresses to reach the server under from its own host."""
        loopback = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where others may listen
        return Listen(loopback.get(self.clients, self.clients), loopback.get(self.management, self.management))

    def as_dict(self) -> dict[str, str]:
        """Give the addresses as ``{clients, management}``."""
        return {"clients": self.clients, "management": self.management}
