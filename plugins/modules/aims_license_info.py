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
  - Returns the overview of a license server as data, with licenses, profiles, registered users, pending requests and
    transfers left. C(status) shows where each license is, as at the end of a run that stopped.
  - With O(vendor_commands), C(obstacles) names each command that cannot be run on this host as it is named.
  - Changes nothing. A host without a license server has an empty overview.
author: aims.licensing contributors (@aims)
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.server.reach
  - aims.licensing.server.copy
  - aims.licensing.server.warnings
  - aims.licensing.server.commands
  - aims.licensing.attributes.no_diff
seealso:
  - module: aims.licensing.aims_license_pair_info
  - module: aims.licensing.aims_license_backup
"""

EXAMPLES = r"""
- name: Read the license server
  aims.licensing.aims_license_info:
    home: /opt/aims-license-server
  register: server

- name: Show where its licenses are
  ansible.builtin.debug:
    var: server.status_table

- name: Fail if a license is about to expire
  ansible.builtin.assert:
    that: server.overview.licenses | selectattr('expiry', 'lt', '2027-01-01') | length == 0
"""

RETURN = r"""
overview:
  description:
    - What the license manager shows.
    - C(drift) of a license is null unless the machine changed since the activation. It has C(verdict), the C(changed)
      components, the first digits of their hashes then and now as C(components), and what it C(means).
    - C(pending) has the same C(drift) for a machine that changed since the request, and C(here), whether this machine
      made the request.
    - C(invalid) of a license is null, or says why the license is not valid today by the clock of the host.
    - C(until) of a license is when its emergency activation ends, or null.
    - C(in_use) is null and C(clients) is empty if the server does not run. C(clients) has the newest hundred.
  returned: success
  type: dict
  contains:
    server:
      description: The server, with its version, authority, realm, addresses, and whether it runs.
      type: dict
    licenses:
      description: The licenses, sorted by number.
      type: list
      elements: dict
    profiles:
      description: The profiles, top to bottom.
      type: list
      elements: dict
    clients:
      description: The clients that hold seats, the newest first.
      type: list
      elements: dict
    clients_total:
      description: How many clients hold seats.
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
      description: The pending exchanges with the authority.
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
    - The files that move with the licenses, application keys and C(.cpx) files. C(files) has their SHA-256 by name.
      C(brought) has the SHA-256 that each file had when it last came from another host. C(sources) has the inventory
      names of the hosts whose files have all arrived.
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
read_only:
  description: The names of nodelock files of the vendor's server that their owner cannot write. Such a license can
    neither be updated nor given up.
  returned: success
  type: list
  elements: str
  sample: []
unnumbered:
  description: The names of license files of the vendor's server that have no license number in them. Whether such a
    license is in use is not known.
  returned: success
  type: list
  elements: str
  sample: []
fingerprint:
  description: The machine's identity, one salted hash per component.
  returned: success
  type: dict
  sample: {machine-id: 3f2a77d1c0d94f0e8a6f3a9d5b7c1e20}
places:
  description:
    - Identifies the files of the C(home) and the machine-id (C(machine)), or null if unknown. Two hosts with the same
      values are one host, or have mounted the same folder.
  returned: success
  type: dict
  sample: {home: 77a1c0d94f0e8a6f3a9d5b7c1e203f2a, machine: 0d94f0e8a6f3a9d5b7c1e203f2a77d1c}
status:
  description:
    - Where each license is, as far as this host shows, as of M(aims.licensing.aims_license_pair_info).
    - C(next) is what the next run does about pending exchanges, with O(authority) or the authority that the server was
      installed with. What else it does depends on the playbook.
  returned: success
  type: list
  elements: dict
  sample:
    - number: 015.120.064.022
      live: [old]
      where: old
      pending: []
      next: keep
days_left:
  description: For how many days each license here is valid. The last day counts as 0, the day after it as -1.
  returned: success
  type: list
  elements: dict
  contains:
    number:
      description: The license number.
      type: str
    license:
      description: The days until the license ends, by the controller's date in UTC. Null if the day is not known.
      type: int
    maintenance:
      description: The days until its maintenance ends.
      type: int
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
  description: What prevents the license server from releasing its licenses, as C(what), C(where) and C(todo).
  returned: success
  type: list
  elements: dict
  sample: []
symptoms:
  description: Known messages in the logs of the vendor's server, C(Logging/LicenseServer.log) and C(.1) to C(.10), as
    C(what), C(where) and C(todo). Of each the newest is named. At most 8 MiB are searched, the newest logs first.
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
