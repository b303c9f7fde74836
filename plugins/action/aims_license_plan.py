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
    Wanted,
    now_utc,
    read_profiles,
    read_wanted,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._action import ACCEPT, LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle import (
    Bundle,
    newest_of,
    read_bundle,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._lost import LostPlanner
from ansible_collections.aims.licensing.plugins.plugin_utils._missing import arrives_by, with_files
from ansible_collections.aims.licensing.plugins.plugin_utils._plan import Planner, plan_text
from ansible_collections.aims.licensing.plugins.plugin_utils._realms import realm_problems

display = Display()


class ActionModule(LicensingAction):
    """Returns the plan, or everything that stands against it."""

    options = frozenset(
        {
            "giver",
            "taker",
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
    required = frozenset({"giver", "taker", "licenses"})

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        args = self._task.args
        giver, taker = args["giver"], args["taker"]
        wanted = read_wanted(self.licenses(task_vars), "licenses", without_codes=self.flag("hosts_only"))
        further = read_profiles(args.get("profiles") or [], "profiles", [one.number for one in wanted])
        taker = {**taker, "returns": boolean(taker.get("returns", False))}
        if self.flag("hosts_only"):
            return self._compared(giver, taker, wanted)
        # What was asked has an answer or, offline, none; the rest is active as it is.
        quotes = {quote["number"]: quote for quote in args.get("quotes") or [] if "live" in quote}
        bundles = self.path("bundles")
        lost = self.path("lost")
        giver = {
            **giver,
            "obstacles": [*giver.get("obstacles", []), *self._obstacles(bundles)],
            "reachable": boolean(giver.get("reachable", True)),
        }
        if lost is not None:
            bundle: Bundle | None = self.trust(read_bundle(lost))
        else:
            bundle = newest_of(bundles, str(giver["host"])) if bundles else None
        problem = bundle.doubt(self.vault) if bundle and not self.flag(ACCEPT) else None
        if problem is not None:
            # A giver that shows itself is backed up anew before it gives anything up, and its files are compared.
            if not giver["reachable"]:
                raise LicensingError([problem])
            display.warning(f"Not used for the plan: {problem}")
            bundle = None
        remembered = bundle.overview if bundle else None
        if lost is not None and remembered is not None:
            emergency = self.flag("emergency")
            planner: Planner = LostPlanner(giver, taker, wanted, quotes, remembered, now_utc(), emergency, further)
        else:
            kept = self.flag("keep_profiles")
            planner = Planner(giver, taker, wanted, quotes, remembered, now_utc(), further, kept)
        plan = self._planned(planner, giver, taker)
        manifest = bundle.manifest if bundle else None
        plan = with_files(plan, giver, taker, manifest, lost is not None, self.flag("without_files"))
        text = plan_text(plan, giver["host"], taker["host"])
        display.display(text)
        return {
            "changed": False,
            "plan": plan,
            "text": text,
            "bundle": str(bundle.path) if bundle else "",
            "before": remembered or giver["overview"],
        }

    def _planned(self, planner: Planner, giver: dict[str, Any], taker: dict[str, Any]) -> dict[str, Any]:
        """The plan, or everything that stands against it."""
        arrives = any(arrives_by(row["step"]) for row in planner.rows())
        problems = realm_problems(self._task.args.get("realm"), giver, taker, arrives)
        try:
            plan = planner.plan()
        except LicensingError as error:
            raise LicensingError([*error.problems, *problems]) from None
        if problems:
            raise LicensingError(problems)
        return plan

    @staticmethod
    def _compared(giver: dict[str, Any], taker: dict[str, Any], wanted: list[Wanted]) -> dict[str, Any]:
        """Refuse hosts of which one is a copy of the other; nobody has been asked about their licenses."""
        problems = Planner({**giver, "reachable": True}, taker, wanted, {}, None, now_utc()).copies()
        if problems:
            raise LicensingError(problems)
        return {"changed": False}

    @staticmethod
    def _obstacles(bundles: Path | None) -> list[dict[str, str]]:
        """What would keep the giver from being backed up into the folder of bundles."""
        todo = "Make it writable for the user who runs this, or set aims_license_migrate_dir to another folder."
        try:
            standing = next((path for path in (bundles, *bundles.parents) if path.exists()), None) if bundles else None
            refused = standing is not None and not os.access(standing, os.R_OK | os.W_OK | os.X_OK)
        except OSError as error:
            raise refuse(f"The folder of bundles cannot be read: {error.strerror}.", str(bundles), todo) from None
        what = "The folder of bundles on the controller cannot be written."
        return [Problem(what, str(standing), todo).as_dict()] if refused else []
