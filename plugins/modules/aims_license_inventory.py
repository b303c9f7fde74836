#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_inventory
short_description: Check the inventory
version_added: "0.1.0"
description:
  - Reads the pairs of source and target that the inventory declares. If anything is wrong, the error lists all of it.
  - Runs on the controller only; no host is touched. Options of the server are accepted and not used.
options:
  pairs:
    description: Whether to check all hosts of the group C(aims_license_targets) and their sources. Otherwise O(hosts)
      are checked.
    type: bool
    default: true
  hosts:
    description: Without O(pairs), the hosts to check.
    type: list
    elements: str
    default: []
  names:
    description: Without O(pairs) and O(hosts), hosts of which only the names of their variables are checked.
    type: list
    elements: str
  groups:
    description: The groups that the playbook runs on. The task fails if C(--limit) excludes all of their hosts, because
      the run would do nothing.
    type: list
    elements: str
  checked:
    description: For a task with the tag C(always), whether the inventory was checked in this run. If the tags of the
      run skipped the check, they skip the whole playbook. The task then fails in a playbook of this collection, and
      warns in a playbook that imports it. Nothing else is checked.
    type: bool
  vault:
    description: Whether the run needs a vault password.
    type: bool
    default: false
  rehearsal:
    description: Whether to check C(aims_license_migrate_rehearse_licenses) too, with O(pairs). Each license in it must
      be declared for a target.
    type: bool
    default: false
  runbook:
    description: Return the moves of the vendor's license server, for M(aims.licensing.aims_license_runbook), instead of
      the pairs.
    type: bool
    default: false
  holders:
    description: The names of hosts. Return the licenses that each of them may hold, instead of the pairs. Where
      C(aims_license_server_renew_licenses) of a host names some, only these.
    type: list
    elements: str
  clients:
    description: Check the hosts of the group C(aims_license_clients), and return the license servers that their lists
      of licenses name, instead of the pairs.
    type: bool
    default: false
author: aims.licensing contributors (@aims)
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.server.reach
  - aims.licensing.attributes.no_diff
"""

EXAMPLES = r"""
- name: Check the inventory
  aims.licensing.aims_license_inventory:
  run_once: true
  register: inventory
"""

RETURN = r"""
pairs:
  description:
    - The pairs by the target's name, one for each source of its licenses.
    - C(migrate) and C(rollback) each have the C(source) and the C(target) of a run in that direction, with
      host, home, root, backend, authority, service and listen, and with C(options) for the C(module_defaults) of tasks
      that run on that host.
    - C(licenses) and C(profiles) are those declared for the target that come from the pair's source, in their order.
      License numbers have four groups of three digits. Activation codes are left out.
    - C(order) has the places of all profiles of the target, as the option C(profile_order) of
      M(aims.licensing.aims_license_activate). C(lost) says whether the source is declared lost.
    - C(ledger) is the authority that issues the licenses of a rehearsal.
  returned: success and O(pairs) and not O(runbook) and not O(clients)
  type: dict
moves:
  description:
    - The moves of the vendor's license server, by the target's name, one for each source of its licenses.
    - C(migrate) and C(rollback) each have the C(source) and the C(target) of a run in that direction, as the
      options of M(aims.licensing.aims_license_runbook), with the C(package) to install and with
      C(options) for the C(module_defaults) of tasks that run on that host.
    - C(licenses), C(profiles), C(users), C(codes), C(offline), C(pro_nodes) and C(screenshot) are options of
      M(aims.licensing.aims_license_runbook).
    - What a host runs follows from how Ansible reaches it. C(ansible_shell_type) V(cmd) or V(powershell) is Windows.
  returned: success and O(pairs) or O(runbook)
  type: dict
holders:
  description: The numbers of the licenses that are declared for each host, or leave it for a target, by its name.
  returned: success and O(holders)
  type: dict
client_servers:
  description: Each source with its target, as C({source, target}), by the addresses that clients' lists have.
  returned: success and O(clients)
  type: list
  elements: dict
servers:
  description:
    - The license server of each host, as in RV(pairs), with its C(licenses) and C(profiles).
    - With C(vendor=true) it is the vendor's, as in RV(moves), with C(users), C(codes), C(offline), and as C(source) the
      server that the licenses come from. C(registers) says whether a command is named that registers users in
      a call for several licenses.
  returned: success and not O(pairs) and not O(names)
  type: dict
"""
