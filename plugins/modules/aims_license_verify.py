#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_verify
short_description: Take and return one seat on every profile of a license server
version_added: "0.1.0"
description:
  - Takes a seat on each profile of the running server, as a client does, and returns it at once.
  - Fails if a profile of an active license grants no seat. With O(state=released), fails if any profile grants a seat,
    or if any seat is in use.
  - A profile whose seats are all in use counts as served.
  - If nothing runs the server (C(service) is V(none) in the overview), RV(seats) is empty.
  - Changes nothing. Check mode takes no seats.
author: aims.licensing contributors (@aims)
options:
  state:
    description: Whether the server is expected to grant seats or to grant none.
    type: str
    choices: [served, released]
    default: served
  licenses:
    description: The licenses whose profiles and seats to check. Without it, all licenses.
    type: list
    elements: str
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.server.reach
  - aims.licensing.attributes.no_diff
"""

EXAMPLES = r"""
- name: Verify that every profile grants a seat
  aims.licensing.aims_license_verify:
    home: /opt/aims-license-server

- name: Verify that a server without licenses grants no seats
  aims.licensing.aims_license_verify:
    home: /opt/aims-license-server
    state: released

- name: Verify that a server grants no seats of a released license
  aims.licensing.aims_license_verify:
    home: /opt/aims-license-server
    state: released
    licenses: [015.120.064.022]
"""

RETURN = r"""
seats:
  description: The outcome for each profile.
  returned: success
  type: list
  elements: dict
  contains:
    profile:
      description: The profile.
      type: str
    license:
      description: Its license.
      type: str
    outcome:
      description: V(granted), V(in use) where all of the license's seats are taken, or V(refused).
      type: str
    reason:
      description: Why no seat was granted, or null.
      type: str
overview:
  description: The overview, as of M(aims.licensing.aims_license_info).
  returned: success
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import read_numbers
from ansible_collections.aims.licensing.plugins.module_utils._module import SERVER, manager_of, run, seats


def verify(module: AnsibleModule) -> dict[str, Any]:
    """Try every profile."""
    manager = manager_of(module)
    given = module.params["licenses"]
    numbers = None if given is None else read_numbers(given, "licenses")
    trials = manager.verify(module.params["state"] == "served", numbers=numbers, dry=module.check_mode)
    return {"changed": False, "seats": seats(trials), "overview": manager.overview().as_dict()}


def main() -> None:
    spec = {
        **SERVER,
        "state": {"type": "str", "choices": ["served", "released"], "default": "served"},
        "licenses": {"type": "list", "elements": "str"},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), verify)


if __name__ == "__main__":
    main()
