# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request page that lies: it speaks like an authority's, over TLS, and answers what a test tells it to."""

from __future__ import annotations

import base64
import datetime
import http.server
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any, Callable

from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.processor import RequestProcessor
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# What a page does to the response files of one call: a request's content and the honest response, by file name.
Twist = Callable[[dict[str, bytes], dict[str, bytes]], dict[str, Any]]


class Page:
    """A request page of a ledger's authority on loopback.

    :param folder: its certificate is kept there
    :param address: of loopback; each page has one of its own
    :ivar uploads: the names of the files of each call, in the order of the calls
    :ivar emails: the addresses that came with them
    :ivar status: what its calls are answered with
    :ivar most: files that it takes in one call
    :ivar realm: what hosts and controllers know the authority by, with the page's certificate
    """

    def __init__(self, folder: Path, ledger: Path, twist: Twist | None = None, address: str = "127.0.0.1") -> None:
        folder.mkdir(exist_ok=True)
        self._ledger = ledger
        self._twist = twist
        self.uploads: list[list[str]] = []
        self.emails: list[str] = []
        self.status = 200
        self.most = 10
        certificate, key = self_signed(folder, address)
        with Ledger(str(ledger)) as opened:
            realm = opened.realm
        self.realm = {"name": realm.name, "key": realm.key, "ca": certificate.read_text(encoding="ascii")}
        page = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                shown = {key: page.realm[key] for key in ("name", "key")}
                page.reply(self, 200 if self.path == "/v1/realm" else 404, shown)

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
                answer = page.answer(head + self.rfile.read(length))
                page.reply(self, page.status if len(page.uploads[-1]) <= page.most else 413, answer)

        self._server = http.server.ThreadingHTTPServer((address, 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.address = f"https://{address}:{self._server.server_port}"

    def answer(self, form: bytes) -> dict[str, Any]:
        parts = list(BytesParser(policy=HTTP).parsebytes(form).iter_parts())
        fields = [(str(part.get_param("name", header="content-disposition")), part) for part in parts]
        self.emails += [str(part.get_content()).strip() for name, part in fields if name == "email"]
        asked = {str(p.get_filename()): p.get_payload(decode=True) for name, p in fields if name == "request"}
        self.uploads.append(sorted(asked))
        honest = {}
        with Ledger(str(self._ledger)) as ledger:
            desk = RequestProcessor(ledger, online=False)
            for name, content in asked.items():
                honest[name] = desk.answer(content.rstrip(b"\r\n") + b"\n", name)
        if self._twist is not None:
            return self._twist(asked, honest)
        return results(honest)

    @staticmethod
    def reply(handler: http.server.BaseHTTPRequestHandler, status: int, data: dict[str, Any]) -> None:
        body = json.dumps(data).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    @contextmanager
    def serving(self) -> Iterator[Page]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


def results(responses: dict[str, bytes]) -> dict[str, Any]:
    """What a page answers, for response files by the names of their requests."""
    return {
        "results": [
            {
                "number": name[:12],
                "action": "activate",
                "outcome": "granted",
                "file": name.replace(".request", ".response"),
                "content": base64.b64encode(content).decode(),
                "mailed": False,
                "problem": None,
            }
            for name, content in responses.items()
        ]
    }


def self_signed(folder: Path, address: str) -> tuple[Path, Path]:
    """Make a certificate for an address that proves itself; return its file and its key's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A page for tests")])
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "page.pem", folder / "page.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private
