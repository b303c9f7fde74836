# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inputs that somebody broke: values of any kind, and files with bytes or parts that were changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import strategies as st
from support.worked_example import SERVER

NUMBER = SERVER


def as_yaml(value: Any, **more: Any) -> str:
    """Return YAML of a value, of libyaml where it is there, which takes a tenth of the time."""
    try:
        text: str = yaml.dump(value, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), **more)
    except UnicodeError:
        # Half a character, which libyaml does not write.
        text = yaml.dump(value, Dumper=yaml.SafeDumper, **more)
    return text


def nested(depth: int) -> Any:
    """Return a list within a list, and so on."""
    made: Any = []
    for _level in range(depth):
        made = [made]
    return made


_WORDS = [
    "",
    " ",
    "0",
    "-1",
    "null",
    "machine",
    "personal",
    "activate",
    "Config",
    "systemd",
    "true",
    NUMBER,
    "015120064022",
    "999.999.999.999",
    "AAAAA-BBBBB-CCCCC-DDDDD-22222",
    "PROSession",
    "DOMAIN\\user",
    "D\\\ud800",
    "D\\u\u2028",
    "2026-02-30",
    "2026-01-01",
    "0001-01-01",
    "9999-12-31",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "2026-01-01T12:00:00Z",
    "2026-1-1T1:1:1Z",
    "\u0661\u0662\u0663.120.064.022",
    "https://host:8443",
    "https://h/\r\nX: y",
    "https://[fe80::1%a b]",
    "https://\ud800",
    "ledger:/a",
    "ledger:/\ud800",
    "ledger:/a\nb",
    "offline",
    "offline\n",
    "127.0.0.1",
    "::",
    "fe80::1%eth0",
    "fe80::1%\r\n",
    "../../etc/passwd",
    "/etc/passwd",
    "a/../b",
    "files/x",
    "\0",
    "a\0b",
    "\ud800",
    "\udcff",
    "\u202e",
    "\x1b[2J",
    "\r\n",
    "\ufeff",
    "\U0010ffff",
    "A" * 43 + "=",
    "A" * 300,
    "9" * 5000,
    "x" * 5000,
    "%s%n{0}{{ 1 }}",
    "'\"<script>",
    "&a *a",
    "!!python/name:os",
    "-----BEGIN CERTIFICATE-----",
    "-----BEGIN CERTIFICATE-----\n\ud800\n-----END CERTIFICATE-----",
    "a@b.c",
]
_OTHERS = [
    None,
    True,
    False,
    0,
    1,
    -1,
    5,
    2**31,
    2**63,
    2**64,
    -(2**63) - 1,
    10**30,
    15120064022,
    0.0,
    -0.0,
    1.5,
    1e308,
    float("inf"),
    float("-inf"),
    float("nan"),
    [],
    {},
    [[]],
    [{}],
    {"": ""},
    [None],
    {"a": {}},
    nested(30),
    nested(90),
    ["x"] * 2000,
    {str(at): at for at in range(500)},
    [["a", "b"]],
    {"name": "PROSession", "license": NUMBER},
]
# What no JSON says, but YAML and Python do.
_FOREIGN = [1 << 40000, -(1 << 40000), (), b"", b"\xff", {1: 2}, {None: None}, {(1, 2): 3}, nested(400), {1, 2}, 1j]

_LEAVES = st.one_of(
    st.sampled_from(_WORDS),
    st.sampled_from(_OTHERS),
    st.text(max_size=12),
    st.integers(),
    st.text("0123456789.-:TZ aAbB\\/", max_size=24),
)
JSON = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
ANY = st.one_of(_LEAVES, _LEAVES, JSON, st.sampled_from(_FOREIGN))


# Within something else, so that it counts as one among the choices it is put beside.
SELDOM = st.tuples(ANY).map(lambda alone: alone[0])


def mostly(usual: Any, seldom: st.SearchStrategy[Any], times: int = 8) -> st.SearchStrategy[Any]:
    """A value, and once in so many times something else."""
    # The library counts a strategy that is named twice as one; each of these is another.
    return st.one_of(*(st.just(usual).map(lambda value: value) for _time in range(times)), seldom)


def mapping(**good: Any) -> st.SearchStrategy[Any]:
    """A mapping of which some values are right, some are not, some are missing and some are too many."""
    wrong = {key: mostly(value, SELDOM, 3 + len(good)) for key, value in good.items()}
    right = [st.fixed_dictionaries(wrong, optional={"other": SELDOM}) for _time in range(3)]
    return st.one_of(*right, st.fixed_dictionaries({}, optional=wrong), SELDOM)


def batch(strategy: st.SearchStrategy[Any], size: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, min_size=size, max_size=size)


# An edit is four numbers: what is done, where, how much of it, and with what.
EDIT = st.tuples(st.integers(0, 15), st.integers(0, 65535), st.integers(0, 255), st.integers(0, 255))
Edit = tuple[int, int, int, int]

_TOKENS = [
    b"",
    b"\0",
    b"\xff",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\n",
    b"\r\n",
    b" ",
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"0",
    b"-",
    b"1e999",
    b"NaN",
    b"Infinity",
    b"null",
    b"true",
    b'"\\ud800"',
    b'"\\u0000"',
    b"9" * 5000,
    b"[" * 2000,
    b'{"a":' * 2000,
    b"\\",
    b"#",
    b"&a *a",
    b"!!int ''",
    b"!!timestamp x",
    b"!!bool x",
    b"!!float ''",
    b"!!binary x",
    b"- *x",
    b"? ",
    b"'",
    b"%",
    b"AAAA",
    b"=",
    b"-----BEGIN PRIVATE KEY-----",
    b"!!set {a}",
    b"!!omap [a]",
    b"!!python/object:os.system x",
    b"0x" + b"f" * 5000,
    b"2026-99-99",
    b"2026-01-01 99:99:99",
    b"1:99999999999999:1",
    b"<<: *x",
    b"<<: x",
    b"!!merge",
    b"!!value =",
    b"=: x",
]


def edited(data: bytes, edit: Any) -> bytes:
    """Return a file's content after an edit of its bytes."""
    kind, where, much, what = edit
    at = where % (len(data) + 1)
    token = _TOKENS[what % len(_TOKENS)]
    span = much % 40
    if kind <= 3:
        made = bytearray(data or b"\0")
        made[at % len(made)] ^= 1 << (much % 8)
        return bytes(made)
    if kind <= 5:
        return data[:at]
    if kind <= 7:
        return data[:at] + data[at + span :]
    if kind <= 9:
        return data[:at] + token + data[at:]
    if kind <= 11:
        return data[:at] + token + data[at + span :]
    if kind == 12:
        return data[: at + span] + data[at:]
    if kind == 13:
        return bytes([what]) * (much * 16) + data
    if kind == 14:
        return token * (1 + much % 3)
    return data[:at].swapcase() + data[at:]


def places(data: Any) -> list[tuple[Any, Any]]:
    """Return every part of a JSON value as ``(container, key)``."""
    found: list[tuple[Any, Any]] = []
    todo = [data]
    while todo:
        one = todo.pop()
        for key in list(one) if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ():
            found.append((one, key))
            todo.append(one[key])
    return found


_VALUES = [*_WORDS, *_OTHERS]


def rewritten(data: Any, edit: Any) -> Any:
    """Return a JSON value of which one part was replaced, removed, renamed, doubled or moved."""
    kind, where, much, what = edit
    made = copy.deepcopy(data)
    found = places(made)
    if not found:
        return _VALUES[what % len(_VALUES)]
    container, key = found[where % len(found)]
    value = _VALUES[(what + 256 * much) % len(_VALUES)]
    if kind <= 8:
        container[key] = value
    elif kind <= 10:
        del container[key]
    elif kind == 11 and isinstance(container, dict):
        container[str(value)[:100]] = container.pop(key)
    elif kind == 12 and isinstance(container, dict):
        container[str(value)[:100]] = container[key]
    elif kind == 13:
        other, there = found[much % len(found)]
        container[key] = copy.deepcopy(other[there]) if there in other or isinstance(other, list) else value
    elif kind == 14:
        container[key] = [container[key]]
    else:
        container[key] = str(container[key])
    return made


def text_of(data: Any) -> bytes:
    """Return a JSON value as a file's content, with all that Python's own JSON can say."""
    return json.dumps(data).encode()


def broken(data: bytes, edits: list[Any]) -> Iterator[bytes]:
    """Yield a JSON file once per edit, with bytes changed or with parts changed."""
    parsed = json.loads(data)
    for at, edit in enumerate(edits):
        if at % 2:
            yield edited(data, edit)
        else:
            changed = text_of(rewritten(parsed, edit))
            yield _with_repeated_key(changed) if edit[2] == 0 else changed


def _with_repeated_key(data: bytes) -> bytes:
    begin, comma, rest = data.partition(b", ")
    return begin + comma + begin.lstrip(b"{") + comma + rest
