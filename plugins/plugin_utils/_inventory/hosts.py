# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks and reads single hosts of an inventory, which are brought to what is declared for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import OFFLINE
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    LicensingError,
    Problem,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.named_commands import (
    read_commands,
    registers_users,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.declared import plain_declared, read_declared
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.moves import (
    COMMANDS,
    has_vendors,
    side_of,
    side_problems,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.pairs import unplaceable
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.servers import read_server
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.sources import sources_of
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import TARGETS, HostVariables
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.move import LICENSES, code_variables


def read_hosts(names: Sequence[str], hosts: Mapping[str, HostVariables]) -> dict[str, dict[str, Any]]:
    """Return the license servers of hosts by name, without pairs, as plain data without activation codes.

    That of the vendor's is ``{vendor: True, platform, package, options, source, users, codes, offline, …}``, where
    ``source`` is the server that the inventory moves the licenses from, or None.

    :raises LicensingError: with everything that is wrong
    """
    problems: list[Problem] = []
    servers: dict[str, dict[str, Any]] = {}
    if not names:
        todo = f"Put the license servers into the group {TARGETS}."
        problems.append(Problem(f"No host is in the group {TARGETS}.", "inventory", todo))
    for name in names:
        host = hosts[name]
        problems += read_declared(host)[1] + unplaceable([name], ())
        source = _source(host, hosts, problems)
        if has_vendors(host):
            problems += side_problems(host, is_source=False)
            problems += [] if source is None else side_problems(source, is_source=True)
            servers[name] = _vendors(host, source)
        else:
            server, invalid = read_server(host)
            problems += invalid + host.unknown() + host.problems
            servers[name] = {**server.as_dict(), "vendor": False}
    if problems:
        raise LicensingError(dict.fromkeys(problems))
    declared = {name: plain_declared(hosts[name]) for name in servers}
    return {
        name: {**server, **declared[name], **_details(hosts[name], declared[name])} for name, server in servers.items()
    }


def _source(host: HostVariables, hosts: Mapping[str, HostVariables], problems: list[Problem]) -> HostVariables | None:
    """Return the vendor's server that the host's licenses come from; the bundled one has none of the vendor's."""
    if not has_vendors(host):
        return None
    named = sources_of(host, hosts, problems, required=False)
    sources = [source for source in named if has_vendors(hosts[source])]
    if len(sources) > 1:
        what = f"Licenses of {host.host} come from {' and '.join(sources)}: reconcile can compare with one host only."
        todo = "Move them by the playbook migrate, then remove the sources from the inventory."
        problems.append(Problem(what, f"inventory host {host.host}", todo))
    return hosts[sources[0]] if sources else None


def _vendors(host: HostVariables, source: HostVariables | None) -> dict[str, Any]:
    return {
        **side_of(host),
        "vendor": True,
        "source": None if source is None else side_of(source),
        "users": host.get("aims_license_server_users"),
        "offline": host.get("aims_license_server_authority") == OFFLINE,
    }


def _details(host: HostVariables, declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return where the codes are declared, for the steps of persons, and whether a command registers users."""
    if not has_vendors(host):
        return {}
    numbers = tuple(license["number"] for license in declared["licenses"])
    return {
        "codes": code_variables(host.written(LICENSES), numbers),
        "registers": registers_users(read_commands(host.get(COMMANDS), host.where(COMMANDS))),
    }
