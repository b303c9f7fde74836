# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of aims_license_server_install: the package, ours or the vendor's."""

from __future__ import annotations

import base64
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import VENDOR
from ansible_collections.aims.licensing.plugins.plugin_utils._action import LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._package import build_package


class ActionModule(LicensingAction):
    """Passes our package to the module, or the vendor's."""

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        # On Windows the controller itself carries the vendor's package over.
        if self._task.args.get("state") in ("absent", "stopped") or self.controller(task_vars).is_in_charge(
            self._task.args
        ):
            return self.module(task_vars)
        if self._task.args.get("backend") == VENDOR:
            return self._install_vendors(task_vars)
        return self.module(task_vars, package=base64.b64encode(build_package()).decode())

    def _install_vendors(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Put a package of the controller into a temporary folder of the host, which goes with the call."""
        file = self.path("vendor_package")
        if file is None or not file.is_file():
            return self.module(task_vars)
        folder = self._make_tmp_path()
        try:
            place = self._connection._shell.join_path(folder, file.name)
            self._transfer_file(str(file), place)
            self._fixup_perms2((folder, place))
            return self.module(task_vars, vendor_package=place)
        finally:
            self._remove_tmp_path(folder, force=True)
