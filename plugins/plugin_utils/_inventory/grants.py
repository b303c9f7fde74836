# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grants of rehearsal licenses that an inventory declares: type, seats and days."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import (
    read_numbers,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    LicensingError,
    Problem,
    problems_of,
    redact,
    refuse,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import (
    date_after,
    now_utc,
    parse_seats,
    parse_type,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import (
    GRANTED,
    GRANTS,
    HostVariables,
)

# A number from the command line is a string.
_GRANTS: Mapping[str, Callable[[Any, str], object]] = {
    "type": parse_type,
    "seats": lambda value, where: parse_seats(_number(value), where),
    "days": lambda value, where: date_after(now_utc().date(), _number(value), where),
}


def _number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20 else value


def read_grants(grants: object, where: str) -> dict[str, dict[str, Any]]:
    """Return the grants of rehearsal licenses by license number; refuse with every problem at once."""
    todo = "Write {number: {type: ..., seats: ..., days: ...}}; each of the three keys is optional."
    if not isinstance(grants, Mapping):
        raise refuse("The grants of the rehearsal licenses are not a mapping.", where, todo)
    problems: list[Problem] = []
    for number, granted in grants.items():
        place = f"{where} of license {redact(str(number))}"
        if not isinstance(granted, Mapping):
            problems.append(Problem("The grants of the license are not a mapping.", place, todo))
            continue
        unknown = sorted(redact(str(key)) for key in granted if key not in GRANTED)
        if unknown:
            known = f"Known keys are {', '.join(GRANTED)}."
            problems.append(Problem(f"Unknown key {', '.join(unknown)}.", place, known))
        checks = [partial(_GRANTS[key], granted[key], place) for key in GRANTED if key in granted]
        problems += problems_of(checks)
    try:
        numbers = read_numbers(list(grants), where)
    except LicensingError as error:
        raise LicensingError([*error.problems, *problems]) from None
    if problems:
        raise LicensingError(problems)
    return {number: dict(granted) for number, granted in zip(numbers, grants.values())}


def check_grants(targets: Sequence[str], hosts: Mapping[str, HostVariables], declared: Iterable[str]) -> list[Problem]:
    """Return the problems of grants for licenses that no target declares; pairs may share the variable."""
    problems: list[Problem] = []
    known = sorted(set(declared))
    for target in targets:
        where = hosts[target].where(GRANTS)
        try:
            numbers = read_grants(hosts[target].get(GRANTS, {}), where)
        except LicensingError as error:
            problems += [problem for problem in error.problems if problem.where not in hosts[target].unresolved]
            continue
        for number in numbers:
            if number not in known:
                near = difflib.get_close_matches(number, known, 1)
                todo = f"Did you mean {near[0]}?" if near else "Correct the number, or remove it."
                problems.append(Problem(f"License {number} is declared for no target.", where, todo))
    return problems
