# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of aims_license_authority: what a bundle says of the licenses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import read_wanted
from ansible_collections.aims.licensing.plugins.plugin_utils._action import ACCEPT, LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle import read_bundle
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory import GRANTED, read_grants


class ActionModule(LicensingAction):
    """Completes the declared licenses by what the details and the bundle say of them."""

    options = frozenset({"name", "licenses", "details", "bundle", "codes_from", ACCEPT})

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        args = self._task.args
        path = self.path("bundle")
        overview = self.trust(read_bundle(path)).overview if path else None
        bundled = {one["number"]: one for one in overview["licenses"]} if overview else {}
        details = read_grants(args.get("details") or {}, "details")
        args.pop(ACCEPT, None)
        licenses = []
        given = self.licenses(task_vars) or []
        for declared, wanted in zip(given, read_wanted(_without_grants(given), "licenses")):
            known = {**bundled.get(wanted.number, {}), **details.get(wanted.number, {}), **declared}
            granted = {key: known[key] for key in GRANTED if key in known}
            licenses.append({"number": wanted.number, "activation_code": wanted.activation_code, **granted})
        result = self.module(task_vars, licenses=licenses, details=None, bundle=None)
        if overview is not None and not result.get("failed"):
            numbers = {one["number"] for one in licenses}
            profiles = [
                {key: profile[key] for key in ("name", "license", "default")}
                for profile in overview["profiles"]
                if profile["license"] in numbers
            ]
            result["overview"] = {"profiles": profiles, "users": overview["users"]}
        return result


def _without_grants(licenses: Any) -> Any:
    """The licenses as a host declares them: what they grant is said beside that."""
    if not isinstance(licenses, (list, tuple)):
        return licenses
    return [
        {key: value for key, value in one.items() if key not in GRANTED} if isinstance(one, Mapping) else one
        for one in licenses
    ]
