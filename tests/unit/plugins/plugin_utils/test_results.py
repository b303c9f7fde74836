# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of what modules return: it is the documented one, and a license server's result passes it whole or not."""

from __future__ import annotations

import ast
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.drain import DrainOptions
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import (
    Activation,
    Deactivation,
    Maintenance,
)
from ansible_collections.aims.licensing.plugins.module_utils._module import carried_files
from ansible_collections.aims.licensing.plugins.plugin_utils._results import (
    DRAINED,
    OVERVIEW,
    OVERVIEW_AFTER,
    RESULT,
    RETURNED,
    read_result,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._shapes import ListOf, Maybe, Record, Shape
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import CoreLab, declared

PLUGINS = Path(__file__).resolve().parents[4] / "plugins"
# What the controller's half adds to a module's result, and what it keeps to itself.
ADDED = {
    "aims_license_activate": {"next_step", "ended"},
    "aims_license_authority": {"activation"},
    "aims_license_backup": {"bundle", "digest", "kept"},
    "aims_license_deactivate": {"next_step", "started"},
    "aims_license_info": {"days_left", "status", "status_table"},
    "aims_license_update": {"next_step"},
}
KEPT = {
    "aims_license_backup": {"files"},
    "aims_license_deactivate": {"again"},
    "aims_license_maintenance": {"again"},
}


def documented(module: str) -> dict[str, Any]:
    tree = ast.parse((PLUGINS / "modules" / f"{module}.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "RETURN":
            returned: dict[str, Any] = yaml.safe_load(ast.literal_eval(node.value))
            return returned
    raise AssertionError(module)


def remote_modules() -> set[str]:
    """The modules that run on hosts: the others are controller only and have no code of their own."""
    files = (PLUGINS / "modules").glob("aims_license_*.py")
    return {file.stem for file in files if "AnsibleModule(" in file.read_text(encoding="utf-8")}


def keys(shape: Shape) -> dict[str, Shape]:
    while isinstance(shape, (ListOf, Maybe)):
        shape = shape.shape
    return {**shape.required, **shape.optional} if isinstance(shape, Record) else {}


def compare(shape: Shape, docs: dict[str, Any], added: set[str], place: str) -> None:
    shapes = keys(shape)
    assert set(shapes) | added == set(docs), place
    for name, described in docs.items():
        if "contains" in described and name in shapes:
            compare(shapes[name], described["contains"], set(), f"{place}.{name}")


def test_every_module_of_a_host_has_its_list_of_results_and_an_action_that_reads_by_it() -> None:
    assert remote_modules() == set(RETURNED)
    for module in RETURNED:
        assert (PLUGINS / "action" / f"{module}.py").exists(), module


@pytest.mark.parametrize("module", sorted(RETURNED))
def test_the_list_of_results_is_what_the_documentation_says(module: str) -> None:
    listed = Record(
        {name: shape for name, shape in keys(RETURNED[module]).items() if name not in KEPT.get(module, set())}
    )
    compare(listed, documented(module), ADDED.get(module, set()), module)


REALM = {"name": "REHEARSAL lab", "id": "0" * 16, "key": "A" * 43 + "="}
ISSUED: dict[str, Any] = {"realm": REALM, "issued": ["015.120.055.014"], "licenses": ["015.120.055.014"]}


def test_what_is_not_listed_is_left_out_at_every_depth() -> None:
    result = {**ISSUED, "realm": {**REALM, "evil": 1}, "ansible_facts": {"x": 1}, "_ansible_parsed": True, "evil": 1}
    assert read_result("aims_license_authority", "old", result) == {"changed": False, **ISSUED}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("realm", "none"),
        ("realm.id", "0" * 15),
        ("realm.name", "two\nlines"),
        ("realm.key", "A" * 101),
        ("issued", {"015.120.055.014": True}),
        ("issued[0]", 15120055014.5),
        ("licenses", ["015.120.055.014"] * 1_000_001),
        ("changed", 1),
        ("diff.before", "\x1b[2J"),
        ("invocation.module_args.x.x.x.x.x.x", {}),
    ],
)
def test_what_is_listed_has_its_shape(key: str, value: Any) -> None:
    result: dict[str, Any] = {**ISSUED, "realm": dict(REALM), "issued": ["015.120.055.014"]}
    if key.startswith("invocation"):
        deep: Any = {}
        for _depth in range(8):
            deep = {"x": deep}
        result["invocation"] = {"module_args": deep}
    elif key.startswith("diff"):
        result["diff"] = {"before": value, "after": ""}
    elif "." in key:
        result["realm"][key.partition(".")[2]] = value
    elif "[" in key:
        result["issued"] = [value]
    else:
        result[key] = value
    with pytest.raises(LicensingError) as refused:
        read_result("aims_license_authority", "old", result)
    assert f"old returned an invalid result of aims_license_authority: {key}" in str(refused.value)
    assert refused.value.problems[0].where == "old"


def test_a_failure_needs_no_result_and_its_message_steers_no_terminal() -> None:
    told = read_result("aims_license_info", "old", {"failed": True, "msg": "no\x1b[2J\nmore", "exception": "x", "y": 1})
    assert told == {"failed": True, "msg": "no\\x1b[2J\nmore"}
    silent = read_result("aims_license_info", "old", {"failed": True})
    assert silent["msg"] == "aims_license_info failed without a message."


@pytest.mark.parametrize("reason", [float("nan"), 1e400, -1, True, "1"])
def test_seconds_are_a_usual_number(reason: object) -> None:
    drained = {"seconds": reason, "total": 0, "clients": [], "answered": True}
    with pytest.raises(LicensingError, match=r"drained\.seconds is not a number of seconds"):
        read_result("aims_license_maintenance", "old", {"drained": drained, "overview": {}})


def test_what_the_license_server_shows_and_does_passes_unchanged(tmp_path: Path) -> None:
    lab = CoreLab(tmp_path, CoreLab.new_ledger(tmp_path))
    empty = lab.new.overview
    assert OVERVIEW.read(empty, "overview") == empty
    numbers = [one.number for one in declared()]
    managers = lab.old.manager, lab.new.manager
    changes = [
        managers[0].activate(Activation(declared(), realm=lab.realm, users=["AIMS\\anna"]), lab.channel(), dry=True),
        managers[0].activate(Activation(declared(), realm=lab.realm, users=["AIMS\\anna"]), lab.channel()),
        managers[0].set_maintenance(Maintenance(True, drain=DrainOptions(0.0))),
        managers[0].deactivate(Deactivation(numbers), lab.offline(), dry=True),
        managers[0].deactivate(Deactivation(numbers), lab.offline()),
        managers[1].activate(Activation(declared(), realm=lab.realm), lab.offline(), dry=True),
        managers[1].activate(Activation(declared(), realm=lab.realm), lab.offline()),
    ]
    for change in changes:
        for overview in (change.before.as_dict(), change.after.as_dict()):
            assert OVERVIEW_AFTER.read(overview, "overview") == overview
        results = [result.as_dict() for result in change.results]
        assert ListOf(RESULT).read(results, "results") == results
        drained = {**asdict(change.drained), "clients": [asdict(client) for client in change.drained.clients]}
        assert DRAINED.read(drained, "drained") == drained
    for host in (lab.old, lab.new):
        shown = {
            "changed": False,
            "overview": host.overview,
            "fingerprint": host.manager.fingerprint(),
            "obstacles": [problem.as_dict() for problem in host.manager.obstacles()],
            "carried": carried_files(host.manager.carried()),
            "places": host.manager.places(),
        }
        assert read_result("aims_license_info", "old", shown) == shown
    lab.close()
