# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that move with the licenses: put where they are missing, and renewed by the licenses that bring them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import LicensingError
from ..files import PRIVATE, PUBLIC, Folder
from ..home.state import State
from ..home.store import CARRIED, OURS, Home, is_carried, is_secret
from .port import Carried, HomeFile

_LIMIT = 16 << 20
# In the place of a digest: the file cannot be read, or is larger than any that moves.
UNREAD = "0" * 64
# What makes a file more than data: set-user-ID, set-group-ID, the sticky bit, and the rights to run it.
_PROGRAM = 0o7111
# No file that moves has this name: beside their digests, the record lists the hosts whose files are all here.
_SOURCES = "sources"


@dataclass(frozen=True)
class Record:
    """What a home knows of the files that came to it.

    :ivar digests: of each file, as it came last
    :ivar sources: the hosts whose files have all come, by the names that the controller has for them
    """

    digests: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Folder) -> Record:
        """Read the record of a home; a damaged one is none."""
        try:
            data = json.loads(folder.find(CARRIED) or b"{}")
        except (LicensingError, ValueError, RecursionError):
            return cls()
        known = data if isinstance(data, dict) else {}
        sources = known.pop(_SOURCES, [])
        return cls(
            {name: digest for name, digest in known.items() if isinstance(digest, str)},
            tuple(name for name in sources if isinstance(name, str)) if isinstance(sources, list) else (),
        )

    def write(self, folder: Folder) -> None:
        data = {**self.digests, **({_SOURCES: list(self.sources)} if self.sources else {})}
        folder.write(CARRIED, json.dumps(data, indent=1, sort_keys=True).encode() + b"\n", PRIVATE)


def carried(home: Home) -> Carried:
    """Return which files of a home move with licenses, and which came; of one that cannot be read, ``UNREAD``."""
    if home.state() != OURS:
        return Carried()
    record = Record.read(home.folder)
    names = [name for name in home.state_files() if is_carried(name)]
    digests = {name: _digest_on_disk(home.folder, name) for name in names}
    return Carried(digests, record.digests, record.sources)


class CarriedFiles:
    """The files that came with one call.

    A file of the same name is of an earlier stay where this home serves nothing, and then gives way. Where it serves
    licenses already, it may have been renewed here: it gives way only if the other host's was, since it last came.
    What was brought is known by its digest.

    :param files: those of the home that the licenses come from; others than those that move are not looked at
    :param state: the home as it was before the call
    :param source: the name of the host that the licenses come from, whose files these are all of
    """

    def __init__(
        self, home: Home, files: Sequence[HomeFile], *, numbers: Sequence[str], state: State, source: str | None = None
    ) -> None:
        self._folder = home.folder
        self._files = [file for file in files if is_carried(file.name)]
        self._numbers = numbers
        self._serves = any(state.is_served(number) for number in state.installed)
        self._source = source
        self._late: list[HomeFile] = []
        self._arrived = False

    @property
    def missing(self) -> list[str]:
        return [file.name for file in self._files if not self._folder.has(file.name)]

    def stale(self) -> list[HomeFile]:
        """The files that differ here though the licenses are: they came without the files of this source."""
        record = Record.read(self._folder)
        if self._source is None or self._source in record.sources:
            return []
        return [file for file in self._files if record.digests.get(file.name) != _digest(file) and self._differs(file)]

    def arrive(self, number: str) -> None:
        """Put the files where a license of the call is about to become active; may be repeated after a crash."""
        if number not in self._numbers:
            return
        record = Record.read(self._folder)
        if not self._serves and self._source is None and record.sources:
            # Whatever came was of an earlier stay; what belongs to this one is still to come.
            Record(record.digests).write(self._folder)
        came = []
        for file in self._files:
            try:
                if not (self._serves and record.digests.get(file.name) == _digest(file)) and self._differs(file):
                    self._put(file)
                came.append(file)
            except LicensingError:
                # The license is this machine's already, whatever lies in the place of a file. That is for the end.
                self._late.append(file)
        # What came with the first license may be renewed before the last one comes.
        self._serves = self._arrived = True
        self._remember(came)

    def fill(self, complete: bool) -> None:
        """Put the files that are missing, whether or not a license came.

        :param complete: whether all licenses of the call are here, so that nothing of this source is still to come
        :raises LicensingError: a file cannot be put; the licenses are here
        """
        missing, late = self.missing, [*self._late, *(self.stale() if complete else [])]
        put = [file for file in self._files if file.name in missing or file in late]
        for file in put:
            self._put(file)
        # Where nothing came, in this call or before, there is nothing to say of it.
        known = Record.read(self._folder).digests
        came = self._arrived or bool(put) or any(file.name in known for file in self._files)
        self._remember(put, complete and came)

    def _put(self, file: HomeFile) -> None:
        # The mode is not the sender's to say: a file that moves is data here, private where it holds a secret.
        self._folder.write(file.name, file.content, PRIVATE if is_secret(file.name) else PUBLIC)

    def _differs(self, file: HomeFile) -> bool:
        try:
            differs = self._folder.find(file.name, _LIMIT) != file.content
            return differs or bool((self._folder.mode(file.name) or 0) & _PROGRAM)
        except LicensingError:
            # No plain file, such as a link that somebody made on purpose.
            return False

    def _remember(self, files: Sequence[HomeFile], complete: bool = False) -> None:
        # After the files themselves: cut off in between, they are brought once more.
        before = Record.read(self._folder)
        sources = [self._source] if complete and self._source is not None else []
        now = Record(
            {**before.digests, **{file.name: _digest(file) for file in files}},
            tuple(dict.fromkeys([*before.sources, *sources])),
        )
        if now != before:
            now.write(self._folder)


def _digest(file: HomeFile) -> str:
    return hashlib.sha256(file.content).hexdigest()


def _digest_on_disk(folder: Folder, name: str) -> str:
    try:
        return hashlib.sha256(folder.read(name, _LIMIT)).hexdigest()
    except LicensingError:
        return UNREAD
