#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_maintenance
short_description: Put a license server into maintenance mode, or back into service
version_added: "0.1.0"
description:
  - Enters or leaves maintenance mode. In maintenance mode the license server grants no new seats. Clients keep their
    seats and learn of the mode with their next heartbeat.
  - Entering can wait for the seats in use. If some are still in use at the end, the server returns to service, and the
    error lists who holds them.
  - Leaving restarts the server, as with the vendor's server.
  - Maintenance mode that this module enters is the operator's. A migration to this server does not
    begin while it is on.
  - Neither ends the drain of licenses that are about to leave, as of M(aims.licensing.aims_license_deactivate).
  - With O(backend=vendor), runs the command that O(vendor_commands) names for it. No documented file shows maintenance
    mode, so a record on the host decides whether the command is run, and a warning says where to look. See
    C(docs/vendor.md#commands-that-you-name).
author: aims.licensing contributors (@aims)
options:
  state:
    description: Whether maintenance mode is on.
    type: str
    choices: [enabled, disabled]
    default: enabled
  drain_seconds:
    description:
      - For how many seconds to wait for the seats in use when entering maintenance mode. Without it, the module does
        not wait.
      - The controller repeats the call every few seconds, and shows who still holds seats. If the controller is lost
        meanwhile, the server grants seats again within a minute.
    type: float
  force:
    description: Whether to stay in maintenance mode if seats are still in use after O(drain_seconds).
    type: bool
    default: false
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.server.reach
  - aims.licensing.server.commands
  - aims.licensing.drain
  - aims.licensing.attributes
"""

EXAMPLES = r"""
- name: Enter maintenance mode, and give clients five minutes
  aims.licensing.aims_license_maintenance:
    home: /opt/aims-license-server
    state: enabled
    drain_seconds: 300

- name: Take the server back into service
  aims.licensing.aims_license_maintenance:
    home: /opt/aims-license-server
    state: disabled
"""

RETURN = r"""
drained:
  description: The result of the drain.
  returned: success
  type: dict
  contains:
    seconds:
      description: How many seconds it took.
      type: float
    total:
      description: How many seats are still in use.
      type: int
    clients:
      description: The clients that hold them, at most a hundred, as in the overview.
      type: list
      elements: dict
    answered:
      description: Whether the server answered. A server that runs and does not answer may have any number of clients.
      type: bool
overview:
  description: The overview afterwards, as of M(aims.licensing.aims_license_info).
  returned: success
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Maintenance
from ansible_collections.aims.licensing.plugins.module_utils._module import (
    COMMANDS,
    SERVER,
    STEP,
    described,
    drain_of,
    drained,
    manager_of,
    run,
    step_of,
)


def switch(module: AnsibleModule) -> dict[str, Any]:
    """Enter or leave maintenance mode."""
    given, manager = module.params, manager_of(module)
    if given["drain_end"]:
        change = manager.end_drain(given["drain_ticket"] or "")
    else:
        drain = drain_of(given["drain_seconds"], given["force"])
        maintenance = Maintenance(given["state"] == "enabled", drain, step_of(module))
        change = manager.set_maintenance(maintenance, dry=module.check_mode)
    return {**described(change), **drained(change)}


def main() -> None:
    spec = {
        **SERVER,
        **COMMANDS,
        **STEP,
        "state": {"type": "str", "choices": ["enabled", "disabled"], "default": "enabled"},
        "drain_seconds": {"type": "float"},
        "force": {"type": "bool", "default": False},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), switch)


if __name__ == "__main__":
    main()
