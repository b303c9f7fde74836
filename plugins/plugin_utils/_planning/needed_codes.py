# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which activation codes a host needs: those of the licenses that it is to ask for. Pure.

A code that stays on the controller is judged there, by what the host shows of the license file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, Problem, refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.preflight import another_code
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import ACTIVATE, DeclaredLicense
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.manifest import is_overview
from ansible_collections.aims.licensing.plugins.plugin_utils._codes import CODE
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.tables import HELD


def without_needless_codes(
    licenses: Sequence[Mapping[str, Any]],
    declared: Sequence[DeclaredLicense],
    seen: Mapping[str, Any],
    anew: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Return licenses without the codes of those that a host holds as declared, or has asked for.

    :param declared: the same licenses, as they were read
    :param seen: the host's overview
    :param anew: numbers of licenses that may be asked for again, whatever is pending of them
    :raises LicensingError: with every code that the host does not need, and that is another than its license file says
    """
    needed = [_needs_code(license, seen, anew) for license in declared]
    kept = [license for license, needs in zip(declared, needed) if not needs]
    problems = [problem for license in kept for problem in wrong_code(license, [seen])]
    if problems:
        raise LicensingError(problems)
    return [
        {key: value for key, value in entry.items() if key != CODE or needs} for entry, needs in zip(licenses, needed)
    ]


def wrong_code(license: DeclaredLicense, overviews: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Tell of a declared code that is another than the one of the license file, by the first overview that has it."""
    for overview in overviews:
        realm, code_key = overview["server"].get("realm"), shown_license(license.number, overview).get("code_key")
        if code_key and realm:
            return another_code(license, code_key, Realm.from_dict(realm, "realm"))
    return []


def shown_license(number: str, overview: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what an overview shows of a license; nothing where it has none."""
    return next((license for license in overview["licenses"] if license["number"] == number), {})


def lock_type(license: Mapping[str, Any]) -> str | None:
    """Return the type of an overview's nodelock, or None where a license has none."""
    word = str(license.get("protection") or "None").partition(" ")[0].lower()
    return None if word == "none" else word


def read_seen(seen: object) -> Mapping[str, Any]:
    """Return an overview that a task hands on, or refuse."""
    if isinstance(seen, Mapping) and is_overview(seen):
        pending = seen.get("pending")
        if isinstance(pending, list) and all(
            isinstance(p, Mapping) and {"number", "action"} <= set(p) for p in pending
        ):
            return seen
    raise refuse("This is not an overview.", "seen", "Give the overview that aims_license_info returned.")


def _needs_code(license: DeclaredLicense, seen: Mapping[str, Any], anew: Collection[str]) -> bool:
    if _is_held(license, seen):
        return False
    asked = (license.number, ACTIVATE) in [(exchange["number"], exchange["action"]) for exchange in seen["pending"]]
    return license.number in anew or not asked


def _is_held(license: DeclaredLicense, seen: Mapping[str, Any]) -> bool:
    """Whether a host holds a license for good and serves it, with the nodelock that is declared."""
    shown = shown_license(license.number, seen)
    if shown.get("status") not in HELD or shown.get("fenced") or shown.get("until"):
        return False
    return lock_type(shown) == license.nodelock
