#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_server_install
short_description: Install, upgrade or remove the bundled license server
version_added: "0.1.0"
description:
  - Brings a host to the license server's package of this collection, and runs it once to see that it works.
  - Before anything is touched, looks at whose the home is, the installed version, rights, disk space, the ports 3400
    and 3401 (unless under an alternate root), and the Python library C(cryptography); tells everything that is wrong
    at once.
  - An older version is never installed over a newer one.
author: aims.licensing contributors (@aims)
options:
  state:
    description:
      - V(absent) removes the package and refuses while a license is active or pending. Licenses, journal and
        configuration stay.
    type: str
    choices: [present, absent]
    default: present
  package:
    description: The package. Filled in by the action plugin; not to be given.
    type: str
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.realm
  - aims.licensing.attributes
"""

EXAMPLES = r"""
- name: Install the license server
  aims.licensing.aims_license_server_install:
    home: /opt/aims-license-server
    authority: ledger:/srv/authority.db

- name: Remove it again
  aims.licensing.aims_license_server_install:
    home: /opt/aims-license-server
    state: absent
"""

RETURN = r"""
changes:
  description: What was changed, in words.
  returned: success
  type: list
  elements: str
  sample: [install 0.1.0]
overview:
  description: The overview afterwards, as of M(aims.licensing.aims_license_info).
  returned: success
  type: dict
"""

import base64

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.install import (
    Package,
    install,
    remove,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.store import Home
from ansible_collections.aims.licensing.plugins.module_utils._module import REALM, SERVER, diff, manager_of, run


def bring(module):
    """Install or remove the package."""
    manager_of(module)
    home = Home(module.params["home"], module.params["root"])
    if module.params["state"] == "absent":
        done = remove(home, dry=module.check_mode)
    else:
        realm = module.params["realm"]
        package = Package(VERSION, base64.b64decode(module.params["package"]))
        pinned = Realm.from_dict(realm, "realm") if realm else None
        done = install(home, package, module.params["authority"], pinned, dry=module.check_mode)
    return {
        "changed": bool(done.changes),
        "changes": list(done.changes),
        "overview": done.after,
        "diff": diff(done.before, done.after),
    }


def main():
    spec = {
        **SERVER,
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "realm": REALM,
        "package": {"type": "str"},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), bring)


if __name__ == "__main__":
    main()
