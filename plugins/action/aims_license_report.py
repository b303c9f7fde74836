# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the controller only: verifies a moved pair and writes its report."""

from __future__ import annotations

import json
from typing import Any

from ansible.utils.display import Display
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, refuse, shown
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import PRIVATE, Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc, render_time
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._action import LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._places import report_stem
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.carried_files import lacking
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.pages import report_page
from ansible_collections.aims.licensing.plugins.plugin_utils._report import build_report, is_told

_LIMIT = 32 << 20

display = Display()


class ActionModule(LicensingAction):
    """Writes the report as a page and as JSON; fails with the next step where responses are missing."""

    options = frozenset(
        {
            "source",
            "target",
            "address",
            "direction",
            "planned",
            "bundle",
            "deactivated",
            "activated",
            "after",
            "verified",
            "dest",
        }
    )
    required = frozenset({"source", "target", "planned", "after", "dest"})

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        args = self._task.args
        report = build_report(
            args["source"],
            args["target"],
            args["planned"],
            _ran(args.get("deactivated")),
            _ran(args.get("activated")),
            args["after"],
            str(args.get("address") or args["target"]["host"]),
            str(args.get("direction", "migrate")),
            str(args.get("bundle") or args["planned"]["bundle"]),
            render_time(now_utc()),
            _ran(args.get("verified")).get("seats", []),
        )
        if report["plan"]["settled"] and not report["moved"]:
            # Nothing moved, now or before: there is nothing to report.
            return {"changed": False, "up_to_date": True, "report": report, "page": "", "data": ""}
        dest = self.path("dest")
        if dest is None:
            raise refuse("No folder for reports is given.", "dest", "Set dest to a folder on the controller.")
        name = _name(report)
        files = {"page": str(dest / f"{name}.html"), "data": str(dest / f"{name}.json")}
        changed = self._write(Folder(dest), report)
        result = {"changed": changed, "up_to_date": not changed, **files}
        if report["pending"]:
            return {"failed": True, "msg": report["next_step"], **result}
        self._verify(report)
        if report["plan"]["release"]:
            # What could be done is done and in place; the rest is for somebody else.
            return {"failed": True, "msg": report["next_step"], **result}
        if not self.dry:
            display.display(f"Report: {files['page']}")
        return {"report": report, **result}

    def _write(self, folder: Folder, report: dict[str, Any]) -> bool:
        """Write the report, unless the one that is there tells the same: it says more of how that came about."""
        name = _name(report)
        found = folder.find(f"{name}.json", _LIMIT) if folder.path.is_dir() else None
        if found is not None and folder.has(f"{name}.html"):
            earlier = _read(found)
            _check_pair(earlier, report, folder.place(f"{name}.json"))
            try:
                if is_told(report, earlier):
                    return False
            except (KeyError, TypeError, AttributeError):
                pass  # damaged, or of another version: what is true now takes its place
        if not self.dry:
            folder.make(mode=0o700)
            folder.write(f"{name}.json", json.dumps(report, indent=1, ensure_ascii=False).encode(), PRIVATE)
            folder.write(f"{name}.html", report_page(report).encode(), PRIVATE)
        return True

    @staticmethod
    def _verify(report: dict[str, Any]) -> None:
        # Moved is what is held: that a license runs out there, or waits for its update, no other run can mend.
        after = Overview.from_dict(report["after"], "after")
        held = {license.number for license in after.licenses if license.is_served}
        names = {profile["name"] for profile in report["after"]["profiles"]}
        rows = [row for row in report["plan"]["licenses"] if row["number"] not in report["plan"].get("left_out", [])]
        missing = [row["number"] for row in rows if row["number"] not in held]
        missing += [row["profile"] for row in rows if row["profile"] and row["profile"] not in names]
        if missing:
            raise refuse(
                f"Not active after the migration: {', '.join(missing)}.",
                report["pair"]["target"],
                "Run the same command again; it goes on where this run stopped.",
            )
        lacks = lacking(report["files"], report["pair"]["source"], report["pair"]["target"])
        if lacks:
            raise LicensingError(lacks)


def _ran(result: dict[str, Any] | None) -> dict[str, Any]:
    """The result of a task, or nothing where the task was skipped."""
    return {} if result is None or result.get("skipped") else result


def _name(report: dict[str, Any]) -> str:
    return report_stem(str(report["pair"]["source"]), str(report["pair"]["target"]))


def _read(text: bytes) -> dict[str, Any]:
    """Read an earlier report; a damaged one says nothing."""
    try:
        report = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return report if isinstance(report, dict) else {}


def _check_pair(earlier: dict[str, Any], report: dict[str, Any], place: str) -> None:
    """Refuse to write over the report of another pair: a-to-b -> c and a -> b-to-c give one name."""
    pair = earlier.get("pair")
    if isinstance(pair, dict) and set(pair) == {"source", "target"} and pair != report["pair"]:
        raise refuse(
            f"A report of another pair has this name: {shown(pair['source'])} -> {shown(pair['target'])}.",
            place,
            "Move it away; rename one of the hosts, or set aims_license_migrate_dir to another folder.",
        )
