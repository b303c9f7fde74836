# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values in words, for the pages and tables that a person looks at."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any

DASH = "\N{EN DASH}"
_ISO_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::\d\d(?:\.\d+)?)?Z")


def in_words(value: object, keep: str = "") -> str:
    """Any value in words. Unprintable characters (terminal escapes, bidi overrides, lone surrogates) are replaced."""
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        return value.strftime("%Y-%m-%d %H:%M UTC")
    if isinstance(value, (list, tuple)):
        return ", ".join(in_words(item) for item in value) or DASH
    text = "".join(c if c.isprintable() or c in keep else "\N{REPLACEMENT CHARACTER}" for c in str(value))
    return text if text.strip() else DASH


def time_in_words(value: object) -> str:
    """2026-11-21T19:00:00Z as a person writes it; anything else as it stands."""
    text = in_words(value)
    match = _ISO_TIME.fullmatch(text)
    return f"{match[1]} {match[2]} UTC" if match else text


def day_of(value: object) -> str:
    return time_in_words(value)[:10]


def as_map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def as_list(value: object) -> list[Any]:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else []


def as_maps(value: object) -> list[Mapping[str, Any]]:
    return [item for item in as_list(value) if isinstance(item, Mapping)]


def as_int(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def part_of(part: object, whole: object) -> str:
    return DASH if part is None and whole is None else f"{in_words(part)} of {in_words(whole)}"


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration_in_words(seconds: object) -> str:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds < 1e9:
        return DASH
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def address_in_words(value: object) -> str:
    """The authority's address without the user and password an URL may carry."""
    return re.sub(r"(?<=//)[^/?#]*@", "", in_words(value))
