# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of the domain: parsing, validation, comparison and rendering. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from enum import Enum
from typing import Any

from .errors import hint, hint_of_ascii, quoted, refuse

_NUMBER = re.compile(r"[0-9]{3}(?:\.[0-9]{3}){3}\Z")
# Documentation shows 5 groups of 5 characters (Linux) and of 6 (Windows dialogs); both are accepted.
_CODE = re.compile(r"(?:[A-Za-z0-9]{5}(?:-[A-Za-z0-9]{5}){4}|[A-Za-z0-9]{6}(?:-[A-Za-z0-9]{6}){4})\Z")
_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\- ]{0,63}\Z")
_USER = re.compile(r"[^\\\s\x00-\x1f/]{1,64}\\[^\\\x00-\x1f/]{1,64}\Z")

_FIRST_YEAR, _LAST_YEAR = 1970, 9000
# A hundred years in days, and a week in seconds.
_DAYS, _LONGEST = 36_500, 604_800

MACHINE = "machine"
PERSONAL = "personal"
NODELOCKS = (MACHINE, PERSONAL)

ACTIVATE = "activate"
DEACTIVATE = "deactivate"
UPDATE = "update"
QUOTE = "quote"
ACTIONS = (ACTIVATE, DEACTIVATE, UPDATE, QUOTE)
# Who entered maintenance mode: a fence that left nothing to serve, or an operator.
FENCE, OPERATOR = "fence", "operator"
# Of a request in a format that is not public.
UNKNOWN = "unknown"


class Word(str, Enum):
    """An enum whose text is its value, in results and in messages."""

    def __str__(self) -> str:
        return str(self.value)


def parse_number(text: object, where: str = "license number") -> str:
    """Return the license number as ``aaa.bbb.ccc.ddd``, or refuse.

    Twelve digits without dots, as in file names, are accepted too.
    """
    # A number without quotes in YAML has at most twelve digits. str() fails for very large numbers.
    small = isinstance(text, int) and 0 <= text < 10**12
    raw = str(text).strip() if isinstance(text, str) or small else ""
    if re.fullmatch(r"[0-9]{12}", raw):
        raw = ".".join(raw[at : at + 3] for at in range(0, 12, 3))
    if not _NUMBER.match(raw):
        raise refuse(
            f"{quoted(text)} is not a license number.",
            where,
            f"Write it as four groups of three digits, such as 015.120.064.022, in quotes.{hint_of_ascii(text)}",
        )
    return raw


def digits(number: str) -> str:
    """Return the twelve digits that name the files of a license."""
    return number.replace(".", "")


def parse_code(text: object, where: str = "activation code") -> str:
    """Return the activation code in upper case, or refuse. The message does not contain the code."""
    raw = text.strip() if isinstance(text, str) else ""
    if not _CODE.match(raw):
        raise refuse(
            "The activation code is not five groups of 5 or 6 letters and digits.",
            where,
            "Copy the code again as supplied, such as AAAAA-BBBBB-CCCCC-DDDDD-EEEEE (yours is not shown)."
            + hint_of_ascii(text),
        )
    return raw.upper()


def parse_profile(text: object, where: str = "profile") -> str:
    """Return the profile name, or refuse."""
    # An activation code as a name would be shown wherever profiles are.
    if not isinstance(text, str) or not _PROFILE.match(text) or text != text.strip() or _CODE.match(text):
        raise refuse(
            f"{quoted(text)} is not a profile name.",
            where,
            "Use 1 to 64 letters, digits, spaces, '.', '_' or '-', beginning with a letter or digit."
            + hint_of_ascii(text),
        )
    return text


def parse_user(text: object, where: str = "registered user") -> str:
    """Return a registered user ``DOMAIN\\user`` (docs/domain.md#registered-users), or refuse."""
    if not isinstance(text, str) or not _USER.match(text) or not text.isprintable():
        raise refuse(f"{quoted(text)} is not a registered user.", where, f"Write it as DOMAIN\\user.{hint(text)}")
    return text


def parse_date(text: object, where: str) -> str:
    """Return an ISO calendar date ``YYYY-MM-DD``, or refuse."""
    try:
        made = date.fromisoformat(str(text)).isoformat()
        # Python 3.11 and later also accept other ISO forms, such as 20260101.
        if made != str(text):
            raise ValueError("another form")
        return made
    except ValueError:
        raise refuse(f"{quoted(text)} is not a date.", where, "Write it as YYYY-MM-DD.") from None


def date_after(day: date, days: object, where: str) -> str:
    """Return the ISO date this number of days later. Refuse an invalid number of days."""
    if not isinstance(days, int) or isinstance(days, bool) or not 0 <= days <= _DAYS:
        raise refuse(f"{quoted(days)} is not a number of days.", where, f"Use a whole number from 0 to {_DAYS}.")
    return (day + timedelta(days=days)).isoformat()


def parse_seconds(seconds: object, where: str) -> float:
    """Return a time to wait in seconds. Refuse invalid values, because NaN would wait for ever."""
    # NaN compares false with everything.
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not 0 <= seconds <= _LONGEST:
        raise refuse(
            f"{quoted(seconds)} is not a valid number of seconds.", where, f"Use 0 to {_LONGEST} seconds (a week)."
        )
    return float(seconds)


def parse_seats(seats: object, where: str) -> int:
    """Return a number of seats, or refuse."""
    if not isinstance(seats, int) or isinstance(seats, bool) or not 1 <= seats <= 1_000_000:
        raise refuse(f"{quoted(seats)} is not a number of seats.", where, "Use a whole number from 1 to 1000000.")
    return seats


def parse_type(kind: object, where: str) -> str:
    """Return the type of a license, or refuse."""
    if not isinstance(kind, str) or not 1 <= len(kind) <= 100 or not kind.isprintable():
        raise refuse(
            f"{quoted(kind)} is not a license type.", where, f"Use up to 100 printable characters.{hint(kind)}"
        )
    return kind


def is_counted_by_device(kind: str) -> bool:
    """Whether a user on a device takes one seat for any number of sessions (docs/domain.md#profiles)."""
    return kind.casefold().endswith("pro client")


def now_utc() -> datetime:
    """Return the current time, UTC, to the second."""
    return datetime.now(timezone.utc).replace(microsecond=0)


def render_time(moment: datetime) -> str:
    """Render a UTC time as ``YYYY-MM-DDTHH:MM:SSZ``."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: object, where: str) -> datetime:
    """Parse a time in the form of :func:`render_time`, or refuse."""
    try:
        made = datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
        # Adding or subtracting a rule's window must not overflow. Other forms of a time are refused.
        if not _FIRST_YEAR <= made.year <= _LAST_YEAR or render_time(made) != text:
            raise ValueError("another form")
        return made
    except ValueError:
        raise refuse(f"{quoted(text)} is not a time.", where, "Write it as YYYY-MM-DDTHH:MM:SSZ.") from None


@dataclass(frozen=True)
class License:
    """A license, as in its signed license file.

    :ivar number: ``aaa.bbb.ccc.ddd``
    :ivar type: the type in the overview, such as ``AIMMS - PRO Server``
    :ivar seats: how many may be in use at the same time, at least 1
    :ivar start: ISO date; the first valid day
    :ivar expiry: ISO date; the last valid day
    :ivar maintenance_expiry: ISO date; the last day of its maintenance
    :ivar var: whether it is a VAR license
    :ivar code_key: the public half of the key derived from the activation code, base64
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
        """Return why the license is not valid on a day; None if it is valid."""
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
    """A name that clients use to request a license. Profiles may share a license.

    :ivar default: clients without a profile get the first valid Default, from top to bottom (docs/domain.md#profiles)
    """

    name: str
    license: str
    default: bool = False


def arrange_profiles(
    current: Sequence[Profile], declared: Sequence[Profile], purge: bool = False
) -> tuple[Profile, ...]:
    """Put the declared profiles first, in their order, and keep or drop the others.

    The declared profiles of a license replace its current ones, which renames them. Profiles of licenses without a
    declared profile stay below, unless ``purge`` is set.
    """
    names = {profile.name for profile in declared}
    licenses = {profile.license for profile in declared}
    rest = () if purge else tuple(p for p in current if p.name not in names and p.license not in licenses)
    return tuple(declared) + rest


def free_name(*used: Sequence[Profile]) -> str:
    """Return an unused abstract profile name: ``Profile1``, ``Profile2``, …"""
    # The vendor's manager gives such names too (docs/domain.md#migration-by-hand).
    names = {profile.name for profiles in used for profile in profiles}
    at = 1
    while f"Profile{at}" in names:
        at += 1
    return f"Profile{at}"


@dataclass(frozen=True)
class TransferRule:
    """The limit of transfers: at most ``limit`` within any period of length ``window``."""

    limit: int
    window: timedelta


# docs/domain.md#nodelock-rules
TRANSFER_RULES: Mapping[str, TransferRule] = {
    MACHINE: TransferRule(3, timedelta(days=365)),
    PERSONAL: TransferRule(3, timedelta(hours=24)),
}


@dataclass(frozen=True)
class Account:
    """The spent transfers of a license with one kind of nodelock."""

    nodelock: str
    times: tuple[datetime, ...] = ()

    @property
    def rule(self) -> TransferRule:
        return TRANSFER_RULES[self.nodelock]

    def within(self, now: datetime) -> tuple[datetime, ...]:
        """Return the transfers that still count, oldest first. A transfer counts for less than a window."""
        return tuple(sorted(moment for moment in self.times if moment > now - self.rule.window))

    def left(self, now: datetime) -> int:
        """Return the number of transfers left."""
        return max(0, self.rule.limit - len(self.within(now)))

    def returns(self, now: datetime) -> datetime | None:
        """Return the time when the next transfer returns; None if none is spent."""
        counting = self.within(now)
        return counting[0] + self.rule.window if counting else None

    def reopens(self, now: datetime) -> datetime | None:
        """Return the time from which a transfer is left; None if one is left now."""
        counting = self.within(now)
        over = len(counting) - self.rule.limit
        return None if over < 0 else counting[over] + self.rule.window

    def as_dict(self, now: datetime) -> dict[str, Any]:
        """Return ``{limit, window_seconds, spent, left, returns}``, as ``transfers`` in the overview."""
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
        """Read the account in an authority's response."""
        spent = data.get("spent") if isinstance(data, Mapping) else None
        if not isinstance(spent, list) or len(spent) > 1000:
            raise refuse("The account of transfers is unreadable.", where, "Ask the authority again.")
        return cls(nodelock, tuple(parse_time(text, where) for text in spent))


def parse_version(text: str) -> tuple[int, ...]:
    """Return the release part of a version, such as (1, 2, 0), for comparison."""
    match = re.match(r"[0-9]+(?:\.[0-9]+)*", text)
    return tuple(int(part) for part in match.group().split(".")) if match else ()
