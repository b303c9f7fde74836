# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exception that ends a command or module with messages for a person, and helpers for these messages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Callable


@dataclass(frozen=True)
class Problem:
    """A message in three parts: what is wrong, where, and what to do next."""

    what: str
    where: str
    todo: str

    def __post_init__(self) -> None:
        for part in ("what", "where", "todo"):
            object.__setattr__(self, part, _sanitize(getattr(self, part)))

    def __str__(self) -> str:
        return f"{self.what} [{self.where}] {self.todo}"

    def as_dict(self) -> dict[str, str]:
        """Return ``{what, where, todo}``."""
        return {"what": self.what, "where": self.where, "todo": self.todo}


class LicensingError(Exception):
    """One or more problems. The call that raised it has changed nothing unless a problem says so.

    :ivar problems: all detected problems in the order of the input; never empty
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def problems_of(checks: Iterable[Callable[[], object]]) -> list[Problem]:
    """Run all checks and return all their problems, instead of only the first."""
    problems: list[Problem] = []
    for check in checks:
        try:
            check()
        except LicensingError as error:
            problems.extend(error.problems)
    return problems


# Maximum length, in characters, of a quoted value and of each part of a message.
_QUOTED = 100
_LONGEST = 3000


def _sanitize(text: str) -> str:
    """Return a text that is short enough to read and safe for every terminal and file.

    Unpaired surrogates and control characters become Python escapes. Line ends and tabs stay.
    """
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    if short.isprintable():
        return short
    escaped = "".join(
        letter if letter.isprintable() or letter in "\n\t" else letter.encode("unicode_escape").decode()
        for letter in short
    )
    return escaped if len(escaped) <= _LONGEST + 1 else f"{escaped[:_LONGEST]}…"


# An activation code anywhere in a text (see model.py).
_CODE = re.compile(r"[A-Za-z0-9]{5,6}(?:-[A-Za-z0-9]{5,6}){4}")


# The login before the @ of an address; it may contain a password.
_LOGIN = re.compile(r"//\S*@")


def redact(text: str) -> str:
    """Return a text without activation codes and logins."""
    return _LOGIN.sub("//…@", _CODE.sub("…", text))


def quoted(value: object) -> str:
    """Return an input value for a message: quoted, shortened, safe for terminals, and without secrets."""
    try:
        text = repr(value)
    # repr() fails for very large numbers and for deeply nested values.
    except (ValueError, RecursionError):
        text = f"a {type(value).__name__}"
    text = redact(text[: 4 * _QUOTED])
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"


def refuse(what: str, where: str, todo: str) -> LicensingError:
    """Return the error for a single problem."""
    return LicensingError([Problem(what, where, todo)])


# Characters that YAML makes from a backslash and a letter in double quotes, such as bell, tab or no-break space.
_ESCAPED = re.compile(r"[\x00-\x1f\x7f-\xa0\u2028\u2029]")


def hint(value: object) -> str:
    """Return a hint at a likely YAML mistake in a declared value, or an empty text."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return " Put it in quotes. Without quotes, YAML reads a number, a date or a truth value."
    if _ESCAPED.search(value):
        return (
            " Put it in single quotes. In double quotes, YAML reads a backslash and a letter as another character, "
            "such as \\a as a bell. If it has no backslash, it has an invisible character: type it instead of copying."
        )
    return ""


def hint_of_ascii(value: object) -> str:
    """Return a :func:`hint` for a value in ASCII, where a copied text may have characters that only look right."""
    strange = next((letter for letter in value if not letter.isascii()), None) if isinstance(value, str) else None
    if strange is None or _ESCAPED.match(strange):
        return hint(value)
    return f" It has the character U+{ord(strange):04X}. Type the value instead of copying it."
