# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the controller only: says where the licenses of a pair, or of one host, stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.display import Display
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import (
    DeclaredLicense,
    now_utc,
    read_declared_licenses,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._action import ACCEPT, LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import read_bundle
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.folder import RequestFolder
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.lost_source import LostPlanner
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair_status import (
    CHANGED,
    COPIED,
    GO_ON,
    Side,
    pair_status,
    status_lines,
    stopped_lines,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.planner import (
    ACTIVATE,
    FINISH,
    FINISH_MOVE,
    Planner,
    step_in_words,
)

display = Display()


class ActionModule(LicensingAction):
    """Shows the table; with ``stopped`` it is the end of a run, and fails."""

    options = frozenset(
        {"source", "target", "licenses", "quotes", "lost", "emergency", "requests_dir", "portal", "stopped", ACCEPT}
    )
    required = frozenset({"target", "licenses"})

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        args = self._task.args
        sides = [_side(args[name]) for name in ("source", "target") if args.get(name)]
        wanted = read_declared_licenses(args["licenses"], "licenses", without_codes=True)
        path = self.path("requests_dir")
        numbers = [one.number for one in wanted]
        at_hand = RequestFolder(path).at_hand(numbers) if path else set()
        rows = pair_status(sides, numbers, self._steps(sides, wanted), at_hand, bool(args.get("portal")))
        stopped = args.get("stopped")
        if not stopped:
            table = status_lines(rows)
            display.display("\n".join(table))
            return {"changed": False, "status": rows, "status_table": table}
        name = " -> ".join(side.host for side in sides)
        return {
            "failed": True,
            "changed": False,
            "msg": f"{name} is not finished; status_table says why, and where each license is. {GO_ON}",
            "status_table": stopped_lines(str(stopped["task"]), _text(stopped.get("msg")), rows, sides),
            # One line of the table on one line of the output, in every version of ansible-core.
            "_ansible_verbose_always": True,
        }

    def _steps(self, sides: Sequence[Side], wanted: Sequence[DeclaredLicense]) -> dict[str, str]:
        """What the plan of the next run will say of each license, as far as it can be known."""
        source, target = sides[0] if len(sides) > 1 else Side("", None), sides[-1]
        if target.overview is None:
            return {one.number: f"stop: needs {target.host}" for one in wanted}
        args, lost = self._task.args, self.path("lost")
        quotes = {quote["number"]: quote for quote in args.get("quotes") or [] if "live" in quote}
        told = [(args.get(name) or {}).get("found") or {} for name in ("source", "target")]
        looked = [{key: one.get(key) or {} for key in ("fingerprint", "places")} for one in told]
        seen = [
            {"host": side.host, "overview": side.overview or _NOTHING, **one}
            for side, one in zip((source, target), looked)
        ]
        planner = Planner(*seen, wanted, quotes, None, now_utc())
        if lost is not None:
            emergency = self.flag("emergency")
            planner = LostPlanner(*seen, wanted, quotes, self.trust(read_bundle(lost)).overview, now_utc(), emergency)
        copies = bool(planner.copies()) if len(sides) > 1 and source.overview is not None else False
        missing = len(sides) > 1 and source.overview is None and lost is None
        steps = {}
        for row in planner.rows():
            steps[row["number"]] = step_in_words(row)
            if copies:
                steps[row["number"]] = COPIED
            elif row["step"] in (ACTIVATE, FINISH, FINISH_MOVE) and planner.drifts(row["number"]):
                steps[row["number"]] = CHANGED
            elif row["step"] == ACTIVATE and missing:
                steps[row["number"]] = f"stop: needs {source.host}"
        return steps


_NOTHING: dict[str, Any] = {"server": {"realm": None}, "licenses": [], "profiles": [], "users": [], "pending": []}


def _side(told: Mapping[str, Any]) -> Side:
    """A host by what the task that looked at it returned."""
    found = told.get("found") or {}
    authority = str(told.get("authority") or "") or None
    if found.get("overview"):
        return Side(str(told["host"]), found["overview"], authority)
    if found.get("skipped"):
        return Side(str(told["host"]), None, authority, "declared lost")
    reached = boolean(found.get("reached", True)) and not found.get("unreachable")
    return Side(str(told["host"]), None, authority, "not read" if reached else "not reached", _text(found.get("msg")))


def _text(message: object) -> str:
    return "\n".join(map(str, message)) if isinstance(message, list) else str(message or "")
