# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs, upgrades and removes the bundled license server's package in a home."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import faults
from ..addresses import Listen
from ..channel.base import check_authority
from ..documents import Realm
from ..errors import LicensingError, Problem, refuse
from ..home.config import SYSTEMD, UNMANAGED, Config
from ..home.inspection import overview_of
from ..home.state import read_state
from ..home.store import CONFIG, FOREIGN, OURS, PACKAGE, Home
from ..license_view import Status
from ..model import now_utc, parse_version
from ..overview import Overview, ServerView
from ..requirements import missing, require_cryptography
from .changes import ChangeKind, HostChange
from .facts import FACTS, facts_differ, remove_facts, write_facts
from .liveness import is_holder, running, usage_of
from .ownership import home_problems
from .package import COMMANDS, Package, stale_files
from .service import ARCHIVE, SERVER, Service, is_current, port_problems, service_of, wait_until_healthy

# The vendor's server needs less than 100 MB of disk (docs/domain.md#license-server-on-linux).
SPACE = 100 * 1024 * 1024


@dataclass(frozen=True)
class Installation:
    """The result of an installation; in a dry run, its forecast."""

    changes: tuple[HostChange, ...]
    before: Overview
    after: Overview

    @property
    def words(self) -> tuple[str, ...]:
        """The changes in words."""
        return tuple(map(str, self.changes))


@dataclass(frozen=True)
class Settings:
    """The settings of an installation. None keeps the current value.

    :ivar authority: the address that this server's requests go to
    :ivar realm: the realm to pin; a pinned realm is never replaced, only its ``ca``
    :ivar service: the service manager; for a new home systemd, or ``none`` under an alternate root
    :ivar listen: the addresses that the server listens on
    :ivar allowed_hosts: further names of this host, under which the management port answers
    :ivar usage_log: whether the server writes who held which seat
    """

    authority: str | None = None
    realm: Realm | None = None
    service: str | None = None
    listen: Listen | None = None
    allowed_hosts: tuple[str, ...] | None = None
    usage_log: bool | None = None

    def applied(self, config: Config, fresh: bool, root: str) -> Config:
        """Return a configuration with these settings."""
        if self.authority is not None:
            config = replace(config, authority=check_authority(self.authority))
        if self.realm is not None and (config.realm is None or _adds_certificate(config.realm, self.realm)):
            config = replace(config, realm=self.realm)
        if self.listen is not None:
            config = replace(config, listen=self.listen)
        if self.allowed_hosts is not None:
            config = replace(config, allowed_hosts=self.allowed_hosts)
        if self.usage_log is not None:
            config = replace(config, usage_log=self.usage_log)
        default = (UNMANAGED if root else SYSTEMD) if fresh else config.service
        return replace(config, service=self.service or default)


def _adds_certificate(pinned: Realm, realm: Realm) -> bool:
    return pinned.key == realm.key and realm.ca is not None and realm.ca != pinned.ca


def _overview(home: Home) -> Overview:
    state = read_state(home, now_utc())
    return overview_of(home, state, usage_of(home, state.config))


@dataclass(frozen=True)
class PreparedInstallation:
    """An installation whose preconditions hold, before anything is changed.

    :ivar fresh: whether no complete installation was there before
    :ivar current: the configuration before
    :ivar config: the configuration after
    :ivar service: the service that runs the server after
    :ivar stale: the files to write: name → content and mode
    :ivar changes: the changes to the files of the home
    :ivar restart: the changes to the service
    """

    home: Home
    package: Package
    settings: Settings
    before: Overview
    fresh: bool
    current: Config
    config: Config
    service: Service | None
    stale: Mapping[str, tuple[bytes, int]]
    changes: tuple[HostChange, ...]
    restart: tuple[HostChange, ...]

    @property
    def all_changes(self) -> tuple[HostChange, ...]:
        """All changes, in their order."""
        return (*self.changes, *self.restart)


def install(home: Home, package: Package, *, settings: Settings, dry: bool = False) -> Installation:
    """Install a package and settings in a home, and bring its server to the declared state.

    :raises LicensingError: a precondition fails (lists all; nothing was changed), or the package or the server does
        not start (its files are written then)
    """
    prepared = prepare(home, package, settings=settings)
    return forecast(prepared) if dry else execute(prepared)


def prepare(home: Home, package: Package, *, settings: Settings) -> PreparedInstallation:
    """Check all preconditions; change nothing.

    They are the owner of the home, version, permissions, space, ports, libraries and systemd.

    :raises LicensingError: a precondition fails (lists all)
    """
    before = _overview(home)
    # An installation that was interrupted before it wrote the configuration starts over.
    fresh = not before.server.installed or not home.folder.has(CONFIG)
    current = home.config() if home.state() == OURS else Config()
    config = settings.applied(current, fresh, home.root)
    service, status = service_of(home, config), None if fresh else running(home, current)
    _check(home, package, server=before.server, config=config, service=service, status=status)
    stale = stale_files(home, package)
    changes = _changes(package, before.server, current=current, config=config, stale=bool(stale))
    # Other changes of what the facts say name themselves.
    if not changes and facts_differ(home, _server_after(before.server, config, package)):
        changes = (HostChange(ChangeKind.WRITE_FACTS, FACTS),)
    restart = _service_changes(service, status, config=config, digest=package.digest)
    return PreparedInstallation(
        home, package, settings, before, fresh, current, config, service, stale, changes, restart
    )


def forecast(prepared: PreparedInstallation) -> Installation:
    """Forecast the installation. The id of a new home is unknown until the home is made."""
    before = prepared.before
    server = _server_after(before.server, prepared.config, prepared.package)
    after = replace(before, server=replace(server, running=_runs_after(prepared)))
    return Installation(prepared.all_changes, before, after)


def _server_after(server: ServerView, config: Config, package: Package) -> ServerView:
    """Return the server after the installation, but for whether it runs."""
    return replace(
        server,
        installed=True,
        version=package.version,
        digest=package.digest,
        authority=config.authority,
        realm=config.realm,
        service=config.service,
        listen=config.listen,
    )


def _runs_after(prepared: PreparedInstallation) -> bool | None:
    """Whether the server answers after the installation; None where nothing runs it."""
    if prepared.service is not None:
        return True
    return prepared.before.server.running if prepared.current.service == UNMANAGED else None


def execute(prepared: PreparedInstallation) -> Installation:
    """Write what differs, and bring the server to run as it should.

    :raises LicensingError: the package or the server does not run
    """
    home, config, current = prepared.home, prepared.config, prepared.current
    if prepared.all_changes:
        write_package(home, prepared.stale)
        if prepared.stale:
            _check_health(home, prepared.package)
        # The configuration is written last: until then, it names the service manager that runs the old server.
        _leave(
            service_of(home, current),
            is_replaced=config.service != current.service,
            is_moved=config.listen != current.listen,
        )
        faults.reach("install.left", config.service)
        with home.locked():
            if config != current or not home.folder.has(CONFIG):
                home.save(prepared.settings.applied(home.config(), prepared.fresh, home.root))
        faults.reach("install.configured", config.service)
        if prepared.service is not None and prepared.restart:
            prepared.service.bring()
            wait_until_healthy(home, config, prepared.service, prepared.package.digest)
    after = _overview(home)
    write_facts(home, after.server)
    return Installation(prepared.all_changes, prepared.before, after)


def _leave(old: Service | None, *, is_replaced: bool, is_moved: bool) -> None:
    """Stop the old server before a change of its service manager or addresses."""
    if old is not None and is_replaced:
        old.remove()
    elif old is not None and is_moved:
        old.stop()


def write_package(home: Home, stale: Mapping[str, tuple[bytes, int]]) -> None:
    """Write files of a package into a home. Create the home if it is missing."""
    home.create()
    # Another user may have created a parent folder in the meantime.
    problems = home_problems(home)
    if problems:
        raise LicensingError(problems)
    with home.locked():
        for name, (content, mode) in stale.items():
            home.folder.write(name, content, mode)
    faults.reach("install.written", home.where)


def _changes(
    package: Package, server: ServerView, *, current: Config, config: Config, stale: bool
) -> tuple[HostChange, ...]:
    """Return the changes to the files of the home."""
    changes = []
    if not server.installed:
        changes.append(HostChange(ChangeKind.INSTALL, package.version))
    elif server.version != package.version:
        changes.append(HostChange(ChangeKind.UPGRADE, f"{server.version} to {package.version}"))
    elif stale:
        changes.append(HostChange(ChangeKind.RESTORE, package.version))
    if config.authority != current.authority:
        changes.append(HostChange(ChangeKind.SET_AUTHORITY, str(config.authority)))
    if config.realm != current.realm and config.realm is not None:
        kind = ChangeKind.PIN_REALM if current.realm is None else ChangeKind.TAKE_CERTIFICATE
        changes.append(HostChange(kind, config.realm.id))
    if config.listen != current.listen:
        clients = config.listen.clients or "all addresses"
        changes.append(HostChange(ChangeKind.LISTEN, f"{clients}, manage on {config.listen.management}"))
    if config.allowed_hosts != current.allowed_hosts:
        changes.append(HostChange(ChangeKind.ALLOW_HOSTS, ", ".join(config.allowed_hosts) or "of this host only"))
    if config.usage_log != current.usage_log:
        changes.append(HostChange(ChangeKind.LOG_USAGE, "on" if config.usage_log else "off"))
    if config.service != current.service:
        changes.append(HostChange(ChangeKind.RUN_BY, config.service))
    return tuple(changes)


def _service_changes(
    service: Service | None, status: Mapping[str, Any] | None, *, config: Config, digest: str
) -> tuple[HostChange, ...]:
    """Return the changes to the service."""
    changes = service.drift() if service is not None else []
    if service is not None and not changes:
        if status is None:
            changes.append(HostChange(ChangeKind.REVIVE, SERVER))
        elif not is_current(status, config, digest):
            changes.append(HostChange(ChangeKind.RESTART, SERVER))
    return tuple(changes)


def _check(
    home: Home,
    package: Package,
    *,
    server: ServerView,
    config: Config,
    service: Service | None,
    status: Mapping[str, Any] | None,
) -> None:
    problems = missing(require_cryptography)
    if home.state() == FOREIGN:
        home.require()
    problems += version_problems(home, package) + place_problems(home) + home_problems(home)
    if service is not None:
        problems += service.problems()
    # This home's own server, running or hung, holds its current ports, but not the ones that it is to move to.
    stopped = status is None and (service is None or _is_stopped(service))
    moved = status is not None and status.get("listen") != config.listen.as_dict()
    if moved or (stopped and (service is not None or not (server.version or home.root))):
        named = int(status["pid"]) if status is not None else 0
        problems += port_problems(config, named if is_holder(home, named) else 0)
    if problems:
        raise LicensingError(problems)


def _is_stopped(service: Service) -> bool:
    return any(change.kind is ChangeKind.START for change in service.drift())


def version_problems(home: Home, package: Package) -> list[Problem]:
    """Return a problem if a newer version than the package is installed."""
    installed = home.package() if home.state() == OURS else None
    if installed is None or parse_version(installed["version"]) <= parse_version(package.version):
        return []
    todo = "Use the newer version of the collection, or remove the server first."
    return [Problem(f"Version {installed['version']} is installed; {package.version} is older.", home.where, todo)]


def place_problems(home: Home) -> list[Problem]:
    """Return problems that prevent an installation in this place: permissions, noexec, space."""
    problems = []
    existing = next(path for path in (home.folder.path, *home.folder.path.parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        problems.append(
            Problem("The home is not writable.", str(existing), "Run with become: true, or fix its permissions.")
        )
    if os.statvfs(existing).f_flag & os.ST_NOEXEC:
        todo = "Mount it with exec, or choose a home on another file system."
        problems.append(
            Problem("Commands cannot run from here: the file system is mounted noexec.", str(existing), todo)
        )
    free = shutil.disk_usage(existing).free
    if free < SPACE:
        todo = "Free some space, or choose a home on another file system."
        problems.append(Problem(f"{free >> 20} MB are free; {SPACE >> 20} MB are needed.", str(existing), todo))
    return problems


def _check_health(home: Home, package: Package) -> None:
    command = [home.folder.place("Bin/licman"), "--version"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise refuse(
            f"The installed package does not run: {error}.", command[0], "Check noexec mounts and Python."
        ) from None
    if answer.returncode != 0 or package.version not in answer.stdout:
        lines = (answer.stderr or answer.stdout).strip().splitlines()
        raise refuse(
            f"The installed package does not run: {lines[-1] if lines else 'it printed nothing'}.",
            command[0],
            "Run this command by hand on the host to see the complete message.",
        )


def remove(home: Home, dry: bool = False) -> Installation:
    """Stop the server and remove the package. Licenses, journal and the rest of the configuration stay.

    :raises LicensingError: a license is active or pending here.
    """
    if home.state() != OURS:
        before = _overview(home)
        return Installation((), before, before)
    # Take the lock before reading the licenses; otherwise another run could activate a license in between.
    with home.held(dry):
        return _remove(home, dry)


def _remove(home: Home, dry: bool) -> Installation:
    before = _overview(home)
    held = [license.number for license in before.licenses if license.status is not Status.INACTIVE]
    held += [request.number for request in before.pending if request.number not in held]
    if held:
        todo = "Deactivate them first (aims_license_deactivate)."
        raise refuse(f"Licenses are active or pending here: {', '.join(held)}.", home.where, todo)
    if not before.server.installed:
        return Installation((), before, before)
    config = home.config()
    service = service_of(home, config)
    if not dry:
        if service is not None:
            service.remove()
        faults.reach("remove.left", home.where)
        remove_facts(home)
        for name in (*COMMANDS, Path(ARCHIVE).name):
            home.folder.remove(f"Bin/{name}")
        home.save(replace(config, service=UNMANAGED))
        # The package's description goes last, so that the next run completes an interrupted removal.
        home.folder.remove(PACKAGE)
    server = replace(before.server, installed=False, version=None, digest=None, service=UNMANAGED, running=None)
    change = HostChange(ChangeKind.REMOVE, str(before.server.version))
    return Installation((change,), before, replace(before, server=server))
