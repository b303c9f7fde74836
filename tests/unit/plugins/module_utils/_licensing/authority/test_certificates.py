# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's certificates are made once, renewed in time, and fit each other whatever was cut off."""

from __future__ import annotations

import contextlib
import ipaddress
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority import certificates
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.certificates import Certificates
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.service_lab import (
    ServiceLab,
    run,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import fault_at
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

DAY = timedelta(days=1)
NOW = now_utc()


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    made = Certificates(str(tmp_path / "authority.db"))
    assert made.make("REHEARSAL test", ["a.example", "192.0.2.1", "2001:db8::1"], NOW)
    return made


def files(made: Certificates) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(made.where).iterdir()}


def leaf(made: Certificates) -> x509.Certificate:
    return x509.load_pem_x509_certificate(files(made)["server.pem"])


def test_the_certificate_says_what_a_strict_client_asks_for(made: Certificates) -> None:
    ca, server = x509.load_pem_x509_certificate(files(made)["ca.pem"]), leaf(made)
    server.verify_directly_issued_by(ca)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example"]
    assert names.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("192.0.2.1"),
        ipaddress.ip_address("2001:db8::1"),
    ]
    usage = ca.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.key_cert_sign and not usage.value.digital_signature
    for certificate, is_ca in ((ca, True), (server, False)):
        assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is is_ca
        assert certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
        assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    assert (server.not_valid_after_utc - server.not_valid_before_utc) <= timedelta(days=398)
    strict = ssl.create_default_context(cadata=made.ca())
    strict.verify_flags |= ssl.VERIFY_X509_STRICT


def test_it_is_renewed_thirty_days_before_its_end_and_not_earlier(made: Certificates) -> None:
    first = files(made)
    ends = leaf(made).not_valid_after_utc
    assert not made.make("REHEARSAL test", [], ends - 31 * DAY)
    assert files(made) == first
    assert made.make("REHEARSAL test", [], ends - 30 * DAY)
    renewed = files(made)
    assert {name for name in first if first[name] != renewed[name]} == {"server.pem", "server.key"}
    assert made.hosts() == ["a.example", "192.0.2.1", "2001:db8::1"]
    assert leaf(made).not_valid_after_utc > ends


def test_what_was_made_while_the_clock_was_ahead_is_made_anew_and_hosts_take_it(lab: ServiceLab) -> None:
    made = Certificates(str(lab.ledger_path))
    (Path(made.where) / "server.pem").unlink()
    made.make(lab.realm.name, ["localhost"], NOW + 10 * DAY)
    ahead = files(made)
    service = lab.serve()
    assert service.call("GET", "/v1/realm")[0] == 200
    assert "made a certificate for localhost" in service.log and "not valid before" not in service.log
    assert {name for name in ahead if ahead[name] != files(made)[name]} == {"server.pem", "server.key"}
    assert not made.make(lab.realm.name, [], NOW)


def test_a_ca_that_is_not_valid_yet_is_told_and_kept(lab: ServiceLab) -> None:
    made = Certificates(str(lab.ledger_path))
    for path in Path(made.where).iterdir():
        path.unlink()
    made.make(lab.realm.name, ["localhost"], NOW + 10 * DAY)
    ca = {name: files(made)[name] for name in ("ca.pem", "ca.key")}
    service = lab.serve()
    begins = x509.load_pem_x509_certificate(ca["ca.pem"]).not_valid_before_utc
    assert f"WARNING the CA in {made.where} is not valid before {begins:%Y-%m-%dT%H:%M:%SZ}" in service.log
    with pytest.raises(ssl.SSLCertVerificationError, match="not yet valid"):
        service.call("GET", "/v1/realm")
    assert {name: files(made)[name] for name in ca} == ca


def test_a_name_that_it_lacks_is_added_and_none_is_lost(made: Certificates) -> None:
    assert not made.make("REHEARSAL test", ["A.EXAMPLE"], NOW)
    assert made.make("REHEARSAL test", ["b.example", "a.example"], NOW)
    assert made.hosts() == ["a.example", "192.0.2.1", "2001:db8::1", "b.example"]


def test_without_names_it_has_the_machines_own(tmp_path: Path) -> None:
    made = Certificates(str(tmp_path / "authority.db"))
    made.make("REHEARSAL test", [], NOW)
    assert made.hosts() == certificates.own_hosts()
    assert {"localhost", "127.0.0.1"} <= set(made.hosts())


def test_no_certificate_outlives_its_ca(made: Certificates) -> None:
    ends = x509.load_pem_x509_certificate(files(made)["ca.pem"]).not_valid_after_utc
    made.make("REHEARSAL test", [], ends - 10 * DAY)
    assert leaf(made).not_valid_after_utc == ends


@pytest.mark.parametrize("name", ["server.pem", "server.key"])
@pytest.mark.parametrize("content", [b"", b"garbage", None])
def test_a_server_certificate_that_is_damaged_is_made_anew(
    made: Certificates, name: str, content: bytes | None
) -> None:
    place = Path(made.where) / name
    place.unlink() if content is None else place.write_bytes(content)
    assert made.make("REHEARSAL test", ["a.example"], NOW)
    made.load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    assert "a.example" in made.hosts()


@pytest.mark.parametrize("name", ["ca.pem", "ca.key"])
def test_a_ca_that_is_damaged_is_never_replaced_unasked(made: Certificates, name: str) -> None:
    place = Path(made.where) / name
    for content in (b"garbage", None):
        place.write_bytes(b"x")
        if content is None and name == "ca.key":
            place.unlink()
        elif content is not None:
            place.write_bytes(content)
        before = files(made)
        with pytest.raises(LicensingError, match="damaged"):
            made.make("REHEARSAL test", [], NOW)
        assert files(made) == before


def test_a_ca_whose_certificate_is_lost_is_put_back_from_the_servers_chain(made: Certificates) -> None:
    before = files(made)
    (Path(made.where) / "ca.pem").unlink()
    assert not made.make("REHEARSAL test", [], NOW)
    assert files(made) == before


@pytest.mark.parametrize("left", [["ca.key", "server.key"], ["ca.key", "server.pem"], ["server.pem", "server.key"]])
def test_a_ca_that_cannot_be_put_back_is_refused_and_nothing_is_written(made: Certificates, left: list[str]) -> None:
    folder = Path(made.where)
    for name in {"ca.pem", "ca.key", "server.pem", "server.key"} - set(left):
        (folder / name).unlink()
    if left == ["ca.key", "server.pem"]:
        first, _end, _rest = (folder / "server.pem").read_bytes().partition(b"-----END CERTIFICATE-----\n")
        (folder / "server.pem").write_bytes(first + _end)
    before = files(made)
    said = "certificate of the CA is missing" if "ca.key" in left else "private key of the CA is missing or damaged"
    with pytest.raises(LicensingError, match=said):
        made.make("REHEARSAL test", [], NOW)
    assert files(made) == before


def test_a_chain_of_another_ca_is_not_put_back(made: Certificates, tmp_path: Path) -> None:
    other = Certificates(str(tmp_path / "other.db"))
    other.make("REHEARSAL test", ["a.example"], NOW)
    (Path(made.where) / "ca.pem").unlink()
    (Path(made.where) / "server.pem").write_bytes(files(other)["server.pem"])
    before = files(made)
    with pytest.raises(LicensingError, match="certificate of the CA is missing"):
        made.make("REHEARSAL test", [], NOW)
    assert files(made) == before


def test_a_certificate_of_another_ca_of_the_same_name_is_made_anew(made: Certificates, tmp_path: Path) -> None:
    other = Certificates(str(tmp_path / "other.db"))
    other.make("REHEARSAL test", ["a.example"], NOW)
    for name in ("server.pem", "server.key"):
        (Path(made.where) / name).write_bytes(files(other)[name])
    ca = files(made)["ca.pem"]
    assert made.make("REHEARSAL test", [], NOW)
    assert files(made)["ca.pem"] == ca
    leaf(made).verify_directly_issued_by(x509.load_pem_x509_certificate(ca))


def test_the_key_of_a_first_making_that_was_cut_off_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Certificates(str(tmp_path / "authority.db"))
    with fault_at(monkeypatch, 2, OSError), pytest.raises(LicensingError):
        made.make("REHEARSAL test", ["a.example"], NOW)
    before = files(made)
    assert list(before) == ["ca.key"]
    assert made.make("REHEARSAL test", ["a.example"], NOW)
    assert files(made)["ca.key"] == before["ca.key"]


@pytest.mark.parametrize("step", range(1, 5))
def test_whatever_was_cut_off_the_next_start_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    made = Certificates(str(tmp_path / "authority.db"))
    with fault_at(monkeypatch, step, OSError), pytest.raises(LicensingError):
        made.make("REHEARSAL test", ["a.example"], NOW)
    made.make("REHEARSAL test", ["a.example"], NOW)
    made.load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    ends = leaf(made).not_valid_after_utc
    with contextlib.suppress(LicensingError), fault_at(monkeypatch, 2, OSError):
        made.make("REHEARSAL test", [], ends - DAY)
    made.make("REHEARSAL test", [], ends - DAY)
    made.load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


def test_a_service_takes_a_new_name_with_its_next_start_under_the_same_ca(lab: ServiceLab) -> None:
    service = lab.serve()
    service.stop()
    again = lab.serve("--host", "127.0.0.2", "--listen", "127.0.0.2")
    assert again.realm == service.realm
    assert "made a certificate for localhost, 127.0.0.1, 127.0.0.2" in again.log


def test_a_damaged_ca_keeps_the_service_from_starting_in_words(lab: ServiceLab) -> None:
    begin, end = b"-----BEGIN CERTIFICATE-----\n", b"\n-----END CERTIFICATE-----\n"
    for content, said in (
        (b"garbage", "ca is not a certificate"),
        (begin + b"garbage" + end, "The certificate is damaged"),
    ):
        (Path(f"{lab.ledger_path}.tls") / "ca.pem").write_bytes(content)
        done = run("serve", "--ledger", str(lab.ledger_path), "--stop-after", "1")
        assert done.returncode == 1 and said in done.stderr and f"{lab.ledger_path}.tls/ca.pem" in done.stderr
        assert "Traceback" not in done.stderr
