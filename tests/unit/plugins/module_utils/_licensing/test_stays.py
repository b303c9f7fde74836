# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One license from playbook to disk: the files that its activation enters, as docs/design.md lists them."""

from __future__ import annotations

import ast
import re
import sys
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager import freshness
from ansible_collections.aims.licensing.plugins.modules import aims_license_activate
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    HOME,
    SERVER,
    CoreLab,
    entries,
)
from ansible_collections.aims.licensing.tests.unit.plugins.test_floors import FLOORS

TREE = Path(aims_license_activate.__file__).resolve().parents[2]
CORE = "plugins/module_utils/_licensing/"
MODULE = "plugins/modules/aims_license_activate.py"
MOST = 12


def stays() -> list[tuple[str, str]]:
    """The files that the page lists, with the function that is entered; none for the task."""
    page = (TREE / "docs/design.md").read_text(encoding="utf-8")
    section = page.partition("## One license from playbook to disk\n")[2].partition("\n## ")[0]
    return re.findall(r"^\d+\. `([^`]+)`(?:, `([^`]+)`)?", section, re.MULTILINE)


def activate(lab: CoreLab) -> None:
    """Activate a license as the module does."""
    options: dict[str, Any] = {
        "backend": "bundled",
        "home": HOME,
        "root": str(lab.new.root),
        "authority": f"ledger:{lab.ledger_path}",
        "responses": [],
        "requests_dir": None,
        "realm": None,
        "licenses": entries(SERVER),
        "profiles": [],
        "users": None,
        "released_by": [],
        "files": [],
        "emergency": [],
        "returned": [],
        "keep_profiles": False,
        "profile_order": [],
        "source": None,
    }
    module: Any = SimpleNamespace(params=options, check_mode=False)
    assert aims_license_activate.activate(module)["changed"]


@pytest.fixture
def stack(lab: CoreLab, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The files on the call stack at the moment when a nodelock is written, outermost first, with what was entered."""
    stacks: list[list[tuple[str, str]]] = []
    write = Folder.write

    def watch(self: Folder, name: str, *rest: Any) -> None:
        if name.endswith(".lock"):
            calls = [("files.py", "write")]
            frame = sys._getframe(1)
            while frame is not None:
                calls.append((frame.f_code.co_filename, frame.f_code.co_name))
                frame = frame.f_back  # type: ignore[assignment]
            stacks.append(calls[::-1])
        write(self, name, *rest)

    monkeypatch.setattr(Folder, "write", watch)
    # The call begins here, and not with the process of the tests.
    monkeypatch.setattr(freshness, "_began", freshness.uptime)
    activate(lab)
    [calls] = stacks
    calls[-1] = (str(TREE / CORE / "files.py"), "write")
    entered = [(Path(file).resolve(), function) for file, function in calls]
    ours = [(file.relative_to(TREE).as_posix(), function) for file, function in entered if file.is_relative_to(TREE)]
    ours = [call for call in ours if call[0].startswith("plugins/")]
    return [next(calls) for _file, calls in groupby(ours, key=lambda call: call[0])]


def test_one_license_enters_the_files_that_the_page_lists(stack: list[tuple[str, str]]) -> None:
    listed = stays()
    assert listed[listed.index((MODULE, "activate")) :] == stack


def test_one_license_takes_few_stays_and_returns_to_no_upper_floor(stack: list[tuple[str, str]]) -> None:
    listed = stays()
    assert len(listed) <= MOST
    assert len({file for file, _function in listed}) == len(listed)
    rooms = [file.removeprefix(CORE).partition("/")[0].removesuffix(".py") for file, _function in stack[1:]]
    floors = [FLOORS[room] for room in rooms]
    assert floors == sorted(floors, reverse=True)


def test_each_file_before_the_module_calls_the_next() -> None:
    before = stays()[: stays().index((MODULE, "activate"))]
    task, *callers = before
    assert "aims.licensing.aims_license_activate:" in (TREE / task[0]).read_text(encoding="utf-8")
    for (file, function), (_next, called) in zip(callers, callers[1:]):
        tree = ast.parse((TREE / file).read_text(encoding="utf-8"))
        [entered] = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == function]
        names = [n.func for n in ast.walk(entered) if isinstance(n, ast.Call)]
        assert called in {n.attr if isinstance(n, ast.Attribute) else getattr(n, "id", "") for n in names}, file
