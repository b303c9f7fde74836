#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_backup
short_description: Back up a license server to the controller
version_added: "0.1.0"
description:
  - Writes a bundle of everything needed to rebuild or move the license server into a folder of the controller, reads it
    back and verifies it. The bundle holds the files of the home, the overview as YAML and as a web page, and a manifest
    with digests.
  - Private keys leave the host sealed, and are encrypted with Ansible Vault in the bundle. The run needs a vault
    password (C(--vault-password-file) or C(--vault-id)). If there are several, C(vault_encrypt_identity) selects the
    password that encrypts, as for C(ansible-vault encrypt).
  - Unchanged content makes no second bundle. Neither does a home where licenses were released and nothing else
    changed. Bundles that the vault passwords of this run do not open are ignored.
  - Changed content is always backed up. C(latest) stays at the earlier bundle if that has a license that is neither
    active nor given back now, or if no license is active now, so that a poorer backup never replaces a good one.
author: aims.licensing contributors (@aims)
options:
  dest:
    description:
      - The folder on the controller for bundles. It gets a folder per host, with one folder per bundle and a link
        C(latest) to the newest good bundle, which replaces the host if it is lost.
      - A relative path starts at the folder in which the command was started.
    type: path
    required: true
  allow_poorer:
    description:
      - Whether C(latest) names the bundle of the home as it is, even if that lacks a license. For a license that will
        not come back, such as one whose files are lost.
    type: bool
    default: false
  recipient:
    description: The key that secrets are sealed for. Set by the action plugin.
    type: str
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.server.reach
  - aims.licensing.server.copy
  - aims.licensing.server.warnings
  - aims.licensing.attributes.no_diff
"""

EXAMPLES = r"""
- name: Back up the license server
  aims.licensing.aims_license_backup:
    home: /opt/aims-license-server
    dest: ./aims-license/bundles
  register: backup

- name: Show the path of the bundle
  ansible.builtin.debug:
    var: backup.bundle
"""

RETURN = r"""
bundle:
  description:
    - The folder of the bundle that covers the home as it is, on the controller.
    - In check mode, if a bundle would be written, the folder of the newest bundle, or empty.
  returned: success
  type: str
  sample: /home/ops/aims-license/bundles/old/20261121T192022Z-4be1c7a90d21
digest:
  description: The digest of the names, modes and contents of the files.
  returned: success
  type: str
kept:
  description: Why C(latest) stays at an earlier bundle, or null.
  returned: success
  type: str
overview:
  description: The overview at the time of the backup, as of M(aims.licensing.aims_license_info).
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aims.licensing.plugins.module_utils._module import BACKUP, collect, manager_of, run


def main() -> None:
    run(
        AnsibleModule(argument_spec=BACKUP, supports_check_mode=True),
        lambda module: collect(manager_of(module), module.params["recipient"]),
    )


if __name__ == "__main__":
    main()
