# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The licenses and profiles that the inventory declares for a host. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable

from .errors import LicensingError, Problem, quoted, redact, refuse
from .model import MACHINE, NODELOCKS, Profile, free_name, parse_code, parse_date, parse_number, parse_profile


@dataclass(frozen=True)
class DeclaredLicense:
    """A license as the inventory declares it for a host.

    :ivar activation_code: None if no request is to be made; a pending exchange is still finished
    :ivar transfers_spent: the days of earlier transfers that no ledger of ours knows, as ISO dates
    :ivar source: the host that it comes from; None for the one that its target names for all
    """

    number: str
    activation_code: str | None = field(repr=False)
    profile: str | None = None
    default: bool = False
    nodelock: str = MACHINE
    transfers_spent: tuple[str, ...] = ()
    source: str | None = None


def read_declared_licenses(entries: object, where: str, without_codes: bool = False) -> tuple[DeclaredLicense, ...]:
    """Read the declared licenses of a host.

    :param entries: a list of ``{number, activation_code, profile, default, nodelock}``
    :param without_codes: whether the codes are optional
    :raises LicensingError: entries are invalid; lists all problems
    """
    if not isinstance(entries, (list, tuple)):
        raise refuse(
            f"The declared licenses are a {type(entries).__name__}, not a list.",
            where,
            "Declare a list of {number, activation_code, profile, default}.",
        )
    licenses: list[DeclaredLicense] = []
    problems: list[Problem] = []
    for at, entry in enumerate(entries):
        try:
            licenses.append(_read_license(entry, f"{where}[{at}]", without_codes))
        except LicensingError as error:
            problems.extend(error.problems)
    problems.extend(_repeats([license.number for license in licenses], "License", "declared", where))
    names = [license.profile for license in licenses if license.profile]
    problems.extend(_repeats(names, "Profile", "claimed by licenses", where))
    if problems:
        raise LicensingError(problems)
    return tuple(licenses)


def read_numbers(entries: object, where: str) -> tuple[str, ...]:
    """Read a list of license numbers.

    :raises LicensingError: numbers are invalid or repeated; lists all problems
    """
    numbers: list[str] = []
    problems: list[Problem] = []
    for at, entry in enumerate(entries if isinstance(entries, (list, tuple)) else [entries]):
        try:
            numbers.append(parse_number(entry, f"{where}[{at}]"))
        except LicensingError as error:
            problems.extend(error.problems)
    problems.extend(_repeats(numbers, "License", "listed", where))
    if problems:
        raise LicensingError(problems)
    return tuple(numbers)


SPENT = "transfers_spent"
SOURCE = "source"
_LICENSE_KEYS = {"number", "activation_code", "profile", "default", "nodelock", SOURCE, SPENT}


def _read_license(entry: object, where: str, without_code: bool) -> DeclaredLicense:
    if not isinstance(entry, Mapping):
        raise refuse(
            "A declared license is not a mapping.", where, "Write {number: ..., activation_code: ..., profile: ...}."
        )
    problems: list[Problem] = []
    unknown = sorted(redact(key) if isinstance(key, str) else quoted(key) for key in entry if key not in _LICENSE_KEYS)
    if unknown:
        problems.append(
            Problem(f"Unknown key {', '.join(unknown)}.", where, f"Known keys are {', '.join(sorted(_LICENSE_KEYS))}.")
        )
    values: dict[str, Any] = {"activation_code": None}
    readers: dict[str, Callable[[object, str], object]] = {"number": parse_number}
    if not without_code or entry.get("activation_code") is not None:
        readers["activation_code"] = parse_code
    if entry.get("profile") is not None:
        readers["profile"] = parse_profile
    if entry.get(SPENT) is not None:
        readers[SPENT] = _read_days
    if entry.get(SOURCE) is not None:
        readers[SOURCE] = _read_host
    for key, reader in readers.items():
        try:
            values[key] = reader(entry.get(key), f"{where}.{key}")
        except LicensingError as error:
            problems.extend(error.problems)
    nodelock = entry.get("nodelock") or MACHINE
    if nodelock not in NODELOCKS:
        problems.append(
            Problem(f"{quoted(nodelock)} is not a nodelock.", f"{where}.nodelock", "Use machine or personal.")
        )
    default = entry.get("default")
    if default is not None and not isinstance(default, bool):
        problems.append(
            Problem(f"{quoted(default)} is neither true nor false.", f"{where}.default", "Use true or false.")
        )
    if problems:
        raise LicensingError(problems)
    return DeclaredLicense(nodelock=nodelock, default=bool(default), **values)


def _read_days(days: object, where: str) -> tuple[str, ...]:
    if not isinstance(days, (list, tuple)):
        raise refuse(f"{quoted(days)} is not a list of days.", where, "Write a list of dates, such as [2026-03-01].")
    return tuple(sorted({parse_date(day, where) for day in days}))


def _read_host(host: object, where: str) -> str:
    if not isinstance(host, str) or not host:
        raise refuse(f"{quoted(host)} is not the name of a host.", where, "Name a host of the inventory.")
    return host


def _repeats(names: Iterable[str], noun: str, verb: str, where: str) -> list[Problem]:
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
    return [
        Problem(f"{noun} {name} is {verb} {count} times.", where, "Keep one of them.")
        for name, count in seen.items()
        if count > 1
    ]


def read_profiles(entries: object, where: str, known: Iterable[str] | None = None) -> tuple[Profile, ...]:
    """Read declared profiles ``[{name, license, default}]``.

    :param known: license numbers that a profile may name; None allows any number
    :raises LicensingError: profiles are invalid or repeated; lists all problems
    """
    if not isinstance(entries, (list, tuple)):
        raise refuse("The declared profiles are not a list.", where, "Declare a list of {name, license, default}.")
    numbers = None if known is None else set(known)
    profiles: list[Profile] = []
    problems: list[Problem] = []
    for at, entry in enumerate(entries):
        place = f"{where}[{at}]"
        try:
            data = entry if isinstance(entry, Mapping) else {}
            profile = Profile(
                parse_profile(data.get("name"), f"{place}.name"),
                parse_number(data.get("license"), f"{place}.license"),
                data.get("default") is True,
            )
        except LicensingError as error:
            problems.extend(error.problems)
            continue
        if numbers is not None and profile.license not in numbers:
            problems.append(
                Problem(
                    f"Profile {profile.name} names license {profile.license}, which is not installed.",
                    place,
                    "Install the license first, or name an installed license.",
                )
            )
        profiles.append(profile)
    problems.extend(_repeats([p.name for p in profiles], "Profile", "declared", where))
    if problems:
        raise LicensingError(problems)
    return tuple(profiles)


def check_names(profiles: Iterable[Profile], where: str = "profiles") -> None:
    """Refuse profiles that share a name."""
    problems = _repeats([profile.name for profile in profiles], "Profile", "declared", where)
    if problems:
        raise LicensingError(problems)


def keep_profiles(
    current: Sequence[Profile], licenses: Sequence[DeclaredLicense], further: Sequence[Profile]
) -> tuple[Profile, ...]:
    """Return the current profiles in their order, followed by profiles for declared licenses that have none.

    If a declared name already belongs to a profile of another license, that profile keeps it, and the declared license
    gets a free name.
    """
    names, having = {profile.name for profile in current}, {profile.license for profile in current}
    declared = named(licenses, further)
    made = [profile for profile in declared if profile.name not in names and profile.license not in having]
    for license in licenses:
        if license.number not in having and all(profile.license != license.number for profile in made):
            made.append(Profile(free_name(current, made, declared), license.number, license.default))
    return (*current, *made)


@dataclass(frozen=True)
class Place:
    """A place in the order of a host's declared profiles.

    :ivar name: None for a license without a declared profile
    """

    license: str
    name: str | None = None


def in_places(profiles: Sequence[Profile], places: Sequence[Place]) -> tuple[Profile, ...]:
    """Put profiles into the declared order: a license's undeclared ones beside its own, those of others below."""
    own = {place.license: at for at, place in reversed(list(enumerate(places)))}
    at_name = {place.name: at for at, place in enumerate(places) if place.name is not None}

    def key(profile: Profile) -> tuple[int, bool]:
        at = at_name.get(profile.name)
        return (at, False) if at is not None else (own.get(profile.license, len(places)), True)

    return tuple(sorted(profiles, key=key))


def read_places(entries: Sequence[Mapping[str, Any]], where: str) -> tuple[Place, ...]:
    """Read the order of declared profiles, ``[{license, name}]``.

    :raises LicensingError: a number or a name is invalid
    """
    return tuple(
        Place(
            parse_number(entry.get("license"), f"{where}[{at}].license"),
            None if entry.get("name") is None else parse_profile(entry.get("name"), f"{where}[{at}].name"),
        )
        for at, entry in enumerate(entries)
    )


def named(licenses: Sequence[DeclaredLicense], further: Sequence[Profile]) -> list[Profile]:
    """Return the profiles that are declared by name: those of the licenses first, then further ones."""
    own = [Profile(license.profile, license.number, license.default) for license in licenses if license.profile]
    return [*own, *further]
