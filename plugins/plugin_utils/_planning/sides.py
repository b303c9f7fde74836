# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two hosts of a pair, as they were looked at. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import OFFLINE
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import Problem
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fields import Fields, Kind
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import is_carried
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Carried
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview, PendingRequest

KIND = Kind("a host of a pair", "Give host, and as info the result of aims_license_info.")


def carried_names(names: Iterable[str]) -> list[str]:
    """Return the names of files that move with the licenses."""
    return [name for name in names if is_carried(name)]


def read_carried(fields: Fields) -> Carried:
    """Read what a host has said of its files that move; files that do not move are left out."""
    files, brought = fields.texts_by_name("files"), fields.texts_by_name("brought")
    return Carried({name: files[name] for name in carried_names(files)}, brought, fields.texts("sources", ()))


def read_fingerprint(fields: Fields) -> dict[str, str]:
    """Read the identity of a machine by component."""
    return {name: value for name, value in fields.texts_by_name("fingerprint").items() if value is not None}


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
    places: Mapping[str, str | None] = field(default_factory=dict)
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
    def from_dict(cls, data: object, where: str) -> Side:
        """Read it from an option of a task.

        :param where: the option, for the message
        :raises LicensingError: it is none; the message names the first field that is wrong
        """
        fields = Fields.of(data, KIND, where)
        host = str(fields.values.get("host") or "")
        carried = fields.part("carried") if fields.values.get("carried") else None
        return cls(
            host,
            Overview.from_dict(fields.values.get("overview"), f"{host}, overview"),
            read_fingerprint(fields),
            fields.texts_by_name("places"),
            tuple(map(read_problem, fields.rows("obstacles", ()))),
            fields.flag("reachable", True),
            (fields.text_or_none("authority") or "").strip() or None,
            fields.flag("returns", False),
            read_carried(carried) if carried else None,
        )


def read_problem(fields: Fields) -> Problem:
    """Read ``{what, where, todo}``."""
    return Problem(fields.text("what"), fields.text("where"), fields.text("todo"))
