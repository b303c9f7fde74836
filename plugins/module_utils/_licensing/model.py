# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of the domain: parsing, validation, comparison and rendering; no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from enum import Enum
from typing import Any

from .errors import hint, hint_of_ascii, refuse, shown

_NUMBER = re.compile(r"[0-9]{3}(?:\.[0-9]{3}){3}\Z")
# Documentation shows 5 groups of 5 characters (Linux) and of 6 (Windows dialogs); both are accepted.
_CODE = re.compile(r"(?:[A-Za-z0-9]{5}(?:-[A-Za-z0-9]{5}){4}|[A-Za-z0-9]{6}(?:-[A-Za-z0-9]{6}){4})\Z")
_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\- ]{0,63}\Z")
_USER = re.compile(r"[^\\\s\x00-\x1f/]{1,64}\\[^\\\x00-\x1f/]{1,64}\Z")

_FIRST_YEAR, _LAST_YEAR = 1970, 9000
# A hundred years, and a week in seconds.
_DAYS, _LONGEST = 36_500, 604_800

MACHINE = "machine"
PERSONAL = "personal"
NODELOCKS = (MACHINE, PERSONAL)

ACTIVATE = "activate"
DEACTIVATE = "deactivate"
UPDATE = "update"
QUOTE = "quote"
ACTIONS = (ACTIVATE, DEACTIVATE, UPDATE, QUOTE)
# Of a request in a format that is not public.
UNKNOWN = "unknown"


class Word(str, Enum):
    """A value that is written as its own word, in results as in messages."""

    def __str__(self) -> str:
        return str(self.value)


def parse_number(text: object, where: str = "license number") -> str:
    """Return the license number ``aaa.bbb.ccc.ddd`` in its one form, or refuse.

    The twelve digits without dots, as the license file is named, are accepted too.
    """
    # A number that lost its quotes has twelve digits at most; Python refuses to write very large ones.
    small = isinstance(text, int) and 0 <= text < 10**12
    raw = str(text).strip() if isinstance(text, str) or small else ""
    if re.fullmatch(r"[0-9]{12}", raw):
        raw = ".".join(raw[at : at + 3] for at in range(0, 12, 3))
    if not _NUMBER.match(raw):
        raise refuse(
            f"{shown(text)} is not a license number.",
            where,
            f"Write it as four groups of three digits, such as 015.120.064.022, in quotes.{hint_of_ascii(text)}",
        )
    return raw


def digits(number: str) -> str:
    """Return the twelve digits that name the files of a license."""
    return number.replace(".", "")


def parse_code(text: object, where: str = "activation code") -> str:
    """Return the activation code in upper case, or refuse without repeating it."""
    raw = text.strip() if isinstance(text, str) else ""
    if not _CODE.match(raw):
        raise refuse(
            "The activation code is not five groups of 5 or 6 letters and digits.",
            where,
            "Copy the code again as it was supplied, such as AAAAA-BBBBB-CCCCC-DDDDD-EEEEE (yours is not shown)."
            + hint_of_ascii(text),
        )
    return raw.upper()


def parse_profile(text: object, where: str = "profile") -> str:
    """Return the profile name, or refuse."""
    # A code in the place of a name would be shown wherever profiles are.
    if not isinstance(text, str) or not _PROFILE.match(text) or text != text.strip() or _CODE.match(text):
        raise refuse(
            f"{shown(text)} is not a profile name.",
            where,
            "Use 1 to 64 letters, digits, blanks, '.', '_' or '-', beginning with a letter or digit."
            + hint_of_ascii(text),
        )
    return text


def parse_user(text: object, where: str = "registered user") -> str:
    """Return a registered user of the form ``DOMAIN\\user`` (docs/domain.md#registered-users), or refuse."""
    if not isinstance(text, str) or not _USER.match(text) or not text.isprintable():
        raise refuse(f"{shown(text)} is not a registered user.", where, f"Write it as DOMAIN\\user.{hint(text)}")
    return text


def parse_date(text: object, where: str) -> str:
    """Return an ISO calendar date ``YYYY-MM-DD``, or refuse."""
    try:
        made = date.fromisoformat(str(text)).isoformat()
        # Python 3.11 and later read other ISO forms too, such as 20260101.
        if made != str(text):
            raise ValueError("another form")
        return made
    except ValueError:
        raise refuse(f"{shown(text)} is not a date.", where, "Write it as YYYY-MM-DD.") from None


def date_after(day: date, days: object, where: str) -> str:
    """Return the ISO date so many days later, or refuse what is no number of days that a license may last."""
    if not isinstance(days, int) or isinstance(days, bool) or not 0 <= days <= _DAYS:
        raise refuse(f"{shown(days)} is not a number of days.", where, f"Use a whole number from 0 to {_DAYS}.")
    return (day + timedelta(days=days)).isoformat()


def parse_seconds(seconds: object, where: str) -> float:
    """Return how long to wait, or refuse: what is not a number would be waited for without an end."""
    usual = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    # Not a number compares false with anything.
    if not usual or not 0 <= float(str(seconds)) <= _LONGEST:
        raise refuse(f"{shown(seconds)} is not a time to wait.", where, f"Give 0 to {_LONGEST} seconds, a week.")
    return float(str(seconds))


def parse_seats(seats: object, where: str) -> int:
    """Return a number of seats, or refuse."""
    if not isinstance(seats, int) or isinstance(seats, bool) or not 1 <= seats <= 1_000_000:
        raise refuse(f"{shown(seats)} is not a number of seats.", where, "Use a whole number from 1 to 1000000.")
    return seats


def parse_type(kind: object, where: str) -> str:
    """Return a license's type, or refuse."""
    if not isinstance(kind, str) or not 1 <= len(kind) <= 100 or not kind.isprintable():
        raise refuse(f"{shown(kind)} is not a license type.", where, f"Use up to 100 printable characters.{hint(kind)}")
    return kind


def now_utc() -> datetime:
    """Return the current time, UTC, to the second."""
    return datetime.now(timezone.utc).replace(microsecond=0)


def render_time(moment: datetime) -> str:
    """Render a UTC time as ``YYYY-MM-DDTHH:MM:SSZ``."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: object, where: str) -> datetime:
    """Return the time that :func:`render_time` wrote, or refuse."""
    try:
        made = datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
        # A rule's window has to fit in before and after; other ways to write a time are not ours.
        if not _FIRST_YEAR <= made.year <= _LAST_YEAR or render_time(made) != text:
            raise ValueError("another form")
        return made
    except ValueError:
        raise refuse(f"{shown(text)} is not a time.", where, "It should read YYYY-MM-DDTHH:MM:SSZ.") from None


@dataclass(frozen=True)
class License:
    """What a license grants, as its signed license file says.

    :ivar number: ``aaa.bbb.ccc.ddd``
    :ivar type: as the overview shows it, such as ``AIMMS - PRO Server``
    :ivar seats: how many may be in use at once, at least 1
    :ivar start, expiry, maintenance_expiry: ISO dates; the license is valid from start to the end of expiry
    :ivar var: whether it is a VAR license
    :ivar code_key: the public half of the key that the activation code yields, base64
    """

    number: str
    type: str
    seats: int
    start: str
    expiry: str
    maintenance_expiry: str
    var: bool
    code_key: str

    def problem_on(self, day: date) -> str | None:
        """Say why the license is not valid on a day, or None if it is."""
        if day < date.fromisoformat(self.start):
            return f"is not valid before {self.start}"
        if day > date.fromisoformat(self.expiry):
            return f"expired on {self.expiry}"
        return None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str) -> License:
        """Read a license from a document's body, or refuse."""
        seats, kind = parse_seats(data.get("seats"), where), parse_type(data.get("type"), where)
        made = cls(
            number=parse_number(data.get("number"), where),
            type=kind,
            seats=seats,
            start=parse_date(data.get("start"), f"{where}, start"),
            expiry=parse_date(data.get("expiry"), f"{where}, expiry"),
            maintenance_expiry=parse_date(data.get("maintenance_expiry"), f"{where}, maintenance expiry"),
            var=data.get("var") is True,
            code_key=str(data.get("code_key", "")),
        )
        if made.start > made.expiry:
            raise refuse(
                f"License {made.number} expires on {made.expiry}, before it starts on {made.start}.",
                where,
                "Correct the two dates.",
            )
        return made


@dataclass(frozen=True)
class Profile:
    """A name under which clients ask for a license; several may share one license.

    :ivar default: clients that name no profile take the first valid default, top to bottom (docs/domain.md#profiles)
    """

    name: str
    license: str
    default: bool = False


def arrange_profiles(current: Sequence[Profile], wanted: Sequence[Profile], purge: bool = False) -> tuple[Profile, ...]:
    """Put the wanted profiles first, in their order, and keep or drop the others.

    A license whose wanted profile has another name is thereby renamed: the profiles that this license had are
    replaced by those wanted for it. Profiles of licenses that nothing is wanted for stay, below.
    """
    names = {profile.name for profile in wanted}
    licenses = {profile.license for profile in wanted}
    rest = () if purge else tuple(p for p in current if p.name not in names and p.license not in licenses)
    return tuple(wanted) + rest


def free_name(*taken: Sequence[Profile]) -> str:
    """Return an abstract name for the profile of a license that none is declared for."""
    # An abstract name, to be renamed afterwards (docs/domain.md#migration-by-hand).
    names = {profile.name for profiles in taken for profile in profiles}
    at = 1
    while f"Profile{at}" in names:
        at += 1
    return f"Profile{at}"


@dataclass(frozen=True)
class TransferRule:
    """How often a nodelock may move: at most ``limit`` times within any ``window``."""

    limit: int
    window: timedelta


# docs/domain.md#nodelock-rules
TRANSFER_RULES: Mapping[str, TransferRule] = {
    MACHINE: TransferRule(3, timedelta(days=365)),
    PERSONAL: TransferRule(3, timedelta(hours=24)),
}


@dataclass(frozen=True)
class Account:
    """The transfers that a license has spent, as of some time, under the rule of its nodelock."""

    nodelock: str
    times: tuple[datetime, ...] = ()

    @property
    def rule(self) -> TransferRule:
        return TRANSFER_RULES[self.nodelock]

    def within(self, now: datetime) -> tuple[datetime, ...]:
        """The transfers that still count, oldest first. One that is exactly a window old counts no more."""
        return tuple(sorted(moment for moment in self.times if moment > now - self.rule.window))

    def left(self, now: datetime) -> int:
        """How many transfers may still be spent now."""
        return max(0, self.rule.limit - len(self.within(now)))

    def returns(self, now: datetime) -> datetime | None:
        """When the next transfer comes back, or None if none is spent."""
        counting = self.within(now)
        return counting[0] + self.rule.window if counting else None

    def as_dict(self, now: datetime) -> dict[str, Any]:
        """Give the account as the overview's ``transfers``: limit, window_seconds, spent, left, returns."""
        returns = self.returns(now)
        return {
            "limit": self.rule.limit,
            "window_seconds": int(self.rule.window.total_seconds()),
            "spent": [render_time(moment) for moment in self.within(now)],
            "left": self.left(now),
            "returns": render_time(returns) if returns else None,
        }

    @classmethod
    def from_dict(cls, nodelock: str, data: object, where: str) -> Account:
        """Read the account that an authority signed."""
        spent = data.get("spent") if isinstance(data, Mapping) else None
        if not isinstance(spent, list) or len(spent) > 1000:
            raise refuse("The account of transfers is unreadable.", where, "Ask the authority again.")
        return cls(nodelock, tuple(parse_time(text, where) for text in spent))


def parse_version(text: str) -> tuple[int, ...]:
    """Return the release part of a version, such as (1, 2, 0), for comparison."""
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", text)
    return tuple(int(part) for part in found.group().split(".")) if found else ()
