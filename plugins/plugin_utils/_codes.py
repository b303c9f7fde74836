# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Activation codes that a task does not carry: it names the variable that declares them.

What a task is given, Ansible may show before any of our code runs: in the task's header, to callbacks, in the log of a
rescue. So codes are looked up when they are needed, and stand in no task's arguments.
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
    """Return licenses, each with the code that is declared for its number, unless it has one.

    :param licenses: as a task gives them; what is no list of mappings stays as it is, to be refused later
    :param declared: a list of ``{number, activation_code}``, in which whatever cannot be read is passed over
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
