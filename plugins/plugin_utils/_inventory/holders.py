# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The licenses that each license server may hold, by what the inventory declares. No host is touched."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import read_numbers
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, Problem
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.declared import read_declared
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.sources import numbers_by_source
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import TARGETS, HostVariables

RENEW = "aims_license_server_renew_licenses"


def read_holders(
    names: Sequence[str], targets: Sequence[str], hosts: Mapping[str, HostVariables]
) -> dict[str, list[str]]:
    """Return the numbers of the licenses that each host may hold: its own, and those that leave it for a target.

    Where the host's aims_license_server_renew_licenses names some, only these.

    :param names: the hosts
    :param targets: the hosts of group aims_license_targets
    :param hosts: every host of the inventory
    :raises LicensingError: with everything that is wrong
    """
    problems: list[Problem] = []
    holders: dict[str, list[str]] = {name: [] for name in names}
    if not targets:
        todo = f"Put the license servers into the group {TARGETS}, with their licenses."
        problems.append(Problem(f"No host is in the group {TARGETS}.", "inventory", todo))
    for target in targets:
        numbers, wrong = read_declared(hosts[target])
        problems += wrong
        for source, moved in numbers_by_source(hosts[target]).items():
            if source in holders:
                holders[source] += moved
        if target in holders:
            holders[target] += numbers
    for name in dict.fromkeys([*names, *targets]):
        problems += hosts[name].unknown() + hosts[name].problems
    known = {number for numbers in holders.values() for number in numbers}
    chosen = {name: _chosen(hosts[name], known, problems) for name in names}
    if problems:
        raise LicensingError(dict.fromkeys(problems))
    return {
        name: [number for number in dict.fromkeys(numbers) if not chosen[name] or number in chosen[name]]
        for name, numbers in holders.items()
    }


def _chosen(host: HostVariables, known: Collection[str], problems: list[Problem]) -> tuple[str, ...]:
    """Return the licenses that a host is to renew; none for all."""
    try:
        numbers = read_numbers(host.get(RENEW, []), host.where(RENEW))
    except LicensingError as error:
        problems += error.problems
        return ()
    todo = "Correct the number, or remove it."
    for number in numbers:
        if number not in known:
            problems.append(Problem(f"License {number} is declared for no target.", host.where(RENEW), todo))
    return numbers
