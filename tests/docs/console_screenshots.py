# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photograph the console of a license server for the documents; wants Chromium, and unshare for the host's name.

Run it from the checkout: PYTHONPATH=.build/collections:tests .venv/bin/python tests/docs/console_screenshots.py
"""

from __future__ import annotations

import json
import math
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import MANAGEMENT_PORT
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import PRIVATE
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Deactivation, Maintenance
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.history import FILE, SLOT, SLOTS
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing import core_lab
from support.browser import open_browser
from support.console_page import Console, take
from support.licsrv import Server

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
NAMED = ("unshare", "--map-root-user", "--uts", "sh", "-c", 'hostname license.example.com; exec "$@"', "sh")
NOW = datetime.now(timezone.utc)
# profile, user, client, minutes ago
CLIENTS = (
    ("PROServer", "AIMS\\svc-pro", "pro.example.com", 4321),
    ("PROSession", "AIMS\\svc-pro", "pro-worker-1", 212),
    ("PROSession", "AIMS\\svc-pro", "pro-worker-2", 211),
    ("Client", "AIMS\\anna", "ws-017", 187),
    ("Client", "AIMS\\bert", "ws-023", 96),
    ("PROSession", "AIMS\\svc-pro", "pro-worker-3", 41),
    ("Client", "AIMS\\dora", "ws-004", 12),
    ("PROSession", "AIMS\\svc-pro", "pro-worker-4", 3),
)


class Lab(core_lab.CoreLab):
    """A laboratory whose licenses are valid for a year."""

    @classmethod
    def license(cls, number: str, start: str = "", expiry: str = "") -> Any:
        first, last = NOW - timedelta(days=30), NOW + timedelta(days=335)
        return super().license(number, f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}")


def prepared(folder: Path) -> Lab:
    """A host whose licenses came from another one, but for the client's."""
    lab = Lab(folder, Lab.new_ledger(folder))
    moved = (core_lab.SERVER, core_lab.SESSION)
    lab.clock.now = NOW - timedelta(days=20)
    lab.activate(lab.new, *moved)
    lab.deactivate(lab.new, *moved)
    lab.activate(lab.old)
    lab.clock.now = NOW
    home = lab.old.home
    users = ("AIMS\\anna", "AIMS\\bert", "AIMS\\dora", "AIMS\\svc-pro")
    home.save(replace(home.config(), authority="offline", users=users))
    return lab


def backdate(server: Server) -> None:
    """Let the seats be as old as CLIENTS says, and their clients be elsewhere."""
    server.stop()
    with closing(sqlite3.connect(server.home.folder.path / "Seats" / "seats.db")) as seats:
        for place, (_profile, _user, client, minutes) in enumerate(CLIENTS):
            since = f"{NOW - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"
            row = (since, f"192.0.2.{17 + 6 * place}", client)
            seats.execute("UPDATE seats SET since = ?, address = ? WHERE client = ?", row)
        seats.commit()
    server.home.folder.write(FILE, history(), PRIVATE)
    server.start()


def history() -> bytes:
    """A working day that begins at seven, in which there were too few seats for a while."""
    now, slots = int(NOW.timestamp() // SLOT), {}
    for slot in range(now - SLOTS + 1, now):
        ago = now - slot
        busy = max(0.0, math.sin((SLOTS - ago) / SLOTS * math.pi) ** 2)
        sessions = min(8, round(9.5 * busy + 1.2 * math.sin(ago / 3.0)))
        slots[str(slot)] = {
            core_lab.SERVER: [1, 0],
            core_lab.SESSION: [max(0, sessions), 2 if sessions == 8 and ago % 4 == 0 else 0],
            core_lab.CLIENT: [max(0, round(6 * busy + math.sin(ago / 5.0))), 0],
        }
    return json.dumps({"slots": slots}).encode()


def photograph(server: Server, folder: Path, name: str, scheme: str, below: str) -> None:
    """Take the page from its top to the end of a section."""
    with open_browser(folder) as browser:
        prefers = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", prefers)
        size = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        console = Console(browser, f"http://{server.address}:{MANAGEMENT_PORT}/")
        console.open()
        # The seats of a license that is given back end meanwhile.
        console.until(lambda: len(console.rows("clients")) == server.management.overview()["clients_total"])
        end = console.run(f"return Math.ceil(document.querySelector('#{below}').getBoundingClientRect().bottom)")
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**size, "height": end + 36})
        browser.save_screenshot(str(IMAGES / name))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        lab = prepared(Path(folder))
        home, root = core_lab.HOME, str(lab.old.root)
        with Server(home, root, "--lease", "600", wrapper=NAMED) as server:
            for profile, user, client, _minutes in CLIENTS:
                take(server, profile, user, client)
            backdate(server)
            photograph(server, Path(folder) / "light", "console.png", "light", "clients")
            lab.old.manager.set_maintenance(Maintenance(True))
            lab.old.manager.deactivate(Deactivation([core_lab.CLIENT]), lab.offline())
            photograph(server, Path(folder) / "dark", "console-dark.png", "dark", "pending")
        lab.close()


if __name__ == "__main__":
    main()
