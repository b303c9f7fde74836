# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running license server tells of itself."""

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
from .metrics import by, of, render
from .seat_store import SeatStore

# How many clients the overview holds.
SHOWN = 100


@dataclass(frozen=True)
class Running:
    """A license server, for those who look at it.

    :ivar digest: of the package that it was started from, or None
    :ivar listen: the addresses that it was started with
    :ivar instance: tells this start from any other, as one may follow within a second
    """

    home: Home
    home_id: str
    desk: SeatAllocator
    register: SeatStore
    listen: Listen
    digest: str | None
    started: str
    instance: str = field(default_factory=lambda: secrets.token_hex(8))

    def status(self) -> dict[str, Any]:
        """Return what tells whether the server runs, and which."""
        snapshot = self.desk.grants.look()
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
            "seats": len(self.desk.pool),
            "listen": self.listen.as_dict(),
            "ready": not snapshot.problems,
        }

    def overview(self) -> Overview:
        """Return the overview with the seats in use.

        :raises LicensingError: the home or the record of the seats cannot be read
        """
        snapshot, pool = self.desk.grants.look(), self.desk.pool
        if snapshot.problems:
            raise LicensingError(snapshot.problems)
        shown = tuple(ClientView.of_row(row) for row in self.register.clients(None, SHOWN))
        usage = Usage(pool.licenses(), pool.profiles(), shown, len(pool))
        state = State(snapshot.config, snapshot.installed, snapshot.intents, self.desk.grants.fingerprint, now_utc())
        # The service may not look into the folder of the keys.
        return overview_of(self.home, state, usage, files=())

    def clients(self, after: int | None, limit: int) -> dict[str, Any]:
        """Return a page of those who hold seats, the newest first.

        :raises LicensingError: the record of the seats cannot be read
        """
        rows = self.register.clients(after, limit)
        following = str(rows[-1]["number"]) if len(rows) == limit else None
        return {"clients": [_without_number(row) for row in rows], "next": following, "total": len(self.desk.pool)}

    def metrics(self) -> str:
        """Return the metrics in the text form of Prometheus."""
        snapshot, pool, counted = self.desk.grants.look(), self.desk.pool, self.desk.metrics
        granted = {n: g.seats if g.problem is None else 0 for n, g in snapshot.licenses.items()}
        licenses, profiles = pool.licenses(), pool.profiles()
        families = (
            ("build_info", "gauge", "The version that runs.", [(f'{{version="{VERSION}"}}', 1)]),
            ("ready", "gauge", "Whether the home can be read.", [("", not snapshot.problems)]),
            ("maintenance", "gauge", "Whether maintenance mode is on.", [("", snapshot.maintenance)]),
            ("clients_total", "gauge", "Seats that are held.", [("", len(pool))]),
            (
                "license_seats_granted",
                "gauge",
                "Seats that a license grants here now.",
                by("license", granted),
            ),
            (
                "license_seats_in_use",
                "gauge",
                "Seats in use by license.",
                by("license", {**dict.fromkeys(granted, 0), **licenses}),
            ),
            (
                "profile_seats_granted",
                "gauge",
                "Seats that the license of a profile grants here now; profiles may share it.",
                by("profile", {p.name: granted.get(p.license, 0) for p in snapshot.profiles.values()}),
            ),
            (
                "profile_seats_in_use",
                "gauge",
                "Seats in use by profile.",
                by("profile", {**dict.fromkeys(snapshot.profiles, 0), **profiles}),
            ),
            ("takes_total", "counter", "Answers to takes by result.", by("result", counted.takes)),
            ("heartbeats_total", "counter", "Answers to heartbeats by result.", by("result", counted.heartbeats)),
            ("releases_total", "counter", "Answers to releases by result.", by("result", counted.releases)),
            ("expired_total", "counter", "Seats that ended without a sign of life.", [("", counted.expired)]),
            ("revoked_total", "counter", "Seats that ended with their license.", [("", counted.revoked)]),
            ("commit_failures_total", "counter", "Batches that could not be recorded.", [("", counted.failures)]),
            ("commit_changes", "histogram", "Changes of a batch that was recorded at once.", of(counted.sizes)),
            ("commit_seconds", "histogram", "Seconds that recording a batch took.", of(counted.seconds)),
        )
        return render((f"licsrv_{name}", kind, text, samples) for name, kind, text, samples in families)


def _without_number(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "number"}
