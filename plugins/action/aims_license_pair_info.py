# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the controller only: shows the status of a pair, or of a single host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.display import Display
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import (
    DeclaredLicense,
    read_declared_licenses,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fields import Fields
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._action import ACCEPT, LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import read_bundle
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.folder import RequestFolder
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.assessment import assess
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.checks import copies, drifts
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair import Pair, quotes_of
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair_status import (
    CHANGED,
    COPIED,
    GO_ON,
    SeenHost,
    pair_status,
    status_lines,
    stopped_lines,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.render import step_in_words
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.sides import KIND, Side, read_fingerprint
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.steps import Step

display = Display()


class ActionModule(LicensingAction):
    """Shows the table of a pair's status; with ``stopped`` it ends a run and fails."""

    options = frozenset(
        {"source", "target", "licenses", "quotes", "lost", "emergency", "requests_dir", "portal", "stopped", ACCEPT}
    )
    required = frozenset({"target", "licenses"})

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        args = self._task.args
        hosts = [_seen(args[name], name) for name in ("source", "target") if args.get(name)]
        declared = read_declared_licenses(args["licenses"], "licenses", without_codes=True)
        path = self.path("requests_dir")
        numbers = [license.number for license in declared]
        at_hand = RequestFolder(path).at_hand(numbers) if path else set()
        steps = self._steps(hosts, declared)
        rows = pair_status(hosts, numbers, steps, at_hand, by_page=bool(args.get("portal")))
        stopped = args.get("stopped")
        if not stopped:
            table = status_lines(rows)
            display.display("\n".join(table))
            return {"changed": False, "status": [row.as_dict() for row in rows], "status_table": table}
        name = " -> ".join(host.host for host in hosts)
        return {
            "failed": True,
            "changed": False,
            "msg": f"{name} is not finished; status_table says why, and where each license is. {GO_ON}",
            "status_table": stopped_lines(str(stopped["task"]), _text(stopped.get("msg")), rows, hosts),
            # One line of the table on one line of the output, in every version of ansible-core.
            "_ansible_verbose_always": True,
        }

    def _steps(self, hosts: Sequence[SeenHost], declared: tuple[DeclaredLicense, ...]) -> dict[str, str]:
        """Return the step that the next run will plan for each license, as far as it is known."""
        source, target = hosts[0] if len(hosts) > 1 else SeenHost("", None), hosts[-1]
        if target.overview is None:
            return {license.number: f"stop: needs {target.host}" for license in declared}
        lost = self.path("lost")
        sides = (self._side(source, "source"), self._side(target, "target"))
        pair = Pair(*sides, declared, now_utc(), quotes_of(self._task.args.get("quotes") or []))
        if lost is not None:
            bundle = self.trust(read_bundle(lost))
            pair = pair.without_source(bundle.overview, is_bridged=self.flag("emergency"))
        assessments = assess(pair)
        has_copies = source.overview is not None and bool(copies(pair, assessments))
        is_missing = len(hosts) > 1 and source.overview is None and lost is None
        steps = {}
        for assessment in assessments:
            steps[assessment.number] = step_in_words(assessment.step.value, assessment.until)
            if has_copies:
                steps[assessment.number] = COPIED
            elif assessment.step in _NEW_ON_TARGET and drifts(pair, assessment.number):
                steps[assessment.number] = CHANGED
            elif assessment.step is Step.ACTIVATE and is_missing:
                steps[assessment.number] = f"stop: needs {source.host}"
        return steps

    def _side(self, host: SeenHost, name: str) -> Side:
        """Return a host as a side of a plan, without its obstacles, which only a plan needs."""
        info = _info(self._task.args.get(name) or {}, name)
        return Side(host.host, host.overview or Overview(), read_fingerprint(info), info.texts_by_name("places"))


# The steps by which the target asks for a license, or goes on asking.
_NEW_ON_TARGET = (Step.ACTIVATE, Step.FINISH, Step.FINISH_MOVE)


def _info(option: object, name: str) -> Fields:
    """Return what the task that looked at a host returned; nothing where it did not run."""
    return Fields.of(Fields.of(option, KIND, name).values.get("info") or {}, KIND, name, "info")


def _seen(option: object, name: str) -> SeenHost:
    """Return a host by what the task that looked at it returned."""
    fields, info = Fields.of(option, KIND, name), _info(option, name)
    host, authority = str(fields.values.get("host") or ""), str(fields.values.get("authority") or "") or None
    if info.values.get("overview"):
        return SeenHost(host, Overview.from_dict(info.values["overview"], host), authority)
    if info.values.get("skipped"):
        return SeenHost(host, None, authority, "declared lost")
    reached = boolean(info.values.get("reached", True)) and not info.values.get("unreachable")
    return SeenHost(host, None, authority, "not read" if reached else "not reached", _text(info.values.get("msg")))


def _text(message: object) -> str:
    return "\n".join(map(str, message)) if isinstance(message, list) else str(message or "")
