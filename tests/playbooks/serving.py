# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real authority of a laboratory behind HTTPS: ``authority serve`` as a process on loopback."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils import _licensing
from support.lab import Lab

_COLLECTIONS = Path(str(_licensing.__file__)).parents[6]
_MAIN = f"import sys; sys.path.insert(0, {str(_COLLECTIONS)!r}); from {_licensing.__name__}.cli import main"
_COMMAND = (sys.executable, "-c", f"{_MAIN}; sys.exit(main(sys.argv[1:]))", "authority")


class Authority:
    """Serves a laboratory's ledger while the block lasts, and by itself no longer than five minutes.

    :param options: more options of ``authority serve``
    :param command: what runs it: this Python and the checkout, or what is installed on a host
    :param environment: what else its process finds in its environment
    :ivar address: ``https://127.0.0.1:PORT``; the port stays the same when it is started again
    """

    def __init__(self, lab: Lab, *options: str, command: Sequence[str] = _COMMAND, **environment: str) -> None:
        self._lab = lab
        self._command = command
        self._environment = {**os.environ, **environment}
        self._options = options
        self._log = lab.folder / "authority.log"
        self._port = "0"
        self._process: subprocess.Popen[bytes] | None = None
        self.address = ""

    def __enter__(self) -> Authority:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it serves."""
        where = ["--ledger", str(self._lab.ledger), "--host", "127.0.0.1", "--listen", "127.0.0.1"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._command, "serve", *where, "--port", self._port, "--stop-after", "300", *self._options],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + 30
        while not (found := re.search(rb"serving realm .* port (\d+)", self._log.read_bytes())):
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"authority serve did not start:\n{self.log}")
            time.sleep(0.02)
        self._port = found[1].decode()
        self.address = f"https://127.0.0.1:{self._port}"

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it as systemd does, or as a crash does."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=30)
            self._process = None

    def declare(self) -> None:
        """Have the inventory name it, and what hosts are told of it."""
        variables = self._lab.inventory["all"]["vars"]
        variables["aims_license_server_authority"] = self.address
        # The realm of a copied laboratory is the same one.
        if "aims_license_server_realm" not in variables:
            variables["aims_license_server_realm"] = {key: value for key, value in self.realm.items() if key != "id"}
        self._lab.write_inventory()

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def realm(self) -> dict[str, Any]:
        """What hosts and controllers are told of it."""
        realm: dict[str, Any] = subprocess_json([*self._command, "realm", "--ledger", str(self._lab.ledger), "--json"])
        return realm

    def answered(self) -> int:
        """How many requests it has answered, read from the ledger's tables and not by our own code."""
        with contextlib.closing(sqlite3.connect(f"file:{self._lab.ledger}?mode=rw", uri=True)) as ledger:
            return int(ledger.execute("SELECT count(*) FROM response").fetchone()[0])


def subprocess_json(command: list[str]) -> Any:
    import json

    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)
