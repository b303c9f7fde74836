# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of aims_license_activate: activation codes, carried files and offline files."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import (
    read_declared_licenses,
    read_numbers,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import VENDOR
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._action import LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.license_files import with_license_files
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import carried_files, read_bundle
from ansible_collections.aims.licensing.plugins.plugin_utils._codes import without_codes
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.folder import exchange_files
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.needed_codes import needless_codes


class ActionModule(LicensingAction):
    """Carries files between controller and host, and sends only the activation codes that the host needs."""

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        args = self._task.args
        licenses = self.licenses(task_vars)
        declared = read_declared_licenses(licenses, "licenses", without_codes=True)
        if args.get("seen") is not None:
            anew = [n for name in ("emergency", "returned") for n in read_numbers(args.get(name) or [], name)]
            needless = needless_codes(declared, Overview.from_dict(args["seen"], "seen"), anew)
            licenses = without_codes(licenses, needless)
        path, folder, numbers = self.path("bundle"), self.path("license_files"), [one.number for one in declared]
        bundle = self.trust(read_bundle(path)) if path else None
        files = carried_files(bundle, self.vault) if bundle else []
        if args.get("backend") == VENDOR:
            files = with_license_files(files, folder, bundle, numbers, self.vault)
        elif folder is not None:
            raise refuse(
                "License files are brought to the vendor's license server only.",
                "license_files",
                "Leave it out; the bundled license server gets its license files from its authority.",
            )
        # The host needs neither a copy of its own overview nor a path of the controller.
        result = exchange_files(self, task_vars, numbers, files=files, licenses=licenses, seen=None, license_files=None)
        return {**result, "ended": time.time()}
