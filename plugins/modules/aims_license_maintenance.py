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
  - Enters or leaves maintenance mode. In maintenance mode the license server grants no new seats.
  - The server of this version hands out no seats, so there are none to wait for.
author: aims.licensing contributors (@aims)
options:
  state:
    description: Whether maintenance mode is on.
    type: str
    choices: [enabled, disabled]
    default: enabled
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.attributes
"""

EXAMPLES = r"""
- name: Enter maintenance mode
  aims.licensing.aims_license_maintenance:
    home: /opt/aims-license-server
    state: enabled
"""

RETURN = r"""
overview:
  description: The overview afterwards, as of M(aims.licensing.aims_license_info).
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aims.licensing.plugins.module_utils._module import SERVER, described, manager_of, run


def switch(module):
    """Enter or leave maintenance mode."""
    manager = manager_of(module)
    return described(manager.set_maintenance(module.params["state"] == "enabled", dry=module.check_mode))


def main():
    spec = {**SERVER, "state": {"type": "str", "choices": ["enabled", "disabled"], "default": "enabled"}}
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), switch)


if __name__ == "__main__":
    main()
