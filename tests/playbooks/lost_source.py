# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pair whose source is lost for good: its declaration, what the authority's owner releases, and its return."""

from __future__ import annotations

import re
import shlex
import shutil
from typing import Any

from support.lab import WORKED_EXAMPLE, Lab
from support.runs import Run

KEY = "ApplicationKeys/app.key"
ORDER = [(license["profile"], license["number"], license.get("default", False)) for license in WORKED_EXAMPLE]


def declare(lab: Lab, **settings: Any) -> Lab:
    """Declare the source lost, and what else."""
    lab.target_vars["aims_license_migrate_source_lost"] = True
    lab.target_vars.update({f"aims_license_migrate_{name}": value for name, value in settings.items()})
    lab.write_inventory()
    return lab


def owner(lab: Lab, *options: str) -> Any:
    return lab.authority(*options, host="owner")


def release(lab: Lab, *numbers: str) -> None:
    for number in numbers:
        assert owner(lab, "release", number, "--reason", "It burned down.")["changed"] is True


def commands(run: Run) -> list[list[str]]:
    """The commands that a run's message tells the authority's owner."""
    printed = re.findall(r"authority release [^\n]*? --reason '[^'\n]*'", run.output.replace("\\n", "\n"))
    return [shlex.split(command) for command in dict.fromkeys(printed)]


def seen(lab: Lab) -> dict[str, tuple[str, Any]]:
    return {license["number"]: (license["status"], license["until"]) for license in lab.overview("new")["licenses"]}


def waits(run: Run) -> Run:
    """A run that did what it could and waits for the authority's owner."""
    assert run.code != 0 and "Traceback" not in run.output, run.output
    assert "Live on old by the authority's account" in run.output, run.output
    return run


def back(lab: Lab) -> Lab:
    """The source is there again as it was, and declared as any other."""
    shutil.copytree(lab.root("owner"), lab.root("old"), symlinks=True)
    lab.inventory["all"]["children"]["aims_license_sources"]["hosts"]["old"] = {}
    for name in ("source_lost", "emergency"):
        lab.target_vars.pop(f"aims_license_migrate_{name}", None)
    lab.write_inventory()
    return lab
