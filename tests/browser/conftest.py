# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import MANAGEMENT_PORT
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import HOME, CoreLab
from selenium.webdriver import Chrome
from support.browser import open_browser
from support.console_page import Console
from support.licsrv import Server


@pytest.fixture(scope="session")
def new_ledger(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return CoreLab.new_ledger(tmp_path_factory.mktemp("ledger"))


@pytest.fixture
def lab(tmp_path: Path, new_ledger: bytes) -> Iterator[CoreLab]:
    """A host with the worked example's licenses, activated today."""
    lab = CoreLab(tmp_path, new_ledger)
    lab.clock.now = datetime.now(timezone.utc)
    lab.activate(lab.old)
    yield lab
    lab.close()


@pytest.fixture
def served(lab: CoreLab) -> Iterator[Server]:
    """That host's license server; the seats outlive a test without a sign of life."""
    with Server(HOME, str(lab.old.root), "--lease", "600") as server:
        yield server


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    with open_browser(tmp_path / "browser") as browser:
        yield browser


@pytest.fixture
def console(browser: Chrome, served: Server) -> Iterator[Console]:
    console = Console(browser, f"http://{served.address}:{MANAGEMENT_PORT}/")
    yield console
    assert console.complaints() == []
