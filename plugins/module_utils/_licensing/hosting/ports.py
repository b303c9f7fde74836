# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the processes that listen on a TCP port of this host, from /proc."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import Problem
from ..system import advice, is_own, reason

_LISTEN = "0A"


def address_problems(address: str) -> list[Problem]:
    """Return a problem if an address does not belong to this host.

    :param address: an IP address; "" means all addresses and is always fine
    """
    if not address:
        return []
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
        with socket.socket(family) as tried:
            tried.bind((address, 0))
            return []
    except ValueError:
        pass
    except OSError as error:
        if is_own(error):
            what = f"Cannot check whether {address} is an address of this host: {reason(error)}."
            return [Problem(what, "this host", advice(error))]
    todo = "Use an address that 'ip address' shows there, or leave it empty for the default."
    return [Problem(f"{address} is not an address of this host.", "this host", todo)]


def holders(address: str, port: int, proc: Path = Path("/proc"), without: int = 0) -> list[str]:
    """Return the processes that occupy a port, such as ``nginx (process 812)``; empty if the port is free.

    :param address: an IP address; "" means all addresses
    :param without: a process to ignore, such as the server itself; 0 ignores none
    :return: name and number of each process; a general text for processes that this user may not see
    """
    declared = ipaddress.ip_address(address) if address else None
    inodes = {
        inode
        for there, at, inode in _listeners(proc)
        if at == port and (declared in (None, there) or there.is_unspecified or (declared and declared.is_unspecified))
    }
    held = [holder for holder in _sockets(proc) if holder[0] in inodes] if inodes else []
    inodes -= {inode for inode, process, _name in held if process == without}
    named = sorted(f"{name} (process {process})" for inode, process, name in held if inode in inodes)
    return list(dict.fromkeys(named)) or ["a process of another user"] * bool(inodes)


def _listeners(proc: Path) -> Iterator[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int, str]]:
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (proc / "net" / table).read_text(encoding="ascii").splitlines()[1:]:
                columns = line.split()
                if columns[3] == _LISTEN:
                    address, port = columns[1].split(":")
                    yield _address(address), int(port, 16), columns[9]


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    # /proc has 32-bit words in the machine's byte order. An IPv4-mapped IPv6 address counts as IPv4.
    words = [bytes.fromhex(text[at : at + 8]) for at in range(0, len(text), 8)]
    raw = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    parsed = ipaddress.ip_address(raw)
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed


def _sockets(proc: Path) -> Iterator[tuple[str, int, str]]:
    """Yield inode, process number and process name of each open socket."""
    for process in proc.iterdir():
        if process.name.isdigit():
            # Processes may end in the meantime, and those of other users are not readable.
            with contextlib.suppress(OSError):
                name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
                for handle in (process / "fd").iterdir():
                    with contextlib.suppress(OSError):
                        target = os.readlink(handle)  # noqa: PTH115 - the target is not a path
                        if target.startswith("socket:["):
                            yield target[8:-1], int(process.name), name
