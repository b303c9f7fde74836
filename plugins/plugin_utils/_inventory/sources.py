# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts that the licenses of a target come from. No host is touched."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import SOURCE
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    LicensingError,
    Problem,
    redact,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import parse_number
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import (
    SOURCES,
    HostVariables,
    as_text,
)

MIGRATE_SOURCE = "aims_license_migrate_source"
LICENSES = "aims_license_server_licenses"
LOST = "aims_license_migrate_source_lost"


def sources_of(
    target: HostVariables, hosts: Mapping[str, HostVariables], problems: list[Problem], *, required: bool = True
) -> dict[str, list[str]]:
    """Return the sources of a target, each with the numbers of the licenses that come from it, in declared order.

    A license names its source, or comes from the target's (``aims_license_migrate_source``). Numbers that cannot be
    read are left out: the check of the declaration reports them.

    :param problems: what is wrong with the names is added to it
    :param required: whether each license has to come from somewhere
    """
    by_source = numbers_by_source(target) or {_plain(target.get(MIGRATE_SOURCE)): []}
    named: dict[str, list[str]] = {}
    for declared, numbers in by_source.items():
        if declared is None and not required:
            continue
        source = _checked(declared, target, hosts, problems)
        if source is not None:
            named[source] = numbers
    return named


def numbers_by_source(target: HostVariables) -> dict[str | None, list[str]]:
    """Return the numbers of a target's licenses by the names of their sources, in declared order, unchecked.

    Those of None name no source.
    """
    by_source: dict[str | None, list[str]] = {}
    default = target.get(MIGRATE_SOURCE)
    for entry in mappings(target.get(LICENSES)):
        declared = entry.get(SOURCE)
        numbers = by_source.setdefault(_plain(default if declared is None else declared), [])
        with contextlib.suppress(LicensingError):
            numbers.append(parse_number(entry.get("number")))
    return by_source


def _plain(declared: object) -> str | None:
    return None if declared is None else as_text(declared)


def check_lost(target: HostVariables, sources: Sequence[str], hosts: Mapping[str, HostVariables]) -> list[Problem]:
    """Return the problem of a declared loss that does not say which of several sources is lost."""
    if len(sources) < 2 or not _is_true(target.get(LOST)) or all(_is_true(hosts[name].get(LOST)) for name in sources):
        return []
    what = f"The licenses of {target.host} come from {' and '.join(sources)}, and this does not say which is lost."
    todo = "Set aims_license_migrate_source_lost: true for the source that is lost, and not for the target."
    return [Problem(what, target.where(LOST), todo)]


def is_lost(target: HostVariables, source: HostVariables) -> bool:
    """Whether a source is declared lost: by its own variable, or by that of the target."""
    return _is_true(source.get(LOST)) or _is_true(target.get(LOST))


def _is_true(value: object) -> bool:
    with contextlib.suppress(TypeError):
        return bool(boolean(value))
    return False


def mappings(entries: object) -> list[Mapping[str, Any]]:
    """Return the entries of a declared list that can be read; the check of the declaration reports the others."""
    return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, (list, tuple)) else []


def _checked(
    source: str | None, target: HostVariables, hosts: Mapping[str, HostVariables], problems: list[Problem]
) -> str | None:
    """Return the name of a source; where that is no other host of the inventory, add to the problems."""
    where = target.where(MIGRATE_SOURCE if source == _plain(target.get(MIGRATE_SOURCE)) else LICENSES)
    if source is None:
        problems.append(Problem("The target names no source.", where, "Name the host that the licenses come from."))
    elif source == target.host:
        problems.append(Problem("Source and target are the same host.", where, "Name the other host."))
    elif source not in hosts:
        near = difflib.get_close_matches(source[:300], list(hosts), 1)
        todo = f"Add it to the group {SOURCES}" + (f", or did you mean {near[0]}?" if near else ".")
        problems.append(Problem(f"The source {redact(source)} is not in the inventory.", where, todo))
    else:
        return source
    return None
