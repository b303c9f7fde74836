# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the license manager shows (docs/domain.md#what-the-overview-shows), assembled from a home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..fingerprint import MEANINGS, SAME, Comparison, compare, in_words
from ..model import ACTIVATE, DEACTIVATE, UPDATE, digits, render_time
from .journal import Intent
from .store import OURS, UNMANAGED, Config, Home, Installed, Nodelock, is_carried

ACTIVE = "Active"
INACTIVE = "Inactive Nodelock"
PENDING_ACTIVATION = "Pending Activation"
PENDING_DEACTIVATION = "Pending Deactivation"
PENDING_UPDATE = "Pending Update"
_PENDING = {ACTIVATE: PENDING_ACTIVATION, DEACTIVATE: PENDING_DEACTIVATION, UPDATE: PENDING_UPDATE}
EXPIRED = "Expired"


@dataclass(frozen=True)
class Usage:
    """The seats that a running server has granted.

    :ivar licenses, profiles: how many are in use, by license number and by profile
    :ivar clients: who holds them, ``{client, address, user, profile, license, since}``, the newest first, not all
    :ivar clients_total: how many there are
    """

    licenses: Mapping[str, int] = field(default_factory=dict)
    profiles: Mapping[str, int] = field(default_factory=dict)
    clients: Sequence[Mapping[str, Any]] = ()
    clients_total: int = 0


def is_here(installed: Installed, fingerprint: Mapping[str, str]) -> bool:
    """Whether a license has a nodelock, and that nodelock is this machine's."""
    return installed.nodelock is not None and compare(installed.nodelock.fingerprint, fingerprint).is_same_machine


def drift(installed: Installed, fingerprint: Mapping[str, str]) -> Comparison | None:
    """How this machine differs from the one a license was activated on, or None where it does not."""
    if installed.nodelock is None:
        return None
    found = compare(installed.nodelock.fingerprint, fingerprint)
    return found if found.changed else None


def drift_since_asked(intent: Intent, fingerprint: Mapping[str, str]) -> Comparison | None:
    """How this machine differs from the one that a pending activation was made for, or None where it does not."""
    if intent.action != ACTIVATE:
        return None
    found = compare(intent.document.body["fingerprint"], fingerprint)
    return None if found.verdict == SAME else found


def assemble(
    home: Home,
    config: Config,
    installed: Mapping[str, Installed],
    intents: Mapping[str, Intent],
    fingerprint: Mapping[str, str],
    now: datetime,
    usage: Usage | None = None,
    files: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return the overview.

    :param usage: of the server where it runs; without it ``in_use`` is null, and clients are none
    :param files: the names of the files that move with the licenses, for a caller who may not look for them himself
    """
    if files is None:
        files = [name for name in home.folder.walk(links=True) if is_carried(name)] if home.state() == OURS else []
    in_use = usage.licenses if usage else {}
    return {
        "server": server(home, config, usage is not None),
        "licenses": [
            {
                **_license(installed[number], intents.get(number), config, fingerprint, now),
                "in_use": in_use.get(number, 0) if usage else None,
            }
            for number in sorted(installed)
        ],
        "profiles": [
            {
                "name": p.name,
                "license": p.license,
                "in_use": usage.profiles.get(p.name, 0) if usage else None,
                "reuse": False,
                "default": p.default,
            }
            for p in config.profiles
        ],
        "clients": [dict(client) for client in usage.clients] if usage else [],
        "clients_total": usage.clients_total if usage else 0,
        "users": list(config.users),
        "files": list(files),
        "pending": [
            {
                "number": intent.number,
                "action": intent.action,
                "request_id": intent.request_id,
                "made": intent.made,
                "file": intent.file,
                "answered": intent.response is not None,
                "holder": _holder(None, intent),
                "drift": _drift_told(intent, fingerprint),
                "here": compare(intent.document.body["fingerprint"], fingerprint).is_same_machine,
            }
            for intent in sorted(intents.values(), key=lambda intent: intent.number)
        ],
    }


def server(home: Home, config: Config, answers: bool) -> dict[str, Any]:
    """Return the overview's particulars of the server itself.

    :param answers: whether it runs; told where something runs it
    """
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
        "maintenance": config.is_closed(),
        "service": config.service,
        "running": answers if config.service != UNMANAGED or answers else None,
        "listen": config.listen.as_dict(),
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
        "start": license.start,
        "expiry": license.expiry,
        "maintenance_expiry": license.maintenance_expiry,
        "invalid": license.problem_on(now.date()),
        "protection": f"{lock.type.capitalize()} Nodelock" if lock else "None",
        "status": _status(found, intent, fingerprint, now),
        "fenced": config.fenced.get(license.number),
        "var": license.var,
        "code_key": license.code_key,
        "transfers": lock.account.as_dict(now) if lock else None,
        "serial": lock.serial if lock else None,
        "holder": _holder(lock, intent),
        "until": render_time(lock.until) if lock is not None and lock.until is not None else None,
        "drift": drift_told(changed, lock.fingerprint, fingerprint) if changed and lock else None,
    }


def _drift_told(intent: Intent, fingerprint: Mapping[str, str]) -> dict[str, Any] | None:
    changed = drift_since_asked(intent, fingerprint)
    return drift_told(changed, intent.document.body["fingerprint"], fingerprint) if changed else None


def drift_told(found: Comparison, then: Mapping[str, str], now: Mapping[str, str]) -> dict[str, Any]:
    """Give a difference as the overview's ``drift``: verdict, changed, components in words, and what it means."""
    return {
        "verdict": found.verdict,
        "changed": list(found.changed),
        "components": in_words(then, now, found.changed),
        "means": MEANINGS[found.verdict],
    }


def _holder(lock: Nodelock | None, intent: Intent | None) -> str | None:
    if lock is not None:
        return lock.host_key
    return str(intent.document.body.get("host_key")) if intent is not None else None


def _status(found: Installed, intent: Intent | None, fingerprint: Mapping[str, str], now: datetime) -> str:
    if intent is not None:
        return _PENDING.get(intent.action, PENDING_DEACTIVATION)
    if found.nodelock is None or found.nodelock.is_over(now) or not is_here(found, fingerprint):
        return INACTIVE
    return EXPIRED if found.license.problem_on(now.date()) else ACTIVE
