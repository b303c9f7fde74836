# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files that move with the licenses the target of a pair lacks, and where they are. Pure.

A run knows of no run before it: it compares what is on the target with what is on the source and in its bundle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import Problem
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fields import Fields
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.carried_files import UNREAD
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Carried, Digests
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.sides import Side, carried_names
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.format import in_words


def digests_of(side: Side) -> dict[str, str | None]:
    """Return the files that move of a host, as ``aims_license_info`` saw them there."""
    names: dict[str, str | None] = dict.fromkeys(carried_names(side.overview.files))
    return {**names, **(side.carried or Carried()).files}


@dataclass(frozen=True)
class FilesPlan:
    """The plan of the files.

    :ivar expected: what the target has to have in the end
    :ivar missing: what it lacks of that now
    :ivar fetch: whether a bundle of the source is to be taken for it, though no license is given up there
    :ivar unknown: whether nobody can tell what belongs there
    :ivar waived: whether the migration goes on without files that it cannot know of, or cannot have
    :ivar words: what is missing, in words
    """

    expected: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    fetch: bool = False
    unknown: bool = False
    waived: bool = False
    words: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_settled(self) -> bool:
        return not self.missing and not self.unknown

    @classmethod
    def read(cls, fields: Fields) -> FilesPlan:
        return cls(
            fields.texts("expected", ()),
            fields.texts("missing", ()),
            fields.flag("fetch", False),
            fields.flag("unknown", False),
            fields.flag("waived", False),
            fields.texts("words", ()),
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "expected": list(self.expected),
            "missing": list(self.missing),
            "fetch": self.fetch,
            "unknown": self.unknown,
            "waived": self.waived,
            "words": list(self.words),
        }


@dataclass(frozen=True)
class FilesComparison:
    """The files of a pair.

    :ivar source: a source that is not reachable shows nothing
    :ivar bundle: those of the source's newest bundle, or of the bundle that stands for it; None where there is none
    :ivar gives_up: whether licenses are given up on the source in this run, which takes a bundle of it as it is
    :ivar arrives: whether licenses become active on the target
    :ivar waived: whether a migration that cannot know about files, or cannot have them, goes on without them
    """

    source: Side
    target: Side
    bundle: Digests | None
    gives_up: bool
    arrives: bool
    waived: bool = False

    def plan(self) -> FilesPlan:
        expected = dict(self._sent) if self.gives_up else {**(self.bundle or {}), **self._sent}
        there = digests_of(self.target)
        missing = sorted(name for name in expected if name not in there or self._is_stale(name, expected, there))
        compared = self._sent if self.arrives else missing
        bundle = self.bundle or {}
        fetch = any(name in self._sent and bundle.get(name) != self._sent[name] for name in compared)
        unknown = self._is_unknown and not self.waived
        return FilesPlan(
            tuple(sorted(expected)),
            tuple(missing),
            fetch and self.source.reachable and not self.gives_up,
            unknown,
            self.waived,
            tuple(_in_words(missing, unknown, self.target.host)),
            tuple(self._notes(there)),
        )

    @property
    def _sent(self) -> Digests:
        """What the source shows."""
        if not self.source.reachable:
            return {}
        # A link is told in the overview and moves nowhere.
        return self.source.carried.files if self.source.carried else digests_of(self.source)

    @property
    def _record(self) -> Carried:
        """What the target says of the files that came."""
        return self.target.carried or Carried()

    @property
    def _has_come(self) -> bool:
        return self.source.host in self._record.sources

    @property
    def _is_unknown(self) -> bool:
        known = self.source.reachable or self.bundle is not None
        return not (known or self._has_come or self.target.returns)

    def _is_stale(self, name: str, expected: Digests, there: Digests) -> bool:
        """Whether the target has another file of this name, though its licenses came without those of this source."""
        known = not {None, UNREAD} & {expected[name], there[name]}
        differs = known and there[name] != expected[name]
        return differs and not self.arrives and not self._has_come and self._record.brought.get(name) != expected[name]

    def _notes(self, there: Digests) -> list[str]:
        source, target = self.source.host, self.target.host
        if self._is_unknown and self.waived:
            return [f"Which files of {source} belong on {target} is not known: {target} goes on without them."]
        if self.target.returns and not self.source.reachable and self.bundle is None:
            return [f"Application keys and .cpx files that {source} got since are not looked for: it has no bundle."]
        if self.arrives or self.gives_up or not self._has_come:
            return []
        changed = [
            name
            for name, digest in self._sent.items()
            if name in there and digest not in (there[name], self._record.brought.get(name))
        ]
        return [
            f"{in_words(name)} was changed on {source} since it came to {target}, which keeps its own. To have that of "
            f"{source}, remove it on {target} and run this again."
            for name in sorted(changed)
        ]


def _in_words(missing: Sequence[str], unknown: bool, target: str) -> list[str]:
    if unknown:
        return [f"Files missing on {target}: not known"]
    return [f"Files missing on {target}: {_listed(missing)}"] if missing else []


def _listed(names: Sequence[str]) -> str:
    return ", ".join(in_words(name) for name in names)


@dataclass(frozen=True)
class FilesStatus:
    """What a target lacks of the files that move with the licenses.

    :ivar missing: the names of those that belong there and are not there
    :ivar unknown: whether nobody can tell what belongs there
    :ivar waived: whether the migration goes on without files that it cannot have
    """

    missing: tuple[str, ...] = ()
    unknown: bool = False
    waived: bool = False

    @property
    def is_complete(self) -> bool:
        return not self.unknown and (self.waived or not self.missing)

    @classmethod
    def of(cls, plan: FilesPlan | None, after: Overview) -> FilesStatus:
        """Return the status after a run.

        :param plan: the plan of the files; None where they were not compared
        :param after: the overview of the target
        """
        if plan is None:
            return cls()
        missing = tuple(name for name in plan.expected if name not in carried_names(after.files))
        return cls(missing, plan.unknown, plan.waived)

    @classmethod
    def read(cls, fields: Fields) -> FilesStatus:
        return cls(fields.texts("missing", ()), fields.flag("unknown", False), fields.flag("waived", False))

    def as_dict(self) -> dict[str, Any]:
        return {"missing": list(self.missing), "unknown": self.unknown, "waived": self.waived}

    def problems(self, source: str, target: str) -> list[Problem]:
        """Return what keeps a migration from being complete.

        :param source, target: the names of the hosts
        """
        if self.missing and not self.waived:
            what = f"Files that move with the licenses are missing on {target}: {_listed(self.missing)}."
            todo = (
                f"Move away what lies in their places on {target}, and run the same command again. If they are lost "
                "for good, set aims_license_migrate_without_files: true."
            )
            return [Problem(what, target, todo)]
        if self.unknown:
            what = f"Whether {target} has the application keys and .cpx files of {source} is not known."
            todo = (
                f"{source} cannot be reached, and there is no bundle of it. Bring it up, or put a bundle of it into "
                "the folder of bundles, and run the same command again. If it had no such files, or they are lost for "
                "good, set aims_license_migrate_without_files: true."
            )
            return [Problem(what, target, todo)]
        return []
