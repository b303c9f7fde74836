# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed documents: whatever is done to one, it is refused, or says the very same as before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import (
    LICENSE,
    REQUEST,
    RESPONSE,
    Realm,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.nodelock import read_nodelock
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.exchange import check_response, refusal
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import License
from ansible_collections.aims.licensing.tests.fuzz.counting import give, runs
from ansible_collections.aims.licensing.tests.fuzz.shapes import EDIT, JSON, NUMBER, batch, broken, edited, rewritten
from hypothesis import given
from hypothesis import strategies as st

_BATCH = 25
REALM_KEY, HOST_KEY, CODE_KEY, OTHER_KEY = (
    documents.load_private_key(documents.new_private_key(), "key") for _key in range(4)
)
PEM = documents.new_private_key()
REALM = Realm("REHEARSAL test", documents.public_half(REALM_KEY))
MACHINE = {"machine-id": "0123456789abcdef" * 2, "product-uuid": "f" * 32, "root-disk": "0" * 32}
PARTICULARS = {
    "number": NUMBER,
    "type": "AIMMS - PRO Server",
    "seats": 8,
    "start": "2025-01-01",
    "expiry": "2099-12-31",
    "maintenance_expiry": "2099-12-31",
    "var": False,
    "code_key": documents.public_half(CODE_KEY),
    "realm": REALM.id,
}
ASKED = {
    "id": "0123456789abcdef" * 2,
    "action": "activate",
    "number": NUMBER,
    "nodelock": "machine",
    "fingerprint": MACHINE,
    "host_key": documents.public_half(HOST_KEY),
    "realm": REALM.id,
    "made": "2026-01-01T12:00:00Z",
}
THE_REQUEST = documents.sign(REQUEST, ASKED, {"host": HOST_KEY, "code": CODE_KEY})
THE_LICENSE = documents.sign(LICENSE, PARTICULARS, {"realm": REALM_KEY})
TOLD = {
    **{key: ASKED[key] for key in ("action", "number", "nodelock", "fingerprint", "host_key", "realm")},
    "request_id": ASKED["id"],
    "request_digest": documents.digest(THE_REQUEST),
    "serial": 7,
    "issued": "2026-01-01T12:00:01Z",
    "outcome": "granted",
    "reason": None,
    "license": json.loads(THE_LICENSE),
    "account": {"limit": 3, "window_seconds": 31536000, "spent": ["2026-01-01T12:00:01Z"], "left": 2, "returns": None},
    "spends": 1,
    "until": None,
}
THE_RESPONSE = documents.sign(RESPONSE, TOLD, {"realm": REALM_KEY})


@dataclass(frozen=True)
class Kind:
    """A kind of document, one that is in order, and whose signatures it has to have."""

    name: str
    original: bytes
    signers: Mapping[str, str]

    def accept(self, data: bytes) -> Mapping[str, Any]:
        """Read a document as its receiver does."""
        document = documents.read(data, self.name, "here")
        for part, key in self.signers.items():
            document.check(part, key)
        if self.name == LICENSE:
            License.from_dict(document.body, "here")
        elif self.name == RESPONSE:
            told = check_response(data, THE_REQUEST, realm=REALM, where="here")
            refusal(told)
            read_nodelock(told)
        return document.body


REALMS = {"realm": REALM.key}
KINDS = [
    Kind(REQUEST, THE_REQUEST, {"host": str(ASKED["host_key"]), "code": str(PARTICULARS["code_key"])}),
    Kind(RESPONSE, THE_RESPONSE, REALMS),
    Kind(LICENSE, THE_LICENSE, REALMS),
]
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@kinds
def test_a_document_in_order_is_accepted(kind: Kind) -> None:
    assert kind.accept(kind.original) == json.loads(kind.original)["body"]


@kinds
def test_whatever_is_done_to_a_signed_document_it_says_the_same_or_is_refused(kind: Kind) -> None:
    said = json.loads(kind.original)["body"]

    @runs(2000, _BATCH)
    @given(batch(EDIT, _BATCH))
    def check(edits: list[Any]) -> None:
        for data in broken(kind.original, edits):
            outcome = give(f"signed {kind.name}", lambda data=data: kind.accept(data))
            assert isinstance(outcome, LicensingError) or outcome == said, data

    check()


@kinds
def test_what_the_right_keys_did_not_sign_is_never_accepted(kind: Kind) -> None:
    @runs(500, _BATCH, spare=0.3)
    @given(batch(EDIT, _BATCH), st.booleans())
    def check(edits: list[Any], signed_by_others: bool) -> None:
        body = json.loads(kind.original)["body"]
        for edit in edits:
            changed = rewritten(body, edit)
            keys = dict.fromkeys(kind.signers, OTHER_KEY) if signed_by_others else {}
            try:
                data = documents.sign(kind.name, changed, keys)
            except (ValueError, TypeError):
                continue
            assert isinstance(give(f"forged {kind.name}", lambda data=data: kind.accept(data)), LicensingError)

    check()


@kinds
def test_what_the_right_keys_signed_is_accepted_or_refused_in_words(kind: Kind) -> None:
    """The authority itself is not trusted to say only what makes sense."""
    private = {"realm": REALM_KEY, "host": HOST_KEY, "code": CODE_KEY}

    @runs(1000, _BATCH, spare=0.3)
    @given(batch(EDIT, _BATCH))
    def check(edits: list[Any]) -> None:
        body = json.loads(kind.original)["body"]
        for edit in edits:
            changed = rewritten(body, edit)
            if not isinstance(changed, dict):
                continue
            try:
                data = documents.sign(kind.name, changed, {part: private[part] for part in kind.signers})
            except ValueError:
                # It has no canonical form, so that nobody can sign it.
                continue
            outcome = give(f"odd but signed {kind.name}", lambda data=data: kind.accept(data))
            assert isinstance(outcome, LicensingError) or outcome == changed

    check()


@runs(1000, _BATCH)
@given(
    batch(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()), _BATCH), st.sampled_from(KINDS)
)
def test_anything_else_is_no_document(inputs: list[bytes], kind: Kind) -> None:
    for data in inputs:
        assert isinstance(give("no document", lambda data=data: kind.accept(data)), LicensingError)


@runs(500, _BATCH, spare=0.3)
@given(batch(st.dictionaries(st.text(max_size=10), JSON, max_size=4), _BATCH))
def test_what_was_signed_reads_the_same(bodies: list[Any]) -> None:
    for body in bodies:
        try:
            data = documents.sign(REQUEST, body, {"host": HOST_KEY})
        except ValueError:
            continue
        document = give("round trip", lambda data=data: documents.read(data, REQUEST, "here"))
        if not isinstance(document, LicensingError):
            document.check("host", str(ASKED["host_key"]))
            assert documents.sign(REQUEST, document.body, {"host": HOST_KEY}) == data


@pytest.mark.parametrize("levels", [0, 40, 100])
def test_nesting_is_refused_before_anything_can_fail_of_it(levels: int) -> None:
    """A document that can be read can also be checked, however little is left of the stack by then."""

    def deeper(data: bytes, left: int) -> None:
        if left:
            deeper(data, left - 1)
        else:
            KINDS[0].accept(data)

    for depth in (20, 60, *range(700, 1010)):
        body = b'{"a":' * depth + b"1" + b"}" * depth
        data = b'{"format":"aims-licensing/1","kind":"request","body":%s,"signatures":{"host":"AAAA"}}' % body
        with pytest.raises(LicensingError):
            deeper(data, levels)


@pytest.mark.parametrize("size", [1 << 16, 1 << 20, 1 << 24])
@kinds
def test_what_is_too_large_is_not_even_parsed(kind: Kind, size: int) -> None:
    with pytest.raises(LicensingError, match="the maximum is 65536"):
        kind.accept(kind.original.replace(b'"body":', b'"body":' + b" " * size))


@runs(500, _BATCH)
@given(batch(EDIT, _BATCH))
def test_a_private_key_is_read_or_refused(edits: list[Any]) -> None:
    for edit in edits:
        give("private key", lambda edit=edit: documents.load_private_key(edited(PEM, edit), "here"))
