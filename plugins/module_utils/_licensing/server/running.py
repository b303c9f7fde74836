# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status, overview and metrics of a running license server."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import VERSION
from ..addresses import Listen
from ..errors import LicensingError
from ..home.inspection import overview_of
from ..home.state import State
from ..home.store import PRODUCT, Home
from ..model import now_utc
from ..overview import ClientView, Overview, Usage
from .allocator import SeatAllocator
from .exposition import exposition
from .seat_store import SeatStore

# Maximum number of clients in the overview.
SHOWN = 100


@dataclass(frozen=True)
class Running:
    """A running license server, as the management port shows it.

    :ivar digest: digest of the package that it was started from, or None
    :ivar listen: the addresses that it listens on
    :ivar instance: a random id of this start, because a restart may happen within the same second
    """

    home: Home
    home_id: str
    allocator: SeatAllocator
    store: SeatStore
    listen: Listen
    digest: str | None
    started: str
    instance: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """Further names of this machine, as the configuration has them now."""
        return self.allocator.entitlements.current().config.allowed_hosts

    def status(self) -> dict[str, Any]:
        """Return status and identity of the server."""
        snapshot = self.allocator.entitlements.current()
        return {
            "product": PRODUCT,
            "version": VERSION,
            "digest": self.digest,
            "home": self.home.home,
            "home_id": self.home_id,
            "pid": os.getpid(),
            "started": self.started,
            "instance": self.instance,
            "maintenance": snapshot.maintenance,
            "seats": len(self.allocator.pool),
            "listen": self.listen.as_dict(),
            "ready": not snapshot.problems,
        }

    def overview(self) -> Overview:
        """Return the overview with the seats in use.

        :raises LicensingError: the home or the seat store cannot be read
        """
        problems = self.allocator.entitlements.current().problems
        if problems:
            raise LicensingError(problems)
        return self._overview(tuple(ClientView.of_row(row) for row in self.store.clients(None, SHOWN)))

    def _overview(self, shown: tuple[ClientView, ...]) -> Overview:
        snapshot, pool = self.allocator.entitlements.current(), self.allocator.pool
        usage = Usage(pool.licenses(), pool.profiles(), shown, len(pool), reused=pool.reused())
        state = State(
            snapshot.config, snapshot.installed, snapshot.intents, self.allocator.entitlements.fingerprint, now_utc()
        )
        # The service's user cannot list the folder of the keys.
        return overview_of(self.home, state, usage, files=())

    def clients(self, after: int | None, limit: int) -> dict[str, Any]:
        """Return a page of the clients with seats, the newest first.

        :raises LicensingError: the seat store cannot be read
        """
        rows = self.store.clients(after, limit)
        following = str(rows[-1]["number"]) if len(rows) == limit else None
        return {"clients": [_without_number(row) for row in rows], "next": following, "total": len(self.allocator.pool)}

    def history(self) -> dict[str, Any]:
        """Return the last 24 hours of use by license."""
        return self.allocator.metrics.history.as_dict(self.allocator.entitlements.current().licenses)

    def metrics(self) -> str:
        """Return the metrics in the text form of Prometheus."""
        problems = self.allocator.entitlements.current().problems
        overview = None if problems else self._overview(())
        return exposition(overview, self.allocator, self.started)


def _without_number(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "number"}
