# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two hosts of a pair, as they were looked at. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import OFFLINE
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import Problem
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import is_carried
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Carried
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview, PendingRequest
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.format import as_list, as_map

# Name → SHA-256, or None where it is not known.


def carried_names(names: object) -> list[str]:
    """Return the names of files that move with the licenses, out of whatever a host has said."""
    return [name for name in as_list(names) if isinstance(name, str) and is_carried(name)]


def read_carried(data: object) -> Carried:
    """Read whatever a host has said of its files that move; what is none of it is left out."""
    record = as_map(data)
    files = as_map(record.get("files"))
    return Carried(
        {name: files[name] if isinstance(files[name], str) else None for name in carried_names(list(files))},
        as_map(record.get("brought")),
        tuple(source for source in as_list(record.get("sources")) if isinstance(source, str)),
    )


@dataclass(frozen=True)
class Side:
    """A host of a pair.

    :ivar places: what tells that two names lead to one machine, or two machines to one home
    :ivar obstacles: what would keep it from giving licenses up
    :ivar reachable: whether it was looked at; otherwise its overview shows nothing
    :ivar authority: what it asks, as the inventory declares it
    :ivar returns: whether licenses come back to it, as in a rollback
    :ivar carried: None where the host said nothing of its files
    """

    host: str
    overview: Overview = field(default_factory=Overview)
    fingerprint: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, Any] = field(default_factory=dict)
    obstacles: tuple[Problem, ...] = ()
    reachable: bool = True
    authority: str | None = None
    returns: bool = False
    carried: Carried | None = None

    @property
    def home(self) -> str:
        """The home's path on the host."""
        return self.overview.server.where

    @property
    def is_offline(self) -> bool:
        return self.authority == OFFLINE

    def license(self, number: str) -> LicenseView:
        """What the host shows of a license; one that it knows nothing of has no nodelock."""
        return self.overview.license(number) or LicenseView.unknown(number)

    def requests(self, number: str) -> list[PendingRequest]:
        return [request for request in self.overview.pending if request.number == number]

    def as_lost(self, remembered: Overview) -> Side:
        """Return it as a host that shows nothing, with the server, profiles and users of its bundle."""
        shown = Overview(remembered.server, profiles=remembered.profiles, users=remembered.users)
        return replace(self, overview=shown, reachable=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Side:
        """Read it from an option of a task; refuse what has no overview."""
        host = str(data.get("host") or "")
        return cls(
            host,
            Overview.from_dict(data.get("overview"), f"{host}, overview"),
            as_map(data.get("fingerprint")),
            as_map(data.get("places")),
            tuple(Problem(**obstacle) for obstacle in data.get("obstacles") or ()),
            bool(data.get("reachable", True)),
            str(data.get("authority") or "").strip() or None,
            bool(data.get("returns", False)),
            read_carried(data["carried"]) if data.get("carried") else None,
        )
