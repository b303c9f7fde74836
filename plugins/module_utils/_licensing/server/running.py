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
from .metrics import histogram_samples, labelled, render
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
        snapshot, pool = self.allocator.entitlements.current(), self.allocator.pool
        if snapshot.problems:
            raise LicensingError(snapshot.problems)
        shown = tuple(ClientView.of_row(row) for row in self.store.clients(None, SHOWN))
        usage = Usage(pool.licenses(), pool.profiles(), shown, len(pool))
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

    def metrics(self) -> str:
        """Return the metrics in the text form of Prometheus."""
        snapshot, pool, counted = self.allocator.entitlements.current(), self.allocator.pool, self.allocator.metrics
        granted = {n: g.seats if g.problem is None else 0 for n, g in snapshot.licenses.items()}
        licenses, profiles = pool.licenses(), pool.profiles()
        families = (
            ("build_info", "gauge", "The running version.", [(f'{{version="{VERSION}"}}', 1)]),
            ("ready", "gauge", "Whether the home can be read.", [("", not snapshot.problems)]),
            ("maintenance", "gauge", "Whether maintenance mode is on.", [("", snapshot.maintenance)]),
            ("clients_total", "gauge", "Seats that are held.", [("", len(pool))]),
            (
                "license_seats_granted",
                "gauge",
                "Seats that a license grants here.",
                labelled("license", granted),
            ),
            (
                "license_seats_in_use",
                "gauge",
                "Seats in use by license.",
                labelled("license", {**dict.fromkeys(granted, 0), **licenses}),
            ),
            (
                "profile_seats_granted",
                "gauge",
                "Seats that the license of a profile grants here; profiles may share a license.",
                labelled("profile", {p.name: granted.get(p.license, 0) for p in snapshot.profiles.values()}),
            ),
            (
                "profile_seats_in_use",
                "gauge",
                "Seats in use by profile.",
                labelled("profile", {**dict.fromkeys(snapshot.profiles, 0), **profiles}),
            ),
            ("takes_total", "counter", "Answers to takes by result.", labelled("result", counted.takes)),
            ("heartbeats_total", "counter", "Answers to heartbeats by result.", labelled("result", counted.heartbeats)),
            ("releases_total", "counter", "Answers to releases by result.", labelled("result", counted.releases)),
            ("expired_total", "counter", "Seats that ended without a heartbeat.", [("", counted.expired)]),
            ("revoked_total", "counter", "Seats that ended with their license.", [("", counted.revoked)]),
            ("commit_failures_total", "counter", "Batches that could not be recorded.", [("", counted.failures)]),
            ("commit_changes", "histogram", "Changes per recorded batch.", histogram_samples(counted.sizes)),
            ("commit_seconds", "histogram", "Seconds to record a batch.", histogram_samples(counted.seconds)),
        )
        return render((f"licsrv_{name}", kind, text, samples) for name, kind, text, samples in families)


def _without_number(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "number"}
