# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The core is built in floors; a file imports only from floors below its own."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils import _licensing

CORE = Path(_licensing.__file__).parent
FLOORS = {
    "errors": 0,
    "faults": 0,
    "requirements": 0,
    "model": 0,
    "addresses": 0,
    "system": 0,
    "hardware": 0,
    "page_files": 0,
    "remedies": 0,
    "connections": 1,
    "http": 1,
    "documents": 1,
    "declared": 1,
    "fields": 1,
    "fingerprint": 1,
    "files": 1,
    "places": 1,
    "lease": 1,
    "sealing": 1,
    "client_entries": 1,
    "client_file": 2,
    "license_view": 2,
    "overview": 3,
    "quote": 3,
    "home": 4,
    "terminal": 3,
    "channel": 5,
    "client": 5,
    "hosting": 6,
    "manager": 7,
    "authority": 8,
    "server": 8,
    "client_commands": 9,
    "cli": 10,
}
FILES = sorted(path for path in CORE.rglob("*.py") if path != CORE / "__init__.py")


def room(path: Path) -> str:
    """The part of the core that a file belongs to."""
    return path.relative_to(CORE).with_suffix("").parts[0]


def imported_files(path: Path, root: Path, name: str) -> set[Path]:
    """The files below a folder that a file imports when it is imported itself."""
    imported = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            base = path.parents[node.level - 1]
        elif (node.module or "").startswith(f"{name}."):
            base = root
        else:
            continue
        module = (node.module or "").removeprefix(f"{name}.")
        place = base.joinpath(*module.split(".")) if module else base
        named = [place, *(place / alias.name for alias in node.names)]
        imported |= {file for file in (found.with_suffix(".py") for found in named) if file.is_file()}
    return imported


def imported_rooms(path: Path) -> Iterator[str]:
    """The parts of the core that a file imports from, inside functions too."""
    package = path.relative_to(CORE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - (node.level - 1)]
            named = [*base, *(node.module or "").split(".")] if node.module else list(base)
            if named:
                yield named[0]
            else:
                yield from (alias.name for alias in node.names if alias.name != "VERSION")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(CORE).as_posix())
def test_a_file_imports_only_from_floors_below(path: Path) -> None:
    own = room(path)
    for other in set(imported_rooms(path)) - {own, "errors"}:
        assert FLOORS[other] < FLOORS[own], (
            f"{path.name} on floor {FLOORS[own]} imports {other} on floor {FLOORS[other]}"
        )


UTILS = CORE.parents[1] / "plugin_utils"
PLUGINS = _licensing.__name__.rpartition(".module_utils")[0]
# What decides and what draws meets no folder and no connection.
UTILS_FLOORS = {
    "_shapes": 0,
    "_persons_steps": 0,
    "_codes": 0,
    "_places": 0,
    "_windows": 0,
    "_package": 0,
    "_rendering": 1,
    "_results": 1,
    "_bundle": 2,
    "_planning": 3,
    "_report": 4,
    "_sights": 4,
    "_controller": 4,
    "_action": 5,
    "_offline": 6,
    "_drain": 6,
    "_inventory": 7,
}


@pytest.mark.parametrize(
    ("root", "name"), [(CORE, _licensing.__name__), (UTILS, f"{PLUGINS}.plugin_utils")], ids=["core", "plugin_utils"]
)
def test_no_two_files_import_each_other(root: Path, name: str) -> None:
    graph = {file: imported_files(file, root, name) - {file} for file in root.rglob("*.py")}
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("path", sorted(UTILS.rglob("*.py")), ids=lambda path: path.relative_to(UTILS).as_posix())
def test_a_controllers_file_imports_only_from_floors_below(path: Path) -> None:
    own = path.relative_to(UTILS).with_suffix("").parts[0]
    imported = imported_files(path, UTILS, f"{PLUGINS}.plugin_utils")
    for other in {file.relative_to(UTILS).with_suffix("").parts[0] for file in imported} - {own}:
        assert UTILS_FLOORS[other] < UTILS_FLOORS[own], f"{own} imports {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(CORE).as_posix())
def test_the_core_needs_nothing_but_python_and_cryptography_and_its_services_tornado(path: Path) -> None:
    known = {*sys.stdlib_module_names, "cryptography", "__future__"}
    # What is on hosts without a service never meets the web framework; requirements.py only asks whether it is there.
    if room(path) in ("server", "authority", "requirements"):
        known.add("tornado")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        assert {name.partition(".")[0] for name in names} <= known


def test_cryptography_is_never_imported_at_the_top_of_a_file() -> None:
    for path in FILES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            assert not (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cryptography")), path.name


def test_an_older_python_is_told_before_its_syntax_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 8, 18, "final", 0))
    with pytest.raises(ImportError, match=r"Python 3\.9 or newer is needed on the host; .* ansible_python_interpreter"):
        importlib.reload(_licensing)
