# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which activation codes a host needs: those of the licenses that it is to ask for. Pure.

A code that stays on the controller is judged there, by what the host shows of the license file.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, Problem
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import NODELOCK_OF_ANY_TYPE
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.preflight import another_code
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview


def needless_codes(declared: Sequence[DeclaredLicense], seen: Overview, anew: Collection[str] = ()) -> frozenset[str]:
    """Return the numbers of the licenses whose codes a host does not need: it holds or has asked for them as declared.

    :param seen: the host's overview
    :param anew: numbers of licenses that may be asked for again, whatever is pending of them
    :raises LicensingError: with every code that the host does not need, and that is another than its license file says
    """
    kept = [license for license in declared if not _needs_code(license, seen, anew)]
    problems = [problem for license in kept for problem in wrong_code(license, [seen])]
    if problems:
        raise LicensingError(problems)
    return frozenset(license.number for license in kept)


def wrong_code(license: DeclaredLicense, overviews: Sequence[Overview]) -> list[Problem]:
    """Tell of a declared code that is another than the one of the license file, by the first overview that has it."""
    for overview in overviews:
        shown = overview.license(license.number)
        if shown is not None and shown.code_key and overview.server.realm is not None:
            return another_code(license, shown.code_key, realm=overview.server.realm)
    return []


def _needs_code(license: DeclaredLicense, seen: Overview, anew: Collection[str]) -> bool:
    if _is_held(license, seen):
        return False
    is_requested = any(request.number == license.number and request.is_activation for request in seen.pending)
    return license.number in anew or not is_requested


def _is_held(license: DeclaredLicense, seen: Overview) -> bool:
    """Whether a host holds a license for good and serves it, with the nodelock that is declared."""
    shown = seen.license(license.number)
    if shown is None or not shown.is_served or shown.is_emergency:
        return False
    return shown.nodelock == license.nodelock or shown.protection == NODELOCK_OF_ANY_TYPE
