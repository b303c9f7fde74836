# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of licenses of a client, ``licenses.cfg``, as bytes: known lines are changed, and nothing else.

A line has a flag, a kind (``local`` or ``network``) and an entry, separated by tabs or blanks
(docs/domain.md#list-of-licenses-of-a-client). How a line names a profile is not public. Therefore a line for another
server is made from a line of the same list, with the other address and the rest to the byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from .addresses import CLIENTS_PORT, parse_host_and_port, with_port
from .errors import LicensingError, Problem, hint, problems_of, quoted, redact, refuse

PRESENT, ABSENT, FIRST = "present", "absent", "first"
STATES = (PRESENT, ABSENT, FIRST)
# The two names in use for the file, in the folder Config (docs/domain.md#list-of-licenses-of-a-client).
NAMES = ("licenses.cfg", "license.cfg")
FOLDER = "Config"
# The file as it was before the first change has this after its name.
ORIGINAL = ".aims-original"
# The largest list, in bytes.
LIMIT = 1 << 20

# The flag of every documented line, and tabs as there.
_NEW = b"1\tnetwork\t"
_BOM = b"\xef\xbb\xbf"
_LINE = re.compile(
    rb"(?P<head>[ \t]*[0-9]+[ \t]+(?P<kind>local|network)[ \t]+)(?P<entry>[^ \t\r\n]+)(?P<tail>.*)",
    re.DOTALL | re.IGNORECASE,
)
_END = re.compile(rb"[\r\n]*\Z")


@dataclass(frozen=True)
class Entry:
    """An entry of the license server that a client asks: ``HOST:PORT``, or ``HOST:PORT,PROFILE``.

    :ivar server: host and port in normal form
    :ivar rest: what follows them, to the letter; empty for the server itself
    """

    server: str
    rest: str = ""

    def __str__(self) -> str:
        return f"{self.server}{self.rest}"

    def matches(self, other: Entry) -> bool:
        """Whether an entry of a list is meant: the very same, or any of the server if no more is named."""
        return self.server == other.server and self.rest in ("", other.rest)


def parse_entry(value: object, where: str) -> Entry:
    """Return an entry that a user names.

    :param where: the option, for messages
    :raises LicensingError: it is not ``HOST:PORT`` or ``HOST:PORT,PROFILE``
    """
    todo = f"Write HOST:PORT or HOST:PORT,PROFILE, such as new.example.com:{CLIENTS_PORT}.{hint(value)}"
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]+", value):
        raise refuse(f"{quoted(value)} is not an entry of a client's list.", where, todo)
    entry = _entry(value)
    if entry is None or entry.rest == ",":
        raise refuse(f"{quoted(value)} is not an entry of a client's list.", where, todo)
    return entry


def parse_server(value: object, where: str) -> str:
    """Return the address of a license server, ``HOST[:PORT]``, with its port; refuse anything else."""
    if isinstance(value, str):
        try:
            return with_port(*parse_host_and_port(value, CLIENTS_PORT, where))
        except (ValueError, LicensingError):
            pass
    raise refuse(
        f"{quoted(value)} is not the address of a license server.",
        where,
        f"Write HOST or HOST:PORT, such as new.example.com:{CLIENTS_PORT}.{hint(value)}",
    )


def _entry(text: str) -> Entry | None:
    """Return an entry as a list has it; None if it names no server by host and port."""
    address, comma, rest = text.partition(",")
    if not re.search(r":[0-9]{1,5}\Z", address):
        return None
    try:
        return Entry(with_port(*parse_host_and_port(address, CLIENTS_PORT, "")), comma + rest)
    except (ValueError, LicensingError):
        return None


def printable(text: str) -> str:
    """Return a part of a list for a person: without control characters, and without logins that a URL may have."""
    return "".join(
        letter if letter.isprintable() or letter == "\t" else letter.encode("unicode_escape").decode()
        for letter in redact(text)
    )


@dataclass(frozen=True)
class Change:
    """What a list shall have, or shall not have.

    :ivar entries: in their order
    :ivar like: the server whose lines are copied for the server of the only entry; None makes new lines
    """

    entries: tuple[Entry, ...]
    state: str = PRESENT
    like: str | None = None

    @classmethod
    def read(cls, entries: Sequence[object], state: str, like: object) -> Change:
        """Read the options of the module.

        :raises LicensingError: with everything that is wrong
        """
        checks = [partial(parse_entry, entry, f"entries[{at}]") for at, entry in enumerate(entries)]
        server = None if like is None else partial(parse_server, like, "like")
        problems = problems_of([*checks, *([server] if server else [])])
        if not entries:
            problems.append(Problem("No entry is named.", "entries", "List at least one HOST:PORT."))
        if problems:
            raise LicensingError(problems)
        made = cls(tuple(check() for check in checks), state, server() if server else None)
        if made.like is not None and (len(made.entries) > 1 or made.entries[0].rest or state == ABSENT):
            raise refuse(
                "Lines are copied for one server, which is named without a profile and added to the list.",
                "like",
                "Name a single HOST:PORT in entries, with state present or first, or leave like out.",
            )
        return made


@dataclass(frozen=True)
class Line:
    """A line of a list.

    :ivar raw: the whole line with its end
    :ivar kind: ``local`` or ``network``; empty of a line that is not known
    :ivar text: the third field; empty likewise
    :ivar entry: the server that the line names; None if it names none by host and port
    """

    raw: bytes
    kind: str = ""
    text: str = ""
    entry: Entry | None = None

    @classmethod
    def read(cls, raw: bytes) -> Line:
        match = _LINE.fullmatch(raw)
        if match is None:
            return cls(raw)
        kind, text = match["kind"].decode().lower(), match["entry"].decode("utf-8", errors="backslashreplace")
        return cls(raw, kind, text, _entry(text) if kind == "network" else None)

    @classmethod
    def of(cls, entry: Entry) -> Line:
        """Return a new line without an end."""
        return cls.read(_NEW + str(entry).encode())

    @property
    def end(self) -> bytes:
        match = _END.search(self.raw)
        return match[0] if match else b""

    def with_end(self, end: bytes) -> Line:
        return Line.read(self.raw[: len(self.raw) - len(self.end)] + end)

    def for_server(self, server: str) -> Line:
        """Return the line with the address of another server, and all else to the byte."""
        match = _LINE.fullmatch(self.raw)
        if match is None:
            return self
        _address, comma, rest = match["entry"].partition(b",")
        return Line.read(match["head"] + server.encode() + comma + rest + match["tail"])

    def says_the_same_as(self, other: Line) -> bool:
        """Whether both have the same entry, and the same after it."""
        mine, others = _LINE.fullmatch(self.raw), _LINE.fullmatch(other.raw)
        is_same = mine is not None and others is not None and mine["tail"].strip() == others["tail"].strip()
        return is_same and self.entry is not None and self.entry == other.entry

    def __str__(self) -> str:
        """The line without its end, for a person."""
        return printable(self.with_end(b"").raw.decode("utf-8", errors="backslashreplace"))


@dataclass(frozen=True)
class EntryList:
    """A client's list of licenses.

    :ivar lines: all of them, the known and the unknown
    :ivar mark: the byte order mark before them, if there is one
    """

    lines: tuple[Line, ...]
    mark: bytes = b""

    @classmethod
    def read(cls, content: bytes, where: str) -> EntryList:
        """Read a file.

        :param where: the file, for messages
        :raises LicensingError: it is no text in an encoding that includes ASCII, or no line of it is an entry
        """
        if b"\0" in content or content.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise refuse(
                "This is no list of licenses that can be read: it has zero bytes, or is written in UTF-16.",
                where,
                "Name the client's licenses.cfg, or save it as plain text with an editor first.",
            )
        mark = _BOM if content.startswith(_BOM) else b""
        made = cls(tuple(Line.read(raw) for raw in content[len(mark) :].splitlines(keepends=True)), mark)
        if content[len(mark) :].strip() and not made.known:
            raise refuse(
                "This is no list of licenses: no line has a number, 'local' or 'network', and an entry.",
                where,
                "Name the client's licenses.cfg. No other form of a list is documented: change it in AIMMS (License "
                "Configuration).",
            )
        return made

    @property
    def known(self) -> list[Line]:
        return [line for line in self.lines if line.kind]

    @property
    def content(self) -> bytes:
        return self.mark + b"".join(line.raw for line in self.lines)

    def has(self, entry: Entry) -> bool:
        """Whether the list has an entry, or any of its server if no more is named."""
        return any(line.entry is not None and entry.matches(line.entry) for line in self.lines)

    def changed(self, change: Change, end: bytes) -> EntryList:
        """Return the list as a change makes it; the same list if it is that already.

        :param end: the end of new lines where the list has no line to take it from
        """
        if change.state == ABSENT:
            gone = [line for line in self.lines if line.entry and any(e.matches(line.entry) for e in change.entries)]
            return replace(self, lines=tuple(line for line in self.lines if line not in gone))
        copied = [line for line in self.lines if line.entry and line.entry.server == change.like]
        if change.like is not None:
            new = [line.for_server(change.entries[0].server) for line in copied]
        else:
            new = [Line.of(entry) for entry in change.entries]
        return self._with(new, copied, change.state == FIRST, end)

    def _with(self, new: Sequence[Line], copied: Sequence[Line], is_first: bool, end: bytes) -> EntryList:
        """Return the list with lines that it may have already, below those that they were copied from or on top."""
        new = [line for at, line in enumerate(new) if not any(line.says_the_same_as(other) for other in new[:at])]
        places = [next((at for at, own in enumerate(self.lines) if own.says_the_same_as(line)), None) for line in new]
        missing = [line for line, at in zip(new, places) if at is None]
        if is_first:
            declared = [line if at is None else self.lines[at] for line, at in zip(new, places)]
            rest = [line for at, line in enumerate(self.lines) if at not in places]
            top = next((at for at, line in enumerate(rest) if line.kind), len(rest))
            ordered = [*rest[:top], *declared, *rest[top:]]
        else:
            below = copied or self.known
            last = max((at for at, line in enumerate(self.lines) if line in below), default=len(self.lines) - 1)
            ordered = [*self.lines[: last + 1], *missing, *self.lines[last + 1 :]]
        return replace(self, lines=tuple(self._ended(ordered, missing, end)))

    def _ended(self, ordered: Sequence[Line], missing: Sequence[Line], end: bytes) -> Iterator[Line]:
        """Give each line an end but the last, which has one if the list had."""
        usual = next((line.end for line in self.lines if line.end), end)
        ends_open = bool(self.lines) and not self.lines[-1].end
        for at, line in enumerate(ordered):
            if at < len(ordered) - 1:
                yield line if line.end else line.with_end(usual)
            elif line in missing:
                yield line.with_end(b"" if ends_open else line.end or usual)
            else:
                yield line

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)
