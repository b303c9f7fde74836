# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of Windows hosts, made once, and a host for the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from vendor.windows.host import WindowsHost
from vendor.windows.image import Image, make


@pytest.fixture(scope="session")
def windows_image() -> Image:
    """What Windows hosts are made from; a machine that lacks something for it fails the tests, and is told what."""
    return make()


@pytest.fixture(scope="module")
def windows(windows_image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WindowsHost]:
    """A friendly Windows host without a license server."""
    with WindowsHost(tmp_path_factory.mktemp("windows") / "host", windows_image) as host:
        yield host
