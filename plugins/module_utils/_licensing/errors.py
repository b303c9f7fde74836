# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception that ends a command or a module with a message for a person."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Callable


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: what it is, where it was met, and what to do about it."""

    what: str
    where: str
    todo: str

    def __post_init__(self) -> None:
        for part in ("what", "where", "todo"):
            object.__setattr__(self, part, _tellable(getattr(self, part)))

    def __str__(self) -> str:
        return f"{self.what} [{self.where}] {self.todo}"

    def as_dict(self) -> dict[str, str]:
        """Give the problem as ``{what, where, todo}``."""
        return {"what": self.what, "where": self.where, "todo": self.todo}


class LicensingError(Exception):
    """One or more problems; nothing was changed by the call that raised it unless a problem says so.

    :ivar problems: every problem found, in the order of the input, never empty.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def problems_of(checks: Iterable[Callable[[], object]]) -> list[Problem]:
    """Return what all of the checks refuse, instead of the first of it alone."""
    problems: list[Problem] = []
    for check in checks:
        try:
            check()
        except LicensingError as error:
            problems.extend(error.problems)
    return problems


# Characters of a wrong value that a message repeats, and of each part of a message.
_SHOWN = 100
_TOLD = 3000


def _tellable(text: str) -> str:
    """Return a text in a length that can be read, and that every terminal and file takes.

    Half characters and what steers a terminal are written as Python writes them; lines stay lines.
    """
    short = text if len(text) <= _TOLD else f"{text[:_TOLD]}…"
    if short.isprintable():
        return short
    told = "".join(
        letter if letter.isprintable() or letter in "\n\t" else letter.encode("unicode_escape").decode()
        for letter in short
    )
    return told if len(told) <= _TOLD + 1 else f"{told[:_TOLD]}…"


# What an activation code looks like, wherever somebody pasted it (model.py).
_CODE = re.compile(r"[A-Za-z0-9]{5,6}(?:-[A-Za-z0-9]{5,6}){4}")


# What stands before the @ of an address: a password, as likely as not.
_LOGIN = re.compile(r"//\S*@")


def unsecret(text: str) -> str:
    """Return a text that somebody gave without any activation code or login in it."""
    return _LOGIN.sub("//…@", _CODE.sub("…", text))


def shown(value: object) -> str:
    """Return a value that somebody gave as a message repeats it: in short, fit for a terminal, without its secrets."""
    try:
        text = repr(value)
    # Python refuses to write very large numbers, and what is nested too deep.
    except (ValueError, RecursionError):
        text = f"a {type(value).__name__}"
    text = unsecret(text[: 4 * _SHOWN])
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def refuse(what: str, where: str, todo: str) -> LicensingError:
    """Make the error for a single problem."""
    return LicensingError([Problem(what, where, todo)])


# What YAML makes of a backslash and a letter in double quotes, such as a bell, a tab, or a blank that does not break.
_ESCAPED = re.compile(r"[\x00-\x1f\x7f-\xa0\u2028\u2029]")


def hint(value: object) -> str:
    """Say how a declared value may have come to be another than somebody meant, or nothing."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return " Put it in quotes: without them, YAML reads a number, a date or a truth value."
    if _ESCAPED.search(value):
        return (
            " Put it in single quotes: in double quotes, YAML reads a backslash and a letter as another character, "
            "such as \\a as a bell. If it has no backslash, it was copied with a character that is not seen: type it."
        )
    return ""


def hint_of_ascii(value: object) -> str:
    """The same for what has letters, digits and the like only: a dash that only looks like one comes by copying."""
    strange = next((letter for letter in value if not letter.isascii()), None) if isinstance(value, str) else None
    if strange is None or _ESCAPED.match(strange):
        return hint(value)
    return f" It has the character U+{ord(strange):04X}, which was copied from a text: type the value."
