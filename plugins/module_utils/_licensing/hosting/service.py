# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs a home's license server: systemd, a process of its own, or nothing."""

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
# Seconds that a service may take to answer after it was started.
PATIENCE = 30.0
# Seconds that a process which is ending may hold its ports.
_ENDING = 2.0
# What HARDENING hides: ProtectHome and PrivateTmp.
_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - not used, but refused
# In a folder of root's: what the service's user could exchange, root would write through.
_FINGERPRINT = "/run/aims-license-server.fingerprint"


class Service(Protocol):
    """Runs the license server of one home, whose package and configuration are in place."""

    def problems(self) -> list[Problem]:
        """Return what keeps it from being set up on this host."""

    def is_up(self) -> bool:
        """Whether it runs or is about to, whether or not it answers."""

    def drift(self) -> list[HostChange]:
        """Return what is to be done until it runs as it should; nothing where it does."""

    def bring(self) -> None:
        """Make it run as wanted: enabled, restarted."""

    def restart(self) -> None:
        """Restart it."""

    def stop(self) -> None:
        """Stop it; it may be started again."""

    def remove(self) -> None:
        """Stop it for good."""

    def failed(self, how: str) -> LicensingError:
        """Return the error for a server that does not answer, with what it said last."""


def service_of(home: Home, config: Config) -> Service | None:
    """Return what runs a home's license server, or None where nothing does."""
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
    """Wait until the server of this home answers, with the package and addresses that it is to have.

    :param digest: of the package; None takes any
    :param since: the status before a restart, which is no longer to be met
    :raises LicensingError: it does not within so many seconds; with what it said last
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
    """Whether a running server is of this package and listens where the configuration says."""
    return digest in (None, status.get("digest")) and status.get("listen") == config.listen.as_dict()


def port_problems(config: Config, without: int = 0) -> list[Problem]:
    """Say which addresses of the server are none of this host's, and which of its ports are taken, and by whom.

    :param without: the process of the server itself, which lets go of its ports before it takes others; 0 is none
    """
    addresses = config.listen.clients, config.listen.management
    problems = [problem for address in dict.fromkeys(addresses) for problem in address_problems(address)]
    for address, port in zip(addresses, (CLIENTS_PORT, MANAGEMENT_PORT)):
        names = lasting_holders(address, port, without)
        if names:
            todo = "Stop it, or move it to another port; another license server must be removed first."
            what = f"Port {port}, which a license server needs, is in use by {', '.join(names)}."
            problems.append(Problem(what, address or "this host", todo))
    return problems


def lasting_holders(address: str, port: int, without: int = 0) -> list[str]:
    """Return who holds a port, and does not let go of it within a moment, as a process that is ending does.

    :param without: the process that is to be restarted; 0 is none
    """
    until = time.monotonic() + _ENDING
    while (names := holders(address, port, without=without)) and time.monotonic() < until:
        time.sleep(0.1)
    return names


class _Entry(NamedTuple):
    """What a file or directory of the home is to be; a group of None is any."""

    name: str
    mode: int
    owner: str
    group: str | None = None


class Systemd:
    """The server as a unit of systemd, with a user of its own that may read the home and write two folders of it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._unit = Unit(UNIT, _unit_text(home), USER)

    def problems(self) -> list[Problem]:
        hidden = [place for place in _HIDDEN if Path(place) in self._home.folder.path.parents]
        todo = "Choose another home, such as /opt/aims-license-server."
        what = f"A service of systemd does not see what lies under {''.join(hidden)}."
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
        """What the service needs of the home, and the key that it may not read."""
        names = self._home.folder.names
        entries = [_Entry(name, 0o750, USER, USER) for name in SERVICE_DIRECTORIES]
        entries += [_Entry(name, 0o2750, "root", USER) for name in READ_DIRECTORIES]
        shared = [CONFIG] + [f"{folder}/{name}" for folder in ("Journal", "Nodelocks") for name in names(folder)]
        entries += [_Entry(name, PUBLIC if name.endswith(".ver") else SHARED, "root", USER) for name in shared]
        # Everybody may read these; so their group is the file system's affair.
        entries += [_Entry(name, 0o755, "root") for name in ("Bin", "Licenses")]
        licenses = [f"Licenses/{name}" for name in names("Licenses", ".lic")]
        entries += [_Entry(name, PUBLIC, "root") for name in (MARKER, *licenses)]
        return entries + [_Entry(name, PRIVATE, "root") for name in [HOST_KEY] if self._home.folder.has(name)]

    def _share(self) -> None:
        # The service may put anything into its own two folders at any moment; and it, or another run that ends an
        # exchange, may remove a file meanwhile.
        user = account(USER)
        for entry in self._entries():
            group = -1 if entry.group is None else user.pw_gid
            self._home.folder.hand(entry.name, user.pw_uid if entry.owner == USER else 0, group, entry.mode)
        # What the service wrote before under another user, as after a restore, stays its own.
        for name in SERVICE_DIRECTORIES:
            self._home.folder.hand_all(user.pw_uid, user.pw_gid, name)


def _is_as(home: Path, entry: _Entry) -> bool:
    place = home / entry.name
    try:
        found = place.lstat()
        return (
            stat.S_IMODE(found.st_mode) == entry.mode
            and place.owner() == entry.owner
            and entry.group in (None, place.group())
        )
    except (OSError, KeyError):
        return False


def _unit_text(home: Home) -> str:
    command = [sys.executable, home.folder.place(ARCHIVE)]
    read = [*command, "licman", "--home", home.home, "--fingerprint", "--json"]
    # By root, because DMI tells product and board numbers to nobody else.
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
    """The server as a process that ends with the next boot: for rehearsals and tests without root or systemd."""

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
            # The shell ends at once, so that the server is nobody's child who would have to wait for it.
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
        """Make the server's two folders root's, where root is to run it: another user's links would lead it astray."""
        if os.geteuid() != 0:
            return
        for name in SERVICE_DIRECTORIES:
            self._home.folder.make(name, 0o700)
            # First the folder, so that nothing more comes into it.
            self._home.folder.hand(name, 0, 0)
            for left in self._home.folder.hand_all(0, 0, name):
                self._home.folder.remove(left)

    def restart(self) -> None:
        self._signal(signal.SIGHUP)

    def stop(self) -> None:
        self._signal(signal.SIGTERM)
        until = time.monotonic() + PATIENCE
        while self.is_up():
            if time.monotonic() > until:
                raise self._stuck(f"does not end within {PATIENCE:g} seconds")
            time.sleep(0.05)

    def remove(self) -> None:
        self.stop()

    def _signal(self, number: int) -> None:
        status = running(self._home, self._config)
        if status is None:
            if self.is_up():
                raise self._stuck("does not answer, so that its process is not known")
            return
        # Whoever answers at the port may name any process.
        if not signal_holder(self._home, int(status["pid"]), number):
            raise refuse(
                f"Process {status['pid']}, which answers at port {MANAGEMENT_PORT} by its own word, is not seen to "
                "hold the seats of this home; it is not signalled.",
                self._home.where,
                "Run this as the user that started the server; see which process listens there (ss -ltnp).",
            )

    def _stuck(self, how: str) -> LicensingError:
        return refuse(
            f"The license server runs, but {how}.",
            self._home.where,
            f"End its process by hand (it holds {self._home.folder.place(SEATS_LOCK)} open), then run this again.",
        )

    def failed(self, how: str) -> LicensingError:
        told = self._home.folder.find("Logging/licsrv.out") or b"nothing"
        last = " | ".join(told.decode("utf-8", "replace").strip().splitlines()[-15:])
        return refuse(
            f"The license server {how}; it said: {last[-2000:]}",
            self._home.folder.place("Logging/licsrv.out"),
            "Mend the cause, then run this again.",
        )
