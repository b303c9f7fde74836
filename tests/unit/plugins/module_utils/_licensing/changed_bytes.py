# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What mails, editors and copies do to the bytes of a document: changes of which it stays the same, and damage."""

from __future__ import annotations

import json
import quopri
from collections.abc import Callable
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import read_fingerprint
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.exchange import Requests
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation, Deactivation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    SERVER,
    CoreLab,
    Host,
    declared,
)

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


def act(host: Host, action: str, channel: Any, realm: Any = None) -> Any:
    if action == "activate":
        return host.manager.activate(Activation(declared(SERVER), realm=realm), channel)
    if action == "deactivate":
        return host.manager.deactivate(Deactivation([SERVER]), channel)
    return host.manager.update([SERVER], channel)


def requests_of(lab: CoreLab, host: Host) -> Requests:
    return Requests(lab.realm, read_fingerprint(str(host.root)), host_key=host.home.make_host_key(), now=lab.clock())
