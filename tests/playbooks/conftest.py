# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Laboratories for the tests that run real playbooks: fresh, with the worked example on the source, and migrated."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from playbooks.bad_input import Rehearsal
from playbooks.lost_source import KEY, declare
from support.events import Events
from support.lab import NUMBERS, USERS, Lab
from support.runs import must
from support.unreachable import switch_off


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Two hosts with nothing on them, and no ledger yet."""
    return Lab(tmp_path / "lab")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The worked example active on the source. Shared by the whole session: only copy it."""
    made = Lab(tmp_path_factory.mktemp("prepared") / "lab")
    must(made.play("rehearse", "--tags", "prepare"))
    return made


@pytest.fixture(scope="session")
def undamaged(prepared: Lab, tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    """A rehearsed pair for tests that leave everything but its inventory unchanged."""
    return Rehearsal(prepared, tmp_path_factory.mktemp("undamaged"))


@pytest.fixture(scope="session")
def _rehearsed(prepared: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    made = prepared.copy_to(tmp_path_factory.mktemp("rehearsed") / "lab")
    task = {
        "name": "Register users, which no license declares",
        "aims.licensing.aims_license_activate": {
            "home": "{{ aims_license_server_home }}",
            "root": "{{ aims_license_server_root }}",
            "licenses": f"{{{{ hostvars.{made.target}.aims_license_server_licenses }}}}",
            "users": USERS,
        },
    }
    must(made.play(made.write_play("users", made.source, [task])))
    assert made.held(made.source) == set(NUMBERS)
    return made


@pytest.fixture
def rehearsed(_rehearsed: Lab, tmp_path: Path) -> Lab:
    """The worked example active on the source, with registered users; nothing on the target."""
    return _rehearsed.copy_to(tmp_path / "rehearsed")


@pytest.fixture(scope="session")
def migrated_once(_rehearsed: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The worked example moved to the target. Shared by the whole session: only look at it."""
    made = _rehearsed.copy_to(tmp_path_factory.mktemp("migrated") / "lab")
    must(Events(made).play("migrate"))
    return made


@pytest.fixture(scope="session")
def places(migrated_once: Lab) -> list[str]:
    """Where a whole migration can be cut off: the beginnings and ends of its tasks; see tests/support/events.py."""
    return Events(migrated_once).seen()


@pytest.fixture
def migrated(migrated_once: Lab, tmp_path: Path) -> Lab:
    """The worked example moved to the target."""
    return migrated_once.copy_to(tmp_path / "migrated")


@pytest.fixture
def lost(rehearsed: Lab) -> Lab:
    """The source was backed up and is gone: nothing of it can be reached or read any more."""
    (rehearsed.home("old") / KEY).write_text("a key of an application", encoding="utf-8")
    must(rehearsed.play("backup"))
    # The authority's commands are those of the lost host's home; the owner has them elsewhere.
    shutil.copytree(rehearsed.root("old"), rehearsed.root("owner"))
    shutil.rmtree(rehearsed.root("old"))
    switch_off(rehearsed, "old")
    return declare(rehearsed)


# Its tests are what the collection is for, so that none of them is left out.
_WHOLE = ("test_migrate.py", "test_vendor_walk.py")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With ``AIMS_SOME_TESTS``, keep every third test of a file, and every eighth of its variants."""
    if not os.environ.get("AIMS_SOME_TESTS"):
        return
    kept = some_of([item for item in items if item.path.parent == Path(__file__).parent])
    left_out = [item for item in items if item.path.parent == Path(__file__).parent and item not in kept]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def some_of(items: Sequence[pytest.Item]) -> set[pytest.Item]:
    """Return some of these tests, of each file and each kind, in every run the same."""
    tests: dict[Path, dict[str, list[pytest.Item]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        tests[item.path][item.name.partition("[")[0]].append(item)
    kept: set[pytest.Item] = set()
    for path, named in tests.items():
        step = 1 if path.name in _WHOLE else 3
        for variants in list(named.values())[::step]:
            kept.update(variants[::8] if step > 1 else variants)
    return kept


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how many faults were tried; the tests note it as a property, which also comes from other processes."""
    reports = terminalreporter.stats.get("passed", [])
    for told in sorted(str(value) for one in reports for name, value in one.user_properties if name == "faults"):
        terminalreporter.write_line(told)
