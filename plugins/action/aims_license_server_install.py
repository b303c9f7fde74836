# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of aims_license_server_install: the package."""

from __future__ import annotations

import base64
from typing import Any

from ansible_collections.aims.licensing.plugins.plugin_utils._action import LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._package import build_package


class ActionModule(LicensingAction):
    """Passes the package to the module."""

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        # On Windows the controller itself carries the vendor's package over.
        if self._task.args.get("state") == "absent" or self.controller(task_vars).is_in_charge(self._task.args):
            return self.module(task_vars)
        return self.module(task_vars, package=base64.b64encode(build_package()).decode())
