#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_profile
short_description: Add, rename, re-point, order and remove profiles of a license server
version_added: "0.1.0"
description:
  - Changes the profiles of a license server to what is declared. Declared profiles come first, in their order. Others
    stay below them unless they are purged.
  - Clients that name no profile take the first valid default, top to bottom, so the order matters.
  - To rename a profile, declare the new name with its license, and the old name in O(absent).
  - With O(backend=vendor), runs the command that O(vendor_commands) names for renaming, once for each profile. The old
    name has the same place in O(absent) as the new one in O(profiles). No documented file shows profiles, so a record
    on the host decides whether the command is run, and a warning says where to look. See
    C(docs/vendor.md#commands-that-you-name).
author: aims.licensing contributors (@aims)
options:
  profiles:
    description: The declared profiles, top to bottom.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The profile's name.
        type: str
        required: true
      license:
        description: The number of its license. Several profiles may share a license.
        type: str
        required: true
      default:
        description: Whether clients that name no profile may take it.
        type: bool
        default: false
  absent:
    description: Names of profiles to remove.
    type: list
    elements: str
    default: []
  purge:
    description: Whether to remove every profile that is not declared.
    type: bool
    default: false
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.server.reach
  - aims.licensing.server.commands
  - aims.licensing.attributes
"""

EXAMPLES = r"""
- name: Name the profiles as the applications expect them
  aims.licensing.aims_license_profile:
    home: /opt/aims-license-server
    profiles:
      - {name: PROServer, license: 015.120.064.022}
      - {name: PROSession, license: 015.120.065.016, default: true}
    absent: [Profile1, Profile2]
"""

RETURN = r"""
overview:
  description: The overview afterwards, as of M(aims.licensing.aims_license_info).
  returned: success
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import read_profiles
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import ProfileChange
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import parse_profile
from ansible_collections.aims.licensing.plugins.module_utils._module import (
    COMMANDS,
    PROFILES,
    SERVER,
    described,
    manager_of,
    run,
)


def arrange(module: AnsibleModule) -> dict[str, Any]:
    """Bring the profiles to what is declared."""
    manager = manager_of(module)
    change = ProfileChange(
        profiles=read_profiles(module.params["profiles"], "profiles"),
        absent=[parse_profile(name, "absent") for name in module.params["absent"]],
        purge=module.params["purge"],
    )
    return described(manager.set_profiles(change, dry=module.check_mode))


def main() -> None:
    spec = {
        **SERVER,
        **COMMANDS,
        "profiles": PROFILES,
        "absent": {"type": "list", "elements": "str", "default": []},
        "purge": {"type": "bool", "default": False},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), arrange)


if __name__ == "__main__":
    main()
