# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes for data from a host: each reads a value, and returns only the parts that it knows. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, Problem

_LARGE = 10**9


class WrongShape(Exception):
    """Raised for a value that does not have its shape.

    :ivar key: where it is in the result
    :ivar expected: what belongs there, in words
    """

    def __init__(self, key: str, expected: str) -> None:
        self.key, self.expected = key, expected
        super().__init__(f"{key} is not {expected}")


class Shape(Protocol):
    """What a value has to be."""

    def read(self, value: Any, key: str) -> Any:
        """Return the value without parts that the shape does not know.

        :raises WrongShape: it does not have the shape
        """


@dataclass(frozen=True)
class Text:
    """A printable text of a single line, or with ``lines`` of several.

    :ivar pattern: what the whole of it has to match
    """

    most: int = 1000
    pattern: str = ""
    lines: bool = False

    def read(self, value: Any, key: str) -> str:
        if not isinstance(value, str) or len(value) > self.most:
            raise WrongShape(key, f"a text of at most {self.most} characters")
        plain = value.replace("\n", "").replace("\t", "") if self.lines else value
        if not plain.isprintable():
            raise WrongShape(key, "a text that can be printed")
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise WrongShape(key, "a text of the right form")
        return value


@dataclass(frozen=True)
class Message:
    """A text for a person. Control characters are escaped, so that the reason of a failure stays readable."""

    most: int = 100_000

    def read(self, value: Any, key: str) -> str:
        if not isinstance(value, str):
            raise WrongShape(key, "a text")
        short = value if len(value) <= self.most else f"{value[: self.most]}…"
        return "".join(
            letter if letter.isprintable() or letter in "\n\t" else letter.encode("unicode_escape").decode()
            for letter in short
        )


@dataclass(frozen=True)
class ProblemShape:
    """A problem: what, where and what to do."""

    def read(self, value: Any, key: str) -> dict[str, str]:
        parts = ("what", "where", "todo")
        if not isinstance(value, Mapping) or not all(isinstance(value.get(part), str) for part in parts):
            raise WrongShape(key, "a problem, {what, where, todo}")
        return Problem(*(value[part] for part in parts)).as_dict()


@dataclass(frozen=True)
class Parsed:
    """A text that a parser of the core accepts, normalized if the parser returns a text."""

    parse: Callable[[object, str], object]
    expected: str

    def read(self, value: Any, key: str) -> str:
        try:
            parsed = self.parse(value, key) if isinstance(value, str) else None
        except LicensingError:
            parsed = None
        if parsed is None:
            raise WrongShape(key, self.expected)
        return parsed if isinstance(parsed, str) else str(value)


@dataclass(frozen=True)
class Whole:
    """A whole number."""

    least: int = 0
    most: int = _LARGE

    def read(self, value: Any, key: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not self.least <= value <= self.most:
            raise WrongShape(key, f"a whole number from {self.least} to {self.most}")
        return value


@dataclass(frozen=True)
class Seconds:
    """A duration in seconds."""

    def read(self, value: Any, key: str) -> float:
        usual = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not usual or not (math.isfinite(value) and 0 <= value <= _LARGE):
            raise WrongShape(key, f"a number of seconds from 0 to {_LARGE}")
        return float(value)


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def read(self, value: Any, key: str) -> bool:
        if not isinstance(value, bool):
            raise WrongShape(key, "true or false")
        return value


@dataclass(frozen=True)
class Maybe:
    """A shape, or null."""

    shape: Shape

    def read(self, value: Any, key: str) -> Any:
        return None if value is None else self.shape.read(value, key)


@dataclass(frozen=True)
class Choice:
    """A word out of a fixed list."""

    words: tuple[str, ...]

    def read(self, value: Any, key: str) -> str:
        if not isinstance(value, str) or value not in self.words:
            raise WrongShape(key, f"one of {', '.join(self.words)}")
        return value


@dataclass(frozen=True)
class ListOf:
    """A list of a shape."""

    shape: Shape
    most: int = 10_000

    def read(self, value: Any, key: str) -> list[Any]:
        if not isinstance(value, list) or len(value) > self.most:
            raise WrongShape(key, f"a list of at most {self.most} entries")
        return [self.shape.read(entry, f"{key}[{at}]") for at, entry in enumerate(value)]


@dataclass(frozen=True)
class Record:
    """A mapping with some keys; any other key is left out."""

    required: Mapping[str, Shape]
    optional: Mapping[str, Shape] = field(default_factory=dict)

    def read(self, value: Any, key: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise WrongShape(key, "a mapping")
        missing = sorted(name for name in self.required if name not in value)
        if missing:
            raise WrongShape(f"{key}.{missing[0]}" if key else missing[0], "there")
        shapes = {**self.required, **self.optional}
        return {
            name: shape.read(value[name], f"{key}.{name}" if key else name)
            for name, shape in shapes.items()
            if name in value
        }


@dataclass(frozen=True)
class MapOf:
    """A mapping from one shape to another."""

    keys: Shape
    values: Shape
    most: int = 100_000

    def read(self, value: Any, key: str) -> dict[str, Any]:
        if not isinstance(value, Mapping) or len(value) > self.most:
            raise WrongShape(key, f"a mapping of at most {self.most} entries")
        pairs = [(self.keys.read(name, f"a key of {key}"), part) for name, part in value.items()]
        return {name: self.values.read(part, f"{key}.{name}") for name, part in pairs}


@dataclass(frozen=True)
class Options:
    """The options of a module, which Ansible shows with ``-vvv``: plain values of limited depth."""

    depth: int = 6
    most: int = 10_000

    def read(self, value: Any, key: str) -> Any:
        return self._plain(value, key, self.depth)

    def _plain(self, value: Any, key: str, depth: int) -> Any:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, str):
            return Message().read(value, key)
        if depth and isinstance(value, Mapping) and len(value) <= self.most:
            pairs = [(Text().read(name, key), part) for name, part in value.items()]
            return {name: self._plain(part, f"{key}.{name}", depth - 1) for name, part in pairs}
        if depth and isinstance(value, list) and len(value) <= self.most:
            return [self._plain(part, f"{key}[{at}]", depth - 1) for at, part in enumerate(value)]
        raise WrongShape(key, "a plain value")
