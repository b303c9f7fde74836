# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Searches a laboratory, and what its runs told and showed, for activation codes and private keys in any disguise."""

from __future__ import annotations

import base64
import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_plus

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from support.lab import Lab
from support.runs import Started


def pem_of(lab: Lab) -> bytes:
    """The realm's private key."""
    with contextlib.closing(sqlite3.connect(f"file:{lab.ledger}?mode=ro", uri=True)) as ledger:
        return bytes(ledger.execute("SELECT private_key FROM realm").fetchone()[0])


def forms_of(pem: bytes) -> set[bytes]:
    """A private key as PEM, whole or line by line, and by what makes it, each in any disguise."""
    lines = [line for line in pem.splitlines() if line and not line.startswith(b"-----")]
    # What follows the second line is the public half, where there is one.
    return disguises(b"".join(lines)) | {line for line in lines[:2] if len(line) >= 40} | disguises(seed(pem))


def seed(pem: bytes) -> bytes:
    """The 32 bytes that make a private key."""
    key = load_pem_private_key(pem, password=None)
    if isinstance(key, EllipticCurvePrivateKey):
        return key.private_numbers().private_value.to_bytes(32, "big")
    assert isinstance(key, Ed25519PrivateKey)
    return key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())


def disguises(secret: bytes) -> set[bytes]:
    """The secret in plain, base64 (whatever stands before it), hex and URL encoding."""
    made = {secret, secret.hex().encode(), secret.hex().upper().encode(), quote_plus(secret).encode()}
    for shift in range(3):
        # The first and last letters also depend on the neighbours; those between do not.
        encoded = base64.b64encode(bytes(shift) + secret)
        made.add(encoded[4 if shift else 0 :].rstrip(b"=")[:-2])
        made.add(base64.urlsafe_b64encode(bytes(shift) + secret)[4 if shift else 0 :].rstrip(b"=")[:-2])
    return {one for one in made if len(one) >= 12}


def keys(lab: Lab) -> dict[str, bytes]:
    """The private keys there are by now."""
    found = {"realm": pem_of(lab)} if lab.ledger.exists() else {}
    for place in _key_files(lab):
        found[str(place.relative_to(lab.folder))] = place.read_bytes()
    return found


def _key_files(lab: Lab) -> list[Path]:
    """The files of which each is a private key, and the only place for it."""
    return [*lab.folder.glob("hosts/*/opt/*/Config/host.key"), *Path(f"{lab.ledger}.tls").glob("*.key")]


def secrets_of(lab: Lab) -> dict[str, set[bytes]]:
    made: dict[str, set[bytes]] = {}
    for number, code in lab.codes.items():
        made[f"code of {number}"] = disguises(code.encode()) | disguises(code.replace("-", "").encode())
    for name, pem in keys(lab).items():
        made[f"key {name}"] = forms_of(pem)
    return made


class Watch:
    """Looks at the command lines and the environment of a run's processes, over and over.

    :ivar seen: everything that any of them ever showed
    """

    def __init__(self) -> None:
        self.seen: set[bytes] = set()

    @contextlib.contextmanager
    def over(self, started: Started) -> Iterator[None]:
        """Look until the block ends."""
        stop = threading.Event()

        def look() -> None:
            while not stop.is_set():
                for process in started.processes():
                    for shown in ("cmdline", "environ"):
                        with contextlib.suppress(OSError):
                            self.seen.add(Path(f"/proc/{process}/{shown}").read_bytes())
                stop.wait(0.02)

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def leaks(lab: Lab, outputs: dict[str, bytes]) -> list[str]:
    """Where a secret stands that does not belong there."""
    allowed = {lab.ledger, lab.folder / "vault-password", lab.folder / "group_vars" / "all" / "vault.yml"}
    allowed |= set(_key_files(lab))
    contents = dict(outputs)
    for path in lab.folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path not in allowed:
            contents[str(path.relative_to(lab.folder))] = path.read_bytes()
    found = []
    for name, forms in secrets_of(lab).items():
        found += [f"{name} in {place}" for place, content in contents.items() if any(form in content for form in forms)]
    # The ledger holds the realm's key and what proves the codes, but no code and no host's key.
    for name, forms in secrets_of(lab).items():
        if name != "key realm" and any(form in lab.ledger.read_bytes() for form in forms):
            found.append(f"{name} in the ledger")
    return found
