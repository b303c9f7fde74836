# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the license manager shows (DOMAIN.md, What the overview shows), assembled from a home."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..fingerprint import Comparison, compare
from ..journal import Intent
from ..model import ACTIVATE, digits
from ..store import OURS, Config, Home, Installed, Nodelock, is_carried

ACTIVE = "Active"
INACTIVE = "Inactive Nodelock"
PENDING_ACTIVATION = "Pending Activation"
PENDING_DEACTIVATION = "Pending Deactivation"
EXPIRED = "Expired"


def is_here(installed: Installed, fingerprint: Mapping[str, str]) -> bool:
    """Whether a license has a nodelock, and that nodelock is this machine's."""
    return installed.nodelock is not None and compare(installed.nodelock.fingerprint, fingerprint).is_same_machine


def drift(installed: Installed, fingerprint: Mapping[str, str]) -> Comparison | None:
    """How this machine differs from the one a license was activated on, or None where it does not."""
    if installed.nodelock is None:
        return None
    found = compare(installed.nodelock.fingerprint, fingerprint)
    return found if found.changed else None


def assemble(
    home: Home,
    config: Config,
    installed: Mapping[str, Installed],
    intents: Mapping[str, Intent],
    fingerprint: Mapping[str, str],
    now: datetime,
) -> dict[str, Any]:
    """Return the overview; ``in_use`` is null, and clients are none, as long as no service hands out seats."""
    return {
        "server": server(home, config),
        "licenses": [
            _license(installed[number], intents.get(number), config, fingerprint, now) for number in sorted(installed)
        ],
        "profiles": [
            {"name": p.name, "license": p.license, "in_use": None, "reuse": False, "default": p.default}
            for p in config.profiles
        ],
        "clients": [],
        "users": list(config.users),
        "files": [name for name in home.state_files() if is_carried(name)] if home.state() == OURS else [],
        "pending": [
            {
                "number": intent.number,
                "action": intent.action,
                "request_id": intent.request_id,
                "made": intent.made,
                "file": intent.file,
                "answered": intent.response is not None,
                "holder": _holder(None, intent),
            }
            for intent in sorted(intents.values(), key=lambda intent: intent.number)
        ],
    }


def server(home: Home, config: Config) -> dict[str, Any]:
    """Return the overview's particulars of the server itself."""
    ours = home.state() == OURS
    package = home.package() if ours else None
    return {
        "installed": package is not None,
        "version": package.get("version") if package else None,
        "digest": package.get("digest") if package else None,
        "backend": "bundled",
        "home": home.home,
        "root": home.root,
        "home_id": home.home_id if ours else None,
        "authority": config.authority,
        "realm": config.realm.as_dict() if config.realm else None,
        "maintenance": config.maintenance,
    }


def _license(
    found: Installed,
    intent: Intent | None,
    config: Config,
    fingerprint: Mapping[str, str],
    now: datetime,
) -> dict[str, Any]:
    license, lock = found.license, found.nodelock
    changed = drift(found, fingerprint)
    return {
        "number": license.number,
        "file": f"{digits(license.number)}.lic",
        "type": license.type,
        "seats": license.seats,
        "in_use": None,
        "start": license.start,
        "expiry": license.expiry,
        "maintenance_expiry": license.maintenance_expiry,
        "protection": f"{lock.type.capitalize()} Nodelock" if lock else "None",
        "status": _status(found, intent, fingerprint, now),
        "fenced": config.fenced.get(license.number),
        "var": license.var,
        "code_key": license.code_key,
        "transfers": lock.account.as_dict(now) if lock else None,
        "serial": lock.serial if lock else None,
        "holder": _holder(lock, intent),
        "drift": {"verdict": changed.verdict, "changed": list(changed.changed)} if changed else None,
    }


def _holder(lock: Nodelock | None, intent: Intent | None) -> str | None:
    if lock is not None:
        return lock.host_key
    return str(intent.document.body.get("host_key")) if intent is not None else None


def _status(found: Installed, intent: Intent | None, fingerprint: Mapping[str, str], now: datetime) -> str:
    if intent is not None:
        return PENDING_ACTIVATION if intent.action == ACTIVATE else PENDING_DEACTIVATION
    if not is_here(found, fingerprint):
        return INACTIVE
    return EXPIRED if found.license.problem_on(now.date()) else ACTIVE
