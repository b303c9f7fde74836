# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A document that was rewritten keeps its identity or is refused, binds no id, and its original goes through."""

from __future__ import annotations

import codecs
import json
import random
from datetime import timedelta
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.audit import check_ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.processor import RequestProcessor
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.changed_bytes import (
    ACTIONS,
    SAME,
    STEM,
    act,
    requests_of,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    SERVER,
    CoreLab,
    declared,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st


def test_a_proof_of_the_code_that_was_damaged_on_the_way_does_not_bind_the_id_of_the_request(lab: CoreLab) -> None:
    request = requests_of(lab, lab.new).activate(declared(SERVER)[0])
    document = json.loads(request)
    document["signatures"]["code"] = document["signatures"]["host"]
    desk = lab.desk()
    refused = desk.process(json.dumps(document).encode())
    assert (refused.outcome, refused.proven) == ("refused", False)
    other = requests_of(lab, lab.new)
    other._now += timedelta(seconds=1)
    forged = json.loads(other.activate(declared(SERVER)[0]))
    forged["body"]["id"] = document["body"]["id"]
    keys = {"host": documents.load_private_key(lab.new.home.make_host_key(), "")}
    keys["code"] = documents.key_from_code(SERVER, declared(SERVER)[0].activation_code, lab.realm.key)
    with pytest.raises(LicensingError, match="Another request with this id was already answered"):
        desk.answer(documents.sign(documents.REQUEST, forged["body"], keys))
    granted = desk.process(request)
    assert (granted.outcome, granted.proven, granted.repeated) == ("granted", True, False)
    assert desk.answer(request) == granted.content and lab.spent() == 0
    with pytest.raises(LicensingError, match="Another request with this id was already answered"):
        desk.answer(json.dumps(document).encode())
    check_ledger(lab.ledger)


def test_a_deactivation_that_was_refused_once_cannot_be_made_another_one_by_a_signature_more(lab: CoreLab) -> None:
    requests = requests_of(lab, lab.new)
    old = requests.deactivate(SERVER, "machine")
    assert not lab.desk().process(old).proven
    lab.activate(lab.new, SERVER)
    for part in ("code", "clerk"):
        document = json.loads(old)
        document["signatures"][part] = document["signatures"]["host"]
        with pytest.raises(LicensingError, match="incomplete or damaged"):
            lab.desk().answer(json.dumps(document).encode())
    assert lab.desk().process(old).outcome == "refused" and lab.ledger.holding(SERVER).live


def test_a_home_whose_documents_were_rewritten_by_a_tool_is_the_same_home(lab: CoreLab) -> None:
    """A checkout with other line ends, an editor's byte order mark: the license is served, updated and given back."""
    for change in SAME.values():
        lab.activate(lab.new, SERVER)
        act(lab.new, "update", lab.offline(), lab.realm)
        for name in (f"Licenses/{STEM}.lic", f"Nodelocks/{STEM}.lock", f"Journal/{STEM}.request"):
            lab.new.write(name, change(lab.new.read(name)))
        for name in (f"Nodelocks/{STEM}.ver", "Config/server.json", ".aims-licensing.json"):
            written = lab.new.read(name)
            if not written.startswith(codecs.BOM_UTF8):
                lab.new.write(name, codecs.BOM_UTF8 + written.replace(b"\n", b"\r\n"))
        assert lab.new.overview["licenses"][0]["status"] == "Pending Update"
        act(lab.new, "update", lab.channel())
        assert lab.new.overview["licenses"][0]["status"] == "Active"
        lab.deactivate(lab.new, SERVER)
        assert lab.new.overview["licenses"][0]["status"] == "Inactive Nodelock" and lab.spent() == 0


def _json(data: bytes, draw: random.Random) -> bytes:
    """The same document, written by a program that has its own idea of blanks, order and escapes."""
    parsed = json.loads(data)

    def mixed(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        keys = list(value)
        draw.shuffle(keys)
        return {key: mixed(value[key]) for key in keys}

    blank = draw.choice(["", " ", "\n", "\r\n", "\t "])
    style = {"indent": draw.choice([None, 0, 1, 4]), "ensure_ascii": draw.random() < 0.5}
    text = json.dumps(mixed(parsed), separators=(f"{blank},{blank}", f"{blank}:{blank}"), **style)
    return f"{blank}{text}{blank}".encode(draw.choice(["utf-8", "utf-8-sig", "utf-16"]))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_whoever_writes_a_document_anew_it_keeps_its_identity(lab: CoreLab, seed: int) -> None:
    # An authority answers a license so often in an hour.
    lab.clock.forward(hours=1)
    request = requests_of(lab, lab.new).activate(declared(SERVER)[0])
    response = lab.desk().answer(request)
    draw = random.Random(seed)
    for data, kind in ((request, documents.REQUEST), (response, documents.RESPONSE)):
        written = documents.read(_json(data, draw), kind, "")
        assert (written.normal, written.identity) == (data, documents.digest(data))
        assert documents.are_same(_json(data, draw), data, kind)


EDITS = st.tuples(
    st.integers(0, 5000), st.sampled_from(["insert", "delete", "replace", "flip"]), st.binary(min_size=1, max_size=3)
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(action=st.sampled_from(ACTIONS), edits=st.lists(EDITS, min_size=1, max_size=3))
@example(action="activate", edits=[(0, "insert", b"\n")])
def test_whatever_happens_to_a_request_the_original_goes_through(
    lab: CoreLab, action: str, edits: list[tuple[int, str, bytes]]
) -> None:
    # An authority answers a license so often in an hour.
    lab.clock.forward(hours=1)
    if action == "activate":
        lab.deactivate(lab.new, SERVER) if STEM in lab.new.served() else None
        request = requests_of(lab, lab.new).activate(declared(SERVER)[0])
    else:
        lab.activate(lab.new, SERVER)
        request = getattr(requests_of(lab, lab.new), action)(SERVER, "machine")
    changed = bytearray(request)
    for at, kind, content in edits:
        at %= len(changed)
        if kind == "flip":
            changed[at] ^= 0x20
        else:
            changed[at : at + (0 if kind == "insert" else len(content))] = b"" if kind == "delete" else content
    desk: RequestProcessor = lab.desk(online=False)
    before, spent = lab.ledger.contents(), lab.spent()
    try:
        answer = desk.process(bytes(changed))
    except LicensingError:
        assert lab.ledger.contents() == before
    else:
        assert not answer.proven or documents.are_same(bytes(changed), request, documents.REQUEST)
    granted = desk.process(request)
    assert granted.outcome == "granted" and lab.spent() == spent
    if action == "deactivate":
        # The home goes on as if it had its response.
        lab.new.home.drop_nodelock(SERVER)
    elif action == "activate":
        again = requests_of(lab, lab.new).deactivate(SERVER, "machine")
        assert desk.process(again).outcome == "granted"
