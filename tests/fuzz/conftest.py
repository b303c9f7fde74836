# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints how many inputs each format was given, over all processes that ran the tests."""

from __future__ import annotations

import functools
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.aims.licensing.tests.fuzz.counting import ASKED, COUNTS
from ansible_collections.aims.licensing.tests.fuzz.shapes import as_yaml
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import CoreLab

# These have as many inputs as there are places in a home, or sizes.
FIXED = ("links", "home: huge file", "answer: huge")
HERE = Path(__file__).absolute().parent
# Bytes that a process of the tests may come to hold in all, whatever it is given.
MEMORY = 2 << 30


@pytest.fixture(scope="session")
def new_ledger(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return CoreLab.new_ledger(tmp_path_factory.mktemp("ledger"))


@pytest.fixture(scope="module", autouse=True)
def quick_disk() -> Iterator[None]:
    # No test cuts the power, and waiting for the disk is what takes most of a test's time.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture
def quick_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what is made of YAML and not YAML itself: libyaml in a long run, which takes a tenth of the time."""
    if ASKED:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        monkeypatch.setattr(yaml, "safe_load", functools.partial(yaml.load, Loader=loader))
        monkeypatch.setattr(yaml, "safe_dump", as_yaml)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        # It comes with a failure, of which it would hide what failed.
        item.add_marker(pytest.mark.filterwarnings("ignore:Generating overly large repr"))


def too_few() -> list[str]:
    """The formats that were given fewer inputs than were asked for."""
    asked = {**dict.fromkeys(COUNTS, ASKED), **dict.fromkeys(FIXED, 0)}
    return sorted(format for format, (inputs, _refused) in COUNTS.items() if inputs < asked[format])


def is_whole(session: pytest.Session) -> bool:
    """Whether every test of this folder was to run, and not a choice of them."""
    config = session.config
    chosen = config.option.keyword or config.option.markexpr or getattr(config.option, "lf", False)
    chosen = chosen or config.option.collectonly
    places = [Path(str(argument)).absolute() for argument in config.args]
    return not chosen and any(place in (HERE, *HERE.parents) for place in places)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    told = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["fuzz"] = COUNTS
    elif ASKED and is_whole(session) and too_few():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    for format, (inputs, refused) in getattr(node, "workeroutput", {}).get("fuzz", {}).items():
        counted = COUNTS.setdefault(format, [0, 0])
        counted[0] += inputs
        counted[1] += refused


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not COUNTS:
        return
    terminalreporter.section("inputs by format")
    for format, (inputs, refused) in sorted(COUNTS.items()):
        terminalreporter.write_line(f"{format:<32} {inputs:>9,} inputs, {refused:>9,} refused")
    total = sum(inputs for inputs, _refused in COUNTS.values())
    terminalreporter.write_line(f"{len(COUNTS)} formats, {total:,} inputs")
    if too_few():
        terminalreporter.write_line(f"fewer than the {ASKED:,} that were asked for: {', '.join(too_few())}", red=True)


@pytest.fixture(autouse=True)
def bounded_memory() -> Iterator[None]:
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 < MEMORY
