#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_deactivate
short_description: Deactivate licenses of a license server
version_added: "0.1.0"
description:
  - Fences the licenses, so that the server grants no more seats, then gives them back one by one, online or offline.
  - Fails if O(bundle) does not cover them, because only a backup can restore a deactivated license.
  - Fails without changes if the authority cannot be reached.
  - Drops pending updates of these licenses.
  - After an interruption, the same request ID is used again, so that nothing is given back twice.
  - Fences nothing for a call that is more than 40 seconds old.
  - With O(backend=vendor), runs the command that O(vendor_commands) names for it, once for each license. Only a
    nodelock that changed or went shows a deactivation; without that the call fails, and so do later calls until a
    person has looked. The nodelocks have to be those of O(bundle) before. See
    C(docs/vendor.md#commands-that-you-name).
author: aims.licensing contributors (@aims)
options:
  licenses:
    description: The numbers of the licenses.
    type: list
    elements: str
    required: true
  bundle:
    description:
      - The bundle on the controller, as M(aims.licensing.aims_license_backup) returned it, or its link C(latest).
      - It must belong to this host and have been made while these licenses were active. It is verified, and the vault
        passwords of this run must open its secrets.
    type: path
    required: true
  drain_seconds:
    description:
      - For how many seconds at most to drain O(licenses) first. During the drain no new seats of these licenses are
        granted, and their clients are asked to end their sessions. Without it, sessions end at once.
      - The controller repeats the call every few seconds, and shows who still holds seats. If the controller is lost,
        nothing is given back, and the server grants seats again within a minute.
      - Other licenses are served meanwhile, and drains of them go on. A server that has none left to serve is in
        maintenance mode once these are fenced.
    type: float
  drain_force:
    description:
      - Whether to continue with seats still in use after O(drain_seconds). Otherwise the drain ends, and nothing is
        given back.
    type: bool
    default: false
  bundle_home_id:
    description: The home that the bundle belongs to. Set by the action plugin.
    type: str
  bundle_nodelocks:
    description: The digests of the bundle's nodelocks by file name. Set by the action plugin.
    type: dict
  codes_from:
    description:
      - The name of a variable of the host that lists licenses with their activation codes, such as
        V(aims_license_server_licenses). It is read only if the command of O(vendor_commands) has C({activation_code}).
    type: str
  codes:
    description: The activation codes that the command takes. Set by the action plugin.
    type: list
    elements: dict
    default: []
    suboptions:
      number:
        description: The license number.
        type: str
        required: true
      activation_code:
        description: The activation code.
        type: str
        required: true
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.server.reach
  - aims.licensing.server.commands
  - aims.licensing.realm
  - aims.licensing.offline
  - aims.licensing.bundle
  - aims.licensing.drain
  - aims.licensing.attributes
"""

EXAMPLES = r"""
- name: Deactivate two licenses, and give clients five minutes to end their sessions
  aims.licensing.aims_license_deactivate:
    home: /opt/aims-license-server
    licenses: [015.120.064.022, 015.120.065.016]
    bundle: ./aims-license/bundles/old/latest
    drain_seconds: 300

- name: Deactivate a license without a route to the authority
  aims.licensing.aims_license_deactivate:
    home: /opt/aims-license-server
    licenses: [015.120.064.022]
    bundle: ./aims-license/bundles/old/latest
    authority: offline
    requests_dir: ./aims-license/offline
  register: deactivated

- name: Deactivate a license of the vendor's server by the option that licman --help names there
  aims.licensing.aims_license_deactivate:
    backend: vendor
    licenses: [015.120.064.022]
    bundle: ./aims-license/bundles/old/latest
    vendor_commands: "{{ aims_license_server_vendor_commands }}"

- name: Stop while a response is missing
  ansible.builtin.fail:
    msg: "{{ deactivated.next_step }}"
  when: deactivated.requests | length > 0
"""

RETURN = r"""
results:
  description:
    - One entry per license, in the declared order.
    - If no machine holds the license any more, C(note) says why. Its nodelock is removed as well.
  returned: success
  type: list
  elements: dict
  sample:
    - {number: 015.120.064.022, action: deactivated, spends: 0, fenced_since: '2026-11-21T19:20:22Z'}
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
drained:
  description: The result of the drain, as of M(aims.licensing.aims_license_maintenance).
  returned: success
  type: dict
started:
  description: When the call began, or its wait for seats in use ended, seconds since 1970 on the controller's clock.
  returned: success
  type: float
overview:
  description: The overview afterwards, as of M(aims.licensing.aims_license_info).
  returned: success
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aims.licensing.plugins.module_utils._authority_argspec import OFFLINE, channel_of
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import read_numbers
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Deactivation
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import parse_code
from ansible_collections.aims.licensing.plugins.module_utils._module import (
    COMMANDS,
    REALM,
    SERVER,
    STEP,
    described,
    drain_of,
    drained,
    manager_of,
    run,
    step_of,
)


def give_back(module: AnsibleModule) -> dict[str, Any]:
    """Empty the server if asked to, then fence and deactivate the licenses."""
    manager = manager_of(module)
    numbers = read_numbers(module.params["licenses"], "licenses")
    home = manager.overview().server.home_id
    if home and module.params["bundle_home_id"] != home:
        raise refuse(
            "The bundle belongs to another license server.",
            module.params["bundle"],
            "Back up this host (aims_license_backup) and use that bundle.",
        )
    given = module.params
    if given["drain_end"]:
        change = manager.end_drain(given["drain_ticket"] or "")
        return {**described(change), **drained(change)}
    channel = channel_of(module, manager)
    drain = drain_of(given["drain_seconds"], given["drain_force"])
    codes = {row["number"]: parse_code(row["activation_code"], "codes") for row in given["codes"]}
    deactivation = Deactivation(numbers, drain, step_of(module), given["bundle_nodelocks"], codes)
    change = manager.deactivate(deactivation, channel, dry=module.check_mode)
    return {**described(change), **drained(change)}


def main() -> None:
    spec = {
        **SERVER,
        **COMMANDS,
        **OFFLINE,
        **STEP,
        "realm": REALM,
        "licenses": {"type": "list", "elements": "str", "required": True},
        "bundle": {"type": "path", "required": True},
        "bundle_home_id": {"type": "str"},
        "bundle_nodelocks": {"type": "dict"},
        "codes_from": {"type": "str"},
        "codes": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "number": {"type": "str", "required": True},
                "activation_code": {"type": "str", "required": True, "no_log": True},
            },
        },
        "drain_seconds": {"type": "float"},
        "drain_force": {"type": "bool", "default": False},
        "accept_unauthenticated": {"type": "bool", "default": False},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), give_back)


if __name__ == "__main__":
    main()
