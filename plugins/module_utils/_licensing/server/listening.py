# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The listening sockets of the license server."""

from __future__ import annotations

import errno
import socket

from ..errors import refuse

# Seconds that an answer may stay unread before its connection is closed.
_UNREAD = 30
_BACKLOG = 1024
# The errors of a kernel without IPv6, or with IPv6 disabled.
_NO_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT)


def bind(address: str, port: int) -> list[socket.socket]:
    """Return listening sockets.

    :param address: an IP address; empty for all addresses, IPv4 and, if available, IPv6
    :raises LicensingError: the port is in use, or the address does not belong to this host
    """
    where = f"{address or 'all addresses'}, port {port}"
    made: list[socket.socket] = []
    families = [(socket.AF_INET6 if ":" in address else socket.AF_INET, address)]
    if not address:
        families = [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]  # noqa: S104 - the clients of a network
    try:
        for family, name in families:
            try:
                made.append(_listen(family, name, port))
            except OSError as error:
                if address or error.errno not in _NO_FAMILY:
                    raise
        if made:
            return made
        raise OSError(errno.EAFNOSUPPORT, "no address family can be used")
    except OSError as error:
        for listener in made:
            listener.close()
        if error.errno == errno.EADDRINUSE:
            raise refuse(
                f"Port {port} is in use.", where, f"Stop the program that listens there (ss -ltnp sport = :{port})."
            ) from error
        raise refuse(
            f"The license server cannot listen: {error.strerror}.",
            where,
            "Use an address of this host (aims_license_server_listen).",
        ) from error


def _listen(family: int, address: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD * 1000)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
        made.listen(_BACKLOG)
    except OSError:
        made.close()
        raise
    return made
