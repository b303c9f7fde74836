# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands for the command prompt of a Windows host, and their output as text.

Each command runs in a second cmd with ``/u``, whose own commands write UTF-16 whatever the host's code page is. What
other programs write, it reads line by line (``for /f``), so that Windows itself converts it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable, Protocol, TypeVar

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, redact, refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.windows_paths import nest

T = TypeVar("T")

# Seconds for a command that only looks.
PATIENCE = 60.0
# cmd takes 8191 characters; sshd puts some of its own around them.
LONGEST = 8000
# Of output that no listing reaches, so that a host cannot fill the controller's memory with what it parses.
_MOST_OUTPUT = 64 << 20
# Seconds that a call has to end in once its processes were ended.
_ENDING = 5.0


class Connection(Protocol):
    """What of Ansible's connections is used."""

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a command; return its exit code, of which SSH leaves eight bits, and its output."""

    def fetch_file(self, in_path: str, out_path: str) -> Any:
        """Copy a file of the host to a file of the controller."""

    def put_file(self, in_path: str, out_path: str) -> Any:
        """Copy a file of the controller to a file of the host."""


class Shell:
    """The command prompt of a host.

    :param host: its inventory name, for messages
    """

    def __init__(self, connection: Connection, host: str) -> None:
        self.connection, self.host = connection, host

    def run(self, commands: Sequence[str], patience: float = PATIENCE) -> list[list[str]]:
        """Run commands one after the other, whatever their exit codes; return the lines of each.

        :param commands: for cmd with delayed expansion off; a ``for`` or ``if`` in parentheses
        :raises LicensingError: there is no such command prompt, it does not answer in time, or only in part
        """
        mark = _mark()
        line = f"echo {mark}" + "".join(f"&{command}&echo {mark}" for command in commands)
        parts = self._output(f"cmd /d /v:off /u /c {nest(line)}", mark, patience).split(f"{mark}\r\n")
        if len(parts) != len(commands) + 2:
            raise self._cut_off()
        # A name may have characters that Python takes for ends of lines, and cmd does not.
        return [part.split("\r\n")[:-1] for part in parts[1:-1]]

    def exit_code(self, command: str, patience: float = PATIENCE) -> int:
        """Run a program and return its exit code, which SSH would cut off to eight bits.

        :param command: without exclamation marks, which cmd would take for variables here
        :raises LicensingError: as of :meth:`run`
        """
        mark = _mark()
        line = f"echo {mark}&{command} >nul 2>nul&echo {mark}!errorlevel!"
        parts = self._output(f"cmd /d /v:on /u /c {nest(line)}", mark, patience).split(mark)
        try:
            return int(parts[2])
        except (IndexError, ValueError):
            raise self._cut_off() from None

    def _output(self, line: str, mark: str, patience: float) -> str:
        if len(line) > LONGEST:
            raise ValueError(f"The command has {len(line)} characters.")
        _code, output, errors = within(lambda: self.connection.exec_command(line, sudoable=False), patience, self.host)
        begin = mark.encode("utf-16-le")
        # A host may greet whoever comes, in its code page, before the command prints anything.
        at = output.find(begin)
        if at < 0 or len(output) > _MOST_OUTPUT:
            raise self._no_prompt(output + errors)
        return output[at:].decode("utf-16-le", errors="replace")

    def _no_prompt(self, output: bytes) -> LicensingError:
        words = redact(" ".join(output[:2000].decode("utf-8", errors="replace").split()))[:300]
        said = f" It printed: {words}" if words else ""
        return refuse(
            f"{self.host} does not answer as the Windows command prompt does.{said}",
            f"{self.host}, ansible_shell_type: cmd",
            "Have OpenSSH on that host start cmd.exe, its default (remove DefaultShell under "
            "HKEY_LOCAL_MACHINE\\SOFTWARE\\OpenSSH), and let the user log on there once.",
        )

    def _cut_off(self) -> LicensingError:
        return refuse(
            f"The answer of {self.host} ends in the middle.",
            self.host,
            "Run this again; if it stays so, look at what ends commands there, such as a limit on a session's time.",
        )


def within(call: Callable[[], T], patience: float, host: str) -> T:
    """Return what a call over a connection returns, if that is within a time.

    :param patience: seconds
    :raises LicensingError: the time is over; the processes that the call had started on the controller are ended
    """
    before = _children()
    outcome: list[T] = []
    failure: list[BaseException] = []

    def act() -> None:
        try:
            outcome.append(call())
        except BaseException as error:
            failure.append(error)

    worker = threading.Thread(target=act, daemon=True)
    worker.start()
    worker.join(patience)
    if worker.is_alive():
        for process in _children() - before:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)
        worker.join(_ENDING)
        raise refuse(
            f"{host} did not answer within {patience:g} seconds; whether it did what was asked is not known.",
            host,
            "Log on there and look at what still runs, then run the same command again.",
        )
    if failure:
        raise failure[0]
    return outcome[0]


def _mark() -> str:
    return f"aims-{secrets.token_hex(8)}"


def _children() -> set[int]:
    """Return the child processes of this one; nothing where the system does not say."""
    children: set[int] = set()
    for listed in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            children |= {int(child) for child in listed.read_text(encoding="ascii").split()}
    return children
