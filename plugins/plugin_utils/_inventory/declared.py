# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The licenses, profiles and users that an inventory declares for a host, and what is wrong with them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import (
    SOURCE,
    SPENT,
    read_declared_licenses,
    read_profiles,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    LicensingError,
    Problem,
    problems_of,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import (
    parse_number,
    parse_seconds,
    parse_user,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import (
    HostVariables,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.portal_options import portal_problems


def read_declared(host: HostVariables) -> tuple[list[str], list[Problem]]:
    """Return the readable numbers of a host's declared licenses, and the problems of the declaration."""
    name, further = "aims_license_server_licenses", "aims_license_server_profiles"
    declared, profiles = host.get(name), host.get(further, [])
    problems: list[Problem] = []
    if declared is None and host.where(name) not in host.unresolved:
        todo = "Declare a list of {number, activation_code, profile, default}."
        problems.append(Problem("No licenses are declared.", host.where(name), todo))
    numbers, all_read = _numbers(declared)
    checks: list[Callable[[], object]] = [
        lambda: () if declared is None else read_declared_licenses(declared, host.where(name)),
        # A profile may name the license whose number is unreadable.
        lambda: read_profiles(profiles, host.where(further), numbers if all_read else None),
    ]
    problems += problems_of(checks)
    problems += [
        Problem(f"Profile {profile} is already declared for a license.", host.where(further), "Keep one of them.")
        for profile in sorted(_values(declared, "profile") & _values(profiles, "name"))
    ]
    problems += _check_extras(host)
    return numbers, [problem for problem in problems if problem.where not in host.unresolved]


def _values(entries: object, key: str) -> set[str]:
    """Return the values of a key in declared entries, even if the entries have other problems."""
    listed = entries if isinstance(entries, (list, tuple)) else ()
    return {entry[key] for entry in listed if isinstance(entry, Mapping) and isinstance(entry.get(key), str)}


def _numbers(declared: object) -> tuple[list[str], bool]:
    """Return the readable numbers of the declared licenses, and whether all are readable."""
    if not isinstance(declared, (list, tuple)):
        return [], False
    numbers = []
    for entry in declared:
        with contextlib.suppress(LicensingError):
            numbers.append(parse_number(entry.get("number") if isinstance(entry, Mapping) else None))
    return numbers, 0 < len(numbers) == len(declared)


def _check_extras(host: HostVariables) -> list[Problem]:
    realm = host.get("aims_license_server_realm")
    checks: list[Callable[[], object]] = []
    if realm is not None:
        checks.append(lambda: Realm.from_dict(realm, host.where("aims_license_server_realm")))
    drain = host.get("aims_license_migrate_drain_seconds")
    if drain is not None:
        checks.append(lambda: _drain_seconds(drain, host.where("aims_license_migrate_drain_seconds")))
    portal, email = host.get("aims_license_server_portal"), host.get("aims_license_server_portal_email")
    return check_users(host) + problems_of(checks) + portal_problems(portal, email, realm, host.where)


def _drain_seconds(value: object, where: str) -> None:
    seconds = value
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            seconds = float(value)
    parse_seconds(seconds, where)


def check_users(host: HostVariables) -> list[Problem]:
    name = "aims_license_server_users"
    users = host.get(name, [])
    if isinstance(users, (list, tuple)):
        return problems_of([partial(parse_user, user, host.where(name)) for user in users])
    what = f"The registered users are a {type(users).__name__}, not a list."
    return [Problem(what, host.where(name), "Declare a list of DOMAIN\\user.")]


def spent_transfers(host: HostVariables) -> dict[str, list[str]]:
    """Return the declared days of earlier transfers by license number, once nothing is wrong with them."""
    declared = read_declared_licenses(host.get("aims_license_server_licenses"), "", without_codes=True)
    return {license.number: list(license.transfers_spent) for license in declared if license.transfers_spent}


def plain_declared(host: HostVariables) -> dict[str, Any]:
    """Return the declared licenses and profiles of a checked host, without activation codes."""
    licenses = [dict(license) for license in host.get("aims_license_server_licenses")]
    profiles = [dict(profile) for profile in host.get("aims_license_server_profiles", [])]
    for license in licenses:
        license.pop("activation_code")
        # Only the record of a move of the vendor's server counts them.
        license.pop(SPENT, None)
        # It has decided by now which pair the license belongs to.
        license.pop(SOURCE, None)
        license["number"] = parse_number(license["number"])
    for profile in profiles:
        profile["license"] = parse_number(profile["license"])
    return {"licenses": licenses, "profiles": profiles}


def part_of(declared: Mapping[str, Any], numbers: Sequence[str]) -> dict[str, Any]:
    """Return the part of declared licenses and profiles that belongs to some licenses."""
    return {
        "licenses": [license for license in declared["licenses"] if license["number"] in numbers],
        "profiles": [profile for profile in declared["profiles"] if profile["license"] in numbers],
    }


def order_of(declared: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the places of declared profiles in their order, those of the licenses first, as ``{license, name}``."""
    own = [{"license": license["number"], "name": license.get("profile")} for license in declared["licenses"]]
    return [*own, *({"license": profile["license"], "name": profile["name"]} for profile in declared["profiles"])]
