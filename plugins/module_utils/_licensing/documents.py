# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed documents: licenses, requests and responses, and the keys that sign them.

A document is JSON: ``{"format", "kind", "body", "signatures"}``. Signatures cover its canonical form (sorted keys, no
spaces, UTF-8) without the signatures. Each signature has the role of its signer: ``realm``, ``host`` or ``code``. Keys
are Ed25519. The vendor's formats are not public (docs/domain.md#not-public); these are our own.

Two files are the same document if they have the same :attr:`Document.identity`: the digest of the document as
:func:`sign` writes it. Documents are never compared by their bytes, because mail programs and editors change line ends,
indentation and byte order marks, which no signature covers.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, cast

from .errors import LicensingError, refuse
from .model import digits
from .requirements import require_cryptography

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FORMAT = "aims-licensing/1"
LICENSE = "license"
REQUEST = "request"
RESPONSE = "response"
MAX_BYTES = 64 * 1024
_ROUNDS = 2_000
_SIGNATURE = 64
# Loaded at import: a process that drops its rights later may be unable to load codecs.
_MARKED = {
    codecs.BOM_UTF8: codecs.lookup("utf-8-sig"),
    codecs.BOM_UTF16_LE: codecs.lookup("utf-16"),
    codecs.BOM_UTF16_BE: codecs.lookup("utf-16"),
}
# The cost of deriving a key from a code, and so of each guess: 16 MB and about 0.05 s.
_SCRYPT = {"n": 1 << 14, "r": 8, "p": 1, "maxmem": 1 << 26, "dklen": 32}
# This byte follows the public key of a realm that derives the keys of codes by scrypt.
_BY_SCRYPT = b"\x02"
_PUBLIC = 32
# Maximum nesting of a document. A response with its license has six levels.
_DEEPEST = 50


@dataclass(frozen=True)
class Document:
    """A document that was read. Do not trust it before :meth:`check`."""

    kind: str
    body: Mapping[str, Any]
    signatures: Mapping[str, str]
    where: str

    @cached_property
    def normal(self) -> bytes:
        """The document's normal form: its file content as :func:`sign` writes it."""
        return _whole(self.kind, self.body, {part: _rewritten(text) for part, text in self.signatures.items()})

    @cached_property
    def identity(self) -> str:
        """The digest of the normal form. It stays the same if only the file's formatting changes."""
        return digest(self.normal)

    @cached_property
    def signed(self) -> str:
        """The digest of the signed content, independent of the signatures."""
        return digest(canonical(self.kind, self.body))

    @property
    def has_whole_signatures(self) -> bool:
        """Whether each signature has the form of a signature. No key is checked."""
        try:
            return all(len(_unbase64(text)) == _SIGNATURE for text in self.signatures.values())
        except ValueError:
            return False

    def check(self, part: str, public_key: str) -> None:
        """Refuse unless the holder of this key signed the document.

        :param part: the signer's role: ``realm``, ``host`` or ``code``
        :param public_key: base64
        """
        if not self.is_signed(part, public_key):
            raise refuse(
                f"The {self.kind} was changed, or is not signed by the expected {part} key.",
                self.where,
                "Use the original file, without editing it.",
            )

    def is_signed(self, part: str, public_key: str) -> bool:
        """Whether the holder of this key signed the document in this role."""
        ed25519 = _ed25519()
        from cryptography.exceptions import InvalidSignature

        try:
            key = ed25519.Ed25519PublicKey.from_public_bytes(_split(public_key)[0])
            key.verify(_unbase64(self.signatures.get(part, "")), canonical(self.kind, self.body))
        except (InvalidSignature, ValueError):
            return False
        return True


def _ed25519() -> Any:
    require_cryptography()
    from cryptography.hazmat.primitives.asymmetric import ed25519

    return ed25519


def canonical(kind: str, body: Mapping[str, Any]) -> bytes:
    """Return the bytes that are signed."""
    return _dump({"format": FORMAT, "kind": kind, "body": body})


def _whole(kind: str, body: Mapping[str, Any], signatures: Mapping[str, str]) -> bytes:
    return _dump({"format": FORMAT, "kind": kind, "body": body, "signatures": signatures}) + b"\n"


def _dump(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _unbase64(text: object) -> bytes:
    try:
        return base64.b64decode(str(text).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("not base64") from None


def _rewritten(signature: str) -> str:
    """Return a signature in normal form, because several base64 texts may decode to the same bytes."""
    try:
        return base64.b64encode(_unbase64(signature)).decode()
    except ValueError:
        return signature


def text_of(data: bytes) -> str:
    """Decode a file: UTF-8 with or without a byte order mark, or UTF-16 with a byte order mark.

    :raises ValueError: it has another encoding
    """
    for mark, codec in _MARKED.items():
        if data.startswith(mark):
            return codec.decode(data)[0]
    return data.decode("utf-8")


def sign(kind: str, body: Mapping[str, Any], keys: Mapping[str, Ed25519PrivateKey]) -> bytes:
    """Return the document's file content.

    :param keys: role → the key that signs in this role
    """
    data = canonical(kind, body)
    signatures = {part: base64.b64encode(key.sign(data)).decode() for part, key in keys.items()}
    return _whole(kind, body, signatures)


def read(data: bytes, kind: str, where: str) -> Document:
    """Read a document of one kind, or refuse. No signature is checked.

    :param where: its file or channel, for messages
    """
    hint = f"Use the complete original {kind} file."
    if len(data) > MAX_BYTES:
        raise refuse(f"The {kind} has {len(data)} bytes; the maximum is {MAX_BYTES}.", where, hint)
    try:
        parsed = json.loads(text_of(data), object_pairs_hook=_no_repeats, parse_constant=_no_constant)
        # A document without a canonical form (too deep, 1e999, half a surrogate pair) cannot have been signed.
        _dump({"all": parsed})
        if not _is_shallow(parsed):
            raise ValueError("nested too deep")
    except (ValueError, RecursionError):
        raise refuse(f"The {kind} is truncated or damaged: it cannot be read.", where, hint) from None
    if not isinstance(parsed, dict) or set(parsed) != {"format", "kind", "body", "signatures"}:
        raise refuse(f"This is not a {kind} document.", where, hint)
    if parsed["format"] != FORMAT:
        raise refuse(
            f"The {kind} has the unknown format {str(parsed['format'])[:40]!r}.", where, f"This version reads {FORMAT}."
        )
    if parsed["kind"] != kind:
        raise refuse(f"This is a {str(parsed['kind'])[:40]!r} document, not a {kind}.", where, f"Use the {kind} file.")
    body, signatures = parsed["body"], parsed["signatures"]
    if not isinstance(body, dict) or not isinstance(signatures, dict):
        raise refuse(f"The {kind} is damaged.", where, hint)
    return Document(kind, body, {str(k): str(v) for k, v in signatures.items()}, where)


def _is_shallow(parsed: Any) -> bool:
    # Our own limit, below that of the stack: the document is written again later, with less stack available.
    level = [parsed]
    for _depth in range(_DEEPEST):
        level = [
            inner
            for node in level
            if isinstance(node, (dict, list))
            for inner in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return True
    return False


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is repeated")
    return made


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not allowed")


def digest(data: bytes) -> str:
    """Return the SHA-256 of a file's content, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def is_known(data: bytes, kind: str, digests: Collection[object]) -> bool:
    """Whether the digest or the identity of a document file is among these digests."""
    if digest(data) in digests:
        return True
    try:
        return read(data, kind, kind).identity in digests
    except LicensingError:
        return False


def are_same(data: bytes, other: bytes, kind: str) -> bool:
    """Whether two files have the same document. Unreadable files are the same only if their bytes are."""
    try:
        return data == other or read(data, kind, kind).identity == read(other, kind, kind).identity
    except LicensingError:
        return False


def new_private_key() -> bytes:
    """Create an Ed25519 key. Return it as unencrypted PEM, for a file of mode 0600."""
    ed25519 = _ed25519()
    from cryptography.hazmat.primitives import serialization as s

    key = ed25519.Ed25519PrivateKey.generate()
    pem: bytes = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    return pem


def load_private_key(pem: bytes, where: str) -> Ed25519PrivateKey:
    """Read an Ed25519 key from PEM, or refuse."""
    ed25519 = _ed25519()
    from cryptography.exceptions import InternalError, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError):
        key = None
    if key is None or not isinstance(key, ed25519.Ed25519PrivateKey):
        raise refuse("The private key is damaged.", where, "Restore it from the newest bundle.")
    return cast("Ed25519PrivateKey", key)


def public_half(key: Ed25519PrivateKey) -> str:
    """Return the public half of a key, base64."""
    from cryptography.hazmat.primitives import serialization as s

    raw = key.public_key().public_bytes(s.Encoding.Raw, s.PublicFormat.Raw)
    return base64.b64encode(raw).decode()


def is_public_half(text: object) -> bool:
    """Whether a value has the form of a public key from :func:`public_half`."""
    try:
        return isinstance(text, str) and len(_unbase64(text)) == _PUBLIC
    except ValueError:
        return False


def realm_key(key: Ed25519PrivateKey) -> str:
    """Return the key text of a new realm, base64: its public key, and a byte for the derivation of codes.

    Both are in one text, which every host pins and every signature is checked with, so that the second cannot get lost.
    """
    return base64.b64encode(_unbase64(public_half(key)) + _BY_SCRYPT).decode()


def _split(public_key: str) -> tuple[bytes, bool]:
    """Return the bytes of a public key, and whether its realm derives codes by scrypt."""
    raw = _unbase64(public_key)
    by_scrypt = len(raw) == _PUBLIC + len(_BY_SCRYPT) and raw.endswith(_BY_SCRYPT)
    return (raw[:_PUBLIC] if by_scrypt else raw), by_scrypt


def key_from_code(number: str, code: str, realm: str = "") -> Ed25519PrivateKey:
    """Derive the key with which a request proves the activation code.

    Ledger and license file have only the public half. Whoever has this half, or a request, can try guesses of the code.
    So scrypt makes each guess expensive, and the realm in the salt makes one realm's keys useless in another.

    :param realm: the realm's key text; a realm of an earlier version uses that version's derivation
    """
    seed = _seed(digits(number), code, realm)
    key: Ed25519PrivateKey = _ed25519().Ed25519PrivateKey.from_private_bytes(seed)
    return key


@lru_cache(maxsize=256)
def _seed(number: str, code: str, realm: str) -> bytes:
    if not realm or not _split(realm)[1]:
        return hashlib.pbkdf2_hmac("sha256", code.encode(), f"aims.licensing code {number}".encode(), _ROUNDS, 32)
    salt = f"aims.licensing code {number} of realm {realm}".encode()
    try:
        return hashlib.scrypt(code.encode(), salt=salt, **_SCRYPT)
    except (AttributeError, ValueError, OSError):
        raise refuse(
            "This machine's Python has no scrypt.",
            f"license {number}",
            "Use a Python whose OpenSSL has scrypt, outside FIPS mode. Without it, no activation code can be proven.",
        ) from None


@dataclass(frozen=True)
class Realm:
    """The identity of an authority: its name and its key text from :func:`realm_key`.

    :ivar ca: the CA certificate of its service, PEM; None if it has no service
    """

    name: str
    key: str
    ca: str | None = None

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits that identify the key."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:16]

    def as_dict(self) -> dict[str, str]:
        """Return ``{name, id, key}``, and ``ca`` if it has one."""
        return {"name": self.name, "id": self.id, "key": self.key, **({"ca": self.ca} if self.ca else {})}

    @classmethod
    def from_dict(cls, data: object, where: str) -> Realm:
        """Read a realm from ``{name, key}`` and optionally ``ca``, or refuse."""
        name = data.get("name") if isinstance(data, Mapping) else None
        key = data.get("key") if isinstance(data, Mapping) else None
        try:
            whole = len(_split(str(key))[0]) == _PUBLIC
        except ValueError:
            whole = False
        if not isinstance(name, str) or not 1 <= len(name) <= 100 or not name.isprintable() or not whole:
            raise refuse(
                "This is not a realm.",
                where,
                "Use {name: ..., key: ...} as 'authority init' printed it; key has 32 or 33 bytes in base64.",
            )
        return cls(name, str(key), _certificate(data.get("ca") if isinstance(data, Mapping) else None, where))


def _certificate(text: object, where: str) -> str | None:
    """Return a certificate in PEM, or None for an empty value. Refuse anything else."""
    if not text:
        return None
    body = text.strip() if isinstance(text, str) else ""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    if (
        not body.isascii()
        or len(body) > MAX_BYTES
        or not body.startswith(begin)
        or not body.endswith(end)
        or body.count(begin) != 1
    ):
        raise refuse(
            "The realm's ca is not a certificate.",
            where,
            "Use ca as 'authority init' printed it: one certificate in PEM, from BEGIN to END.",
        )
    return f"{body}\n"
