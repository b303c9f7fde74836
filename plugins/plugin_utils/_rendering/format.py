# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values in words, for the pages and tables that a person looks at."""

from __future__ import annotations

import re

DASH = "\N{EN DASH}"
_ISO_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::\d\d(?:\.\d+)?)?Z")


def in_words(value: object, keep: str = "") -> str:
    """Return any value in words.

    Unprintable characters (terminal escapes, bidi overrides, lone surrogates) are replaced.

    :param keep: unprintable characters that stay
    """
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = "".join(c if c.isprintable() or c in keep else "\N{REPLACEMENT CHARACTER}" for c in str(value))
    return text if text.strip() else DASH


def time_in_words(value: str | None) -> str:
    """Return 2026-11-21T19:00:00Z as a person writes it; anything else as it stands."""
    text = in_words(value)
    match = _ISO_TIME.fullmatch(text)
    return f"{match[1]} {match[2]} UTC" if match else text


def day_of(value: str | None) -> str:
    return time_in_words(value)[:10]


def part_of(part: int | None, whole: int | None) -> str:
    return DASH if part is None and whole is None else f"{in_words(part)} of {in_words(whole)}"


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration_in_words(seconds: float | None) -> str:
    # Not a number compares false with anything.
    if seconds is None or not 0 <= seconds < 1e9:
        return DASH
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def address_in_words(value: str | None) -> str:
    """Return the authority's address without the user and password that an URL may carry."""
    return re.sub(r"(?<=//)[^/?#]*@", "", in_words(value))
