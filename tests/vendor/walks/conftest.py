# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts of the walks are made from: those of tests/hosts with a package, and stand-ins for Windows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hosts.conftest import site
from vendor.linux.package import build_package
from vendor.windows.conftest import windows_image

__all__ = ["package", "site", "windows_image"]


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package that stands in for the vendor's license server on Linux."""
    return build_package(tmp_path_factory.mktemp("package"))
