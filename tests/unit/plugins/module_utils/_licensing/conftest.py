# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.install import remove
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.backups import Backups
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import CoreLab
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.running_server import Service


@pytest.fixture(scope="session")
def new_ledger(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return CoreLab.new_ledger(tmp_path_factory.mktemp("ledger"))


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    # No test cuts the power, and waiting for the disk is what takes most of a test's time.
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def lab(tmp_path: Path, new_ledger: bytes) -> Iterator[CoreLab]:
    lab = CoreLab(tmp_path, new_ledger)
    yield lab
    lab.close()


@pytest.fixture
def service(lab: CoreLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("AIMS_LICSRV_STOP_AFTER", "120")
    # What the nodelocks hold is of the laboratory's time; the server's own time is the machine's.
    made = Service(lab.old)
    lab.activate(lab.old)
    yield made
    lab.deactivate(lab.old, *[number for number, status in lab.old.statuses().items() if status == "Active"])
    if lab.old.overview["server"]["installed"]:
        remove(lab.old.home)


@pytest.fixture
def backups(tmp_path: Path) -> Backups:
    return Backups(tmp_path / "bundles")
