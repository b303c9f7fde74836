# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the controller only: reads and verifies a bundle."""

from __future__ import annotations

from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import read_declared_licenses
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, Problem, refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._action import ACCEPT, LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import carried_files, newest_of, read_bundle


class ActionModule(LicensingAction):
    """Returns the content of a bundle that is intact and covers the licenses."""

    options = frozenset({"bundle", "bundles", "host", "licenses", "target", ACCEPT})

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        args = self._task.args
        path, folder, host = self.path("bundle"), self.path("bundles"), str(args.get("host") or "")
        if path is None and (folder is None or not host):
            raise refuse("No bundle is named.", "bundle", "Set bundle, or host and bundles.")
        bundle = read_bundle(path) if path else newest_of(folder, host) if folder else None
        if bundle is None:
            todo = (
                "Set aims_license_migrate_bundle to a bundle of it. If there is none, set up the target from scratch "
                "(playbook reconcile)."
            )
            raise refuse(f"There is no bundle of {host}.", str(folder), todo)
        self.trust(bundle)
        declared = read_declared_licenses(args.get("licenses") or [], "licenses", True)
        numbers = [license.number for license in declared]
        held = _held(args.get("target"))
        missing = [number for number in numbers if number not in bundle.known and number not in held]
        if missing:
            todo = "Name a bundle in which the license is active, or remove the license from the inventory for now."
            raise LicensingError(
                Problem(f"License {number} was not active when the bundle was made.", str(bundle.path), todo)
                for number in missing
            )
        # Decrypts them, so that a wrong vault password fails before anything changes.
        files = carried_files(bundle, self.vault)
        return {
            "changed": False,
            "bundle": str(bundle.path),
            "made": bundle.manifest.made,
            "authenticated": bundle.doubt(self.vault) is None,
            "host": bundle.manifest.host,
            "overview": bundle.overview.as_dict(),
            "carried": [file["name"] for file in files],
        }


def _held(overview: object) -> set[str]:
    """Return the numbers of the licenses that the target holds."""
    if not overview:
        return set()
    return {license.number for license in Overview.from_dict(overview, "target").licenses if license.is_held}
