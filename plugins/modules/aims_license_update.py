#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_update
short_description: Update the license files of a license server
version_added: "0.1.0"
description:
  - Fetches the newest license files of licenses that are active here, online or offline. Seats in use stay.
  - Spends no transfer. Activation codes are not needed, because the key of the activation is the proof.
  - Skips licenses that are not active here.
  - An open exchange of a license is finished first. After an interruption, the same request ID is used again.
  - Online, each call asks the authority for all licenses, and is unchanged if it has no other files. In check mode it
    is not asked, because only it knows whether a license file has changed.
  - Offline, each call requests the files, except of licenses whose responses it applies. With O(within_days), renewed
    licenses are not requested again.
  - With O(backend=vendor), nothing is updated. The license manager's I(Update) is a person's step.
author: aims.licensing contributors (@aims)
options:
  licenses:
    description: The numbers of the licenses.
    type: list
    elements: str
    required: true
  within_days:
    description: Update only licenses that end, or whose maintenance ends, within this number of days. Without it, all.
    type: int
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.server.reach
  - aims.licensing.realm
  - aims.licensing.offline
  - aims.licensing.attributes
"""

EXAMPLES = r"""
- name: Update two licenses
  aims.licensing.aims_license_update:
    home: /opt/aims-license-server
    licenses: [015.120.064.022, 015.120.065.016]

- name: Request the files of licenses that end within two months, without a route to the authority
  aims.licensing.aims_license_update:
    home: /opt/aims-license-server
    licenses: [015.120.064.022, 015.120.065.016]
    within_days: 60
    authority: offline
    requests_dir: ./aims-license/offline
  register: updated

- name: Stop while a response is missing
  ansible.builtin.fail:
    msg: "{{ updated.next_step }}"
  when: updated.requests | length > 0
"""

RETURN = r"""
results:
  description: One entry per license that was updated or waits for its response, in the declared order.
  returned: success
  type: list
  elements: dict
  sample:
    - {number: 015.120.064.022, action: updated, spends: 0}
renewed:
  description: What changed, one entry per license whose file did.
  returned: success
  type: list
  elements: dict
  contains:
    number:
      description: The license number.
      type: str
    before:
      description: What the license granted.
      type: dict
      contains:
        type:
          description: The type.
          type: str
        seats:
          description: The seats.
          type: int
        expiry:
          description: The last day of the license.
          type: str
        maintenance_expiry:
          description: The last day of its maintenance.
          type: str
    after:
      description: What it grants now.
      type: dict
      contains:
        type:
          description: The type.
          type: str
        seats:
          description: The seats.
          type: int
        expiry:
          description: The last day of the license.
          type: str
        maintenance_expiry:
          description: The last day of its maintenance.
          type: str
requests:
  description: The request files that wait for their responses. Check mode makes no request; RV(results) shows
    C(pending) for what will wait.
  returned: success
  type: list
  elements: dict
next_step:
  description: What to do with the request files, as text, or null. In check mode, which requests will wait.
  returned: success
  type: str
overview:
  description: The overview afterwards, as of M(aims.licensing.aims_license_info).
  returned: success
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aims.licensing.plugins.module_utils._authority_argspec import OFFLINE, channel_of
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import read_numbers
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Change
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.update import renewed, updatable
from ansible_collections.aims.licensing.plugins.module_utils._module import (
    REALM,
    SERVER,
    described,
    manager_of,
    run,
)


def update(module: AnsibleModule) -> dict[str, Any]:
    """Fetch the license files of the licenses that are active here."""
    manager = manager_of(module)
    declared = read_numbers(module.params["licenses"], "licenses")
    overview = manager.overview()
    numbers = updatable(overview, declared, within_days=module.params["within_days"])
    change = Change(False, overview, overview)
    if numbers:
        change = manager.update(numbers, channel_of(module, manager), dry=module.check_mode)
    return {**described(change), "renewed": [renewal.as_dict() for renewal in renewed(change)]}


def main() -> None:
    spec = {
        **SERVER,
        **OFFLINE,
        "realm": REALM,
        "licenses": {"type": "list", "elements": "str", "required": True},
        "within_days": {"type": "int"},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), update)


if __name__ == "__main__":
    main()
