# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of aims_license_deactivate: the bundle that has to cover the licenses, and offline files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import read_numbers
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import VENDOR
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.layout import NODELOCKS
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.named_commands import (
    CODE,
    Purpose,
    read_commands,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._action import LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import Bundle, read_bundle
from ansible_collections.aims.licensing.plugins.plugin_utils._drain import in_steps
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.folder import exchange_files


class ActionModule(LicensingAction):
    """Requires a verified bundle, and carries request and response files."""

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        numbers = read_numbers(self._task.args.get("licenses"), "licenses")
        bundle = self._relied_on(numbers)
        started = time.time()
        more: dict[str, Any] = {"bundle_home_id": bundle.manifest.home_id}
        if self._task.args.get("backend") == VENDOR:
            more.update(self._for_vendor(bundle, numbers, task_vars))
        result = exchange_files(self, task_vars, numbers, **more)
        # The server goes on serving while it is drained.
        waited = float(result.get("drained", {}).get("seconds", 0.0))
        return {**result, "started": started + waited}

    def _for_vendor(self, bundle: Bundle, numbers: Sequence[str], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the bundle's nodelocks, and the activation codes if the command that the operator names takes them."""
        files = bundle.manifest.files
        nodelocks = {file.name: file.sha256 for file in files if file.name.startswith(f"{NODELOCKS}/")}
        named = read_commands(self._task.args.get("vendor_commands"), "vendor_commands").get(Purpose.DEACTIVATE)
        codes: list[dict[str, Any]] = []
        if named is not None and named.takes(CODE):
            rows = self.coded([{"number": number} for number in numbers], task_vars)
            codes = [row for row in rows if row.get(CODE) is not None]
        return {"bundle_nodelocks": nodelocks, "codes": codes}

    def _relied_on(self, numbers: Sequence[str]) -> Bundle:
        """Return the bundle that covers the licenses, after opening its secrets with the passwords of this run."""
        path = self.path("bundle")
        if path is None:
            raise refuse(
                "No bundle is set.", "bundle", "Back up the host first, then set bundle to the path of the bundle."
            )
        bundle = self.trust(read_bundle(path))
        bundle.require_covers(numbers)
        bundle.require_opens(self.vault)
        return bundle

    def module(self, task_vars: dict[str, Any], **filled_in: Any) -> dict[str, Any]:
        """Run the module in many short calls, to drain the server and to deactivate many licenses."""
        numbers = read_numbers(self._task.args.get("licenses"), "licenses")

        def call(**step: Any) -> dict[str, Any]:
            if step.get("drain_waited"):
                # Any of these calls may start to deactivate, minutes after the bundle was opened.
                self._relied_on(numbers)
            return super(ActionModule, self).module(task_vars, **filled_in, **step)

        return in_steps(call, self.host(task_vars), self._task.args.get("drain_seconds"))
