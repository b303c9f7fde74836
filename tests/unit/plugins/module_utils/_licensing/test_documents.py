# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A document is what its signer wrote, to the byte, or it is refused with one message."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils import _licensing
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents, sealing
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import CODES, SERVER
from hypothesis import given, settings
from hypothesis import strategies as st

KEY = documents.load_private_key(documents.new_private_key(), "key")
PUBLIC = documents.public_half(KEY)
FOREIGN = documents.load_private_key(documents.new_private_key(), "key")
BODY = {"id": "a" * 32, "number": SERVER, "text": "Grüße, 測試", "nested": {"list": [1, None, True, 2.5]}}
SIGNED = documents.sign(documents.REQUEST, BODY, {"host": KEY})

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def accept(data: bytes) -> bool:
    """Whether a document is read and found signed; anything but a refusal is an error."""
    try:
        documents.read(data, documents.REQUEST, "file.request").check("host", PUBLIC)
    except LicensingError as error:
        assert [problem.where for problem in error.problems] == ["file.request"]
        assert str(error).encode("utf-8")
        return False
    return True


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=10), json_values, max_size=5))
def test_what_was_signed_is_read_back(body: dict[str, Any]) -> None:
    data = documents.sign(documents.REQUEST, body, {"host": KEY})
    document = documents.read(data, documents.REQUEST, "here")
    assert document.body == body
    document.check("host", PUBLIC)
    assert documents.sign(documents.REQUEST, document.body, {"host": KEY}) == data


def test_every_single_changed_byte_is_noticed() -> None:
    body = SIGNED.rstrip(b"\n")
    for place in range(len(body)):
        for flip in (0x01, 0x20, 0x80):
            changed = body[:place] + bytes([body[place] ^ flip]) + body[place + 1 :]
            if accept(changed):
                # only the unused low bits of base64's last character can change and mean the same
                signature = json.loads(body)["signatures"]["host"]
                again = json.loads(changed)["signatures"]["host"]
                assert base64.b64decode(again) == base64.b64decode(signature)


def test_every_truncation_is_noticed() -> None:
    for length in range(len(SIGNED.rstrip(b"\n"))):
        assert not accept(SIGNED[:length]), length


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_nothing_that_is_not_signed_is_accepted(data: bytes) -> None:
    assert not accept(data)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["format", "kind", "body", "signatures"]), json_values)
def test_no_part_can_be_replaced(part: str, value: Any) -> None:
    parsed = json.loads(SIGNED)
    if parsed[part] != value:
        assert not accept(json.dumps({**parsed, part: value}).encode())


def replaced(old: bytes, new: bytes) -> bytes:
    assert old in SIGNED
    return SIGNED.replace(old, new, 1)


@pytest.mark.parametrize(
    "data",
    [
        replaced(b'"kind":"request"', b'"kind":"request","kind":"request"'),
        replaced(b'"list":', b'"list":0,"list":'),
        replaced(b"2.5", b"NaN"),
        replaced(b"2.5", b"-Infinity"),
        replaced(b"2.5", b"1e999"),
        replaced(b"2.5", b"9" * 5000),
        replaced(b"2.5", b'"\\ud800"'),
        replaced(b'"id"', b'"\\udfff"'),
        replaced(b"2.5", b"[" * 60 + b"]" * 59),
        2 * b"\xef\xbb\xbf" + SIGNED,
        SIGNED.decode().encode("utf-16-le"),
        SIGNED.decode().encode("utf-16")[:-1],
        SIGNED + SIGNED,
        SIGNED + b"\0",
        b"",
        b"null",
        b"[]",
        b'"request"',
        b"{}",
    ],
)
def test_json_that_could_be_read_in_two_ways_is_refused(data: bytes) -> None:
    assert not accept(data)


@pytest.mark.parametrize("depth", [*range(100, 1100, 37), 5_000, 15_000, 30_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_deep_nesting_is_refused(depth: int, opening: bytes, closing: bytes) -> None:
    assert not accept(opening * depth + b"1" + closing * depth)
    assert not accept(replaced(b"2.5", opening * depth + b"1" + closing * depth))


def test_a_document_over_the_size_limit_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(LicensingError, match=f"the maximum is {documents.MAX_BYTES}"):
        documents.read(b"x" * (documents.MAX_BYTES + 1), documents.REQUEST, "here")


def test_a_document_of_another_kind_says_which_it_is() -> None:
    with pytest.raises(LicensingError, match="This is a 'request' document, not a response"):
        documents.read(SIGNED, documents.RESPONSE, "here")


def test_a_document_of_a_later_format_says_which_this_version_reads() -> None:
    with pytest.raises(LicensingError, match=r"unknown format 'aims-licensing/2'.*reads aims-licensing/1"):
        documents.read(SIGNED.replace(b"aims-licensing/1", b"aims-licensing/2"), documents.REQUEST, "here")


def test_a_foreign_key_is_refused_and_so_is_the_right_key_in_another_part() -> None:
    document = documents.read(SIGNED, documents.REQUEST, "here")
    document.check("host", PUBLIC)
    with pytest.raises(LicensingError, match="not signed by the expected host key"):
        document.check("host", documents.public_half(FOREIGN))
    for part in ("realm", "code"):
        assert not document.is_signed(part, PUBLIC)
    for key in ("", "no base64!", "AAAA", "ß"):
        assert not document.is_signed("host", key)


def test_a_signature_of_one_kind_does_not_serve_for_another() -> None:
    as_response = SIGNED.replace(b'"kind":"request"', b'"kind":"response"')
    assert not documents.read(as_response, documents.RESPONSE, "here").is_signed("host", PUBLIC)


@pytest.mark.parametrize("realm", ["", "A" * 43 + "=", documents.realm_key(KEY)], ids=["none", "earlier", "of today"])
def test_only_the_right_code_yields_the_key_and_only_for_its_license(realm: str) -> None:
    def key(number: str, code: str) -> str:
        return documents.public_half(documents.key_from_code(number, code, realm))

    assert key(SERVER, CODES[SERVER]) == key("015120064022", CODES[SERVER])
    assert key(SERVER, CODES[SERVER]) != key(SERVER, CODES[SERVER][:-1] + "X")
    assert key(SERVER, CODES[SERVER]) != key("015.120.064.023", CODES[SERVER])


@pytest.mark.parametrize("pem", [b"", b"garbage", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_damaged_private_key_is_refused_with_its_place(pem: bytes) -> None:
    with pytest.raises(LicensingError, match="private key is damaged") as refused:
        documents.load_private_key(pem, "/home/Config/host.key")
    assert refused.value.problems[0].where == "/home/Config/host.key"


@pytest.mark.parametrize(
    "data",
    [
        None,
        5,
        [],
        {},
        {"name": "R"},
        {"name": "R", "key": "short"},
        {"name": "", "key": PUBLIC},
        {"name": "R\x1b[0m", "key": PUBLIC},
        {"name": 5, "key": PUBLIC},
        {"name": "R", "key": PUBLIC + "A"},
    ],
)
def test_what_is_no_realm_is_refused(data: object) -> None:
    with pytest.raises(LicensingError, match="This is not a realm"):
        documents.Realm.from_dict(data, "realm")


def test_a_realm_is_known_by_its_key_not_by_its_name() -> None:
    assert documents.Realm("a", PUBLIC).id == documents.Realm("b", PUBLIC).id
    assert documents.Realm("a", PUBLIC).id != documents.Realm("a", documents.public_half(FOREIGN)).id


def test_a_sealed_secret_opens_for_its_recipient_alone() -> None:
    reader, other = sealing.Seal(), sealing.Seal()
    sealed = sealing.seal(reader.recipient, b"a private key")
    assert reader.open(sealed) == b"a private key"
    assert sealing.seal(reader.recipient, b"a private key") != sealed
    with pytest.raises(LicensingError, match="A secret is damaged, or was sealed for another run"):
        other.open(sealed)


@pytest.mark.parametrize(
    "sealed", ["", "AAAA", "=", "A" * 43, "\u00e9", "x y", base64.b64encode(bytes(80)).decode(), None, 7, []]
)
def test_a_damaged_seal_and_what_is_no_recipient_are_refused_in_words(sealed: Any) -> None:
    for act in (lambda: sealing.Seal().open(sealed), lambda: sealing.seal(sealed, b"a private key")):
        with pytest.raises(LicensingError) as refused:
            act()
        assert "private" not in str(refused.value)


@given(st.data())
def test_a_seal_that_was_changed_anywhere_is_refused_in_words(data: st.DataObject) -> None:
    seal = sealing.Seal()
    sealed = bytearray(sealing.seal(seal.recipient, b"a private key").encode())
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] = data.draw(st.integers(0, 127).filter(lambda byte: byte != sealed[at]))
    with contextlib.suppress(LicensingError):
        assert seal.open(sealed.decode()) == b"a private key"  # spare bits of base64


def test_without_cryptography_the_message_names_the_packages() -> None:
    core = str(Path(str(_licensing.__file__)).parents[6])
    name = f"{_licensing.__name__}.documents"
    script = (
        "import sys\n"
        "sys.modules['cryptography'] = None\n"
        f"from {name} import require_cryptography\n"
        f"from {_licensing.__name__}.errors import LicensingError\n"
        "try:\n    require_cryptography()\nexcept LicensingError as error:\n    print(error)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": core}, capture_output=True, text=True, check=True
    ).stdout
    assert "The Python library 'cryptography' is missing." in told
    assert "apt install python3-cryptography" in told
    assert "dnf install python3-cryptography" in told
    assert sys.executable in told
