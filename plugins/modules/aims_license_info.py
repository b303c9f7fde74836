#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_info
short_description: Show what a license server holds
version_added: "0.1.0"
description:
  - Returns the overview of a license server as data. Licenses, profiles, registered users, pending requests,
    transfers left. C(status) says of each license where it stands, as at the end of a run that stopped.
  - Changes nothing. A host without a license server gives an overview with nothing in it.
author: aims.licensing contributors (@aims)
options:
  copy:
    description:
      - A folder of the controller into which a person copied the data folder of the vendor's license server, for a host
        that Ansible does not reach. Only the copy is read then. A relative path begins at the folder in which the
        command was started.
    type: path
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.attributes.no_diff
seealso:
  - module: aims.licensing.aims_license_pair_info
  - module: aims.licensing.aims_license_backup
"""

EXAMPLES = r"""
- name: Look at the license server
  aims.licensing.aims_license_info:
    home: /opt/aims-license-server
  register: server

- name: Show where its licenses stand
  ansible.builtin.debug:
    var: server.status_table

- name: Stop where a license is about to expire
  ansible.builtin.assert:
    that: server.overview.licenses | selectattr('expiry', 'lt', '2027-01-01') | length == 0
"""

RETURN = r"""
overview:
  description:
    - What the license manager shows.
    - C(drift) of a license is null unless the machine changed since it was activated. Else it has C(verdict), the
      C(changed) components, in C(components) the first digits of their hashes then and now, and what that C(means).
    - C(pending) has the same C(drift), of a machine that changed since the pending activation was made, and in C(here)
      whether the request was made by this machine.
    - C(invalid) of a license is null, or says why it is not valid today by the clock of the host.
    - C(until) of a license is null but for an emergency activation, which ends then.
    - C(in_use) is null and C(clients) is empty where the server does not run. C(clients) has the newest hundred.
  returned: success
  type: dict
  contains:
    server:
      description: The server itself, with its version, authority, realm, addresses, and whether it runs.
      type: dict
    licenses:
      description: The licenses, by their numbers.
      type: list
      elements: dict
    profiles:
      description: The profiles, top to bottom.
      type: list
      elements: dict
    clients:
      description: Who holds seats, the newest first.
      type: list
      elements: dict
    clients_total:
      description: How many they are.
      type: int
    users:
      description: The registered users.
      type: list
      elements: str
    files:
      description: The files that move with the licenses.
      type: list
      elements: str
    pending:
      description: The exchanges with the authority that are not over.
      type: list
      elements: dict
  sample:
    licenses:
      - number: 015.120.064.022
        file: 015120064022.lic
        type: AIMMS - PRO Server
        seats: 100
        status: Active
        protection: Machine Nodelock
        transfers: {limit: 3, left: 2, returns: '2027-11-21T19:20:22Z', spent: ['2026-11-21T19:20:22Z'],
          window_seconds: 31536000}
    profiles:
      - {name: PROServer, license: 015.120.064.022, default: false}
carried:
  description:
    - The files that move with the licenses, application keys and C(.cpx) files. C(files) has their SHA-256 by name,
      C(brought) those of the files as they came from another host last, and C(sources) the hosts whose files have all
      come, by their inventory names.
  returned: success
  type: dict
  sample:
    files: {Licenses/extra.cpx: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824}
    brought: {}
    sources: []
nodelocks:
  description: The nodelocks' files, as SHA-256 by name. M(aims.licensing.aims_license_runbook) compares them with a
    bundle.
  returned: success
  type: dict
  sample: {Nodelocks/015120064022.lock: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824}
fingerprint:
  description: The machine's identity, one salted hash per component.
  returned: success
  type: dict
  sample: {machine-id: 3f2a77d1c0d94f0e8a6f3a9d5b7c1e20}
places:
  description:
    - Where C(home) and machine-id (C(machine)) lie, or null where that is not known. Two hosts that show the same are
      one, or have mounted the same folder.
  returned: success
  type: dict
  sample: {home: 77a1c0d94f0e8a6f3a9d5b7c1e203f2a, machine: 0d94f0e8a6f3a9d5b7c1e203f2a77d1c}
status:
  description:
    - Where each license stands as far as this host shows, as of M(aims.licensing.aims_license_pair_info).
    - C(next) is what the next run will do about what is pending, with O(authority), or else the one that the server was
      installed with; what else it does is up to the playbook.
  returned: success
  type: list
  elements: dict
  sample:
    - number: 015.120.064.022
      live: [old]
      where: old
      pending: []
      next: keep
status_table:
  description: The same as a table, line by line.
  returned: success
  type: list
  elements: str
  sample:
    - 'License          Live on  Pending  Next run'
    - '---------------  -------  -------  --------'
    - '015.120.064.022  old      nothing  keep'
obstacles:
  description: What would keep the license server from giving its licenses up, as C(what), C(where) and C(todo).
  returned: success
  type: list
  elements: dict
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aims.licensing.plugins.module_utils._module import INFO, look, manager_of, run


def main() -> None:
    run(AnsibleModule(argument_spec=INFO, supports_check_mode=True), lambda module: look(manager_of(module)))


if __name__ == "__main__":
    main()
