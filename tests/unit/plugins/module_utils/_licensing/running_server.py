# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's license server that runs as a process on an address of its own."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION
from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import Listen
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client import Management, SeatClient
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.config import PROCESS
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import Home
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.install import (
    Package,
    Settings,
    install,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._package import build_package
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import HOME, Host
from support.licsrv import free_address

CONTENT = build_package()
ANNA = "AIMS\\anna"


class Service:
    """The license server of a host, installed to run as a process on an address of its own."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.address = free_address()
        self.seats = SeatClient(self.address)
        self.done = self.install()

    def install(self, content: bytes = CONTENT, dry: bool = False, **settings: Any) -> Any:
        listen = Listen(self.address, self.address)
        declared = {"authority": "offline", "service": PROCESS, "listen": listen, **settings}
        return install(
            Home(HOME, str(self.host.root)), Package(VERSION, content), settings=Settings(**declared), dry=dry
        )

    @property
    def status(self) -> dict[str, Any]:
        return Management(self.address).status()

    def take(self, profile: str | None = "PROSession", user: str = ANNA) -> str:
        seat = self.seats.new_id()
        self.seats.take(seat, profile, user, "workstation")
        return seat


@contextlib.contextmanager
def standing_still(service: Service) -> Iterator[int]:
    """A server that runs and answers nobody, as on a host whose disk hangs."""
    process = int(service.status["pid"])
    os.kill(process, signal.SIGSTOP)
    try:
        yield process
    finally:
        os.kill(process, signal.SIGCONT)
