# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sealing secrets for one reader, so that they can pass through output that others may see.

X25519 with a key pair made for one call, HKDF-SHA256 and ChaCha20-Poly1305.
"""

from __future__ import annotations

import base64
from typing import Any

from .library import require_sealing

_INFO = b"aims.licensing sealing 1"
_NONCE = bytes(12)


class Seal:
    """A key pair for one call: :attr:`recipient` is given to the other side, which seals with :func:`seal`."""

    def __init__(self) -> None:
        require_sealing()
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        self._key = X25519PrivateKey.generate()
        self.recipient = _encode(_raw(self._key.public_key()))

    def open(self, sealed: str) -> bytes:
        """Return what was sealed for this recipient.

        :raises cryptography.exceptions.InvalidTag: it was altered, or sealed for somebody else.
        """
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

        data = base64.b64decode(sealed)
        shared = self._key.exchange(X25519PublicKey.from_public_bytes(data[:32]))
        return _cipher(shared, data[:32]).decrypt(_NONCE, data[32:], None)  # type: ignore[no-any-return]


def seal(recipient: str, data: bytes) -> str:
    """Seal data so that only the recipient can open it; base64."""
    require_sealing()
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    key = X25519PrivateKey.generate()
    public = _raw(key.public_key())
    shared = key.exchange(X25519PublicKey.from_public_bytes(base64.b64decode(recipient)))
    # Each message has a key of its own, so the nonce need not vary.
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


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
