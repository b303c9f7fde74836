# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What license files, requests and ledgers show of a code costs scrypt to guess at, and is worth nothing elsewhere."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.issue import check_code, new_license
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CODES,
    GRANTS,
    NUMBERS,
    SERVER,
    CoreLab,
    declared,
)


def by_rounds(number: str, code: str) -> str:
    """The key as earlier versions derive it, which guesses at a thousand codes a second."""
    salt = f"aims.licensing code {number.replace('.', '')}".encode()
    seed = hashlib.pbkdf2_hmac("sha256", code.encode(), salt, 2_000, 32)
    return documents.public_half(documents._ed25519().Ed25519PrivateKey.from_private_bytes(seed))


def test_no_cheap_check_of_a_code_is_in_any_file(lab: CoreLab) -> None:
    lab.activate(lab.old)
    cheap = {by_rounds(number, CODES[number]) for number in NUMBERS}
    assert not cheap & {license.code_key for license in lab.ledger.licenses()}
    for path in (lab.old.root / "opt").rglob("*"):
        assert not path.is_file() or not any(key.encode() in path.read_bytes() for key in cheap), path
    for path in (lab.old.root / "opt").rglob("*.request"):
        request = documents.read(path.read_bytes(), documents.REQUEST, "here")
        assert not any(request.is_signed("code", key) for key in cheap), path


def test_what_one_realm_knows_of_a_code_is_of_no_use_with_another(lab: CoreLab, tmp_path: Path) -> None:
    with Ledger.create(str(tmp_path / "other.db"), "test") as other:
        theirs = new_license(other.realm, SERVER, CODES[SERVER], (*GRANTS[SERVER], "2025-01-01", "2099-12-31"))
    ours = lab.ledger.license(SERVER)
    assert ours is not None and ours.code_key != theirs.code_key


def test_ledgers_licenses_and_homes_of_an_earlier_version_go_on_as_they_are(lab: CoreLab) -> None:
    (public,) = lab.ledger._rows("SELECT public_key FROM realm")[0]
    plain = documents.public_half(documents.load_private_key(lab.ledger._private_key, "key"))
    assert public != plain
    lab.ledger._rows("UPDATE realm SET public_key = ?", plain)
    for number in NUMBERS:
        body = {**vars(lab.ledger.license(number)), "code_key": by_rounds(number, CODES[number])}
        lab.ledger._rows("UPDATE license SET body = ? WHERE number = ?", json.dumps(body), number)
    lab.ledger.close()
    lab.ledger = Ledger(str(lab.ledger_path))
    assert lab.realm.key == plain
    lab.activate(lab.old)
    # The home has pinned the realm, and knows a wrong code by its licenses.
    with pytest.raises(LicensingError, match="is not this license's"):
        lab.old.manager.activate(Activation(declared(SERVER, code="Q4MWE-7BYRK-P2HSC-V9XGA-TZ63N")), lab.channel())
    again = lab.old.manager.activate(Activation(declared(*NUMBERS)), lab.channel())
    assert not again.changed


def test_a_process_derives_a_key_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bytes] = []
    real = hashlib.scrypt

    def counted(code: bytes, **options: Any) -> bytes:
        calls.append(code)
        return real(code, **options)

    monkeypatch.setattr(hashlib, "scrypt", counted)
    realm = documents.realm_key(documents.load_private_key(documents.new_private_key(), "key"))
    first, second = (documents.public_half(documents.key_from_code(SERVER, CODES[SERVER], realm)) for _call in range(2))
    assert first == second and len(calls) == 1


def test_a_python_without_scrypt_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(hashlib, "scrypt")
    realm = documents.realm_key(documents.load_private_key(documents.new_private_key(), "key"))
    with pytest.raises(LicensingError, match="has no scrypt"):
        documents.key_from_code(SERVER, CODES[SERVER], realm)


@pytest.mark.parametrize(
    "code",
    [
        "AAAAA-BBBBB-CCCCC-DDDDD-22222",
        "ABCDE-FGHIJ-KLMNO-PQRST-UVWXY",
        "12345-67890-12345-67890-12345",
        "K7QXM-K7QXM-K7QXM-K7QXM-K7QXM",
        "K7QXM-2RVTA-K7QXM-DE4NZ-J6S8B",
        "ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-99999",
        "ABABA-CDCDC-ABABC-DCDCD-ABCDA",
    ],
)
def test_a_code_that_follows_a_pattern_is_not_issued(code: str) -> None:
    with pytest.raises(LicensingError, match="follows a pattern"):
        check_code(SERVER, code)
    with pytest.raises(LicensingError, match="follows a pattern"):
        new_license(Realm("x", "A" * 43 + "="), SERVER, code, (*GRANTS[SERVER], "2025-01-01", "2099-12-31"))


def test_codes_that_the_authority_makes_follow_no_pattern() -> None:
    from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.command import _new_code

    for _code in range(2_000):
        check_code(SERVER, _new_code())
