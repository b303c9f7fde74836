# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates of an authority's service: a CA, created once, and the server's certificate, renewed regularly.

They are beside the ledger, in ``PATH.tls``: ``ca.pem``, ``ca.key``, ``server.pem``, ``server.key``. The CA signs this
service's certificate only. Hosts pin the CA with the realm and trust no public CA.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import re
import socket
import ssl
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..addresses import parse_host
from ..errors import LicensingError, refuse
from ..files import PRIVATE, PUBLIC, Folder
from ..model import render_time
from ..requirements import require_cryptography

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, CertificateBuilder

_LOG = logging.getLogger("aims.authority")
_CA, _CA_KEY, _SERVER, _SERVER_KEY = "ca.pem", "ca.key", "server.pem", "server.key"
_CA_LIFE = timedelta(days=20 * 365)
# The longest life that browsers accept. The service renews the certificate itself.
_LIFE = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
# Certificates start a day early, so that hosts whose clocks are behind accept them.
_SKEW = timedelta(days=1)
# The longest common name that X.509 allows (ub-common-name).
_NAME = 64
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def own_hosts() -> list[str]:
    """Return this machine's probable names, and those of loopback."""
    names = []
    for name in (socket.getfqdn(), socket.gethostname()):
        # A machine name may be invalid in a certificate; such names are left out.
        with contextlib.suppress(LicensingError):
            names.append(parse_host(name))
    return list(dict.fromkeys([*names, "localhost", "127.0.0.1"]))


class Certificates:
    """The certificates of a ledger.

    :param ledger: the ledger's path
    """

    def __init__(self, ledger: str) -> None:
        self._folder = Folder(Path(f"{ledger}.tls").absolute())

    @property
    def where(self) -> str:
        """The folder of the certificates."""
        return str(self._folder.path)

    def check_free(self) -> None:
        """Refuse if the folder has a CA, because a new ledger must not use another ledger's CA."""
        if self._folder.path.is_dir() and self._folder.has(_CA_KEY):
            raise refuse(
                "The folder has the certificates of another ledger.",
                self.where,
                "Restore that ledger, choose another path, or remove the certificates.",
            )

    def ca(self) -> str | None:
        """Return the CA's certificate as PEM, or None if it does not exist yet."""
        if not self._folder.path.is_dir():
            return None
        data = self._folder.find(_CA)
        return data.decode("utf-8", "replace") if data is not None else None

    def make(self, name: str, hosts: Iterable[str], now: datetime) -> bool:
        """Create the CA if it is missing, and the server's certificate if it is due. Return whether it was due.

        The server's certificate is due if it is missing, ends within 30 days, is not valid yet, or lacks a host. It
        keeps its existing hosts. The CA is never replaced, because hosts pin it. A lost CA certificate is restored from
        the server's chain.

        :param name: the realm's name, for the certificates' subjects
        :param hosts: names and addresses to add; without any, a new certificate has this machine's
        :raises LicensingError: the CA's certificate or key is missing or damaged
        """
        require_cryptography()
        if self._folder.path.is_dir():
            self._folder.sweep()
        ca, key = self._authority(name, now)
        if _since(ca) > now:
            _LOG.warning(
                "the CA in %s is not valid before %s: until then hosts refuse this service. Correct this machine's"
                " clock if it is behind; a new CA would have to be distributed to every host",
                self.where,
                render_time(_since(ca)),
            )
        known, current = self._current(ca)
        asked = [parse_host(host, "--host") for host in hosts]
        all_hosts = list(dict.fromkeys([*known, *asked])) or own_hosts()
        lasting = current is not None and _since(current) <= now < _until(current) - RENEW_BEFORE
        if lasting and set(all_hosts) == set(known):
            return False
        server = _new_key()
        issued = _server_certificate(server, all_hosts, ca, key, now)
        # After an interruption, key and certificate do not match, and the next start creates both again.
        self._folder.write(_SERVER_KEY, _key_pem(server), PRIVATE)
        self._folder.write(_SERVER, _pem(issued) + _pem(ca), PUBLIC)
        return True

    def load(self, context: ssl.SSLContext) -> None:
        """Load the server's certificate into a TLS context. Open connections keep the old one."""
        try:
            context.load_cert_chain(self._folder.place(_SERVER), self._folder.place(_SERVER_KEY))
        except (OSError, ssl.SSLError) as error:
            reason = getattr(error, "reason", None) or error
            raise refuse(
                f"The server's certificate cannot be used: {reason}.",
                self._folder.place(_SERVER),
                "Remove server.pem and server.key there; 'authority serve' creates new ones.",
            ) from None

    def hosts(self) -> list[str]:
        """Return the names and addresses in the server's certificate."""
        ca = self._read(_CA)
        return self._current(ca)[0] if ca is not None else []

    def _authority(self, name: str, now: datetime) -> tuple[Certificate, EllipticCurvePrivateKey]:
        ca, key = self._read(_CA), self._key(_CA_KEY)
        todo = "Restore it from a backup. Hosts pin this CA: with a new CA, every host needs the new realm."
        # The CA is complete before the server's files are written. Without these, no host has seen the CA yet.
        young = ca is None and not self._folder.has(_SERVER) and not self._folder.has(_SERVER_KEY)
        if young and not self._folder.has(_CA_KEY):
            self._folder.make(mode=0o700)
            key = _new_key()
            self._folder.write(_CA_KEY, _key_pem(key), PRIVATE)
        if key is None or (ca is not None and _public(key) != _public(ca)):
            raise refuse("The private key of the CA is missing or damaged.", self._folder.place(_CA_KEY), todo)
        if ca is None:
            ca = _ca_certificate(key, name, now) if young else self._in_chain(key)
            if ca is None:
                raise refuse("The certificate of the CA is missing.", self._folder.place(_CA), todo)
            self._folder.write(_CA, _pem(ca), PUBLIC)
        return ca, key

    def _in_chain(self, key: EllipticCurvePrivateKey) -> Certificate | None:
        """Return the CA's certificate from the server's chain, or None."""
        from cryptography import x509

        # cryptography before 39 reads only the first certificate of a file.
        for pem in re.findall(_PEM, self._folder.find(_SERVER) or b""):
            with contextlib.suppress(ValueError, x509.InvalidVersion):
                certificate = x509.load_pem_x509_certificate(pem)
                if _public(certificate) == _public(key):
                    return certificate
        return None

    def _current(self, ca: Certificate) -> tuple[list[str], Certificate | None]:
        """Return the hosts of the server's certificate and the certificate, or None if it is unusable."""
        from cryptography import x509

        try:
            certificate = self._read(_SERVER)
        except LicensingError:
            certificate = None
        if certificate is None:
            return [], None
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (x509.ExtensionNotFound, ValueError):
            return [], None
        hosts, key = [str(entry.value) for entry in names], self._key(_SERVER_KEY)
        fits = key is not None and _public(key) == _public(certificate) and _is_issued(certificate, ca)
        return hosts, certificate if fits else None

    def _key(self, name: str) -> Any:
        """Return a private key, or None if it is missing or damaged."""
        from cryptography.exceptions import InternalError, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        data = self._folder.find(name) if self._folder.path.is_dir() else None
        try:
            return load_pem_private_key(data or b"", password=None)
        except (ValueError, TypeError, InternalError, UnsupportedAlgorithm):
            return None

    def _read(self, name: str) -> Certificate | None:
        from cryptography import x509

        data = self._folder.find(name) if self._folder.path.is_dir() else None
        if data is None:
            return None
        try:
            return x509.load_pem_x509_certificate(data)
        except (ValueError, x509.InvalidVersion):
            raise refuse("The certificate is damaged.", self._folder.place(name), "Restore it from a backup.") from None


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _public(holder: Any) -> bytes:
    """Return the public key (DER) of a private key or certificate."""
    from cryptography.hazmat.primitives import serialization as s

    data: bytes = holder.public_key().public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)
    return data


def _is_issued(certificate: Certificate, ca: Certificate) -> bool:
    """Whether a CA signed a certificate. The issuer's name is not enough: all CAs of a realm have the same name."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec

    public = ca.public_key()
    if certificate.issuer != ca.subject or not isinstance(public, ec.EllipticCurvePublicKey):
        return False
    try:
        algorithm = certificate.signature_hash_algorithm
        if algorithm is None:
            return False
        public.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(algorithm))
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _key_pem(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization as s

    return key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())


def _pem(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _since(certificate: Certificate) -> datetime:
    # See _until.
    aware = getattr(certificate, "not_valid_before_utc", None)
    return aware if aware is not None else certificate.not_valid_before.replace(tzinfo=timezone.utc)


def _until(certificate: Certificate) -> datetime:
    # cryptography before 42 has the end only without a time zone; later versions warn about that attribute.
    aware = getattr(certificate, "not_valid_after_utc", None)
    return aware if aware is not None else certificate.not_valid_after.replace(tzinfo=timezone.utc)


def _ca_certificate(key: EllipticCurvePrivateKey, name: str, now: datetime) -> Certificate:
    from cryptography import x509

    subject = _subject(f"{name} CA"[-_NAME:])
    builder = _builder(subject, subject, key, key, now, _CA_LIFE)
    return _signed(
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).add_extension(
            _usage(key_cert_sign=True, crl_sign=True), critical=True
        ),
        key,
    )


def _server_certificate(
    key: EllipticCurvePrivateKey, hosts: list[str], ca: Certificate, ca_key: EllipticCurvePrivateKey, now: datetime
) -> Certificate:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    builder = _builder(_subject(hosts[0][:_NAME]), ca.subject, key, ca_key, now, min(_LIFE, _until(ca) - now))
    return _signed(
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False),
        ca_key,
    )


def _builder(
    subject: Any,
    issuer: Any,
    key: EllipticCurvePrivateKey,
    issuer_key: EllipticCurvePrivateKey,
    now: datetime,
    life: timedelta,
) -> CertificateBuilder:
    from cryptography import x509

    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )


def _signed(builder: CertificateBuilder, key: EllipticCurvePrivateKey) -> Certificate:
    from cryptography.hazmat.primitives import hashes

    return builder.sign(key, hashes.SHA256())


def _subject(name: str) -> Any:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(host: str) -> Any:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(**allowed: bool) -> Any:
    from cryptography import x509

    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: allowed.get(name, False) for name in names})
