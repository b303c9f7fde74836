# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The profiles of a license server that tells none: those that the inventory declares for its licenses."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import ProfileView
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import VENDOR
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import parse_number, parse_profile
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.sources import mappings, numbers_by_source
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import (
    TARGETS,
    HostVariables,
    variables_of,
)

_LICENSES, _PROFILES = "aims_license_server_licenses", "aims_license_server_profiles"


def with_declared_profiles(overview: Overview, host: str, task_vars: Mapping[str, Any], templar: Any) -> Overview:
    """Return an overview with the declared profiles where its license server tells none, as the vendor's does.

    No documented file of the vendor's server has them (docs/domain.md#not-public).
    """
    if overview.server.backend != VENDOR or overview.profiles:
        return overview
    targets = [str(name) for name in task_vars["groups"].get(TARGETS, [])]
    declared = declared_profiles(host, targets, lambda name: variables_of(name, task_vars["hostvars"], templar))
    numbers = [license.number for license in overview.licenses]
    # Order and defaults are the declaration's.
    return replace(overview, profiles=tuple(profile for profile in declared if profile.license in numbers))


def declared_profiles(host: str, targets: Sequence[str], read: Callable[[str], HostVariables]) -> list[ProfileView]:
    """Return the profiles that are declared for a host, or else for the targets that its licenses go to.

    What cannot be read is left out: a wrong inventory is the inventory check's to refuse.

    :param targets: the hosts of group aims_license_targets
    :param read: returns the variables of a host
    """
    own = _profiles(read(host))
    if own:
        return own
    profiles: list[ProfileView] = []
    for target in targets:
        if target != host:
            variables = read(target)
            numbers = numbers_by_source(variables).get(host, [])
            profiles += [profile for profile in _profiles(variables) if profile.license in numbers]
    return profiles


def _profiles(variables: HostVariables) -> list[ProfileView]:
    return [*_of_licenses(variables.get(_LICENSES)), *_further(variables.get(_PROFILES))]


def _of_licenses(licenses: object) -> list[ProfileView]:
    return [
        profile
        for entry in mappings(licenses)
        if (profile := _profile(entry.get("profile"), entry.get("number"), entry.get("default"))) is not None
    ]


def _further(profiles: object) -> list[ProfileView]:
    return [
        profile
        for entry in mappings(profiles)
        if (profile := _profile(entry.get("name"), entry.get("license"), entry.get("default"))) is not None
    ]


def _profile(name: object, number: object, default: object) -> ProfileView | None:
    with contextlib.suppress(LicensingError):
        return ProfileView(parse_profile(name), parse_number(number), default=default is True)
    return None
