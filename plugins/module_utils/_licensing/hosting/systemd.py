# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A systemd service: its unit, its user, and the errors of its start."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import LicensingError, Problem, refuse
from ..files import PUBLIC, Folder
from ..remedies import explain
from .changes import ChangeKind, HostChange
from .programs import answer_of

_UNITS = "etc/systemd/system"
_USERS = "etc/sysusers.d"
# Seconds. systemd waits 90 s for a start; a command that takes longer hangs.
_PATIENCE = 120

# Restrictions of the service, as rated by `systemd-analyze security`. It keeps the network and the two folders that
# it writes to.
HARDENING = """\
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
UMask=0077
"""


_TEXT = """\
# Written by aims_license_server_install; its next run undoes changes. Use a drop-in instead.
[Unit]
Description={description}
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
User={user}
Group={user}
{more}ExecStart={start}
Restart=on-failure
RestartSec=1
TimeoutStopSec=20
LimitNOFILE=65536
ReadWritePaths={writable}
{hardening}
[Install]
WantedBy=multi-user.target
"""


def unit_text(description: str, user: str, start: Sequence[str], writable: Sequence[str], more: Sequence[str]) -> str:
    """Return the unit file of a hardened service that notifies systemd when it is ready.

    :param start: the command and its arguments
    :param writable: the only paths that it may write to
    :param more: additional lines for the section [Service]
    """
    return _TEXT.format(
        description=description,
        user=user,
        more="".join(f"{line}\n" for line in more),
        start=command_line(start),
        writable=" ".join(_quoted(path) for path in writable),
        hardening=HARDENING,
    )


def command_line(arguments: Sequence[str]) -> str:
    """Return a command in the syntax of unit files (systemd.service(5), Command lines). Nothing is expanded."""
    return " ".join(_quoted(argument).replace("$", "$$") for argument in arguments)


def _quoted(text: str) -> str:
    # systemd.unit(5) and systemd.syntax(7): specifiers begin with %, backslashes escape within quotes.
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return escaped if re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", text) else f'"{escaped}"'


@dataclass(frozen=True)
class Unit:
    """A systemd unit of ours.

    :ivar name: such as ``aims-license-server.service``
    :ivar text: the unit file's content
    :ivar user: the user that it runs as; created if missing
    """

    name: str
    text: str
    user: str
    root: Path = field(default=Path("/"))

    @property
    def _users(self) -> str:
        return f'u {self.user} - "aims.licensing" / /usr/sbin/nologin\n'

    def problems(self) -> list[Problem]:
        """Return problems that prevent systemd from running the service here."""
        if not self._runs():
            todo = (
                "Use a host with systemd, or set aims_license_server_service to process (until the next boot) or none."
            )
            return [Problem("systemd does not run here.", self.name, todo)]
        if os.geteuid() != 0:
            return [Problem("Only root can set up a service.", self.name, "Run with become: true.")]
        return []

    def drift(self) -> list[HostChange]:
        """Return the changes that bring the service to its declared state."""
        changes = []
        written = (f"{_UNITS}/{self.name}", self.text), (f"{_USERS}/{self.user}.conf", self._users)
        if any(self._find(name) != text for name, text in written):
            changes.append(HostChange(ChangeKind.WRITE_UNIT, self.name))
        if self._ask("is-enabled") != "enabled":
            changes.append(HostChange(ChangeKind.ENABLE, self.name))
        if self._ask("is-active") != "active":
            changes.append(HostChange(ChangeKind.START, self.name))
        return changes

    def is_between(self) -> bool:
        """Whether the service is starting, restarting after a failure, or stopping."""
        return self._ask("is-active") in ("activating", "deactivating", "reloading")

    def is_written(self) -> bool:
        """Whether the unit file exists, regardless of its content."""
        return os.path.lexists(self.root / _UNITS / self.name)

    def main_process(self) -> int:
        """Return the number of the service's main process; 0 if it does not run."""
        answer = self._answer(["systemctl", "show", "--property", "MainPID", "--value", self.name]).stdout.strip()
        return int(answer) if answer.isdecimal() else 0

    def _find(self, name: str) -> str | None:
        place = self.root / name
        if place.is_symlink() or not place.is_file():
            return None
        return place.read_text(encoding="utf-8", errors="replace")

    def write(self) -> None:
        """Write the unit and create its user. Replace a link, such as that of a masked unit."""
        folder = Folder(self.root)
        for name, text in ((f"{_UNITS}/{self.name}", self.text), (f"{_USERS}/{self.user}.conf", self._users)):
            if (self.root / name).is_symlink():
                folder.remove(name)
            folder.write(name, text.encode(), PUBLIC)
        self._run(["systemd-sysusers", str(self.root / _USERS / f"{self.user}.conf")])
        self._run(["systemctl", "daemon-reload"])

    def start(self) -> None:
        """Enable the service at boot, and start or restart it.

        :raises LicensingError: the service does not start; the message has the last lines of its journal
        """
        self._run(["systemctl", "unmask", "--runtime", self.name])
        self._run(["systemctl", "reset-failed", self.name], must=False)
        self._run(["systemctl", "enable", self.name])
        self.restart()

    def restart(self) -> None:
        """Restart the service.

        :raises LicensingError: the service does not start; the message has the last lines of its journal
        """
        try:
            self._run(["systemctl", "restart", self.name])
        except LicensingError:
            raise self.failed("does not start") from None

    def stop(self) -> None:
        """Stop the service, if its unit exists."""
        if self.is_written():
            self._run(["systemctl", "stop", self.name])

    def remove(self) -> None:
        """Stop the service and remove its unit. The user stays, because it may own files."""
        self._run(["systemctl", "disable", "--now", self.name], must=False)
        Folder(self.root).remove(f"{_UNITS}/{self.name}")
        self._run(["systemctl", "daemon-reload"])

    def failed(self, how: str) -> LicensingError:
        """Return the error for a failed service, with the last lines of its journal."""
        # A busy journal may not have the last lines yet, and these show the cause.
        self._answer(["journalctl", "--sync"])
        journal = self._answer(["journalctl", "--unit", self.name, "--lines", "15", "--no-pager", "--output", "cat"])
        lines = " | ".join(line.strip() for line in journal.stdout.splitlines() if line.strip()) or "nothing"
        return refuse(
            f"The service {how}. Its journal ends with: {lines[-2000:]}",
            self.name,
            f"{explain(lines)}Fix the cause, then run this again. The complete journal: journalctl --unit {self.name}",
        )

    def _ask(self, what: str) -> str:
        answer = self._answer(["systemctl", what, self.name])
        # systemctl prints a state for any unit, even a missing one. No output means that systemd was not reached.
        if what == "is-active" and not answer.stdout.strip() and self._runs():
            said = answer.stderr.strip().splitlines()
            raise refuse(
                f"Cannot get the state of the service from systemd: {said[-1] if said else 'it printed nothing'}.",
                self.name,
                f"Fix systemd first: 'systemctl {what} {self.name}' must answer.",
            )
        return answer.stdout.strip()

    def _runs(self) -> bool:
        return (self.root / "run/systemd/system").is_dir()

    def _run(self, command: Sequence[str], must: bool = True) -> None:
        answer = self._answer(command)
        if must and answer.returncode != 0:
            lines = (answer.stderr or answer.stdout).strip().splitlines()
            raise refuse(
                f"'{' '.join(command)}' failed: {lines[-1] if lines else 'it printed nothing'}.",
                self.name,
                "Run this command by hand on the host to see the complete message.",
            )

    @staticmethod
    def _answer(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return answer_of(command, seconds=_PATIENCE, LC_ALL="C.UTF-8", SYSTEMD_PAGER="")
