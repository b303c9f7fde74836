# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits the open connections of a service, in total and per network. Both services use it.

A new connection always gets a place. If its network or the service is at its limit, another connection is closed, in
this order: a connection without a complete call, if it is older than two seconds or most connections are silent; the
connection that has been idle the longest; the oldest connection. So silent connections cannot block a client that sends
its call at once.
"""

from __future__ import annotations

import ipaddress
import time
from dataclasses import dataclass
from typing import Callable

# Seconds within which a well-behaved client sends its call.
_MOMENTS = 2.0


def network(address: str) -> str:
    """Return a client's key: its IPv4 address, or its IPv6 /64 network, because a client may own all of that."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = getattr(parsed, "ipv4_mapped", None)
    if mapped is not None:
        return str(mapped)
    return str(parsed) if parsed.version == 4 else str(ipaddress.ip_network((int(parsed), 64), strict=False))


@dataclass
class _Place:
    """An open connection.

    :ivar since: the time of its start, by the clock
    :ivar groups: the group of all connections, and the group of its network
    """

    client: str
    close: Callable[[], object]
    since: float
    groups: tuple[_Group, ...]


class _Group:
    """Connections that share a limit. Each collection is in the order of insertion.

    :ivar open: all connections
    :ivar silent: connections that have not sent a complete call
    :ivar idle: answered connections that wait for another call
    """

    def __init__(self) -> None:
        self.open: dict[object, None] = {}
        self.silent: dict[object, None] = {}
        self.idle: dict[object, None] = {}

    def remove(self, key: object) -> None:
        """Forget a connection."""
        for book in (self.open, self.silent, self.idle):
            book.pop(key, None)


class Places:
    """The open connections of a service, with limits in total and per network. All calls take constant time.

    :ivar evicted: number of connections that were closed for others
    """

    def __init__(self, limit: int, each: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self.each = each
        self.evicted = 0
        self._clock = clock
        self._places: dict[object, _Place] = {}
        self._all = _Group()
        self._of: dict[str, _Group] = {}

    def __len__(self) -> int:
        return len(self._places)

    def take(self, key: object, address: str, close: Callable[[], object]) -> None:
        """Add a new connection. At a limit, close another connection.

        :param close: closes the connection; it may call :meth:`leave`
        """
        client = network(address)
        mine = self._of.get(client)
        if mine is not None and len(mine.open) >= self.each:
            self._evict(mine)
        elif len(self._places) >= self.limit:
            self._evict(self._all)
        groups = (self._all, self._of.setdefault(client, _Group()))
        self._places[key] = _Place(client, close, self._clock(), groups)
        for group in groups:
            group.open[key] = group.silent[key] = None

    def heard(self, key: object) -> None:
        """Note that a connection has sent a complete call."""
        for group in self._groups(key):
            group.silent.pop(key, None)
            group.idle.pop(key, None)

    def answered(self, key: object) -> None:
        """Note that a connection waits for its next call."""
        for group in self._groups(key):
            if key not in group.silent:
                group.idle[key] = None

    def leave(self, key: object) -> None:
        """Remove a closed connection, if it is still known."""
        for group in self._groups(key):
            group.remove(key)
        place = self._places.pop(key, None)
        if place is not None and not self._of[place.client].open:
            del self._of[place.client]

    def _groups(self, key: object) -> tuple[_Group, ...]:
        place = self._places.get(key)
        return place.groups if place is not None else ()

    def _evict(self, group: _Group) -> None:
        first = next(iter(group.silent), None)
        late = first is not None and self._places[first].since < self._clock() - _MOMENTS
        # If most connections are silent, they are a flood, even if they are new.
        flood = late or 2 * len(group.silent) > len(group.open)
        chosen = first if flood else next(iter(group.idle or group.open))
        close = self._places[chosen].close
        self.leave(chosen)
        self.evicted += 1
        close()
