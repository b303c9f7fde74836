# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of aims_license_backup: the bundle."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc, render_time
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.module_utils._licensing.sealing import Seal
from ansible_collections.aims.licensing.plugins.plugin_utils._action import LicensingAction
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import BundleFile, digest_of, newest
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.vault import Vault
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.write import judge, write_bundle
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.profiles import with_declared_profiles
from ansible_collections.aims.licensing.plugins.plugin_utils._places import host_folder


class ActionModule(LicensingAction):
    """Collects the files of a home and keeps them as a verified bundle."""

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        vault = self.vault
        vault.require()
        dest = self.path("dest")
        if dest is None:
            raise refuse("No folder for bundles is set.", "dest", "Set dest to a folder on the controller.")
        host = self.host(task_vars)
        host_folder(dest, host)
        seal = Seal()
        result = self.module(task_vars, recipient=seal.recipient)
        listed = result.pop("files", [])
        if result.get("failed"):
            return result
        files = [_plain(file, seal, host) for file in listed]
        overview = Overview.from_dict(result.get("overview"), host)
        overview = with_declared_profiles(overview, host, task_vars, self._templar)
        kept = self._keep(host_folder(dest, host), host, files, overview, vault)
        return {**result, **self.warnings(overview), "overview": overview.as_dict(), **kept}

    def _keep(
        self, folder: Path, host: str, files: list[BundleFile], overview: Overview, vault: Vault
    ) -> dict[str, Any]:
        allowed, digest = self.flag("allow_poorer"), digest_of(files)
        verdict = judge(folder, files, overview, vault, allowed)
        bundle = verdict.made
        if verdict.changes and not self.dry:
            bundle = write_bundle(folder, host, files, overview, render_time(now_utc()), vault, allowed)
        shown = bundle or newest(folder)
        return {
            "changed": verdict.changes,
            "bundle": str(shown.path) if shown else "",
            "digest": bundle.manifest.digest if bundle else digest,
            "kept": verdict.kept,
        }


def _plain(file: Any, seal: Seal, host: str) -> BundleFile:
    """Return a file that the host sent, in plain, or refuse a damaged one."""
    # The host may return anything in its place.
    try:
        name, secret = str(file["name"]), file["secret"]
        content = seal.open(file["content"]) if secret else base64.b64decode(file["content"], validate=True)
        made = BundleFile(name, str(file["mode"]), content)
        whole = made.sha256 == file["sha256"]
    except Exception:
        raise refuse("The file was damaged on its way to the controller.", host, "Run this again.") from None
    if not whole:
        raise refuse("The file was damaged on its way to the controller.", made.name, "Run this again.")
    if secret is not made.secret:
        what = "The host returned a file whose encryption does not match its name."
        raise refuse(what, f"{host}, {made.name}", "Check who changed that host: the module does not do this.")
    return made
