# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of aims_license_maintenance: a drain in many short calls."""

from __future__ import annotations

from typing import Any

from ansible_collections.aims.licensing.plugins.plugin_utils._action import ServerAction
from ansible_collections.aims.licensing.plugins.plugin_utils._drain import in_steps


class ActionModule(ServerAction):
    """Runs the module until the seats in use are back."""

    def module(self, task_vars: dict[str, Any], **filled_in: Any) -> dict[str, Any]:
        """Run the module in many short calls, to drain the server."""

        def call(**step: Any) -> dict[str, Any]:
            return super(ActionModule, self).module(task_vars, **filled_in, **step)

        return in_steps(call, self.host(task_vars), self._task.args.get("drain_seconds"))
