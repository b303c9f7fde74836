# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the overview (docs/domain.md#what-the-overview-shows) from a home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..fingerprint import MEANINGS, SAME, Comparison, compare, in_words
from ..license_view import Drift, LicenseView, ProfileView, Status, Transfers
from ..model import ACTIVATE, DEACTIVATE, UPDATE, Profile, digits, is_counted_by_device, render_time
from ..overview import Overview, PendingRequest, ServerView, Usage
from .config import UNMANAGED, Config
from .journal import Intent
from .nodelock import Installed, Nodelock
from .state import State, is_here
from .store import OURS, Home, is_carried

ACTIVE = Status.ACTIVE.value
INACTIVE = Status.INACTIVE.value
PENDING_ACTIVATION = Status.PENDING_ACTIVATION.value
PENDING_DEACTIVATION = Status.PENDING_DEACTIVATION.value
PENDING_UPDATE = Status.PENDING_UPDATE.value
EXPIRED = Status.EXPIRED.value
_PENDING = {
    ACTIVATE: Status.PENDING_ACTIVATION,
    DEACTIVATE: Status.PENDING_DEACTIVATION,
    UPDATE: Status.PENDING_UPDATE,
}


def drift(installed: Installed, fingerprint: Mapping[str, str]) -> Comparison | None:
    """Return how this machine differs from the machine that the license was activated on; None if it does not."""
    if installed.nodelock is None:
        return None
    difference = compare(installed.nodelock.fingerprint, fingerprint)
    return difference if difference.changed else None


def drift_since_asked(intent: Intent, fingerprint: Mapping[str, str]) -> Comparison | None:
    """Return how this machine differs from the machine of a pending activation; None if it does not."""
    if intent.action != ACTIVATE:
        return None
    difference = compare(intent.document.body["fingerprint"], fingerprint)
    return None if difference.verdict == SAME else difference


def overview_of(home: Home, state: State, usage: Usage | None, files: Sequence[str] | None = None) -> Overview:
    """Return the overview of a state.

    :param usage: the seats that the server has granted; without it, ``in_use`` is None and there are no clients
    :param files: the names of the files that move with the licenses; by default read from the home. The server passes
        them, because its user may not list these folders.
    """
    if files is None:
        files = [name for name in home.folder.walk(links=True) if is_carried(name)] if home.state() == OURS else []
    config = state.config
    return Overview(
        server=_server(home, config, usage is not None),
        licenses=tuple(_license(state, state.installed[number], usage) for number in sorted(state.installed)),
        profiles=tuple(_profile(state, profile, usage) for profile in config.profiles),
        clients=usage.clients if usage else (),
        clients_total=usage.clients_total if usage else 0,
        users=tuple(config.users),
        files=tuple(files),
        pending=tuple(_request(state.intents[number], state.fingerprint) for number in sorted(state.intents)),
    )


def _profile(state: State, profile: Profile, usage: Usage | None) -> ProfileView:
    installed = state.installed.get(profile.license)
    shares = installed is not None and is_counted_by_device(installed.license.type)
    return ProfileView(
        profile.name,
        profile.license,
        usage.profiles.get(profile.name, 0) if usage else None,
        reuse=usage.reused.get(profile.name, 0) if usage and shares else None,
        default=profile.default,
    )


def _server(home: Home, config: Config, answers: bool) -> ServerView:
    """Return the overview's part about the server itself.

    :param answers: whether the server answers; without a service manager, ``running`` is None unless it does
    """
    ours = home.state() == OURS
    package = home.package() if ours else None
    return ServerView(
        installed=package is not None,
        version=package.get("version") if package else None,
        digest=package.get("digest") if package else None,
        home=home.home,
        root=home.root,
        home_id=home.home_id if ours else None,
        authority=config.authority,
        realm=config.realm,
        maintenance=config.is_closed(),
        maintenance_by=config.maintenance_by,
        draining=tuple(sorted(config.draining())),
        service=config.service,
        running=answers if config.service != UNMANAGED or answers else None,
        listen=config.listen,
    )


def _license(state: State, installed: Installed, usage: Usage | None) -> LicenseView:
    license, lock = installed.license, installed.nodelock
    intent = state.intents.get(license.number)
    changed = drift(installed, state.fingerprint)
    return LicenseView(
        number=license.number,
        status=_status(installed, intent, state),
        fenced=state.config.fenced.get(license.number),
        until=render_time(lock.until) if lock is not None and lock.until is not None else None,
        file=f"{digits(license.number)}.lic",
        type=license.type,
        seats=license.seats,
        start=license.start,
        expiry=license.expiry,
        maintenance_expiry=license.maintenance_expiry,
        invalid=license.problem_on(state.now.date()),
        protection=f"{lock.type.capitalize()} Nodelock" if lock else "None",
        var=license.var,
        code_key=license.code_key,
        transfers=Transfers.of_account(lock.account, state.now) if lock else None,
        serial=lock.serial if lock else None,
        holder=_holder(lock, intent),
        drift=drift_of(changed, lock.fingerprint, state.fingerprint) if changed and lock else None,
        in_use=usage.licenses.get(license.number, 0) if usage else None,
    )


def _request(intent: Intent, fingerprint: Mapping[str, str]) -> PendingRequest:
    then, changed = intent.document.body["fingerprint"], drift_since_asked(intent, fingerprint)
    return PendingRequest(
        number=intent.number,
        action=intent.action,
        request_id=intent.request_id,
        made=intent.made,
        file=intent.file,
        answered=intent.response is not None,
        holder=_holder(None, intent),
        drift=drift_of(changed, then, fingerprint) if changed else None,
        here=compare(then, fingerprint).is_same_machine,
    )


def drift_of(difference: Comparison, then: Mapping[str, str], now: Mapping[str, str]) -> Drift:
    """Return a difference of two fingerprints as the overview shows it."""
    return Drift(
        difference.verdict,
        tuple(difference.changed),
        in_words(then, now, difference.changed),
        MEANINGS[difference.verdict],
    )


def _holder(lock: Nodelock | None, intent: Intent | None) -> str | None:
    if lock is not None:
        return lock.host_key
    return str(intent.document.body.get("host_key")) if intent is not None else None


def _status(installed: Installed, intent: Intent | None, state: State) -> Status:
    if intent is not None:
        return _PENDING.get(intent.action, Status.PENDING_DEACTIVATION)
    if installed.nodelock is None or installed.nodelock.is_over(state.now) or not is_here(installed, state.fingerprint):
        return Status.INACTIVE
    return Status.EXPIRED if installed.license.problem_on(state.now.date()) else Status.ACTIVE
