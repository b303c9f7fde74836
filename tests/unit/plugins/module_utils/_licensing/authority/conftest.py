# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.service_lab import (
    ServiceLab,
)


@pytest.fixture
def lab(tmp_path: Path, new_ledger: bytes) -> Iterator[ServiceLab]:
    lab = ServiceLab(tmp_path, new_ledger)
    yield lab
    lab.close()
