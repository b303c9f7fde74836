#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_inventory
short_description: Check what the inventory declares about licenses
version_added: "0.1.0"
description:
  - Reads the pairs of source and target that the inventory declares, and tells everything that is wrong with it at
    once.
  - Runs on the controller only; no host is touched. Options of the server are accepted and not used.
options:
  pairs:
    description: Check all hosts of the group C(aims_license_targets) and the sources that they name. Otherwise the
      O(hosts).
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
  group:
    description: The group that the playbook is for. A run whose C(--limit) leaves none of its hosts is refused, as
      nothing would be done.
    type: str
  checked:
    description: For a task that is always run, whether the tags of the run have left in what checks the inventory, and
      with it the playbook. Nothing else is checked then. A playbook of this collection is refused where they have
      not; one that imports it is told.
    type: bool
  vault:
    description: Whether the run needs a vault password.
    type: bool
    default: false
  rehearsal:
    description: Whether to check C(aims_license_migrate_rehearse_licenses) too, with O(pairs). Each license in it has
      to be declared for some target.
    type: bool
    default: false
  runbook:
    description: Return the moves of the vendor's license server, for M(aims.licensing.aims_license_runbook), instead of
      the pairs.
    type: bool
    default: false
author: aims.licensing contributors (@aims)
extends_documentation_fragment:
  - aims.licensing.server
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
    - Source and target of each pair, by the target's name, with host, home, root, backend, authority, service and
      listen, and with C(options) for the C(module_defaults) of tasks that run on that host.
    - Beside them C(licenses) and C(profiles), the declared ones in their order, with their license numbers in one form,
      four groups of three digits, and without activation codes.
    - C(ledger) is the authority in which a rehearsal issues the licenses of the pair.
  returned: success and O(pairs) and not O(runbook)
  type: dict
moves:
  description:
    - The moves of the vendor's license server, by the target's name, as the options of
      M(aims.licensing.aims_license_runbook) C(source), C(target), C(licenses), C(profiles), C(users), C(codes),
      C(offline) and C(pro_nodes).
    - What a host runs follows from how Ansible reaches it. C(ansible_shell_type) V(cmd) or V(powershell) is Windows.
  returned: success and O(runbook)
  type: dict
servers:
  description: The license server of each host, as in RV(pairs), with its C(licenses) and C(profiles).
  returned: success and not O(pairs) and not O(names)
  type: dict
"""
