# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that move with the licenses: put where they are missing, and renewed by the licenses that bring them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from ..errors import LicensingError
from ..files import PRIVATE
from ..store import CARRIED, Home, is_carried
from . import HomeFile
from .state import State

_LIMIT = 16 << 20


class Carrying:
    """The files that came with one call.

    A file of the same name is of an earlier stay where this home serves nothing, and then gives way. Where it serves
    licenses already, it may have been renewed here: it gives way only if the other host's was, since it last came.
    What was brought is known by its digest.

    :param files: those of the home that the licenses come from; others than those that move are not looked at
    :param state: the home as it was before the call
    """

    def __init__(self, home: Home, files: Sequence[HomeFile], numbers: Sequence[str], state: State) -> None:
        self._folder = home.folder
        self._files = [file for file in files if is_carried(file.name)]
        self._numbers = numbers
        self._serves = any(state.is_served(number) for number in state.installed)

    @property
    def missing(self) -> list[str]:
        return [file.name for file in self._files if not self._folder.has(file.name)]

    def arrive(self, number: str) -> None:
        """Put the files where a license of the call is about to become active; may be repeated after a crash."""
        if number not in self._numbers:
            return
        brought = self._brought()
        for file in self._files:
            if not (self._serves and brought.get(file.name) == _digest(file)) and self._differs(file):
                self._folder.write(file.name, file.content, file.mode)
        # What came with the first license may be renewed before the last one comes.
        self._serves = True
        self._remember(self._files)

    def fill(self) -> None:
        """Put the files that are missing, whether or not a license came."""
        missing = self.missing
        found = [file for file in self._files if file.name in missing]
        for file in found:
            self._folder.write(file.name, file.content, file.mode)
        self._remember(found)

    def _differs(self, file: HomeFile) -> bool:
        try:
            return self._folder.find(file.name, _LIMIT) != file.content
        except LicensingError:
            # No plain file, such as a link that somebody made on purpose.
            return False

    def _brought(self) -> dict[str, str]:
        """The digests of what was brought last; a damaged record is none."""
        try:
            found = json.loads(self._folder.find(CARRIED) or b"{}")
        except (LicensingError, ValueError, RecursionError):
            return {}
        known = found if isinstance(found, dict) else {}
        return {name: digest for name, digest in known.items() if isinstance(digest, str)}

    def _remember(self, files: Sequence[HomeFile]) -> None:
        # After the files themselves: cut off in between, they are brought once more.
        brought = self._brought()
        now = {**brought, **{file.name: _digest(file) for file in files}}
        if now != brought:
            self._folder.write(CARRIED, json.dumps(now, indent=1, sort_keys=True).encode() + b"\n", PRIVATE)


def _digest(file: HomeFile) -> str:
    return hashlib.sha256(file.content).hexdigest()
