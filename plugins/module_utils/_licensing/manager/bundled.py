# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager of the bundled license server: it works on the home's files directly."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Callable

from ..channel.base import Channel
from ..declared import DeclaredLicense
from ..documents import Realm
from ..errors import Problem
from ..files import PRIVATE
from ..fingerprint import read_fingerprint
from ..home.config import UNMANAGED
from ..home.store import OURS, Home, is_secret
from ..model import now_utc
from ..overview import Overview
from ..places import place_of
from ..quote import Quote
from . import activation as _activation
from . import deactivation as _deactivation
from . import maintenance as _maintenance
from . import profiles as _profiles
from . import update as _update
from .carried_files import carried
from .drain import drain
from .freshness import Freshness
from .port import Activation, Carried, Change, Deactivation, HomeFile, Maintenance, ProfileChange, SeatTrial
from .preflight import obstacles_of
from .session import HomeSession


class BundledManager:
    """Implements :class:`LicenseManager` on a :class:`Home`.

    :param clock: gives the time, UTC
    :param freshness: when the call was asked for, where whoever asked may be gone by now
    """

    def __init__(
        self, home: Home, clock: Callable[[], datetime] = now_utc, *, freshness: Freshness | None = None
    ) -> None:
        self._home = home
        self._session = HomeSession(home, clock, freshness=freshness)

    def overview(self) -> Overview:
        return self._session.overview(self._session.read())

    def fingerprint(self) -> dict[str, str]:
        return read_fingerprint(self._home.root)

    def places(self) -> dict[str, str | None]:
        machine_id = Path(self._home.root or "/") / "etc" / "machine-id"
        return {"home": place_of(self._home.folder.path), "machine": place_of(machine_id)}

    def obstacles(self) -> list[Problem]:
        return obstacles_of(self._home, self._session.read()) if self._home.state() == OURS else []

    def quote(
        self, licenses: Sequence[DeclaredLicense], channel: Channel, *, realm: Realm | None = None
    ) -> list[Quote]:
        return _activation.quote(self._session, licenses, state=self._session.read(), channel=channel, realm=realm)

    def activate(self, activation: Activation, channel: Channel, *, dry: bool = False) -> Change:
        with self._session.held(dry):
            prepared = _activation.prepare(self._session, activation, channel=channel)
            return _activation.forecast(prepared) if dry else _activation.execute(prepared)

    def deactivate(self, deactivation: Deactivation, channel: Channel, *, dry: bool = False) -> Change:
        # The home is not held while clients are waited for: the execution holds it itself.
        prepared = _deactivation.prepare(self._session, deactivation, channel=channel)
        return _deactivation.forecast(prepared) if dry else _deactivation.execute(prepared)

    def update(self, numbers: Sequence[str], channel: Channel, *, dry: bool = False) -> Change:
        with self._session.held(dry):
            prepared = _update.prepare(self._session, numbers, channel=channel)
            return _update.forecast(prepared) if dry else _update.execute(prepared)

    def set_maintenance(self, maintenance: Maintenance, *, dry: bool = False) -> Change:
        with self._session.held(dry):
            prepared = _maintenance.prepare(self._session, maintenance)
        # As with a deactivation.
        return _maintenance.forecast(prepared) if dry else _maintenance.execute(prepared)

    def end_drain(self, ticket: str) -> Change:
        return _maintenance.end_drain(self._session, ticket)

    def verify(self, served: bool, *, numbers: Sequence[str] | None = None, dry: bool = False) -> list[SeatTrial]:
        # Imported here for the HTTP library, which nothing else of the manager needs at once.
        from .verification import check_released, check_served, try_profiles

        state = self._session.read()
        if dry or state.config.service == UNMANAGED:
            return []
        trials = try_profiles(self._session.overview(state).of_licenses(numbers), state.config)
        if not served:
            # The server ends what a fence has ended within a moment.
            drain(self._home, state.config, seconds=_MOMENT, numbers=numbers)
        self._session.look_again()
        # Another run may drain or fence licenses of its own meanwhile.
        after = self._session.read()
        overview = self._session.overview(after).of_licenses(numbers)
        if served:
            draining = state.config.draining() | after.config.draining()
            check_served(overview, trials, where=self._home.where, draining=draining)
        else:
            check_released(overview, trials, where=self._home.where)
        return trials

    def set_profiles(self, change: ProfileChange, *, dry: bool = False) -> Change:
        with self._session.held(dry):
            prepared = _profiles.prepare(self._session, change)
            return _profiles.forecast(prepared) if dry else _profiles.execute(prepared)

    def carried(self) -> Carried:
        return carried(self._home)

    def nodelocks(self) -> dict[str, str]:
        folder = self._home.folder
        names = folder.names("Nodelocks") if folder.path.is_dir() else []
        return {f"Nodelocks/{name}": hashlib.sha256(folder.read(f"Nodelocks/{name}")).hexdigest() for name in names}

    def read_only(self) -> tuple[str, ...]:
        # Files are replaced here, and not written.
        return ()

    def unnumbered(self) -> tuple[str, ...]:
        # Only files of its own are in it.
        return ()

    def symptoms(self) -> tuple[Problem, ...]:
        # It says in its errors what to do.
        return ()

    def files(self) -> list[HomeFile]:
        self._home.require()
        self._session.read()
        folder = self._home.folder
        return [
            HomeFile(name, folder.mode(name) or PRIVATE, is_secret(name), folder.read(name, 16 << 20))
            for name in self._home.state_files()
        ]


# Seconds that the server may take to notice a fence and to record what it ended.
_MOMENT = 5.0
