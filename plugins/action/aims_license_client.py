# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of aims_license_client: a Windows client is changed from the controller."""

from __future__ import annotations

from typing import Any

from ansible_collections.aims.licensing.plugins.plugin_utils._action import ServerAction

# Options of a license server, which module_defaults may hand to every action of the group.
_OF_SERVERS = ("home", "backend", "authority")


class ActionModule(ServerAction):
    """Runs the module without the options that a client has no use for."""

    def _run(self, name: str, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        for option in _OF_SERVERS:
            arguments.pop(option, None)
        return super()._run(name, arguments, task_vars)
