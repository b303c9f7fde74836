# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files that move with the licenses the target of a pair lacks, and where they are. Pure.

A run knows of no run before it: it compares what is on the target with what is on the source and in its bundle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import Problem
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import is_carried
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.carried_files import UNREAD
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.planner import END, KEEP, RELEASE
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.format import as_list, as_map, in_words

# Name → SHA-256, or None where it is not known.
Digests = Mapping[str, Optional[str]]


def arrives_by(step: str) -> bool:
    """Whether a license becomes active on the target by a step of the plan."""
    return step not in (KEEP, RELEASE, END)


def digests_of(side: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the files that move of a host, as ``aims_license_info`` saw them there."""
    found: dict[str, str | None] = dict.fromkeys(_names(as_map(side.get("overview")).get("files")))
    return {**found, **_carried(side)}


def _carried(side: Mapping[str, Any]) -> dict[str, str | None]:
    files = as_map(as_map(side.get("carried")).get("files"))
    return {name: files[name] if isinstance(files[name], str) else None for name in _names(list(files))}


def _names(found: object) -> list[str]:
    """Return the names of files that move, of whatever a host has said."""
    return [name for name in as_list(found) if isinstance(name, str) and is_carried(name)]


def bundled(manifest: Mapping[str, Any] | None) -> Digests:
    """Return the files that move which a bundle has, by its manifest."""
    files = manifest["files"] if manifest else []
    return {file["name"]: str(file.get("sha256")) for file in files if is_carried(file["name"])}


class FilesPlan:
    """Compares the files of a pair.

    :param source, target: ``{host, overview, carried}`` as ``aims_license_info`` returned them; a source that is not
        ``reachable`` shows nothing
    :param manifest: that of the source's newest bundle, or of the one that stands for it
    :param gives_up: whether licenses are given up on the source in this run, which takes a bundle of it as it is
    :param arrives: whether licenses become active on the target
    :param returns: whether the licenses come back to the target, which has files of its own
    :param waived: whether a migration that cannot know about files, or cannot have them, goes on without them
    """

    def __init__(
        self,
        source: Mapping[str, Any],
        target: Mapping[str, Any],
        manifest: Mapping[str, Any] | None,
        gives_up: bool,
        arrives: bool,
        returns: bool = False,
        waived: bool = False,
    ) -> None:
        self._hosts = str(source["host"]), str(target["host"])
        self._reachable = bool(source.get("reachable", True))
        self._there, self._gives_up, self._arrives = digests_of(target), gives_up, arrives
        # A link is told in the overview and moves nowhere.
        seen = _carried(source) if source.get("carried") else digests_of(source)
        self._source = seen if self._reachable else {}
        self._bundle, self._has_bundle = bundled(manifest), manifest is not None
        self._returns, self._waived = returns, waived
        record = as_map(target.get("carried"))
        self._brought: Digests = as_map(record.get("brought"))
        self._came = self._hosts[0] in as_list(record.get("sources"))

    def plan(self) -> dict[str, Any]:
        """Return the plan of the files.

        ``expected``: what the target has to have in the end · ``missing``: what it lacks of that now · ``fetch``:
        whether a bundle of the source is to be taken for it, though no license is given up there · ``unknown``: whether
        nobody can tell what belongs there · ``waived`` · ``notes``, in words
        """
        expected = dict(self._source) if self._gives_up else {**self._bundle, **self._source}
        missing = sorted(name for name in expected if name not in self._there or self._is_stale(name, expected))
        wanting = self._source if self._arrives else missing
        fetch = any(name in self._source and self._bundle.get(name) != self._source[name] for name in wanting)
        return {
            "expected": sorted(expected),
            "missing": missing,
            "fetch": fetch and self._reachable and not self._gives_up,
            "unknown": self._is_unknown and not self._waived,
            "waived": self._waived,
            "notes": self._notes(),
        }

    @property
    def _is_unknown(self) -> bool:
        return not (self._reachable or self._has_bundle or self._came or self._returns)

    def _is_stale(self, name: str, expected: Digests) -> bool:
        """Whether the target has another file of this name, though its licenses came without those of this source."""
        known = not {None, UNREAD} & {expected[name], self._there[name]}
        differs = known and self._there[name] != expected[name]
        return differs and not self._arrives and not self._came and self._brought.get(name) != expected[name]

    def _notes(self) -> list[str]:
        source, target = self._hosts
        if self._is_unknown and self._waived:
            return [f"Which files of {source} belong on {target} is not known: {target} goes on without them."]
        if self._returns and not (self._reachable or self._has_bundle):
            return [f"Application keys and .cpx files that {source} got since are not looked for: it has no bundle."]
        if self._arrives or self._gives_up or not self._came:
            return []
        other = [
            name
            for name, digest in self._source.items()
            if name in self._there and digest not in (self._there[name], self._brought.get(name))
        ]
        return [
            f"{in_words(name)} was changed on {source} since it came to {target}, which keeps its own. To have that of "
            f"{source}, remove it on {target} and run this again."
            for name in sorted(other)
        ]


def with_files(
    plan: Mapping[str, Any],
    source: Mapping[str, Any],
    target: Mapping[str, Any],
    manifest: Mapping[str, Any] | None,
    lost: bool,
    waived: bool,
) -> dict[str, Any]:
    """Return a plan of a pair with that of its files, which it is not settled without.

    :param manifest: that of the source's newest bundle, or of the one that stands for it where it is lost
    """
    arrives = any(arrives_by(row["step"]) for row in plan["licenses"])
    source = {**source, "reachable": source.get("reachable", True) and not lost}
    returns = bool(target.get("returns"))
    files = FilesPlan(source, target, manifest, bool(plan["give_up"]), arrives, returns, waived).plan()
    files["words"] = _words(files, str(target["host"]))
    settled = plan["settled"] and not files["missing"] and not files["unknown"]
    return {**plan, "notes": [*plan["notes"], *files.pop("notes")], "settled": settled, "files": files}


def _words(files: Mapping[str, Any], target: str) -> list[str]:
    if files["unknown"]:
        return [f"Files missing on {target}: not known"]
    return [f"Files missing on {target}: {_listed(files['missing'])}"] if files["missing"] else []


def _listed(names: Sequence[str]) -> str:
    return ", ".join(in_words(name) for name in names)


def files_told(plan: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a report tells of the files that move: ``{missing, unknown}``.

    :param after: the overview of the target now
    """
    files = plan.get("files") or {}
    there = _names(after.get("files"))
    return {
        "missing": [name for name in files.get("expected", []) if name not in there],
        "unknown": bool(files.get("unknown")),
        "waived": bool(files.get("waived")),
    }


def lacking(files: Mapping[str, Any], source: str, target: str) -> list[Problem]:
    """Return what keeps a migration from being complete for the files that a report tells of."""
    if files["missing"] and not files["waived"]:
        what = f"Files that move with the licenses are missing on {target}: {_listed(files['missing'])}."
        todo = (
            f"Move away what lies in their places on {target}, and run the same command again. If they are lost for "
            "good, set aims_license_migrate_without_files: true."
        )
        return [Problem(what, target, todo)]
    if files["unknown"]:
        what = f"Whether {target} has the application keys and .cpx files of {source} is not known."
        todo = (
            f"{source} cannot be reached, and there is no bundle of it. Bring it up, or put a bundle of it into the "
            "folder of bundles, and run the same command again. If it had no such files, or they are lost for good, "
            "set aims_license_migrate_without_files: true."
        )
        return [Problem(what, target, todo)]
    return []
