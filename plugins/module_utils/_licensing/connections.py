# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may keep a connection to a service when there are more than it can hold; both services go by this.

A new connection always gets a place. Where its network has all that one network may have, or all are in use, another
makes way: first one that has been open for moments, or is one of very many new ones, and has not sent a whole call;
then the one that has been idle for longest; and where every one waits for an answer, the one that came first. So a
client that sends at once is served, whoever else holds connections open and says nothing.
"""

from __future__ import annotations

import ipaddress
import time
from dataclasses import dataclass
from typing import Callable

# Seconds within which a client that means well has sent its call.
_MOMENTS = 2.0


def network(address: str) -> str:
    """Return what stands for a client: its address, or of IPv6 the network, which one client has all of."""
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
    """One open connection, and when it came.

    :ivar groups: the books it stands in: that of all connections, and that of its network
    """

    client: str
    close: Callable[[], object]
    since: float
    groups: tuple[_Group, ...]


class _Group:
    """Connections that share a limit, each in the order in which it came to be there.

    :ivar open: all of them
    :ivar silent: those that have not sent a whole call yet
    :ivar idle: those that wait for another call
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
    """The places for connections, in all and for each network. What is done for one takes the same time for any number.

    :ivar evicted: how many connections had to make way
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
        """Give a new connection a place, closing another one where that is needed.

        :param close: cuts the connection; it may call :meth:`leave`
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
        """Note that a whole call came over a connection."""
        for group in self._groups(key):
            group.silent.pop(key, None)
            group.idle.pop(key, None)

    def answered(self, key: object) -> None:
        """Note that a connection waits for its next call."""
        for group in self._groups(key):
            if key not in group.silent:
                group.idle[key] = None

    def leave(self, key: object) -> None:
        """Free the place of a connection that is closed; it may be free already."""
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
        # Where most are new and silent, those are the flood, however fresh.
        flood = late or 2 * len(group.silent) > len(group.open)
        chosen = first if flood else next(iter(group.idle or group.open))
        close = self._places[chosen].close
        self.leave(chosen)
        self.evicted += 1
        close()
