# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the fields of a foreign mapping by type. A wrong field is refused by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any, Callable, TypeVar

from .errors import LicensingError, refuse

T = TypeVar("T")
# Numbers are counts and serials; longer ones cost time and memory.
_LARGEST = 1 << 63


@dataclass(frozen=True)
class Kind:
    """A kind of document.

    :ivar noun: its name, with an article
    :ivar todo: the remedy for a document of another kind
    """

    noun: str
    todo: str


@dataclass(frozen=True)
class Fields:
    """A mapping in a document.

    A missing field gets its default, or is refused without one. Null is accepted only by the ``…_or_none`` methods.
    Other fields are ignored.

    :ivar where: the document, for messages
    :ivar path: the path of the mapping in the document, such as ``licenses[2].transfers``
    """

    values: Mapping[str, Any]
    kind: Kind
    where: str
    path: str = ""

    @classmethod
    def of(cls, data: object, kind: Kind, where: str, path: str = "") -> Fields:
        """Accept a mapping. Refuse anything else."""
        if not isinstance(data, Mapping):
            raise wrong(kind, where, path or "it", "a mapping")
        return cls(data, kind, where, path)

    def has(self, name: str) -> bool:
        """Whether the field exists, even if it is null."""
        return name in self.values

    def place(self, name: str) -> str:
        """Return the place of a field, for messages."""
        return f"{self.where}, {self.path}.{name}" if self.path else f"{self.where}, {name}"

    def refused(self, name: str, expected: str) -> LicensingError:
        """Return the error for a field with a wrong value."""
        return wrong(self.kind, self.where, f"{self.path}.{name}" if self.path else name, expected)

    def text(self, name: str, default: str | None = None) -> str:
        return self._read(name, _text, "a text", default)

    def text_or_none(self, name: str) -> str | None:
        return self._read_or_none(name, _text, "a text")

    def time(self, name: str) -> str:
        """Return a date or time as text. YAML reads a date without quotes as a value of its own type."""
        return self._read(name, _time, "a date or a time", None)

    def time_or_none(self, name: str) -> str | None:
        return self._read_or_none(name, _time, "a date or a time")

    def flag(self, name: str, default: bool | None = None) -> bool:
        return self._read(name, _flag, "true or false", default)

    def flag_or_none(self, name: str) -> bool | None:
        return self._read_or_none(name, _flag, "true or false")

    def whole(self, name: str, default: int | None = None) -> int:
        """Return a whole number, at least 0."""
        return self._read(name, _whole, "a whole number", default)

    def whole_or_none(self, name: str) -> int | None:
        return self._read_or_none(name, _whole, "a whole number")

    def seconds(self, name: str) -> float:
        return self._read(name, _seconds, "a number of seconds", None)

    def seconds_or_none(self, name: str) -> float | None:
        return self._read_or_none(name, _seconds, "a number of seconds")

    def word(self, name: str, words: Callable[[str], T], expected: str) -> T:
        """Return a member of an enumeration.

        :param words: the enumeration
        """
        text = self.text(name)
        try:
            return words(text)
        except ValueError:
            raise self.refused(name, expected) from None

    def texts(self, name: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        return self._each(name, _text, "a text", default)

    def times(self, name: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        return self._each(name, _time, "a date or a time", default)

    def texts_by_name(self, name: str) -> dict[str, str | None]:
        """Return a mapping of texts, some of which may be null; empty where it is absent."""
        part = self.part_or_none(name)
        return {str(key): part.text_or_none(key) for key in part.values} if part else {}

    def part(self, name: str) -> Fields:
        return Fields.of(self._read(name, _anything, "there", None), self.kind, self.where, self._path(name))

    def part_or_none(self, name: str) -> Fields | None:
        return None if self.values.get(name) is None else self.part(name)

    def rows(self, name: str, default: tuple[Fields, ...] | None = None) -> tuple[Fields, ...]:
        if default is not None and not self.has(name):
            return default
        rows = self._read(name, _list, "a list", None)
        return tuple(Fields.of(row, self.kind, self.where, f"{self._path(name)}[{at}]") for at, row in enumerate(rows))

    def _path(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def _read(self, name: str, read: Callable[[Any], T | None], expected: str, default: T | None) -> T:
        if not self.has(name) and default is not None:
            return default
        value = read(self.values[name]) if self.has(name) else None
        if value is None:
            raise self.refused(name, expected if self.has(name) else "there")
        return value

    def _read_or_none(self, name: str, read: Callable[[Any], T | None], expected: str) -> T | None:
        return None if self.values.get(name) is None else self._read(name, read, expected, None)

    def _each(
        self, name: str, read: Callable[[Any], T | None], expected: str, default: tuple[T, ...] | None
    ) -> tuple[T, ...]:
        entries = self._read(name, _list, "a list", default)
        values = [read(entry) for entry in entries]
        for at, value in enumerate(values):
            if value is None:
                raise self.refused(f"{name}[{at}]", expected)
        return tuple(value for value in values if value is not None)


def wrong(kind: Kind, where: str, path: str, expected: str) -> LicensingError:
    """Return the error for a document of another kind, with its first wrong field.

    The message does not contain the field's value, because it may be a key.
    """
    return refuse(f"This is not {kind.noun}: {path} is not {expected}.", where, kind.todo)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _time(value: Any) -> str | None:
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return value.isoformat() if isinstance(value, date) else _text(value)


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST else None


def _seconds(value: Any) -> float | None:
    usual = isinstance(value, (int, float)) and not isinstance(value, bool)
    # Not a number compares false with anything.
    return value if usual and 0 <= value <= _LARGEST else None


def _list(value: Any) -> Any:
    return value if isinstance(value, (list, tuple)) else None


def _anything(value: Any) -> Any:
    return value
