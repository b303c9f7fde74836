# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maintenance mode: no new seats, those in use waited for, and the restart with which it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..store import Config, Home
from . import Change
from .draining import drain, still_held
from .managed import ManagedHome
from .running import running


def set_maintenance(
    managed: ManagedHome,
    enabled: bool,
    drain_seconds: float | None = None,
    force: bool = False,
    dry: bool = False,
    numbers: Sequence[str] | None = None,
) -> Change:
    """See :meth:`LicenseManager.set_maintenance`."""
    with managed.home.held(dry):
        state = managed.read()
        config = replace(state.config, maintenance=enabled)
        change = managed.configured(state, config, dry)
    if dry:
        return change
    if not enabled and change.changed:
        _restart(managed.home, config)
    if not enabled or drain_seconds is None:
        return change
    # The home is free while clients are waited for: they may take their time.
    drained = drain(managed.home, config, drain_seconds, numbers)
    if not drained.is_over and not force:
        if change.changed:
            set_maintenance(managed, False)
        raise still_held(managed.home, drained, back=change.changed)
    return replace(change, drained=drained)


def _restart(home: Home, config: Config) -> None:
    """Restart what runs the server, as leaving maintenance mode does (D pro/license-server)."""
    # Imported here, as only this call of the manager has to do with systemd.
    from .service import service_of, wait_until_healthy

    service = service_of(home, config)
    status = running(home, config) if service is not None else None
    if service is not None and status is not None:
        service.restart()
        wait_until_healthy(home, config, service, None, since=status)
