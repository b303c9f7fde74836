# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A laboratory for the authority's service: the real command in a process of its own, on the loopback."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils import _licensing
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.certificates import Certificates
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.https import Https
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import NUMBERS, CoreLab
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate

PACKAGE = Path(str(_licensing.__file__)).parents[6]
COMMAND = (
    sys.executable,
    "-W",
    "error",
    "-c",
    f"import sys; from {_licensing.__name__}.cli import main; sys.exit(main(sys.argv[1:]))",
    "authority",
)
_STOP_AFTER = "180"


def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``authority …`` to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env={"PYTHONPATH": str(PACKAGE), "PATH": os.environ["PATH"]},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def until(seen: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """Wait until something is there; return it."""
    end = time.monotonic() + seconds
    while not (found := seen()):
        assert time.monotonic() < end, f"{what} did not come to be"
        time.sleep(0.01)
    return found


class Service:
    """A running ``authority serve``."""

    def __init__(self, ledger: Path, *options: str, **environment: str) -> None:
        self.ledger = ledger
        self.log_path = ledger.with_name(f"serve-{uuid.uuid4().hex}.log")
        listen = ("--listen", "127.0.0.1", "--port", "0", "--stop-after", _STOP_AFTER)
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "serve", "--ledger", str(ledger), *listen, *options],
                env={"PYTHONPATH": str(PACKAGE), "PATH": os.environ["PATH"], **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        found = until(lambda: re.search(r"port ([0-9]+)\n", self.log) or self.process.poll() is not None, "the service")
        assert not isinstance(found, bool), self.log
        self.port = int(found[1])
        with Ledger(str(ledger)) as opened:
            self.realm = opened.realm

    @property
    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8")

    @property
    def address(self) -> str:
        return f"https://localhost:{self.port}"

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.realm.ca)

    def channel(self, realm: Any = None, address: str = "") -> Https:
        """A channel that does not wait between its attempts."""
        return Https(address or self.address, realm or self.realm, (0.0, 0.0, 0.0))

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        source: str = "127.0.0.1",
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Make one HTTP request; return status, headers (names in lower case) and body."""
        connection = http.client.HTTPSConnection(
            "localhost", self.port, timeout=30, context=self.tls(), source_address=(source, 0)
        )
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers or {}))
            reply = connection.getresponse()
            data = reply.read()
            return reply.status, {name.lower(): value for name, value in reply.getheaders()}, data

    def ask(self, request: bytes, source: str = "127.0.0.1") -> bytes:
        """Hand over a request; return the response."""
        status, _headers, body = self.call("POST", "/v1/requests", request, source=source)
        assert status == 200, body
        return body

    def refused(self, status: int, *call: Any, **options: Any) -> Any:
        """Make a call that is refused as such; return ``{code, problem}``."""
        found, headers, body = self.call(*call, **options)
        assert (found, headers["content-type"]) == (status, "application/json"), body
        assert b"Traceback" not in body
        return json.loads(body)

    def metrics(self) -> dict[str, float]:
        """The service's counts by name and labels."""
        lines = self.call("GET", "/metrics")[2].decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[:1] != "#"}

    def plug(self, source: str = "127.0.0.1") -> socket.socket:
        """A bare TCP connection to the service."""
        return socket.create_connection(("127.0.0.1", self.port), 30, (source, 0))

    def pins(self) -> list[str]:
        """The digest of its certificate's public key, for a browser that is to take it."""
        pem = Path(f"{self.ledger}.tls/server.pem").read_bytes()
        key = load_pem_x509_certificate(pem).public_key()
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return [base64.b64encode(hashlib.sha256(der).digest()).decode()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=30)


class ServiceLab(CoreLab):
    """The core's laboratory with certificates, and services on its ledger. The services' clock is the real one."""

    def __init__(self, folder: Path, ledger: bytes) -> None:
        super().__init__(folder, ledger)
        Certificates(str(self.ledger_path)).make(self.realm.name, ["localhost", "127.0.0.1"], now_utc())
        self.services: list[Service] = []

    def serve(self, *options: str, **environment: str) -> Service:
        self.services.append(Service(self.ledger_path, *options, **environment))
        return self.services[-1]

    def close(self) -> None:
        for service in self.services:
            service.kill()
        super().close()


def form(email: str, files: Sequence[tuple[str, bytes]], boundary: str = "----a1b2c3") -> tuple[bytes, dict[str, str]]:
    """What a browser sends for the request page's form: body and headers."""
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="email"\r\n\r\n{email}\r\n'.encode()]
    for name, content in files:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="request"; filename="{name}"\r\n'
        parts += [head.encode(), b"Content-Type: application/octet-stream\r\n\r\n", content, b"\r\n"]
    parts.append(f"--{boundary}--\r\n".encode())
    return b"".join(parts), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


@contextlib.contextmanager
def service_lab(folder: Path) -> Iterator[ServiceLab]:
    """A laboratory with the licenses of the worked example."""
    (folder / "template").mkdir()
    lab = ServiceLab(folder, CoreLab.new_ledger(folder / "template"))
    try:
        yield lab
    finally:
        lab.close()


__all__ = ["NUMBERS", "Service", "ServiceLab", "form", "run", "service_lab", "until"]
