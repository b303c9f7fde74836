# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import CoreLab
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.server.site import Site


@pytest.fixture
def site(lab: CoreLab) -> Iterator[Site]:
    """The worked example's licenses, active on one host, for servers of which none is left running."""
    with contextlib.ExitStack() as stack:
        yield Site(lab, stack)
