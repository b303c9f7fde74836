# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service managers of a home's license server: systemd, or a process of our own."""

from __future__ import annotations

import os
import shlex
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ..addresses import CLIENTS_PORT, MANAGEMENT_PORT
from ..errors import LicensingError, Problem, refuse
from ..files import PRIVATE, PUBLIC, SHARED, Folder
from ..home.config import PROCESS, SYSTEMD, Config
from ..home.store import CONFIG, HOST_KEY, MARKER, READ_DIRECTORIES, SEATS_LOCK, SERVICE_DIRECTORIES, Home
from ..requirements import missing, require_tornado
from .changes import ChangeKind, HostChange
from .liveness import is_held, running, signal_holder
from .ownership import account
from .ports import address_problems, holders
from .systemd import Unit, command_line, unit_text

UNIT = "aims-license-server.service"
USER = "aims-license"
SERVER = "the license server"
ARCHIVE = "Bin/aims-licensing.pyz"
# Seconds that a service may take to answer after its start.
PATIENCE = 30.0
# Seconds that an ending process may hold its ports.
_ENDING = 2.0
# Folders that HARDENING hides from the service (ProtectHome, PrivateTmp).
_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - refused, not used
# In a folder of root, because root writes it: the service's user could replace a file in its own folders by a link.
_FINGERPRINT = "/run/aims-license-server.fingerprint"


class Service(Protocol):
    """A service manager for one home. Package and configuration are already in place."""

    def problems(self) -> list[Problem]:
        """Return problems that prevent the setup of the service on this host."""

    def is_up(self) -> bool:
        """Whether the server runs or is starting, even if it does not answer."""

    def drift(self) -> list[HostChange]:
        """Return the changes that bring the service to its declared state."""

    def bring(self) -> None:
        """Set the service up, enable it and start or restart it."""

    def restart(self) -> None:
        """Restart the server."""

    def stop(self) -> None:
        """Stop the server. It can be started again."""

    def remove(self) -> None:
        """Stop the server and remove its service."""

    def failed(self, how: str) -> LicensingError:
        """Return the error for a server that does not answer, with its last output."""


def service_of(home: Home, config: Config) -> Service | None:
    """Return the service manager of a home's license server; None if it is unmanaged."""
    if config.service == SYSTEMD:
        return Systemd(home)
    return Process(home, config) if config.service == PROCESS else None


def wait_until_healthy(
    home: Home,
    config: Config,
    service: Service,
    digest: str | None,
    since: Mapping[str, Any] | None = None,
    seconds: float = PATIENCE,
) -> None:
    """Wait until this home's server answers with the declared package and addresses.

    :param digest: the digest of the package; None accepts any
    :param since: the status before a restart, to recognize the old instance
    :raises LicensingError: the time is over; with the server's last output
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        status = running(home, config)
        restarted = status is not None and (since is None or status.get("instance") != since.get("instance"))
        if status is not None and restarted and is_current(status, config, digest):
            return
        time.sleep(0.1)
    raise service.failed(f"was started, but does not answer as it should within {seconds:g} seconds")


def is_current(status: Mapping[str, Any], config: Config, digest: str | None) -> bool:
    """Whether a running server has this package and listens on the configured addresses."""
    return digest in (None, status.get("digest")) and status.get("listen") == config.listen.as_dict()


def port_problems(config: Config, without: int = 0) -> list[Problem]:
    """Return problems with the server's addresses and ports: not of this host, or in use by another process.

    :param without: the process of the server itself, which frees its ports first; 0 ignores none
    """
    addresses = config.listen.clients, config.listen.management
    problems = [problem for address in dict.fromkeys(addresses) for problem in address_problems(address)]
    for address, port in zip(addresses, (CLIENTS_PORT, MANAGEMENT_PORT)):
        names = lasting_holders(address, port, without)
        if names:
            todo = "Stop it, or move it to another port. Remove another license server first."
            what = f"Port {port}, which a license server needs, is in use by {', '.join(names)}."
            problems.append(Problem(what, address or "this host", todo))
    return problems


def lasting_holders(address: str, port: int, without: int = 0) -> list[str]:
    """Return the processes that occupy a port for longer than an ending process does.

    :param without: a process to ignore because it is to be restarted; 0 ignores none
    """
    until = time.monotonic() + _ENDING
    while (names := holders(address, port, without=without)) and time.monotonic() < until:
        time.sleep(0.1)
    return names


class _Entry(NamedTuple):
    """The declared mode and owner of a file or folder of the home. A group of None allows any."""

    name: str
    mode: int
    owner: str
    group: str | None = None


class Systemd:
    """The server as a systemd unit. Its own user may read the home and write two of its folders."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._unit = Unit(UNIT, _unit_text(home), USER)

    def problems(self) -> list[Problem]:
        hidden = [place for place in _HIDDEN if Path(place) in self._home.folder.path.parents]
        todo = "Choose another home, such as /opt/aims-license-server."
        what = f"A systemd service cannot see files under {''.join(hidden)}."
        unseen = [Problem(what, self._home.where, todo)] if hidden else []
        return [*missing(require_tornado), *self._unit.problems(), *unseen]

    def is_up(self) -> bool:
        return is_held(self._home) or self._unit.is_between()

    def drift(self) -> list[HostChange]:
        changes = self._unit.drift()
        strayed = [entry.name for entry in self._entries() if not _is_as(self._home.folder.path, entry)]
        if strayed:
            more = f" and {len(strayed) - 3} more" if len(strayed) > 3 else ""
            changes.append(HostChange(ChangeKind.SHARE, f"{', '.join(strayed[:3])}{more}"))
        return changes

    def bring(self) -> None:
        self._unit.write()
        self._share()
        self._unit.start()

    def restart(self) -> None:
        self._unit.restart()

    def stop(self) -> None:
        self._unit.stop()

    def remove(self) -> None:
        self._unit.remove()
        written = Path(_FINGERPRINT)
        Folder(written.parent).remove(written.name)

    def failed(self, how: str) -> LicensingError:
        return self._unit.failed(how)

    def _entries(self) -> list[_Entry]:
        """Return the files that the service needs, and the key that it must not read."""
        names = self._home.folder.names
        entries = [_Entry(name, 0o750, USER, USER) for name in SERVICE_DIRECTORIES]
        entries += [_Entry(name, 0o2750, "root", USER) for name in READ_DIRECTORIES]
        shared = [CONFIG] + [f"{folder}/{name}" for folder in ("Journal", "Nodelocks") for name in names(folder)]
        entries += [_Entry(name, PUBLIC if name.endswith(".ver") else SHARED, "root", USER) for name in shared]
        # Everybody may read these, so the group does not matter.
        entries += [_Entry(name, 0o755, "root") for name in ("Bin", "Licenses")]
        licenses = [f"Licenses/{name}" for name in names("Licenses", ".lic")]
        entries += [_Entry(name, PUBLIC, "root") for name in (MARKER, *licenses)]
        return entries + [_Entry(name, PRIVATE, "root") for name in [HOST_KEY] if self._home.folder.has(name)]

    def _share(self) -> None:
        # Meanwhile, the service may create or remove files in its own two folders, and another run may remove files of
        # an exchange.
        user = account(USER)
        for entry in self._entries():
            group = -1 if entry.group is None else user.pw_gid
            self._home.folder.set_owner(entry.name, user.pw_uid if entry.owner == USER else 0, group, entry.mode)
        # After a restore, the service's files may have another user's number; give them to its user.
        for name in SERVICE_DIRECTORIES:
            self._home.folder.set_owners(user.pw_uid, user.pw_gid, name)


def _is_as(home: Path, entry: _Entry) -> bool:
    place = home / entry.name
    try:
        status = place.lstat()
        return (
            stat.S_IMODE(status.st_mode) == entry.mode
            and place.owner() == entry.owner
            and entry.group in (None, place.group())
        )
    except (OSError, KeyError):
        return False


def _unit_text(home: Home) -> str:
    command = [sys.executable, home.folder.place(ARCHIVE)]
    read = [*command, "licman", "--home", home.home, "--fingerprint", "--json"]
    # Run by root, because only root can read product and board numbers from DMI.
    written = f"umask 077; {shlex.join(read)} > {_FINGERPRINT} && chgrp {USER} {_FINGERPRINT}"
    fingerprint = ["/bin/sh", "-c", f"{written} && chmod 0640 {_FINGERPRINT}"]
    return unit_text(
        "License server (aims.licensing)",
        USER,
        [*command, "licsrv", "--home", home.home, "--fingerprint-file", _FINGERPRINT],
        [home.folder.place(name) for name in SERVICE_DIRECTORIES],
        [f"ExecStartPre=+{command_line(fingerprint)}"],
    )


class Process:
    """The server as a process until the next boot, for rehearsals and tests without root or systemd."""

    def __init__(self, home: Home, config: Config) -> None:
        self._home = home
        self._config = config

    def problems(self) -> list[Problem]:
        return missing(require_tornado)

    def is_up(self) -> bool:
        return is_held(self._home)

    def drift(self) -> list[HostChange]:
        return [] if running(self._home, self._config) else [HostChange(ChangeKind.START, SERVER)]

    def bring(self) -> None:
        if running(self._home, self._config):
            self.restart()
            return
        self._take_back()
        log = self._home.folder.path / "Logging" / "licsrv.out"
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as output:
            # The shell ends at once, so that init adopts the server and nobody has to wait for it.
            subprocess.run(
                ["/bin/sh", "-c", '"$0" &', self._home.folder.place("Bin/licsrv")],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
                check=True,
            )

    def _take_back(self) -> None:
        """If root runs the server, give its two folders to root and remove other users' links from them."""
        if os.geteuid() != 0:
            return
        for name in SERVICE_DIRECTORIES:
            self._home.folder.make(name, 0o700)
            # The folder first, so that other users cannot add files.
            self._home.folder.set_owner(name, 0, 0)
            for left in self._home.folder.set_owners(0, 0, name):
                self._home.folder.remove(left)

    def restart(self) -> None:
        self._signal(signal.SIGHUP)

    def stop(self) -> None:
        self._signal(signal.SIGTERM)
        until = time.monotonic() + PATIENCE
        while self.is_up():
            if time.monotonic() > until:
                raise self._stuck(f"does not stop within {PATIENCE:g} seconds")
            time.sleep(0.05)

    def remove(self) -> None:
        self.stop()

    def _signal(self, number: int) -> None:
        status = running(self._home, self._config)
        if status is None:
            if self.is_up():
                raise self._stuck("does not answer, so its process is unknown")
            return
        # Any program could answer at the port and name any process.
        if not signal_holder(self._home, int(status["pid"]), number):
            raise refuse(
                f"Process {status['pid']} claims to answer at port {MANAGEMENT_PORT}, but does not hold the seats of "
                "this home as far as this user can see. It is not signalled.",
                self._home.where,
                "Run this as the user that started the server. Check which process listens there (ss -ltnp).",
            )

    def _stuck(self, how: str) -> LicensingError:
        return refuse(
            f"The license server runs, but {how}.",
            self._home.where,
            f"Stop its process by hand (it has {self._home.folder.place(SEATS_LOCK)} open), then run this again.",
        )

    def failed(self, how: str) -> LicensingError:
        output = self._home.folder.find("Logging/licsrv.out") or b"none"
        last = " | ".join(output.decode("utf-8", "replace").strip().splitlines()[-15:])
        return refuse(
            f"The license server {how}. Its output: {last[-2000:]}",
            self._home.folder.place("Logging/licsrv.out"),
            "Fix the cause, then run this again.",
        )
