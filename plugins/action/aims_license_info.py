# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of aims_license_info: the status of the host's licenses."""

from __future__ import annotations

from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._action import LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.profiles import with_declared_profiles
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.endings import DaysLeft
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair_status import (
    SeenHost,
    pair_status,
    status_lines,
)


class ActionModule(LicensingAction):
    """Reads the host, and adds the status of each license."""

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        result = self.module(task_vars)
        if result.get("failed"):
            return result
        host = self.host(task_vars)
        overview = Overview.from_dict(result["overview"], host)
        overview = with_declared_profiles(overview, host, task_vars, self._templar)
        rows = pair_status([SeenHost(host, overview, self._task.args.get("authority"))], overview.numbers, {})
        today = now_utc().date()
        return {
            **result,
            **self.warnings(overview),
            "days_left": [DaysLeft.of(license, today).as_dict() for license in overview.licenses],
            "overview": overview.as_dict(),
            "status": [row.as_dict() for row in rows],
            "status_table": status_lines(rows),
        }
