# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendor's command on this machine: its program, what an operator names for it, our record of attempts, and the
files that move with licenses.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Callable

from ...errors import LicensingError, Problem, refuse
from ...files import PRIVATE, PUBLIC, Folder
from ...home.store import is_secret
from ...hosting.daemon import find_daemon, process_marks
from ...places import below
from ..port import HomeFile
from . import activation
from .attempts import ACTIVATE, ADD_PROFILE, DEACTIVATE, STATE, WHOLE_SERVER, Attempts
from .deactivation import deactivation_doubt
from .evidence import compare, take_snapshots
from .layout import PROGRAMS, Layout
from .licman import Licman
from .named_commands import NamedCommand, NamedCommands, Purpose
from .reading import COMMAND, DAEMON
from .site import Site, released
from .unseen import is_shown, unseen_doubt


class Commands:
    """Runs ``licman`` on this machine.

    :param root: the alternate root, or ""
    :param named: the commands that an operator names
    """

    def __init__(self, root: str = "", named: NamedCommands | None = None) -> None:
        self._root = root
        self._named: NamedCommands = named or {}

    def named(self, purpose: Purpose) -> NamedCommand | None:
        """Return the command that the operator names for a purpose."""
        return self._named.get(purpose)

    @property
    def _attempts(self) -> Attempts:
        return Attempts(Folder(below(self._root, STATE)))

    def released(self, layout: Layout) -> dict[str, str]:
        """Return the licenses that were deactivated here by a command, as of :func:`site.released`."""
        numbers = self._attempts.numbers() - {WHOLE_SERVER}
        return released(self._attempts, take_snapshots(layout, sorted(numbers))) if numbers else {}

    def problems(self, layout: Layout) -> list[Problem]:
        """Say what is in doubt of earlier commands, and which named commands cannot be run here."""
        is_installed = f"{PROGRAMS}/{COMMAND}" in layout.names
        if not is_installed or not (self._named or self._attempts.open()):
            return []
        site = self.site(layout, lambda: layout)
        problems = _doubts(site)
        try:
            return problems + site.command_problems([*self._named.values()])
        except LicensingError as error:
            return [*problems, *error.problems]

    def site(self, layout: Layout, anew: Callable[[], Layout]) -> Site:
        """Return where licenses are activated.

        :param anew: lists the license server's files once more
        :raises LicensingError: the license server is not installed
        """
        listed = layout.names.get(f"{PROGRAMS}/{COMMAND}")
        if listed is None:
            raise refuse(
                "The vendor's license server is not installed: there is no licman.",
                f"{layout.where}/{PROGRAMS}",
                "Install it by the vendor's package first, or name its folder (aims_license_server_home).",
            )
        program = Path(layout.where) / listed
        return Site(anew, Licman(program), self._attempts, lambda: self._running(program), self._processes)

    def _processes(self) -> str:
        """Return the license server's processes; none belongs to an alternate root."""
        return "" if self._root else process_marks(DAEMON)

    def _running(self, program: Path) -> list[int]:
        """Return the processes of the command; under an alternate root only those of its own program."""
        processes = find_daemon(COMMAND, Path(self._root or "/")).processes
        return [number for number in processes if not self._root or _runs(number, str(program))]

    def put(self, layout: Layout, files: Sequence[HomeFile]) -> None:
        """Put files that move with the licenses where they are missing; none is replaced."""
        for file in files:
            # The folder may be a link, which is followed as the license server does.
            top, _slash, rest = file.name.partition("/")
            folder = Folder((Path(layout.where) / layout.spelled(top)).resolve())
            folder.make(mode=0o700 if is_secret(file.name) else 0o755)
            folder.write(rest, file.content, PRIVATE if is_secret(file.name) else PUBLIC)


def _doubts(site: Site) -> list[Problem]:
    """Say what nobody knows of earlier commands."""
    attempts = site.attempts.open().values()
    snapshots = take_snapshots(site.layout(), sorted({attempt.number for attempt in attempts} - {WHOLE_SERVER}))
    problems = []
    for attempt in attempts:
        evidence = compare(attempt.before, snapshots.get(attempt.number, attempt.before))
        if attempt.action == ACTIVATE:
            problems += [] if evidence.shows_activation else [activation.doubt(site, attempt)]
        elif attempt.action == DEACTIVATE:
            problems += [] if evidence.shows_deactivation else [deactivation_doubt(site, attempt)]
        elif attempt.action == ADD_PROFILE:
            problems += [] if attempt.is_due else [activation.doubt_of_profile(site, attempt)]
        else:
            problems += [] if is_shown(site, attempt) else [unseen_doubt(site, attempt)]
    return problems


def _runs(process: int, program: str) -> bool:
    with contextlib.suppress(OSError):
        return program.encode() in (Path("/proc") / str(process) / "cmdline").read_bytes().split(b"\0")
    return False
