# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients that an inventory declares, and the license servers that their lists name. No host is touched."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client_entries import parse_entry, parse_server
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    LicensingError,
    Problem,
    problems_of,
    quoted,
    refuse,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.windows_paths import parse_path
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.moves import platform_of
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.servers import check_absolute
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.sources import sources_of
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import (
    CLIENTS,
    TARGETS,
    HostVariables,
    as_text,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.move import Platform

ADDRESS = "aims_license_client_address"
ENTRIES = "aims_license_client_entries"
FIRST = "aims_license_client_first"
PATH = "aims_license_client_path"
REMOVE = "aims_license_client_remove_source"


def read_clients(
    clients: Sequence[str], targets: Sequence[str], hosts: Mapping[str, HostVariables]
) -> list[dict[str, str]]:
    """Return the sources and their targets as clients' lists name them, as ``{source, target}``.

    :param clients: the hosts of group aims_license_clients
    :param targets: the hosts of group aims_license_targets
    :raises LicensingError: with everything that is wrong
    """
    problems: list[Problem] = []
    if not clients:
        todo = f"Put the hosts with AIMMS whose lists of licenses are to be kept into the group {CLIENTS}."
        problems.append(Problem(f"No host is in the group {CLIENTS}.", "inventory", todo))
    for client in clients:
        problems += _client_problems(hosts[client])
    needs_pairs = any(not hosts[client].get(ENTRIES) or _removes(hosts[client]) for client in clients)
    if needs_pairs and not targets:
        todo = f"Put the new license server into the group {TARGETS}, with aims_license_migrate_source."
        problems.append(Problem(f"No host is in the group {TARGETS}.", "inventory", todo))
    servers = []
    for target in targets:
        there = _address(hosts[target], problems)
        sources = sources_of(hosts[target], hosts, problems)
        for name in (target, *sources):
            problems += hosts[name].unknown() + hosts[name].problems
        for source in sources:
            here = _address(hosts[source], problems)
            if here == there:
                todo = f"Set ansible_host or {ADDRESS} to the address of each."
                problems.append(Problem(f"Source and target have one address, {here}.", target, todo))
            servers.append({"source": here, "target": there})
    if problems:
        raise LicensingError(dict.fromkeys(problems))
    return servers


def client_address(host: HostVariables) -> str:
    """Return where clients reach a license server, as it is declared; else where Ansible does."""
    return as_text(host.get(ADDRESS, host.get("ansible_host", host.host)))


def _address(host: HostVariables, problems: list[Problem]) -> str:
    declared = client_address(host)
    try:
        return parse_server(declared, host.where(ADDRESS))
    except LicensingError as error:
        problems += error.problems
        return declared


def _client_problems(host: HostVariables) -> list[Problem]:
    entries, path = host.get(ENTRIES, []), host.get(PATH, "")
    checks: list[Callable[[], object]] = [partial(_flag, host, name) for name in (FIRST, REMOVE)]
    if path != "":
        checks.append(partial(_check_path, path, platform_of(host), host.where(PATH)))
    if isinstance(entries, (list, tuple)):
        checks += [partial(parse_entry, entry, f"{host.where(ENTRIES)}[{at}]") for at, entry in enumerate(entries)]
    problems = problems_of(checks)
    if not isinstance(entries, (list, tuple)):
        what = f"The entries are a {type(entries).__name__}, not a list."
        problems.append(Problem(what, host.where(ENTRIES), "Declare a list of HOST:PORT or HOST:PORT,PROFILE."))
    kept = [problem for problem in problems if problem.where not in host.unresolved]
    return kept + host.unknown() + host.problems


def _check_path(path: object, platform: Platform, where: str) -> None:
    if platform is Platform.WINDOWS:
        parse_path(path, where)
        return
    try:
        check_absolute(as_text(path))
    except LicensingError:
        raise refuse(
            f"{quoted(path)} is not the whole path of a file.", where, "Write it whole, down to the file's name."
        ) from None


def _removes(host: HostVariables) -> bool:
    """Whether the source is to be removed; what is neither true nor false is told elsewhere."""
    with contextlib.suppress(LicensingError):
        return _flag(host, REMOVE)
    return False


def _flag(host: HostVariables, name: str) -> bool:
    value = host.get(name, False)
    try:
        return bool(boolean(value))
    except TypeError:
        raise refuse(f"{quoted(value)} is neither true nor false.", host.where(name), "Use true or false.") from None
