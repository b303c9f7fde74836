# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of aims_license_authority: license types from a bundle, and keys that prove codes.

The codes stay here. The ledger and its host get the public halves of the keys that the codes yield in the ledger's
realm, which prove nothing by themselves, and mean nothing in another realm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from ansible.utils.display import Display
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.issue import check_code, code_key
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import (
    DeclaredLicense,
    named,
    read_declared_licenses,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, Problem
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import VENDOR
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._action import ACCEPT, LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import read_bundle
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.grants import read_grants
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import GRANTED
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.calls import as_options

display = Display()


class ActionModule(LicensingAction):
    """Adds type, seats and days to the declared licenses, and issues those that the ledger lacks."""

    options = frozenset({"name", "licenses", "details", "bundle", "codes_from", ACCEPT})

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        args = self._task.args
        path = self.path("bundle")
        overview = self.trust(read_bundle(path)).overview if path else None
        bundled = {license.number: _granted(license) for license in overview.licenses} if overview else {}
        details = read_grants(args.get("details") or {}, "details")
        args.pop(ACCEPT, None)
        entries = self.licenses(task_vars) or []
        declared = read_declared_licenses(_without_grants(entries), "licenses")
        undeclared = sorted(bundled.keys() - {license.number for license in declared})
        if undeclared:
            display.warning(f"Not rehearsed, because the inventory does not declare it: {', '.join(undeclared)}.")
        licenses: list[dict[str, Any]] = []
        for entry, license in zip(entries, declared):
            known = {**bundled.get(license.number, {}), **details.get(license.number, {}), **entry}
            licenses.append({"number": license.number, **{key: known[key] for key in GRANTED if key in known}})
        codes = {license.number: str(license.activation_code) for license in declared}
        result = self._issue(task_vars, licenses, codes)
        return result if result.get("failed") else {**result, "activation": _activation(declared, overview)}

    def _issue(
        self, task_vars: dict[str, Any], licenses: Sequence[Mapping[str, Any]], codes: Mapping[str, str]
    ) -> dict[str, Any]:
        """Create the ledger if there is none, and issue what it lacks; return a single result."""

        def call(
            licenses: Sequence[Mapping[str, Any]], look: bool = False, realm_id: str | None = None
        ) -> dict[str, Any]:
            options = {"licenses": licenses, "look": look, "realm_id": realm_id}
            return self.module(task_vars, **options, details=None, bundle=None)

        result = call(licenses, look=True)
        if result.get("failed"):
            return result
        lacking = [license for license in licenses if license["number"] in result["issued"]]
        # Before the first write.
        _check_codes({license["number"]: codes[license["number"]] for license in lacking})
        if self.dry or not result["changed"]:
            return result
        made = False
        if result["realm"] is None:
            result = call([])
            if result.get("failed") or not lacking:
                return result
            made = result["changed"]
        realm = Realm.from_dict(result["realm"], self.host(task_vars))
        proven = [
            {**license, "code_key": code_key(realm, license["number"], codes[license["number"]])} for license in lacking
        ]
        keys = {license["number"]: license for license in proven}
        result = call([keys.get(license["number"], license) for license in licenses], realm_id=realm.id)
        return {**result, "changed": made or result.get("changed", False)}


def _activation(declared: Sequence[DeclaredLicense], overview: Overview | None) -> dict[str, Any]:
    """Return what to activate on a rehearsal's source: the state in its bundle, or else the declared one."""
    if overview is None:
        return {"licenses": as_options(declared), "profiles": [], "users": None}
    numbers = {license.number for license in declared}
    profiles = [asdict(row.profile) for row in overview.profiles if row.license in numbers]
    users: list[str] | None = list(overview.users)
    if overview.server.backend == VENDOR:
        # Its files show neither: the bundle has the profiles that were declared when it was made, and no users.
        shown = {profile["license"] for profile in profiles}
        profiles += [asdict(profile) for profile in named(declared, ()) if profile.license not in shown]
        users = None
    unnamed = [replace(license, profile=None) for license in declared]
    return {"licenses": as_options(unnamed), "profiles": profiles, "users": users}


def _granted(license: LicenseView) -> dict[str, Any]:
    """Return what a bundle shows of a license's grants; the files of the vendor's server show none of them."""
    shown = license.as_dict()
    return {key: shown[key] for key in GRANTED if shown.get(key) is not None}


def _check_codes(codes: Mapping[str, str]) -> None:
    """Refuse codes that can be guessed, with every problem at once."""
    problems: list[Problem] = []
    for number, code in codes.items():
        try:
            check_code(number, code)
        except LicensingError as error:
            problems.extend(error.problems)
    if problems:
        raise LicensingError(problems)


def _without_grants(licenses: Any) -> Any:
    """Return the licenses without their grants, as a host declares them."""
    if not isinstance(licenses, (list, tuple)):
        return licenses
    return [
        {key: value for key, value in entry.items() if key not in GRANTED} if isinstance(entry, Mapping) else entry
        for entry in licenses
    ]
