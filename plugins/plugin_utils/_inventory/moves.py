# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The moves of the vendor's license server that an inventory declares. No host is touched."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import OFFLINE
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import SPENT
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    LicensingError,
    Problem,
    problems_of,
    quoted,
    refuse,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import (
    BUNDLED,
    DEFAULT_HOME,
    VENDOR,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.named_commands import (
    read_commands,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.declared import (
    part_of,
    plain_declared,
    read_declared,
    spent_transfers,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.servers import check_absolute
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.sources import sources_of
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import (
    HostVariables,
    as_text,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.move import (
    LICENSES,
    Platform,
    code_variables,
)

BACKEND = "aims_license_server_backend"
COPY = "aims_license_server_copy"
PACKAGE = "aims_license_server_package"
PRO_NODES = "aims_license_pro_nodes"
COMMANDS = "aims_license_server_vendor_commands"
LICENSE_FILES = "aims_license_server_license_files"
# docs/domain.md#identifiers-and-files
_HOMES = {Platform.LINUX: "/usr/local/Aimms", Platform.WINDOWS: r"C:\ProgramData\AIMMS"}


def read_moves(
    targets: Sequence[str], hosts: Mapping[str, HostVariables], *, required: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """Return the moves of the vendor's license server by target, one for each source, without activation codes.

    Each is ``{migrate, rollback, licenses, profiles, users, codes, offline, pro_nodes, pro_log, screenshot}``.
    ``migrate`` and ``rollback`` are ``{source, target}``, each ``{host, platform, address, home, package, options,
    copy, vendor_commands, license_files}``; ``codes`` names the variable of each activation code, and ``options``
    are those that every module of the group takes.

    :param targets: the hosts of group aims_license_targets; those with the bundled license server are left out
    :param required: whether to refuse an inventory without any
    :raises LicensingError: with everything that is wrong
    """
    moves: dict[str, list[dict[str, Any]]] = {}
    problems: list[Problem] = []
    for target in targets:
        host = hosts[target]
        if not has_vendors(host):
            continue
        declared_problems = read_declared(host)[1]
        sources = sources_of(host, hosts, problems)
        problems += declared_problems
        for side in (host, *(hosts[source] for source in sources)):
            problems += side_problems(side, is_source=side is not host)
        if sources and not problems:
            moves[target] = [_move(host, hosts[source], numbers) for source, numbers in sources.items()]
    if required and not problems and not moves:
        todo = "Set aims_license_server_backend: vendor for both hosts of a pair. A runbook is of such a pair only."
        problems.append(Problem("No host of aims_license_targets has the vendor's license server.", "inventory", todo))
    if problems:
        raise LicensingError(dict.fromkeys(problems))
    return moves


def has_vendors(host: HostVariables) -> bool:
    """Whether a host is declared with the vendor's license server."""
    return as_text(host.get(BACKEND, BUNDLED)) == VENDOR


def side_problems(host: HostVariables, *, is_source: bool) -> list[Problem]:
    """Return what is wrong with the declaration of a host of the vendor's, other than its licenses."""
    problems = []
    if not has_vendors(host):
        todo = "Set it to vendor for both hosts of the pair."
        problems.append(
            Problem("The target has the vendor's license server, and the source has not.", host.where(BACKEND), todo)
        )
    try:
        _check_home(_server(host))
    except LicensingError as error:
        name = COPY if host.get(COPY) is not None else "aims_license_server_home"
        problems += [Problem(problem.what, host.where(name), problem.todo) for problem in error.problems]
    if host.get(COPY) is not None and not is_source:
        problems.append(
            Problem(
                "A copy of the target's files cannot stand for the target.",
                host.where(COPY),
                "Remove it there; it is for a source that Ansible cannot reach.",
            )
        )
    commands, name = host.get(COMMANDS), host.where(COMMANDS)
    problems += problems_of([lambda: read_commands(commands, name)])
    nodes = host.get(PRO_NODES, [])
    if not isinstance(nodes, (list, tuple)) or not all(isinstance(node, str) for node in nodes):
        problems.append(
            Problem(
                f"{quoted(nodes)} is not a list of hosts.",
                host.where(PRO_NODES),
                "Declare a list of host names; [] if there is no PRO.",
            )
        )
    return problems + host.unknown() + host.problems


def _move(target: HostVariables, source: HostVariables, numbers: Sequence[str]) -> dict[str, Any]:
    declared = part_of(plain_declared(target), numbers)
    spent = spent_transfers(target)
    there, here = side_of(source), side_of(target)
    return {
        "migrate": {"source": there, "target": here},
        "rollback": {"source": here, "target": there},
        **declared,
        "licenses": [{**license, SPENT: spent.get(license["number"], [])} for license in declared["licenses"]],
        "users": target.get("aims_license_server_users"),
        "codes": code_variables(target.written(LICENSES), tuple(numbers)),
        "offline": target.get("aims_license_server_authority") == OFFLINE,
        "pro_nodes": target.get(PRO_NODES),
        "pro_log": target.get("aims_license_pro_log"),
        "screenshot": target.get("aims_license_migrate_screenshot"),
    }


def side_of(host: HostVariables) -> dict[str, Any]:
    """Return a server of a move, with the options of the modules and the package that the inventory names."""
    copy = host.get(COPY)
    return {
        **_server(host),
        "package": as_text(host.get(PACKAGE, "")),
        "options": {
            "backend": VENDOR,
            "home": as_text(host.get("aims_license_server_home", DEFAULT_HOME)),
            "root": as_text(host.get("aims_license_server_root", "")),
            "authority": "",
        },
        "copy": "" if copy is None else as_text(copy),
        "vendor_commands": host.get(COMMANDS, {}),
        "license_files": as_text(host.get(LICENSE_FILES, "")),
    }


def _server(host: HostVariables) -> dict[str, str]:
    platform = platform_of(host)
    copy = host.get(COPY)
    home = as_text(host.get("aims_license_server_home", DEFAULT_HOME) if copy is None else copy)
    # As for every module, the default stands for the documented folder.
    home = _HOMES.get(platform, home) if home == DEFAULT_HOME else home
    address = as_text(host.get("ansible_host", host.host))
    return {"host": host.host, "platform": platform.value, "address": address, "home": home}


def _check_home(server: Mapping[str, str]) -> None:
    home = server["home"]
    if server["platform"] != Platform.WINDOWS.value:
        check_absolute(home)
    elif not re.match(r"[A-Za-z]:\\", home) or not home.isprintable():
        raise refuse(
            f"{quoted(home)} is not a folder of Windows.", "", r"Write it with its drive, such as C:\ProgramData\AIMMS."
        )


def platform_of(host: HostVariables) -> Platform:
    """Return what a host runs, by how Ansible reaches it: no variable of ours says it twice."""
    if host.get(COPY) is not None:
        return Platform.COPY
    if host.get("ansible_shell_type") in ("cmd", "powershell") or host.get("ansible_connection") in ("winrm", "psrp"):
        return Platform.WINDOWS
    return Platform.LINUX
