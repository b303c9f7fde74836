# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import CoreLab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[CoreLab]:
    lab = CoreLab(tmp_path)
    yield lab
    lab.close()
