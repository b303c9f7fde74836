# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of aims_license_update: offline files."""

from __future__ import annotations

from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import read_numbers
from ansible_collections.aims.licensing.plugins.plugin_utils._action import LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.folder import exchange_files


class ActionModule(LicensingAction):
    """Carries request and response files."""

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        # A wrong number is refused here, as for the other days.
        self.days("within_days")
        return exchange_files(self, task_vars, read_numbers(self._task.args.get("licenses"), "licenses"))
