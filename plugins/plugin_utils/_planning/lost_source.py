# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a pair whose source is lost: what a bundle and the authority still allow. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import Problem
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import DeclaredLicense, Profile
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.planner import (
    ACTIVATE,
    EMERGENCY,
    FINISH,
    KEEP,
    RELEASE,
    SERVE,
    Planner,
    release_command,
)


class LostPlanner(Planner):
    """Plans what the target can have without its source.

    :param remembered: the overview of the bundle that stands for the source
    :param emergency: whether a license that the source still holds is to be bridged
    """

    def __init__(
        self,
        source: Mapping[str, Any],
        target: Mapping[str, Any],
        wanted: Sequence[DeclaredLicense],
        quotes: Mapping[str, Mapping[str, Any]],
        remembered: Mapping[str, Any],
        now: datetime,
        emergency: bool = False,
        further: Sequence[Profile] = (),
    ) -> None:
        nothing = {"licenses": [], "profiles": remembered["profiles"], "users": remembered["users"], "pending": []}
        shown = {**nothing, "server": remembered["server"]}
        source = {**source, "overview": shown, "reachable": False}
        super().__init__(source, target, wanted, quotes, remembered, now, further)
        self._emergency = emergency

    @property
    def _lost(self) -> bool:
        return True

    def _step(self, number: str) -> tuple[str, str]:
        state, step = super()._step(number)
        if step in (KEEP, SERVE, FINISH, EMERGENCY):
            return state, step
        quote = self._quotes.get(number, {})
        if quote.get("live") is None and self._emergency:
            return "asked by file", EMERGENCY
        if quote.get("live") is None:
            return "asked by file", ACTIVATE
        if quote["live"] and (quote.get("until") or quote.get("spends")):
            return f"live on {self._source['host']}", EMERGENCY if quote.get("until") else RELEASE
        return "free", ACTIVATE

    def _missed(self, rows: Sequence[Mapping[str, Any]]) -> list[Problem]:
        """What stands against it; that the source holds licenses does not."""
        due = [(one, row) for one, row in zip(self._wanted, rows) if row["step"] != KEEP]
        problems = self._realms() if due else []
        holders = {one.get("holder") for one in self._remembered.values()}
        for one, row in due:
            place = f"license {one.number}"
            holder = self._quotes.get(one.number, {}).get("holder")
            if row["step"] in (EMERGENCY, RELEASE) and holder is not None and holder not in holders:
                what = f"License {one.number} is live on a license server, but {self._source['host']} does not hold it."
                todo = "Name the host that holds it as the source; restore its nodelock there if it was lost."
                problems.append(Problem(what, place, todo))
        return problems

    def _notes(self) -> list[str]:
        source = self._source["host"]
        notes = [f"{source} is declared lost: it is not asked for anything. If it still runs, it goes on serving."]
        notes += [note for note in super()._notes() if "cannot be reached" not in note]
        asked = [one.number for one in self._wanted if self._step(one.number)[0] == "asked by file"]
        if asked:
            first = release_command(asked[0], source, self._target.get("authority"))
            notes.append(f"Where the authority answers that a license is live on another machine: {first}")
        for one in self._wanted:
            refused = self._quotes.get(one.number, {}).get("refused")
            if refused:
                notes.append(f"{refused['what']} {refused['todo']}")
        return notes
