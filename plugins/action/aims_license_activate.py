# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of aims_license_activate: files that move with the licenses, and offline files."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import read_wanted
from ansible_collections.aims.licensing.plugins.plugin_utils._action import LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle import carried_files, read_bundle
from ansible_collections.aims.licensing.plugins.plugin_utils._offline import exchange_files


class ActionModule(LicensingAction):
    """Carries application keys, request and response files."""

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        licenses = self.licenses(task_vars)
        wanted = read_wanted(licenses, "licenses")
        path = self.path("bundle")
        files = carried_files(self.trust(read_bundle(path)), self.vault) if path else []
        result = exchange_files(self, task_vars, [one.number for one in wanted], files=files, licenses=licenses)
        return {**result, "ended": time.time()}
