# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks and reads the pairs of an inventory before any host is touched."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    LicensingError,
    Problem,
    redact,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.declared import (
    check_users,
    plain_declared,
    read_declared,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.grants import check_grants
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.servers import Server, read_server
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import (
    DEFAULT_LEDGER,
    LEDGER,
    REHEARSE_AUTHORITY,
    SOURCES,
    TARGETS,
    HostVariables,
    as_text,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._places import host_problem, pair_problem


def read_pairs(
    targets: Sequence[str], hosts: Mapping[str, HostVariables], rehearsal: bool = False
) -> dict[str, dict[str, Any]]:
    """Return the pairs of an inventory by target, as plain data: ``{migrate, rollback, licenses, profiles, ledger}``.

    ``migrate`` and ``rollback`` are each ``{source, target}``, two of :class:`Server`; a rollback swaps them. The
    declared licenses and profiles are in their order, with their license numbers in the form that results have, and
    without activation codes. ``ledger`` is the authority in which a rehearsal issues its licenses.

    :param targets: the hosts of group aims_license_targets
    :param hosts: every host of the inventory
    :param rehearsal: whether to check the grants of rehearsal licenses too
    :raises LicensingError: with everything that is wrong in the whole inventory
    """
    problems: list[Problem] = []
    if not targets:
        todo = f"Put the new hosts into the group {TARGETS}, each with aims_license_migrate_source."
        problems.append(Problem(f"No host is in the group {TARGETS}.", "inventory", todo))
    servers: dict[str, tuple[Server, Server]] = {}
    claimed: dict[str, list[str]] = {}
    wrong: dict[str, list[Problem]] = {}
    numbers: dict[str, list[str]] = {}
    for target in targets:
        host = hosts[target]
        server, invalid = read_server(host, rehearsal=rehearsal)
        declared, more = read_declared(host)
        problems += invalid + more
        for number in dict.fromkeys(declared):
            numbers.setdefault(number, []).append(target)
        source = source_of(host, hosts, problems)
        if source is not None:
            claimed.setdefault(source, []).append(target)
            source_server, wrong[source] = read_server(hosts[source], rehearsal=rehearsal)
            # A rollback registers them after it has deactivated the licenses.
            wrong[source] += check_users(hosts[source])
            servers[target] = (source_server, server)
    problems += unplaceable([*targets, *claimed], [(at, target) for at in claimed for target in claimed[at]])
    for source, claimants in claimed.items():
        problems += wrong[source] if source not in targets else []
        if len(claimants) > 1:
            todo = "Give each target a source of its own."
            problems.append(Problem(f"{', '.join(claimants)} share the source {source}.", "inventory", todo))
    problems += [
        Problem(f"License {number} is declared for {' and '.join(at)}.", "inventory", "Declare it for one target only.")
        for number, at in numbers.items()
        if len(at) > 1
    ]
    if rehearsal:
        problems += check_grants(targets, hosts, numbers) + _check_authorities(targets, hosts)
    for name in sorted({*targets, *claimed}):
        problems += hosts[name].unknown() + hosts[name].problems
    if problems:
        raise LicensingError(dict.fromkeys(problems))
    return {target: _pair(source, server, hosts) for target, (source, server) in servers.items()}


def _pair(source: Server, target: Server, hosts: Mapping[str, HostVariables]) -> dict[str, Any]:
    declared = hosts[target.host]
    return {
        "migrate": {"source": source.as_dict(), "target": target.as_dict()},
        "rollback": {"source": target.as_dict(), "target": source.as_dict()},
        **plain_declared(declared),
        "ledger": _ledger(declared, hosts, source.authority),
    }


def _ledger(target: HostVariables, hosts: Mapping[str, HostVariables], authority: str) -> str:
    """Return the authority that issues a rehearsal's licenses: the ledger of its host, or the pair's own authority."""
    host = hosts.get(as_text(target.get(REHEARSE_AUTHORITY, "")))
    if host is None:
        return authority
    return f"{LEDGER}{host.get('aims_license_authority_ledger', DEFAULT_LEDGER)}"


def _check_authorities(targets: Sequence[str], hosts: Mapping[str, HostVariables]) -> list[Problem]:
    """Return the problems of rehearsal authorities whose host is unknown, or whose ledger cannot be resolved."""
    problems: list[Problem] = []
    for target in targets:
        name = as_text(hosts[target].get(REHEARSE_AUTHORITY, ""))
        if name in hosts:
            hosts[name].get("aims_license_authority_ledger")
            problems += hosts[name].problems
        elif name:
            what = f"The authority's host {redact(name)} is not in the inventory."
            todo = "Name a host of the group aims_license_authorities."
            problems.append(Problem(what, hosts[target].where(REHEARSE_AUTHORITY), todo))
    return problems


def unplaceable(hosts: Iterable[str], pairs: Iterable[tuple[str, str]]) -> list[Problem]:
    """Return the problems of host names that cannot be file names on the controller."""
    problems = [host_problem(host) for host in dict.fromkeys(hosts)]
    wrong = [problem for problem in problems if problem is not None]
    return wrong or [problem for problem in (pair_problem(*pair) for pair in pairs) if problem is not None]


def source_of(host: HostVariables, hosts: Mapping[str, HostVariables], problems: list[Problem]) -> str | None:
    """Return the source that a target names; where that is no other host of the inventory, add to the problems."""
    name = "aims_license_migrate_source"
    declared = host.get(name)
    source = as_text(declared)
    if declared is None:
        problems.append(
            Problem("The target names no source.", host.where(name), "Name the host that the licenses come from.")
        )
    elif source == host.host:
        problems.append(Problem("Source and target are the same host.", host.where(name), "Name the other host."))
    elif source not in hosts:
        near = difflib.get_close_matches(source[:300], list(hosts), 1)
        todo = f"Add it to the group {SOURCES}" + (f", or did you mean {near[0]}?" if near else ".")
        problems.append(Problem(f"The source {redact(source)} is not in the inventory.", host.where(name), todo))
    else:
        return source
    return None


def check_names(names: Sequence[str], hosts: Mapping[str, HostVariables]) -> None:
    """Refuse unknown variables of hosts whose roles check the values themselves."""
    problems = [problem for name in names for problem in hosts[name].unknown()]
    if problems:
        raise LicensingError(dict.fromkeys(problems))
