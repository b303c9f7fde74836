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
    is_told,
    licenses_cfg,
    moved,
    pending_of,
    seconds_without_service,
)

_LIMIT = 32 << 20


class ActionModule(LicensingAction):
    """Writes the report as a page and as JSON."""

    options = frozenset(
        {"giver", "taker", "address", "direction", "planned", "bundle", "given_up", "activated", "after", "dest"}
    )
    required = frozenset({"giver", "taker", "planned", "after", "dest"})

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        args = self._task.args
        giver, taker = args["giver"], args["taker"]
        planned, given_up, activated = args["planned"], _ran(args.get("given_up")), _ran(args.get("activated"))
        after, source_after = args["after"], given_up.get("overview") or giver["overview"]
        pending = pending_of(giver["host"], given_up.get("requests") or [], "deactivate")
        pending += pending_of(taker["host"], activated.get("requests") or [], "activate")
        address = str(args.get("address") or taker["host"])
        numbers = [row["number"] for row in planned["plan"]["licenses"]]
        arrived = moved(planned["before"], after, activated, numbers)
        report = {
            "pair": {"source": giver["host"], "target": taker["host"]},
            "made": render_time(now_utc()),
            "direction": args.get("direction", "migrate"),
            "before": planned["before"],
            "after": after,
            "source_after": source_after,
            "plan": planned["plan"],
            "moved": arrived,
            "without_service_seconds": None
            if pending
            else seconds_without_service(given_up, activated, source_after, arrived),
            "bundle": str(args.get("bundle") or planned["bundle"]),
            "connection_strings": connection_strings(address, after),
            "licenses_cfg": licenses_cfg(address),
            "pending": pending,
            "next_step": given_up.get("next_step") or activated.get("next_step"),
        }
        dest = self.path("dest")
        if dest is None:
            raise refuse("No folder for reports is given.", "dest", "Set dest to a folder on the controller.")
        if planned["plan"]["settled"] and not arrived:
            # Nothing moved, now or before: there is nothing to report.
            return {"changed": False, "report": report, "page": "", "data": ""}
        changed = self._write(Folder(dest), report)
        if not pending:
            self._verify(report)
        name = _name(report)
        return {
            "changed": changed,
            "report": report,
            "page": str(dest / f"{name}.html"),
            "data": str(dest / f"{name}.json"),
        }

    def _write(self, folder: Folder, report: dict[str, Any]) -> bool:
        """Write the report, unless the one that is there tells the same: it says more of how that came about."""
        name = _name(report)
        found = folder.find(f"{name}.json", _LIMIT) if folder.path.is_dir() else None
        if found is not None and folder.has(f"{name}.html"):
            try:
                if is_told(report, json.loads(found)):
                    return False
            except (ValueError, KeyError, TypeError):
                pass  # damaged, or of another version: what is true now takes its place
        if not self.dry:
            folder.make(mode=0o700)
            folder.write(f"{name}.json", json.dumps(report, indent=1, ensure_ascii=False).encode(), PRIVATE)
            folder.write(f"{name}.html", report_page(report).encode(), PRIVATE)
        return not self.dry

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


def _ran(result: dict[str, Any] | None) -> dict[str, Any]:
    """The result of a task, or nothing where the task was skipped."""
    return {} if result is None or result.get("skipped") else result


def _name(report: dict[str, Any]) -> str:
    return f"{report['pair']['source']}-to-{report['pair']['target']}"
