# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client's list of licenses: known lines are added, moved and removed, and every other byte stays."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client_entries import (
    ABSENT,
    FIRST,
    PRESENT,
    Change,
    EntryList,
    parse_entry,
    parse_server,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from hypothesis import given, settings
from hypothesis import strategies as st

OLD, NEW = "old.example.com:3400", "new.example.com:3400"
# What the documentation shows: tabs or blanks, license files and servers (docs/domain.md).
DOCUMENTED = (
    b"1\tlocal\t015120001005.lic\r\n"
    b"1\tnetwork\told.example.com:3400\r\n"
    b"# k\xfcnftig\r\n"
    b"0  network  OLD.example.com:3400,Client  \xff x\r\n"
    b"1 network other:3400\r\n"
)


def change(*entries: str, state: str = PRESENT, like: str | None = None) -> Change:
    return Change.read(entries, state, like)


def changed(content: bytes, made: Change, end: bytes = b"\n") -> bytes:
    return EntryList.read(content, "licenses.cfg").changed(made, end).content


def refusal(*arguments: Any) -> str:
    with pytest.raises(LicensingError) as refused:
        Change.read(*arguments)
    return str(refused.value)


def test_the_lines_of_a_server_are_copied_for_another_below_them_with_whatever_they_have() -> None:
    after = changed(DOCUMENTED, change(NEW, like=OLD))
    added = b"1\tnetwork\tnew.example.com:3400\r\n0  network  new.example.com:3400,Client  \xff x\r\n"
    at = DOCUMENTED.index(b"1 network other")
    assert after == DOCUMENTED[:at] + added + DOCUMENTED[at:]
    assert changed(after, change(NEW, like=OLD)) == after


def test_the_copies_may_stand_first() -> None:
    after = changed(DOCUMENTED, change(NEW, state=FIRST, like=OLD))
    added = b"1\tnetwork\tnew.example.com:3400\r\n0  network  new.example.com:3400,Client  \xff x\r\n"
    assert after == added + DOCUMENTED
    assert changed(after, change(NEW, state=FIRST, like=OLD)) == after


def test_an_entry_that_is_there_is_moved_with_its_line_as_it_is() -> None:
    after = changed(DOCUMENTED, change("other:3400", state=FIRST))
    assert after == b"1 network other:3400\r\n" + DOCUMENTED.replace(b"1 network other:3400\r\n", b"")


def test_a_server_stands_for_its_entries_where_they_are_removed_and_a_profile_for_its_own() -> None:
    kept = b"1\tlocal\t015120001005.lic\r\n# k\xfcnftig\r\n1 network other:3400\r\n"
    assert changed(DOCUMENTED, change(OLD, state=ABSENT)) == kept
    assert b"old.example.com:3400\r\n" in changed(DOCUMENTED, change(f"{OLD},Client", state=ABSENT))
    assert b"OLD" not in changed(DOCUMENTED, change(f"{OLD},Client", state=ABSENT))
    assert changed(DOCUMENTED, change("elsewhere:3400", state=ABSENT)) == DOCUMENTED


def test_a_new_entry_has_the_documented_form_and_stands_below_all_entries() -> None:
    assert changed(b"", change(NEW)) == b"1\tnetwork\tnew.example.com:3400\n"
    assert changed(b"", change(NEW), b"\r\n") == b"1\tnetwork\tnew.example.com:3400\r\n"
    after = changed(DOCUMENTED + b"# the end", change(f"{NEW},PROSession"))
    assert after == DOCUMENTED + b"1\tnetwork\tnew.example.com:3400,PROSession\r\n# the end"


def test_a_list_without_an_end_of_its_last_line_has_none_afterwards() -> None:
    assert changed(b"1\tnetwork\ta:1", change("b:2")) == b"1\tnetwork\ta:1\n1\tnetwork\tb:2"
    assert changed(b"1 local x.lic\r\n1 network a:1", change("b:2", like="a:1")) == (
        b"1 local x.lic\r\n1 network a:1\r\n1 network b:2"
    )


def test_a_byte_order_mark_stays_in_front() -> None:
    mark = b"\xef\xbb\xbf"
    assert changed(mark + b"1 network a:1\n", change("b:2", state=FIRST)).startswith(mark + b"1\tnetwork\tb:2\n1 ")
    assert changed(mark + b"1 network a:1\n", change("a:1", state=ABSENT)) == mark


def test_the_same_server_is_recognised_in_another_spelling() -> None:
    content = b"1\tnetwork\tNEW.Example.COM:3400\n"
    assert changed(content, change(NEW)) == content
    assert changed(b"1\tnetwork\t[::1]:3400,A\n", change("[0::1]:3400", state=ABSENT)) == b""


@pytest.mark.parametrize(
    "line",
    [
        b"1\tnetwork\twss://user:secret@old.example.com:3400/x\n",
        b"1\tnetwork\told.example.com\n",
        b"1\tlocal\told.example.com:3400\n",
        b"x\tnetwork\told.example.com:3400\n",
        b"1\tfuture\told.example.com:3400\n",
    ],
)
def test_a_line_that_names_no_server_by_host_and_port_is_left_alone(line: bytes) -> None:
    content = b"1 local a.lic\n" + line
    assert changed(content, change(OLD, state=ABSENT)) == content
    assert changed(content, change(NEW, like=OLD)) == content


def test_what_is_shown_has_no_login_and_no_control_characters() -> None:
    shown = str(EntryList.read(b"1\tnetwork\twss://me:secret@x:1/\x1b[2J\xff\r\n", ""))
    assert "secret" not in shown and "\x1b" not in shown and "\r" not in shown
    assert shown.endswith("\\xff\n")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("1\tnetwork\told:3400\n".encode("utf-16"), "zero bytes, or is written in UTF-16"),
        (b"1\tnetwork\ta:1\n\0", "zero bytes, or is written in UTF-16"),
        (b"<licenses/>\n", "no line has a number, 'local' or 'network', and an entry"),
    ],
)
def test_what_is_no_list_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(LicensingError, match=why):
        EntryList.read(content, "licenses.cfg")


@pytest.mark.parametrize(
    "value", [None, 3400, "", "new", "new:0", "new:70000", "new:3400,", "new:3400 Client", "nëw:1", "a\n:1", "x://y:1"]
)
def test_what_is_no_entry_is_refused(value: object) -> None:
    with pytest.raises(LicensingError, match="is not an entry of a client's list"):
        parse_entry(value, "entries[0]")


def test_options_that_do_not_fit_each_other_are_refused() -> None:
    assert "No entry is named" in refusal([], PRESENT, None)
    for arguments in ([NEW, OLD], PRESENT), ([f"{NEW},Client"], PRESENT), ([NEW], ABSENT):
        assert "Lines are copied for one server" in refusal(*arguments, OLD)
    words = refusal(["new"], PRESENT, "a b")
    assert "'new' is not an entry" in words and "'a b' is not the address of a license server" in words
    assert parse_server("New.example.com", "like") == NEW


servers = st.sampled_from([OLD, NEW, "other:3400", "[::1]:3400", "10.0.0.1:3401"])
profiles = st.sampled_from(["", ",Client", ",PRO", ",x y"])
blanks = st.sampled_from([b"\t", b" ", b" \t "])
ends = st.sampled_from([b"\n", b"\r\n", b"\r"])


@st.composite
def known(draw: st.DrawFn) -> bytes:
    start = draw(st.sampled_from([b"1", b"0", b" 1"]))
    after = draw(st.sampled_from([b"", b"\tClient", b" \xe4"]))
    name = draw(st.sampled_from([b"network", b"NETWORK", b"local"]))
    entry = (draw(servers) + draw(profiles)).encode()
    return start + draw(blanks) + name + draw(blanks) + entry + after + draw(ends)


def is_list(content: bytes) -> bool:
    """Whether any line is an entry; the others may name a server in a comment."""
    return any(b"#" not in line and len(line.split()) >= 3 for line in content.splitlines())


unknown = st.builds(lambda text, end: b"#" + text.translate(None, b"\0\r\n") + end, st.binary(max_size=12), ends)
lists = st.builds(
    lambda mark, lines, last: mark + b"".join(lines) + last,
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.lists(st.one_of(known(), unknown), min_size=1, max_size=8),
    st.sampled_from([b"", b"1 network last:1", b"1\tlocal\tx.lic\n"]),
).filter(is_list)
changes = st.one_of(
    st.builds(lambda new, state: change(new, state=state, like=OLD), servers, st.sampled_from([PRESENT, FIRST])),
    st.builds(
        lambda entries, state: change(*entries, state=state),
        st.lists(
            st.builds(lambda server, rest: server + rest.replace(" ", ""), servers, profiles), min_size=1, max_size=3
        ),
        st.sampled_from([PRESENT, FIRST, ABSENT]),
    ),
)


def raws(content: bytes) -> Counter[bytes]:
    """The lines without their ends, and how often each is there."""
    return Counter(line.with_end(b"").raw for line in EntryList.read(content, "").lines)


@settings(max_examples=300, deadline=None)
@given(content=lists, made=changes)
def test_whatever_the_list_nothing_else_of_it_changes_and_a_second_call_changes_nothing(
    content: bytes, made: Change
) -> None:
    before = EntryList.read(content, "")
    after = before.changed(made, b"\n")
    assert after.content == content or raws(after.content) != raws(content) or made.state == FIRST
    # read back, it is what was meant
    again = EntryList.read(after.content, "") if after.known else after
    assert again.changed(made, b"\n").content == after.content
    unknown_before = [line.with_end(b"") for line in before.lines if not line.kind]
    assert [line.with_end(b"") for line in after.lines if not line.kind] == unknown_before
    if made.state == ABSENT:
        assert not raws(after.content) - raws(content)
        assert not any(after.has(entry) for entry in made.entries)
        assert b"".join(line.raw for line in before.lines if line in after.lines) == after.content[len(after.mark) :]
    else:
        assert not raws(content) - raws(after.content)
        if made.like is None:
            assert all(after.has(entry) for entry in made.entries)
    if made.state == PRESENT:
        kept = [line.with_end(b"") for line in after.lines]
        for line in before.lines:
            kept = kept[kept.index(line.with_end(b"")) + 1 :]
