# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One site for the whole run, taken away however the run ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import FrameType

import pytest
from hosts.image import Missing, make
from hosts.machines import Site


def pytest_configure(config: pytest.Config) -> None:
    # pytest takes fixtures down on Ctrl-C only; a runner that gives up says it with the other signal.
    signal.signal(signal.SIGTERM, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Where test hosts are made."""
    try:
        image = make()
    except Missing as missing:
        pytest.exit(str(missing), returncode=1)
    with Site(tmp_path_factory.mktemp("site") / "ssh", image) as made:
        yield made
