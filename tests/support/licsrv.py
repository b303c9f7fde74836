# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a license server for a test: the real command, as a process, on loopback addresses of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils import _licensing
from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import (
    CLIENTS_PORT,
    MANAGEMENT_PORT,
    Listen,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client import Management, SeatClient
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import Home

COLLECTIONS = Path(str(_licensing.__file__)).parents[6]
MAIN = f"import sys; from {_licensing.__name__}.cli import main; sys.exit(main(sys.argv[1:]))"
STOP_AFTER = 300.0
PATIENCE = 30.0


def free_address() -> str:
    """Return a loopback address on which nothing listens on either port; Linux answers on all of 127/8."""
    while True:
        address = f"127.{secrets.randbelow(200) + 50}.{secrets.randbelow(256)}.{secrets.randbelow(254) + 1}"
        with contextlib.suppress(OSError):
            for port in (CLIENTS_PORT, MANAGEMENT_PORT):
                with socket.socket() as tried:
                    tried.bind((address, port))
            return address


class Server:
    """A license server of a home, on an address of its own; it stops by itself after some time.

    Use it as a context manager, or call :meth:`stop`.

    :ivar errors: what it wrote on standard error, once it has ended
    """

    def __init__(
        self,
        home: str,
        root: str = "",
        *options: str,
        address: str = "",
        first: str = "",
        wrapper: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start a server, and wait until it answers.

        :param options: more options of the command
        :param address: where to listen for clients and management; a free one if empty
        :param first: Python statements that its process runs first
        :param wrapper: a command that runs the command it is given
        :param environment: more variables of its environment
        """
        self.home = Home(home, root)
        self.errors = ""
        self.address = address or free_address()
        self.log = self.home.folder.path / "Logging" / "LicenseServer.log"
        with self.home.locked():
            self.home.save(replace(self.home.config(), listen=Listen(self.address, self.address)))
        self._command = [
            *wrapper,
            sys.executable,
            "-c",
            self.code(first),
            "licsrv",
            "--home",
            home,
            "--root",
            root,
            *options,
        ]
        own = {"PYTHONPATH": str(COLLECTIONS), "PYTHONDONTWRITEBYTECODE": "1"}
        self._environment = {**os.environ, **own, **(environment or {})}
        if "--stop-after" not in options:
            self._command += ["--stop-after", str(STOP_AFTER)]
        self.start()

    @staticmethod
    def code(first: str = "") -> str:
        """Return what Python runs as the command, after some statements."""
        return f"{first}\n{MAIN}"

    def start(self) -> None:
        """Start it, again after :meth:`stop` or :meth:`kill`, and wait until it answers."""
        self.process = subprocess.Popen(
            self._command,
            env=self._environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self.wait_until_up()

    def wait_until_up(self) -> None:
        """Wait until it answers."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if self.process.poll() is not None:
                code = self._ended()
                raise AssertionError(f"licsrv ended with {code}: {self.errors}")
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                self.ask("GET", "/v1/status", port=MANAGEMENT_PORT, timeout=1.0)
                return
            time.sleep(0.02)
        self.kill()
        raise AssertionError("licsrv does not answer")

    def status(self) -> dict[str, Any]:
        """Return ``GET /v1/status``."""
        return dict(self.ask("GET", "/v1/status", port=MANAGEMENT_PORT)[1])

    @property
    def seats(self) -> SeatClient:
        return SeatClient(self.address)

    @property
    def management(self) -> Management:
        return Management(self.address)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        port: int = CLIENTS_PORT,
        timeout: float = PATIENCE,
        **headers: str,
    ) -> tuple[int, Any]:
        """Send a request; return the status and the body, parsed where it is JSON."""
        connection = http.client.HTTPConnection(self.address, port, timeout=timeout)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.headers.get_content_type() == "application/json" and content:
            return answer.status, json.loads(content)
        return answer.status, content.decode()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self._ended()

    def kill(self) -> int:
        """End it as a crash does."""
        return self.stop(signal.SIGKILL)

    def _ended(self) -> int:
        code = self.process.wait(PATIENCE)
        if self.process.stderr is not None and not self.process.stderr.closed:
            self.errors = self.process.stderr.read().decode()
            self.process.stderr.close()
        return code

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


@contextlib.contextmanager
def running(home: str, root: str = "", *options: str) -> Iterator[Server]:
    """Run a license server for the time of a block."""
    with Server(home, root, *options) as server:
        yield server
