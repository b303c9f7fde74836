# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks up activation codes in the variable that declares them, so that no task has them as arguments.

Ansible may show a task's arguments before the collection's code runs: in the task's header, to callbacks, in the log of
a rescue.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import parse_number

CODE = "activation_code"
# What an entry of licenses may say of its code by itself; anything else wraps one.
_PLAIN = (str, int, float, bool, list, dict, type(None))


def with_codes(licenses: Any, declared: Any) -> Any:
    """Return licenses with the codes that are declared for their numbers; codes that they have are kept.

    :param licenses: as in a task; anything but a list of mappings is returned unchanged, and refused later
    :param declared: a list of ``{number, activation_code}``; unreadable entries are skipped
    """
    if not isinstance(licenses, (list, tuple)):
        return licenses
    codes = {}
    for entry in declared if isinstance(declared, (list, tuple)) else ():
        if isinstance(entry, Mapping) and entry.get(CODE) is not None:
            code = entry[CODE]
            with contextlib.suppress(LicensingError):
                codes[parse_number(entry.get("number"))] = code if isinstance(code, _PLAIN) else str(code)
    return [_with_code(entry, codes) for entry in licenses]


def without_codes(licenses: Any, numbers: Collection[str]) -> Any:
    """Return licenses, those with these numbers without their codes.

    :param licenses: as a task gives them, and as they were read without a refusal
    """
    return [
        {key: value for key, value in entry.items() if key != CODE or parse_number(entry["number"]) not in numbers}
        for entry in licenses
    ]


def _with_code(entry: Any, codes: Mapping[str, Any]) -> Any:
    if not isinstance(entry, Mapping) or entry.get(CODE) is not None:
        return entry
    with contextlib.suppress(LicensingError):
        number = parse_number(entry.get("number"))
        if number in codes:
            return {**entry, CODE: codes[number]}
    return entry
