# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the controller only: verifies a moved pair and writes its report."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.utils.display import Display
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, quoted, refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fields import Fields
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import PRIVATE, Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc, render_time
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._action import LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._places import report_stem
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.plan import Plan
from ansible_collections.aims.licensing.plugins.plugin_utils._report.assembly import (
    KIND,
    CallResult,
    Run,
    build_report,
    read_seats,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._report.page import report_page
from ansible_collections.aims.licensing.plugins.plugin_utils._report.report import PairNames, Report

_LIMIT = 32 << 20

display = Display()


class ActionModule(LicensingAction):
    """Writes the report as a page and as JSON; fails with the next step if responses are missing."""

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
            "probe",
        }
    )
    required = frozenset({"source", "target", "planned", "after", "dest"})

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        if self.flag("probe"):
            return {"changed": False, "verification_due": self._is_verification_due()}
        report = self._report()
        if report.plan.is_settled and not report.moved:
            # Nothing moved, in this run or before: there is nothing to report.
            return {"changed": False, "up_to_date": True, "report": report.as_dict(), "page": "", "data": ""}
        dest = self._dest()
        name = _name(report)
        files = {"page": str(dest / f"{name}.html"), "data": str(dest / f"{name}.json")}
        up_to_date = _is_up_to_date(Folder(dest), report)
        if not up_to_date:
            self._write(Folder(dest), report)
        result = {"changed": not up_to_date, "up_to_date": up_to_date, **files}
        if report.pending:
            return {"failed": True, "msg": report.next_step, **result}
        _verify(report)
        if report.release:
            # The run has done what it can; only the authority's owner can do the rest.
            return {"failed": True, "msg": report.next_step, **result}
        if not self.dry:
            display.display(f"Report: {files['page']}")
        return {"report": report.as_dict(), **result}

    def _is_verification_due(self) -> bool:
        """Whether licenses move in this run, or moved in an earlier run that stopped before its report.

        Problems of the report itself are left to the task that writes it.
        """
        planned = Fields.of(self._task.args, KIND, self._task.action).part("planned")
        if not Plan.from_dict(planned.part("plan").values, "planned, plan").is_settled:
            return True
        try:
            report = self._report()
            due = bool(report.moved) and not _is_up_to_date(Folder(self._dest()), report)
            if due and not report.pending:
                _verify(report)
            return due
        except (LicensingError, OSError):
            return False

    def _report(self) -> Report:
        """Return the report for the task's options."""
        options = Fields.of(self._task.args, KIND, self._task.action)
        planned, source = options.part("planned"), options.part("source")
        target = options.part("target")
        pair = PairNames(*(str(side.values.get("host") or "") for side in (source, target)))
        run = Run(
            pair,
            Plan.from_dict(planned.part("plan").values, "planned, plan"),
            before=Overview.from_dict(planned.part("before").values, "planned, before"),
            source=Overview.from_dict(source.part("overview").values, "source, overview"),
            after=Overview.from_dict(options.part("after").values, "after"),
            deactivated=CallResult.from_dict(options.values.get("deactivated"), "deactivated"),
            activated=CallResult.from_dict(options.values.get("activated"), "activated"),
            seats=read_seats(options.values.get("verified"), "verified"),
        )
        return build_report(
            run,
            address=str(options.values.get("address") or pair.target),
            direction=options.text("direction", "migrate"),
            bundle=str(options.values.get("bundle") or planned.text("bundle")),
            made=render_time(now_utc()),
        )

    def _dest(self) -> Path:
        dest = self.path("dest")
        if dest is None:
            raise refuse("No folder for reports is set.", "dest", "Set dest to a folder on the controller.")
        return dest

    def _write(self, folder: Folder, report: Report) -> None:
        name = _name(report)
        if not self.dry:
            text = json.dumps(report.as_dict(), indent=1, ensure_ascii=False)
            folder.make(mode=0o700)
            folder.write(f"{name}.json", text.encode(), PRIVATE)
            folder.write(f"{name}.html", report_page(report).encode(), PRIVATE)


def _is_up_to_date(folder: Folder, report: Report) -> bool:
    """Whether an earlier report shows the same. It is kept, because it has the details of the move."""
    name = _name(report)
    text = folder.find(f"{name}.json", _LIMIT) if folder.path.is_dir() else None
    if text is None or not folder.has(f"{name}.html"):
        return False
    data, place = _read(text), folder.place(f"{name}.json")
    _check_pair(data, report, place)
    # What is damaged, or of another version, is replaced by what is true now.
    with contextlib.suppress(LicensingError):
        return report.repeats(Report.from_dict(data, place))
    return False


def _verify(report: Report) -> None:
    """Refuse a pair that lacks a license, a profile or a file."""
    missing = report.missing
    if missing:
        raise refuse(
            f"Not active after the migration: {', '.join(missing)}.",
            report.pair.target,
            "Run the same command again: it continues where this run stopped.",
        )
    problems = report.files.problems(report.pair.source, report.pair.target)
    if problems:
        raise LicensingError(problems)


def _name(report: Report) -> str:
    return report_stem(report.pair.source, report.pair.target)


def _read(text: bytes) -> object:
    """Read an earlier report; return None for a damaged one."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _check_pair(data: object, report: Report, place: str) -> None:
    """Refuse to overwrite the report of another pair: a-to-b -> c and a -> b-to-c have the same name."""
    pair = data.get("pair") if isinstance(data, dict) else None
    if isinstance(pair, dict) and set(pair) == {"source", "target"} and pair != asdict(report.pair):
        raise refuse(
            f"A report of another pair has this name: {quoted(pair['source'])} -> {quoted(pair['target'])}.",
            place,
            "Move it away; rename one of the hosts, or set aims_license_migrate_dir to another folder.",
        )
