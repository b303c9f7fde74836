# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seals secrets for one recipient, so that they can pass through output that others may see.

X25519 with a key pair for one call, HKDF-SHA256 and ChaCha20-Poly1305.
"""

from __future__ import annotations

import base64
from typing import Any

from .errors import refuse
from .requirements import require_sealing

_INFO = b"aims.licensing sealing 1"
_NONCE = bytes(12)


class Seal:
    """A key pair for one call. The other side seals for its public half, :attr:`recipient`, with :func:`seal`."""

    def __init__(self) -> None:
        require_sealing()
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        self._key = X25519PrivateKey.generate()
        self.recipient = _encode(_raw(self._key.public_key()))

    def open(self, sealed: str) -> bytes:
        """Open a secret that was sealed for this recipient.

        :raises LicensingError: it was changed, or sealed for another recipient
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

        data = unpacked(sealed, "sealed")
        try:
            shared = self._key.exchange(X25519PublicKey.from_public_bytes(data[:32]))
            return bytes(_cipher(shared, data[:32]).decrypt(_NONCE, data[32:], None))
        except (InvalidTag, ValueError):
            todo = "Run this again. If the message comes again, check the host and the connection to it."
            raise refuse("A secret is damaged, or was sealed for another run.", "sealed", todo) from None


def seal(recipient: str, data: bytes) -> str:
    """Seal data so that only the recipient can open it. Return base64.

    :raises LicensingError: the recipient is not a public key
    """
    require_sealing()
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    key = X25519PrivateKey.generate()
    public = _raw(key.public_key())
    try:
        shared = key.exchange(X25519PublicKey.from_public_bytes(unpacked(recipient, "recipient")))
    except ValueError:
        todo = "Use this collection's action plugin for backups, which creates the key."
        raise refuse("The recipient is not a public key.", "recipient", todo) from None
    # Each message has its own key, so the nonce can be constant.
    return _encode(public + _cipher(shared, public).encrypt(_NONCE, data, None))


def _cipher(shared: bytes, public: bytes) -> Any:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return ChaCha20Poly1305(HKDF(hashes.SHA256(), 32, salt=public, info=_INFO).derive(shared))


def _raw(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization as s

    raw: bytes = key.public_bytes(s.Encoding.Raw, s.PublicFormat.Raw)
    return raw


def unpacked(text: object, where: str) -> bytes:
    """Decode base64, or refuse."""
    try:
        if not isinstance(text, str):
            raise ValueError("no text")
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise refuse("The content is damaged: it is not base64.", where, "Pass the complete content.") from None


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
