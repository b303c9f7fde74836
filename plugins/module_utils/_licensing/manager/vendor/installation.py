# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs, starts and stops the vendor's license server, and looks whether it then is as documented.

Documented are the service's program, that it is started at once and at boot, its ports, and what it needs
(docs/domain.md#license-server-on-linux). The package's format and its name are not.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from ...errors import LicensingError, Problem, refuse
from ...hosting.changes import ChangeKind, HostChange
from ...hosting.daemon import Daemon, enable_now, find_daemon, stop_now, unit_state
from ...hosting.packages import SystemPackage, package_manager, space_problems
from ...hosting.ports import holders
from ...hosting.systemd import Unit
from ...model import parse_version
from .host import PORTS, HostView
from .layout import LINUX_ROOTS
from .reading import DAEMON, port_problems

_SPACE = 100 << 20
_SYSTEMS = ("rhel", "rocky", "almalinux")
# Before it, the server crashed where IPv6 is off.
_IPV6_FIXED = (24, 1, 0, 2)
# Seconds that the service may take to answer after it was installed or started.
PATIENCE = 120.0


@dataclass(frozen=True)
class Installation:
    """What was done, or in a dry run would be done.

    :ivar warnings: what is not as documented, and keeps nobody from going on
    """

    changes: tuple[HostChange, ...] = ()
    warnings: tuple[str, ...] = ()


def start(dry: bool = False) -> Installation | None:
    """Bring a service that is installed to run, and wait until it does; None where no unit of it is found.

    :raises LicensingError: something stands in the way, or the service does not run afterwards
    """
    daemon = find_daemon(DAEMON)
    if daemon.unit is None:
        return None
    _require_root("start a service")
    problems = _port_problems()
    if problems:
        raise LicensingError(problems)
    changes = _starts()
    if changes and not dry:
        _wait(daemon.unit)
    return Installation(tuple(changes))


def stop(dry: bool = False) -> Installation:
    """Stop the service, and wait until neither its process nor its ports are there. At boot it starts as before.

    :raises LicensingError: it still runs
    """
    daemon = find_daemon(DAEMON)
    if not daemon.is_running:
        return Installation()
    if daemon.unit is None:
        raise refuse(
            f"{DAEMON} runs, and no service of systemd is known to have started it.",
            "this host",
            "End it as it was started.",
        )
    _require_root("stop a service")
    if not dry:
        stop_now(daemon.unit)
        until = time.monotonic() + PATIENCE
        while find_daemon(DAEMON).is_running or any(_answers(port) for port in PORTS):
            if time.monotonic() > until:
                raise refuse(
                    f"The service {daemon.unit} still runs, or another program answers on its ports.",
                    "this host",
                    "Look at its journal, end what keeps it, then run this again.",
                )
            time.sleep(0.5)
    return Installation((HostChange(ChangeKind.STOP, daemon.unit),))


def install(package: str, dry: bool = False) -> Installation:
    """Install the package unless it is installed, and wait until the service runs.

    :param package: the name of a package, or the absolute path of a file on this host
    :raises LicensingError: something stands in the way, or the service does not run afterwards
    """
    _require_root("install a package")
    manager = package_manager(package)
    known = manager.look(package)
    problems = [] if known.installed else [*space_problems(Path(LINUX_ROOTS[0]), _SPACE)]
    problems += _port_problems()
    if problems:
        raise LicensingError(problems)
    changes = _changes(known)
    if not dry:
        if not known.is_satisfied:
            manager.install(package)
        _wait(package)
    return Installation(tuple(changes), tuple(_warnings(known)))


def _changes(package: SystemPackage) -> list[HostChange]:
    about = " ".join(filter(None, [package.name, package.version]))
    if not package.is_satisfied:
        return [HostChange(ChangeKind.UPGRADE if package.installed else ChangeKind.INSTALL, about)]
    return _starts()


def _require_root(what: str) -> None:
    if os.geteuid() != 0:
        raise refuse(f"Only root can {what}.", "this host", "Run with become: true.")


def _port_problems() -> list[Problem]:
    return port_problems(HostView(ports={port: tuple(holders("", port)) for port in PORTS}), "this host")


def _starts() -> list[HostChange]:
    """Return what brings the service to run, now and at boot."""
    daemon = find_daemon(DAEMON)
    if daemon.unit is None:
        return []
    is_active, is_enabled = unit_state(daemon.unit)
    kinds = [ChangeKind.ENABLE] * (not is_enabled) + [ChangeKind.START] * (not is_active)
    return [HostChange(kind, daemon.unit) for kind in kinds]


def _wait(package: str) -> None:
    """Wait until the service runs and answers on its ports; start it where its package did not."""
    until = time.monotonic() + PATIENCE
    has_started = False
    while True:
        daemon = find_daemon(DAEMON)
        if daemon.unit is not None and not has_started:
            is_active, is_enabled = unit_state(daemon.unit)
            if not (is_active and is_enabled):
                enable_now(daemon.unit)
            has_started = True
        if daemon.unit is not None and daemon.is_running and all(_answers(port) for port in PORTS):
            return
        if time.monotonic() > until:
            raise _unanswered(daemon, package)
        time.sleep(0.5)


def _unanswered(daemon: Daemon, package: str) -> LicensingError:
    if daemon.unit is None:
        return refuse(
            f"The package is installed, and no service of it starts {DAEMON}.",
            package,
            "See what the package has installed; give the package of the license server for Linux.",
        )
    closed = ", ".join(str(port) for port in PORTS if not _answers(port))
    return Unit(daemon.unit, "", "").failed(f"does not answer on port {closed}" if closed else "does not run")


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False


def _warnings(package: SystemPackage) -> list[str]:
    warnings = []
    system, release = _system()
    if system not in _SYSTEMS or parse_version(release) < (8,):
        warnings.append(
            "The license server is documented for RHEL, Rocky Linux and AlmaLinux from release 8; "
            f"this is {system} {release}."
        )
    version = package.version or package.installed
    if _has_no_ipv6() and (version is None or parse_version(version) < _IPV6_FIXED):
        warnings.append(
            "IPv6 is off on this host: license servers before release 24.1.0.2 crash there. Install a newer one."
        )
    return warnings


def _system(place: Path = Path("/etc/os-release")) -> tuple[str, str]:
    """Return the id and release of this system."""
    try:
        lines = place.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    values = {key: value.strip("\"'") for key, _equals, value in (line.partition("=") for line in lines)}
    return values.get("ID", "unknown"), values.get("VERSION_ID", "")


def _has_no_ipv6(proc: Path = Path("/proc")) -> bool:
    try:
        return (proc / "sys/net/ipv6/conf/all/disable_ipv6").read_text(encoding="ascii").strip() == "1"
    except OSError:
        return True
