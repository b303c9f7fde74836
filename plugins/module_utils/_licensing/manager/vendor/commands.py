# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendor's command on this machine: its program, our record of attempts, and the files that move with licenses."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Callable

from ...errors import refuse
from ...files import PRIVATE, PUBLIC, Folder
from ...home.store import is_secret
from ...hosting.daemon import find_daemon
from ...places import below
from ..port import HomeFile
from .activation import Site
from .attempts import STATE, Attempts
from .layout import PROGRAMS, Layout
from .licman import Licman
from .reading import COMMAND


class Commands:
    """Runs ``licman`` on this machine.

    :param root: the alternate root, or ""
    """

    def __init__(self, root: str = "") -> None:
        self._root = root

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
        attempts = Attempts(Folder(below(self._root, STATE)))
        return Site(anew, Licman(program), attempts, lambda: self._running(program))

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


def _runs(process: int, program: str) -> bool:
    with contextlib.suppress(OSError):
        return program.encode() in (Path("/proc") / str(process) / "cmdline").read_bytes().split(b"\0")
    return False
