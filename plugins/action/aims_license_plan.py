# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the controller only: plans a pair and shows the plan."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.display import Display
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, Problem, refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import (
    DeclaredLicense,
    now_utc,
    read_declared_licenses,
    read_profiles,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._action import ACCEPT, LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import Bundle, newest_of, read_bundle
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.carried_files import arrives_by, with_files
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.lost_source import LostPlanner
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.planner import Planner, plan_text
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.realms import realm_problems

display = Display()


class ActionModule(LicensingAction):
    """Returns the plan, or everything that stands against it."""

    options = frozenset(
        {
            "source",
            "target",
            "licenses",
            "profiles",
            "keep_profiles",
            "quotes",
            "bundles",
            "lost",
            "emergency",
            "without_files",
            "realm",
            "hosts_only",
            ACCEPT,
            "codes_from",
        }
    )
    required = frozenset({"source", "target", "licenses"})

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        args = self._task.args
        source, target = args["source"], args["target"]
        wanted = read_declared_licenses(self.licenses(task_vars), "licenses", without_codes=self.flag("hosts_only"))
        further = read_profiles(args.get("profiles") or [], "profiles", [one.number for one in wanted])
        target = {**target, "returns": boolean(target.get("returns", False))}
        if self.flag("hosts_only"):
            return self._compared(source, target, wanted)
        # What was asked has an answer or, offline, none; the rest is active as it is.
        quotes = {quote["number"]: quote for quote in args.get("quotes") or [] if "live" in quote}
        bundles = self.path("bundles")
        lost = self.path("lost")
        source = {
            **source,
            "obstacles": [*source.get("obstacles", []), *self._obstacles(bundles)],
            "reachable": boolean(source.get("reachable", True)),
        }
        if lost is not None:
            bundle: Bundle | None = self.trust(read_bundle(lost))
        else:
            bundle = newest_of(bundles, str(source["host"])) if bundles else None
        problem = bundle.doubt(self.vault) if bundle and not self.flag(ACCEPT) else None
        if problem is not None:
            # A source that shows itself is backed up anew before it gives anything up, and its files are compared.
            if not source["reachable"]:
                raise LicensingError([problem])
            display.warning(f"Not used for the plan: {problem}")
            bundle = None
        remembered = bundle.overview if bundle else None
        if lost is not None and remembered is not None:
            emergency = self.flag("emergency")
            planner: Planner = LostPlanner(source, target, wanted, quotes, remembered, now_utc(), emergency, further)
        else:
            kept = self.flag("keep_profiles")
            planner = Planner(source, target, wanted, quotes, remembered, now_utc(), further, kept)
        plan = self._planned(planner, source, target)
        manifest = bundle.manifest if bundle else None
        plan = with_files(plan, source, target, manifest, lost is not None, self.flag("without_files"))
        text = plan_text(plan, source["host"], target["host"])
        display.display(text)
        return {
            "changed": False,
            "plan": plan,
            "text": text,
            "bundle": str(bundle.path) if bundle else "",
            "before": remembered or source["overview"],
        }

    def _planned(self, planner: Planner, source: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
        """The plan, or everything that stands against it."""
        arrives = any(arrives_by(row["step"]) for row in planner.rows())
        problems = realm_problems(self._task.args.get("realm"), source, target, arrives)
        try:
            plan = planner.plan()
        except LicensingError as error:
            raise LicensingError([*error.problems, *problems]) from None
        if problems:
            raise LicensingError(problems)
        return plan

    @staticmethod
    def _compared(source: dict[str, Any], target: dict[str, Any], wanted: list[DeclaredLicense]) -> dict[str, Any]:
        """Refuse hosts of which one is a copy of the other; nobody has been asked about their licenses."""
        problems = Planner({**source, "reachable": True}, target, wanted, {}, None, now_utc()).copies()
        if problems:
            raise LicensingError(problems)
        return {"changed": False}

    @staticmethod
    def _obstacles(bundles: Path | None) -> list[dict[str, str]]:
        """What would keep the source from being backed up into the folder of bundles."""
        todo = "Make it writable for the user who runs this, or set aims_license_migrate_dir to another folder."
        try:
            existing = next((path for path in (bundles, *bundles.parents) if path.exists()), None) if bundles else None
            refused = existing is not None and not os.access(existing, os.R_OK | os.W_OK | os.X_OK)
        except OSError as error:
            raise refuse(f"The folder of bundles cannot be read: {error.strerror}.", str(bundles), todo) from None
        what = "The folder of bundles on the controller cannot be written."
        return [Problem(what, str(existing), todo).as_dict()] if refused else []
