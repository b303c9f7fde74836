# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What shows that a person, or the vendor's command, did a step: the files of a license before and now. Pure.

No exit code and no output decides. That a deactivation removes the nodelock is not documented
(docs/domain.md#identifiers-and-files), so that any change of the nodelock counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...model import Word, digits
from .layout import LICENSES, NODELOCKS, Layout

_EMPTY = hashlib.sha256(b"").hexdigest()


class NodelockChange(Word):
    """What became of a license's nodelock."""

    ABSENT = "absent"
    APPEARED = "appeared"
    UNCHANGED = "unchanged"
    CHANGED = "changed"
    GONE = "gone"
    HALF_WRITTEN = "half-written"


@dataclass(frozen=True)
class Snapshot:
    """The files of a license at some time.

    :ivar license, lock, version: SHA-256 of the ``.lic``, ``.lock`` and ``.ver`` file; None where there is none
    :ivar pending: names of the request and response files of the license
    """

    number: str
    license: str | None = None
    lock: str | None = None
    version: str | None = None
    pending: tuple[str, ...] = ()

    @property
    def has_nodelock(self) -> bool:
        """Whether there is a nodelock, and not a half-written one."""
        return self.lock is not None and self.lock != _EMPTY

    @property
    def is_half_written(self) -> bool:
        return self.lock == _EMPTY

    @classmethod
    def of_digests(cls, number: str, files: Mapping[str, str]) -> Snapshot:
        """Return the snapshot by the digests of files, by documented names as a bundle's manifest has them."""
        stem = digits(number)
        known = {name.lower(): digest for name, digest in files.items()}
        exchanges = (f"{stem}.request", f"{stem}.response")
        return cls(
            number,
            known.get(f"{LICENSES}/{stem}.lic".lower()),
            known.get(f"{NODELOCKS}/{stem}.lock".lower()),
            known.get(f"{NODELOCKS}/{stem}.ver".lower()),
            tuple(sorted(name for name in files if name.rpartition("/")[2].lower() in exchanges)),
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Snapshot:
        """Read what :meth:`as_dict` gave."""
        return cls(
            str(data["number"]),
            data.get("license"),
            data.get("lock"),
            data.get("version"),
            tuple(str(name) for name in data.get("pending") or ()),
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "license": self.license,
            "lock": self.lock,
            "version": self.version,
            "pending": list(self.pending),
        }


@dataclass(frozen=True)
class Evidence:
    """How the files of a license differ from what they were.

    :ivar nodelock: what became of the nodelock
    :ivar has_new_license: whether there is a license file that was not there, or has another content
    :ivar new_pending: request and response files that were not there
    """

    number: str
    nodelock: NodelockChange
    has_new_license: bool = False
    new_pending: tuple[str, ...] = ()

    @property
    def shows_activation(self) -> bool:
        """Whether a whole nodelock came, or replaced the one before."""
        return self.nodelock in (NodelockChange.APPEARED, NodelockChange.CHANGED)

    @property
    def shows_deactivation(self) -> bool:
        """Whether the nodelock is no longer what it was while the license was active.

        An update changes it too, so that this is asked for only after a deactivation was due.
        """
        return self.nodelock in (NodelockChange.GONE, NodelockChange.CHANGED)

    @property
    def contradicts_deactivation(self) -> bool:
        """Whether the nodelock is byte for byte as it was: whoever says that the license was deactivated is wrong."""
        return self.nodelock is NodelockChange.UNCHANGED

    @property
    def is_unclear(self) -> bool:
        """Whether the nodelock is half-written, which shows neither."""
        return self.nodelock is NodelockChange.HALF_WRITTEN


def compare(before: Snapshot, now: Snapshot) -> Evidence:
    """Say how the files of a license changed."""
    return Evidence(
        now.number,
        _nodelock(before, now),
        now.license is not None and now.license != before.license,
        tuple(name for name in now.pending if name not in before.pending),
    )


def take_snapshots(layout: Layout, numbers: Sequence[str]) -> dict[str, Snapshot]:
    """Return the snapshot of each license as its files are now, with one reading of the tree."""
    files = layout.licenses()
    names = {
        documented: digits(number)
        for number in numbers
        for documented in layout.names
        if number in files and documented.rpartition("/")[2].rpartition(".")[0] == digits(number)
    }
    digests = layout.digests(list(names))
    return {number: Snapshot.of_digests(number, digests) for number in numbers}


def _nodelock(before: Snapshot, now: Snapshot) -> NodelockChange:
    if now.is_half_written:
        return NodelockChange.HALF_WRITTEN
    if not now.has_nodelock:
        return NodelockChange.GONE if before.lock is not None else NodelockChange.ABSENT
    if not before.has_nodelock:
        return NodelockChange.APPEARED
    is_same = (before.lock, before.version) == (now.lock, now.version)
    return NodelockChange.UNCHANGED if is_same else NodelockChange.CHANGED
