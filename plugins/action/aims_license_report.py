# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the controller only: verifies a moved pair and writes its report."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import PRIVATE, Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc, render_time
from ansible_collections.aims.licensing.plugins.plugin_utils._action import LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._pages import report_page
from ansible_collections.aims.licensing.plugins.plugin_utils._report import (
    connection_strings,
    licenses_cfg,
    pending_of,
    seconds_without_service,
)


class ActionModule(LicensingAction):
    """Writes the report as a page and as JSON."""

    options = frozenset(
        {"giver", "taker", "address", "direction", "planned", "bundle", "given_up", "activated", "after", "dest"}
    )

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        args = self._task.args
        giver, taker = args["giver"], args["taker"]
        planned, given_up, activated = args["planned"], args.get("given_up") or {}, args.get("activated") or {}
        after, source_after = args["after"], given_up.get("overview") or giver["overview"]
        pending = pending_of(giver["host"], given_up.get("requests") or [], "deactivate")
        pending += pending_of(taker["host"], activated.get("requests") or [], "activate")
        address = str(args.get("address") or taker["host"])
        report = {
            "pair": {"source": giver["host"], "target": taker["host"]},
            "made": render_time(now_utc()),
            "direction": args.get("direction", "migrate"),
            "before": planned["before"],
            "after": after,
            "source_after": source_after,
            "plan": planned["plan"],
            "moved": self._moved(planned["plan"], activated),
            "without_service_seconds": None if pending else seconds_without_service(given_up, activated, after),
            "bundle": str(args.get("bundle") or planned["bundle"]),
            "connection_strings": connection_strings(address, after),
            "licenses_cfg": licenses_cfg(address),
            "pending": pending,
            "next_step": given_up.get("next_step") or activated.get("next_step"),
        }
        files = self._write(report)
        if not pending:
            self._verify(report)
        return {"changed": not self.dry, "report": report, **files}

    @staticmethod
    def _moved(plan: dict[str, Any], activated: dict[str, Any]) -> list[str]:
        done = {result["number"] for result in activated.get("results") or [] if result["action"] == "activated"}
        return [row["number"] for row in plan["licenses"] if row["number"] in done]

    def _write(self, report: dict[str, Any]) -> dict[str, str]:
        dest = self.path("dest")
        if dest is None:
            raise refuse("No folder for reports is given.", "dest", "Set dest to a folder on the controller.")
        pair = report["pair"]
        name = f"{pair['source']}-to-{pair['target']}"
        if not self.dry:
            folder = Folder(dest)
            folder.make(mode=0o700)
            folder.write(f"{name}.json", json.dumps(report, indent=1, ensure_ascii=False).encode(), PRIVATE)
            folder.write(f"{name}.html", report_page(report).encode(), PRIVATE)
        return {"page": str(dest / f"{name}.html"), "data": str(dest / f"{name}.json")}

    @staticmethod
    def _verify(report: dict[str, Any]) -> None:
        held = {one["number"] for one in report["after"]["licenses"] if one["status"] == "Active" and not one["fenced"]}
        names = {profile["name"] for profile in report["after"]["profiles"]}
        rows = report["plan"]["licenses"]
        missing = [row["number"] for row in rows if row["number"] not in held]
        missing += [row["profile"] for row in rows if row["profile"] and row["profile"] not in names]
        if missing:
            raise refuse(
                f"Not active after the migration: {', '.join(missing)}.",
                report["pair"]["target"],
                "Run the same command again; it goes on where this run stopped.",
            )
