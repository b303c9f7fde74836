# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What mails, editors and copies do to the bytes of a document on its way: it is the same document, or it is refused.

Where it is refused, ledger, transfers and ids are untouched, and the original goes through afterwards.
"""

from __future__ import annotations

import base64
import codecs
import json
import quopri
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.audit import check_ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.processor import RequestProcessor
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import Embedded
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import read_fingerprint
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.exchange import Requests
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.folder import RequestFolder
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.service_lab import (
    Service,
    ServiceLab,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    SERVER,
    CoreLab,
    Host,
    all_files,
    wanted,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

Change = Callable[[bytes], bytes]
STEM = digits(SERVER)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def _rendered(data: bytes, **style: Any) -> bytes:
    return json.dumps(json.loads(data), **style).encode()


def _reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _reordered(value[key]) for key in reversed(list(value))}
    return value


def _escaped(data: bytes) -> bytes:
    """Each letter of a text as a JSON escape: what some mail gateways make of addresses and dots."""
    return data.replace(b".", b"\\u002e").replace(b"machine", b"\\u006Dachine")


def _with_spare_bits(data: bytes) -> bytes:
    """The same signatures, with other bits where base64 says nothing."""
    document = json.loads(data)
    for part, text in document["signatures"].items():
        last = _LETTERS[_LETTERS.index(text[-3]) ^ 1]
        document["signatures"][part] = f"{text[:-3]}{last}=="
    return json.dumps(document).encode()


def _signed_once_more(data: bytes) -> bytes:
    document = json.loads(data)
    document["signatures"]["clerk"] = next(iter(document["signatures"].values()))
    return json.dumps(document).encode()


def _url_base64(data: bytes) -> bytes:
    document = json.loads(data)
    document["signatures"] = {part: f"-_{text[2:]}" for part, text in document["signatures"].items()}
    return json.dumps(document).encode()


SAME: dict[str, Change] = {
    "line ends of Windows": lambda data: data.replace(b"\n", b"\r\n"),
    "no final newline": bytes.rstrip,
    "byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "UTF-16, big-endian": lambda data: b"\xfe\xff" + data.decode().encode("utf-16-be"),
    "blank lines around": lambda data: b"\r\n \n\t" + data + b"\r\n\r\n",
    "indented": lambda data: _rendered(data, indent=2),
    "indented, line ends of Windows": lambda data: b"\xef\xbb\xbf" + _rendered(data, indent=4).replace(b"\n", b"\r\n"),
    "a line for each value": lambda data: _rendered(data, separators=(" ,\n", " :\t")),
    "keys in another order": lambda data: json.dumps(_reordered(json.loads(data))).encode(),
    "escapes": _escaped,
    "spare bits of base64": _with_spare_bits,
}
DAMAGED: dict[str, Change] = {
    "wrapped by a mail program": lambda data: b"\n".join(data[at : at + 76] for at in range(0, len(data), 76)),
    "quoted in a reply": lambda data: b"> " + data,
    "quoted-printable": quopri.encodestring,
    "upper case": bytes.upper,
    "upper-case hex": lambda data: (
        data.replace(b'"host_key":"', b'"host_key":"', 1).replace(b'_id":"', b'_id":"A', 1)
        if b'"request_id"' in data
        else data.replace(b'"id":"', b'"id":"A', 1)
    ),
    "cut off": lambda data: data[:-20],
    "twice": lambda data: data + data,
    "zero bytes behind": lambda data: data + bytes(512),
    "a blank that is none": lambda data: data + b"\xa0",
}
# Of a request only: what is added to a response changes nothing that a host looks at.
DAMAGED_REQUEST: dict[str, Change] = {**DAMAGED, "one signature more": _signed_once_more, "base64 of URLs": _url_base64}
ACTIONS = ("activate", "deactivate", "update")


class Changed(Embedded):
    """A channel on which a request or a response is changed the first time that it passes."""

    def __init__(
        self, lab: CoreLab, ask: Callable[[bytes], Any], request: Change | None, response: Change | None
    ) -> None:
        super().__init__(lab.realm, "the authority", lambda data: b"", lambda dry: None)
        self.ask, self.changes = ask, [request, response]

    def exchange(self, number: str, request: bytes) -> bytes | None:
        if b'"action":"quote"' in request:
            return bytes(self.ask(request))
        changes, self.changes = self.changes, [None, None]
        response = bytes(self.ask(changes[0](request) if changes[0] else request))
        return changes[1](response) if changes[1] else response


def act(host: Host, action: str, channel: Any, realm: Any = None) -> Any:
    if action == "activate":
        return host.manager.activate(wanted(SERVER), channel, realm=realm)
    if action == "deactivate":
        return host.manager.deactivate([SERVER], channel)
    return host.manager.update([SERVER], channel)


def ready(lab: CoreLab, action: str) -> Host:
    """The host on which an action is to be done, with the license on it where the action needs it."""
    if action != "activate":
        lab.activate(lab.new, SERVER)
    return lab.new


def check_done(lab: CoreLab, host: Host, action: str) -> None:
    """Assert that the action was done once, and that what is kept of it has the bytes that the authority signed."""
    assert host.open_requests() == [] and lab.spent() == 0
    assert host.served() == ({STEM} if action != "deactivate" else set())
    assert lab.ledger.holding(SERVER).live is (action != "deactivate")
    kept = sorted((host.folder / "Journal/closed").glob("*.response"), key=lambda path: path.stat().st_mtime_ns)
    signed = [lab.ledger.response(path.stem.partition("-")[2]) for path in kept]
    withdrawn = [one for one in signed if one and json.loads(one[1])["body"]["outcome"] == "refused"]
    assert all(one is not None for one in signed) and len(withdrawn) == (action == "deactivate")
    assert sum(path.read_bytes() == one[1] for path, one in zip(kept, signed) if one) == len(kept) - len(withdrawn)
    if action != "deactivate":
        assert host.overview["licenses"][0]["status"] == "Active"
        assert host.read(f"Nodelocks/{STEM}.lock") in [one[1] for one in signed if one]
    check_ledger(lab.ledger)


CASES = [
    *(pytest.param(change, None, True, id=f"request: {name}") for name, change in SAME.items()),
    *(pytest.param(None, change, True, id=f"response: {name}") for name, change in SAME.items()),
    *(pytest.param(change, None, False, id=f"request: {name}") for name, change in DAMAGED_REQUEST.items()),
    *(pytest.param(None, change, False, id=f"response: {name}") for name, change in DAMAGED.items()),
]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(("request_change", "response_change", "same"), CASES)
def test_by_the_ledger_it_is_the_same_document_or_refused_before_anything_is_decided(
    lab: CoreLab, action: str, request_change: Change | None, response_change: Change | None, same: bool
) -> None:
    host = ready(lab, action)
    channel = Changed(lab, lab.desk().answer, request_change, response_change)
    before = all_files(lab.folder)["authority.db"]
    if not same:
        with pytest.raises(LicensingError):
            act(host, action, channel)
        assert host.open_requests() == [f"{STEM}.request"]
        assert (all_files(lab.folder)["authority.db"] == before) is (request_change is not None)
        lab.check_one_holder()
    act(host, action, channel)
    check_done(lab, host, action)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(("request_change", "response_change", "same"), CASES)
def test_offline_it_is_the_same_document_or_refused_before_anything_is_decided(
    lab: CoreLab, action: str, request_change: Change | None, response_change: Change | None, same: bool
) -> None:
    host = ready(lab, action)
    place = lab.folder / "requests"
    folder = RequestFolder(place)
    request, response = place / f"{STEM}.request", place / f"{STEM}.response"

    def turn() -> Any:
        """One run of the controller."""
        there = {one["number"]: base64.b64decode(one["content"]) for one in folder.responses([SERVER])}
        change = act(host, action, lab.offline(there), lab.realm)
        asked = [{"number": n, "content": base64.b64encode(c).decode()} for n, c in change.requests.items()]
        folder.take({"requests": asked}, [SERVER])
        return change

    turn()
    original = request.read_bytes()
    if request_change:
        request.write_bytes(request_change(original))
    before = all_files(lab.folder)["authority.db"]
    if request_change and not same:
        with pytest.raises(LicensingError):
            lab.desk(online=False).answer(request.read_bytes())
        assert all_files(lab.folder)["authority.db"] == before
        request.write_bytes(original)
    answer = lab.desk(online=False).answer(request.read_bytes())
    assert lab.desk(online=False).seen(original) is not None
    response.write_bytes(response_change(answer) if response_change else answer)
    if response_change and not same:
        with pytest.raises(LicensingError):
            turn()
        assert host.open_requests() == [f"{STEM}.request"]
        response.write_bytes(answer)
    turn()
    assert sorted(path.suffix for path in place.rglob("*.re*")) == [".request", ".response"] and not request.exists()
    check_done(lab, host, action)


def test_a_request_whose_bytes_were_changed_in_its_folder_keeps_its_response_beside_it(lab: CoreLab) -> None:
    place = lab.folder / "requests"
    folder = RequestFolder(place)
    change = act(lab.new, "activate", lab.offline(), lab.realm)
    told = {"requests": [{"number": SERVER, "content": base64.b64encode(change.requests[SERVER]).decode()}]}
    folder.take(told, [SERVER])
    request, response = place / f"{STEM}.request", place / f"{STEM}.response"
    for name, change_of in SAME.items():
        request.write_bytes(change_of(change.requests[SERVER]))
        response.write_bytes(b"x")
        folder.take(told, [SERVER])
        assert response.exists() and not (place / "done").exists(), name


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, new_ledger: bytes) -> Iterator[tuple[ServiceLab, Service]]:
    lab = ServiceLab(tmp_path_factory.mktemp("serving"), new_ledger)
    lab.activate(lab.new, SERVER)
    yield lab, lab.serve()
    lab.close()


ON_THE_LINE = [
    *(("request", name) for name in (*SAME, *DAMAGED_REQUEST)),
    *(("response", name) for name in (*SAME, *DAMAGED)),
]


# Who fails thirty times in ten minutes is put off by the service: some changes each have one of their own.
@pytest.mark.parametrize(
    ("serving", "direction", "name"),
    [(number // 8, *change) for number, change in enumerate(ON_THE_LINE)],
    indirect=["serving"],
)
def test_over_https_it_is_the_same_document_or_refused_before_anything_is_decided(
    serving: tuple[ServiceLab, Service], name: str, direction: str
) -> None:
    lab, service = serving
    change = {**SAME, **DAMAGED_REQUEST}[name]
    changes = (change, None) if direction == "request" else (None, change)
    for action in ("update", "deactivate", "activate"):
        channel = Changed(lab, lambda data: service.channel().exchange(SERVER, data), *changes)
        if name not in SAME:
            with pytest.raises(LicensingError):
                act(lab.new, action, channel)
            assert lab.new.open_requests() == [f"{STEM}.request"]
        act(lab.new, action, channel)
        assert lab.new.open_requests() == [] and lab.new.served() == (set() if action == "deactivate" else {STEM})
    assert lab.spent() == 0
    check_ledger(lab.ledger)


def requests_of(lab: CoreLab, host: Host) -> Requests:
    return Requests(lab.realm, read_fingerprint(str(host.root)), host.home.make_host_key(), lab.clock())


def test_a_proof_of_the_code_that_was_damaged_on_the_way_does_not_bind_the_id_of_the_request(lab: CoreLab) -> None:
    request = requests_of(lab, lab.new).activate(wanted(SERVER)[0])
    document = json.loads(request)
    document["signatures"]["code"] = document["signatures"]["host"]
    desk = lab.desk()
    refused = desk.consider(json.dumps(document).encode())
    assert (refused.outcome, refused.proven) == ("refused", False)
    other = requests_of(lab, lab.new)
    other._now += timedelta(seconds=1)
    forged = json.loads(other.activate(wanted(SERVER)[0]))
    forged["body"]["id"] = document["body"]["id"]
    keys = {"host": documents.load_private_key(lab.new.home.make_host_key(), "")}
    keys["code"] = documents.key_from_code(SERVER, wanted(SERVER)[0].activation_code, lab.realm.key)
    with pytest.raises(LicensingError, match="Another request was answered under this id"):
        desk.answer(documents.sign(documents.REQUEST, forged["body"], keys))
    granted = desk.consider(request)
    assert (granted.outcome, granted.proven, granted.repeated) == ("granted", True, False)
    assert desk.answer(request) == granted.content and lab.spent() == 0
    with pytest.raises(LicensingError, match="Another request was answered under this id"):
        desk.answer(json.dumps(document).encode())
    check_ledger(lab.ledger)


def test_a_deactivation_that_was_refused_once_cannot_be_made_another_one_by_a_signature_more(lab: CoreLab) -> None:
    requests = requests_of(lab, lab.new)
    old = requests.deactivate(SERVER, "machine")
    assert not lab.desk().consider(old).proven
    lab.activate(lab.new, SERVER)
    for part in ("code", "clerk"):
        document = json.loads(old)
        document["signatures"][part] = document["signatures"]["host"]
        with pytest.raises(LicensingError, match="incomplete or damaged"):
            lab.desk().answer(json.dumps(document).encode())
    assert lab.desk().consider(old).outcome == "refused" and lab.ledger.holding(SERVER).live


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
    request = requests_of(lab, lab.new).activate(wanted(SERVER)[0])
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
        request = requests_of(lab, lab.new).activate(wanted(SERVER)[0])
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
        answer = desk.consider(bytes(changed))
    except LicensingError:
        assert lab.ledger.contents() == before
    else:
        assert not answer.proven or documents.are_same(bytes(changed), request, documents.REQUEST)
    granted = desk.consider(request)
    assert granted.outcome == "granted" and lab.spent() == spent
    if action == "deactivate":
        # The home goes on as if it had its response.
        lab.new.home.drop_nodelock(SERVER)
    elif action == "activate":
        again = requests_of(lab, lab.new).deactivate(SERVER, "machine")
        assert desk.consider(again).outcome == "granted"
