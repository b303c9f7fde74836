# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parses and renders hosts, IP addresses and ports. No I/O and no name lookup."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from .errors import LicensingError, quoted, refuse

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\Z")
_HOST_AND_PORT = re.compile(r"(\[[^\[\]]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?")


def parse_host(text: str, where: str = "host") -> str:
    """Return a host name (ASCII, lower case) or IP address in normal form, or refuse.

    An address with a zone is refused: a zone is valid on one machine only, and a certificate cannot have it.
    """
    host = text.strip().lower().rstrip(".")
    try:
        if "%" in host:
            raise ValueError("a zone")
        return str(ipaddress.ip_address(host))
    except ValueError:
        # Digits and dots that are not an address are not a name either, because resolvers treat them differently.
        if not _NAME.match(host) or re.fullmatch(r"[0-9.]+", host):
            todo = "Write a name such as authority.example.com (in ASCII), or an IP address without a zone."
            raise refuse(f"{quoted(text)} is not a host.", where, todo) from None
    return host


def parse_hosts(names: object, where: str) -> tuple[str, ...]:
    """Return a list of hosts in normal form, each once, or refuse."""
    listed = names if isinstance(names, (list, tuple)) else [names]
    parsed = (parse_host(name if isinstance(name, str) else quoted(name), where) for name in listed)
    return tuple(dict.fromkeys(parsed))


def parse_ip(text: object, where: str) -> str:
    """Return an IP address to listen on in normal form, or refuse. It may have a zone of this machine."""
    try:
        # Python also accepts numbers as addresses, and any text after a %.
        if not isinstance(text, str) or not text.isprintable() or not re.fullmatch(r"[0-9A-Fa-f:.]+(%[\w.-]+)?", text):
            raise ValueError("no text")
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise refuse(
            f"{quoted(text)} is not an IP address.",
            where,
            "Use an address of this host, such as 192.0.2.10 or ::. Leave clients empty for all addresses.",
        ) from None


def parse_port(text: str, default: int) -> int:
    """Return a port, or the default for an empty text.

    :raises ValueError: it is not a port
    """
    port = int(text) if text else default
    if not 0 < port < 65536:
        raise ValueError("no port")
    return port


def parse_host_and_port(text: str, default: int, where: str) -> tuple[str, int]:
    """Return host and port of ``HOST[:PORT]``. An IPv6 address is in brackets.

    :raises ValueError: it has another form
    :raises LicensingError: the host is invalid
    """
    match = _HOST_AND_PORT.fullmatch(text.strip())
    if match is None:
        raise ValueError("another form")
    return _host_of(match[1], where), parse_port(match[2] or "", default)


def parse_service(text: str, default: int) -> tuple[str, int]:
    """Return host and port of ``https://host[:port]``. Only a slash may follow.

    :raises ValueError: it has another form, or its host is invalid
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
    """Return the host of an address. An IPv6 address, and only that, is in brackets."""
    if not text.startswith("["):
        return parse_host(text, where)
    host = parse_host(text[1:-1], where)
    if ":" not in host:
        raise ValueError("brackets around no IPv6 address")
    return host


def bracketed(host: str) -> str:
    """Return a host for use before a port: an IPv6 address gets brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def with_port(host: str, port: int) -> str:
    """Return ``host:port``."""
    return f"{bracketed(host)}:{port}"


def service_url(host: str, port: int, default: int) -> str:
    """Return ``https://host[:port]`` in normal form: without the default port."""
    return f"https://{bracketed(host)}" if port == default else f"https://{with_port(host, port)}"


# The ports are fixed (docs/domain.md#license-server-on-linux). Port 3401 for the management is our choice.
CLIENTS_PORT = 3400
MANAGEMENT_PORT = 3401


@dataclass(frozen=True)
class Listen:
    """The addresses that the license server listens on.

    :ivar clients: IP address for clients; empty for all addresses of the host
    :ivar management: IP address for console and metrics, which need no login
    """

    clients: str = ""
    management: str = "127.0.0.1"

    @classmethod
    def from_dict(cls, data: object, where: str) -> Listen:
        """Read ``{clients, management}``. Refuse invalid IP addresses."""
        values = data if isinstance(data, Mapping) else {}
        addresses: dict[str, str] = {}
        for name in ("clients", "management"):
            text = values.get(name, getattr(cls, name))
            if text == "" and name == "clients":
                continue
            addresses[name] = parse_ip(text, f"{where}, {name}")
        return cls(**addresses)

    @property
    def reachable(self) -> Listen:
        """The addresses for connections from the server's own host."""
        loopback = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
        return Listen(loopback.get(self.clients, self.clients), loopback.get(self.management, self.management))

    def as_dict(self) -> dict[str, str]:
        """Return ``{clients, management}``."""
        return {"clients": self.clients, "management": self.management}
