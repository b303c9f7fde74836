# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks and reads the pairs of an inventory before any host is touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    LicensingError,
    Problem,
    redact,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.declared import (
    check_users,
    order_of,
    part_of,
    plain_declared,
    read_declared,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.grants import check_grants
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.servers import Server, read_server
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.sources import (
    check_lost,
    is_lost,
    sources_of,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import (
    DEFAULT_LEDGER,
    LEDGER,
    REHEARSE_AUTHORITY,
    TARGETS,
    HostVariables,
    as_text,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._places import host_problem, pair_problem


def read_pairs(
    targets: Sequence[str], hosts: Mapping[str, HostVariables], rehearsal: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """Return the pairs of an inventory by target, one for each source of its licenses, as plain data.

    A pair is ``{migrate, rollback, licenses, profiles, order, lost, ledger}``. ``migrate`` and ``rollback`` are each
    ``{source, target}``, two of :class:`Server`; a rollback swaps them. The declared licenses and profiles are those
    that come from the pair's source, in their order, with their license numbers in the form that results have, and
    without activation codes. ``order`` has the places of all profiles that are declared for the target, ``lost`` says
    whether the source is declared lost, and ``ledger`` is the authority in which a rehearsal issues its licenses.

    :param targets: the hosts of group aims_license_targets
    :param hosts: every host of the inventory
    :param rehearsal: whether to check the grants of rehearsal licenses too
    :raises LicensingError: with everything that is wrong in the whole inventory
    """
    problems: list[Problem] = []
    if not targets:
        todo = f"Put the new hosts into the group {TARGETS}, each with aims_license_migrate_source."
        problems.append(Problem(f"No host is in the group {TARGETS}.", "inventory", todo))
    servers: dict[str, Server] = {}
    sources: dict[str, dict[str, list[str]]] = {}
    numbers: dict[str, list[str]] = {}
    for target in targets:
        host = hosts[target]
        servers[target], invalid = read_server(host, rehearsal=rehearsal)
        declared, more = read_declared(host)
        problems += invalid + more
        for number in dict.fromkeys(declared):
            numbers.setdefault(number, []).append(target)
        sources[target] = sources_of(host, hosts, problems)
        problems += check_lost(host, list(sources[target]), hosts)
    claimed = list(dict.fromkeys(source for target in targets for source in sources[target]))
    for source in claimed:
        if source not in servers:
            servers[source], invalid = read_server(hosts[source], rehearsal=rehearsal)
            # A rollback registers them after it has deactivated the licenses.
            problems += invalid + check_users(hosts[source])
    problems += unplaceable(
        [*targets, *claimed], [(source, target) for target in targets for source in sources[target]]
    )
    problems += one_server_twice(servers, hosts)
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
    return {
        target: [
            _pair(servers[source], servers[target], hosts, numbers=moved) for source, moved in sources[target].items()
        ]
        for target in targets
    }


def _pair(
    source: Server, target: Server, hosts: Mapping[str, HostVariables], *, numbers: Sequence[str]
) -> dict[str, Any]:
    host = hosts[target.host]
    declared = plain_declared(host)
    return {
        "migrate": {"source": source.as_dict(), "target": target.as_dict()},
        "rollback": {"source": target.as_dict(), "target": source.as_dict()},
        **part_of(declared, numbers),
        "order": order_of(declared),
        "lost": is_lost(host, hosts[source.host]),
        "ledger": _ledger(host, hosts, source.authority),
    }


def one_server_twice(servers: Mapping[str, Server], hosts: Mapping[str, HostVariables]) -> list[Problem]:
    """Return the problems of hosts that are one license server under two names, with different settings.

    Each run would undo what the one before it has set.
    """
    problems: list[Problem] = []
    first: dict[tuple[str, str, str], Server] = {}
    for server in servers.values():
        host = hosts[server.host]
        is_local = as_text(host.get("ansible_connection", "")) == "local"
        address = "" if is_local else as_text(host.get("ansible_host", server.host))
        other = first.setdefault((address, server.root, server.home), server)
        if (server.listen, server.service, server.authority) != (other.listen, other.service, other.authority):
            problems.append(
                Problem(
                    f"{other.host} and {server.host} are the same license server, with different settings.",
                    f"inventory host {server.host}",
                    "Declare the same aims_license_server_listen, _service and _authority for both, or use one name.",
                )
            )
    return problems


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


def check_names(names: Sequence[str], hosts: Mapping[str, HostVariables]) -> None:
    """Refuse unknown variables of hosts whose roles check the values themselves."""
    problems = [problem for name in names for problem in hosts[name].unknown()]
    if problems:
        raise LicensingError(dict.fromkeys(problems))
