# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The common part of modules that call an authority. Separate, so that other modules do not transfer it to the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.embedded import open_ledger_channel
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import (
    HTTPS,
    OfflineFiles,
    merged,
    open_channel,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import VENDOR
from ansible_collections.aims.licensing.plugins.module_utils._licensing.sealing import unpacked

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule
    from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import Channel
    from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import LicenseManager

OFFLINE: dict[str, Any] = {
    "requests_dir": {"type": "path"},
    "responses": {
        "type": "list",
        "elements": "dict",
        "options": {"number": {"type": "str", "required": True}, "content": {"type": "str", "required": True}},
        "default": [],
    },
}


def channel_of(module: AnsibleModule, manager: LicenseManager) -> Channel:
    """Return the channel to the authority of the arguments, or by default of the installed server."""
    if module.params["backend"] == VENDOR:
        # The vendor's programs alone reach the vendor's authority.
        return OfflineFiles({})
    responses = {
        response["number"]: unpacked(response["content"], "responses") for response in module.params["responses"]
    }
    authority, values = module.params["authority"], module.params.get("realm")
    realm = Realm.from_dict(values, "realm") if values else None
    # Read the home only for values that the task lacks.
    if not authority or (authority.strip().lower().startswith(HTTPS) and (realm is None or realm.ca is None)):
        server = manager.overview().server
        authority = authority or server.authority
        realm = merged(server.realm, realm)
    return open_channel(authority, open_ledger_channel, responses, module.params["requests_dir"] or "", realm)
