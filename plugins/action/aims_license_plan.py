# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the controller only: plans a pair and shows the plan."""

from __future__ import annotations

from typing import Any

from ansible.utils.display import Display
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc, read_wanted
from ansible_collections.aims.licensing.plugins.plugin_utils._action import LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle import newest
from ansible_collections.aims.licensing.plugins.plugin_utils._plan import Planner, plan_text

display = Display()


class ActionModule(LicensingAction):
    """Returns the plan, or everything that stands against it."""

    options = frozenset({"giver", "taker", "licenses", "quotes", "bundles"})

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        args = self._task.args
        giver, taker = args["giver"], args["taker"]
        wanted = read_wanted(args.get("licenses"), "licenses")
        quotes = {quote["number"]: quote for quote in args.get("quotes") or [] if quote.get("action") == "activated"}
        bundles = self.path("bundles")
        bundle = newest(bundles / giver["host"]) if bundles else None
        planner = Planner(giver, taker, wanted, quotes, bundle.overview if bundle else None, now_utc())
        plan = planner.plan()
        text = plan_text(plan, giver["host"], taker["host"])
        display.display(text)
        remembered = bundle.overview if bundle else giver["overview"]
        return {
            "changed": False,
            "plan": plan,
            "text": text,
            "bundle": str(bundle.path) if bundle else "",
            "before": remembered,
        }
