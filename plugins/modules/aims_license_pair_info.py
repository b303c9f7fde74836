#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_pair_info
short_description: Show the pair status
version_added: "0.1.0"
description:
  - Shows in a table where each license is, which host serves it, what is pending, and what the next run will do.
  - The roles end with it when they stop. M(aims.licensing.aims_license_info) shows the same for a single host.
  - Runs on the controller only and changes nothing. Options of the server are accepted and not used.
options:
  source:
    description:
      - The license server that the licenses come from, as C(host), C(info), the result of
        M(aims.licensing.aims_license_info) on it, and C(authority), where its requests go.
      - If C(info) shows that the host was not reached, the table says so. Leave O(source) out for a single host.
    type: dict
  target:
    description: The license server that they go to, likewise.
    type: dict
    required: true
  licenses:
    description: The declared licenses, as in M(aims.licensing.aims_license_activate). Codes are not needed.
    type: list
    elements: dict
    required: true
  quotes:
    description: The C(results) of M(aims.licensing.aims_license_activate) in check mode on the target.
    type: list
    elements: dict
  lost:
    description: The bundle of a source that is lost for good.
    type: path
  emergency:
    description: Whether licenses that a lost source holds get an emergency activation.
    type: bool
    default: false
  requests_dir:
    description: The folder of offline requests on the controller, where responses may be.
    type: path
  portal:
    description: The request page that the run uploads requests to, or empty.
    type: str
    default: ""
  stopped:
    description:
      - Where the run stopped, as C(task), the name of the task, and C(msg), its message.
      - This task then fails, and the table begins with them.
    type: dict
author: aims.licensing contributors (@aims)
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.server.reach
  - aims.licensing.bundle
  - aims.licensing.attributes.no_diff
seealso:
  - module: aims.licensing.aims_license_plan
"""

EXAMPLES = r"""
- name: Show the status of a pair
  aims.licensing.aims_license_pair_info:
    source: {host: old, info: "{{ old }}"}
    target: {host: new, info: "{{ new }}"}
    licenses: "{{ aims_license_server_licenses }}"
"""

RETURN = r"""
status:
  description:
    - Where each license is. C(live) has the hosts that serve it, and C(where) says where it is, as text.
    - C(pending) has its pending exchanges, each with the C(host), the C(action), the C(request_id), when it was
      C(made), and C(response), which is C(on the host), C(in the folder), C(none) or, online, C(unknown).
    - C(next) is what the next run will do.
  returned: success
  type: list
  elements: dict
  sample:
    - number: 015.120.064.022
      live: []
      where: neither
      pending:
        - host: new
          action: activate
          request_id: 0f6a2d6c0b8f4c0f9d9a6f2f7f1f5a11
          made: '2026-11-21T19:20:22Z'
          response: none
      next: 'finish activating: wait for the response'
status_table:
  description: The same as lines of a table. After a run that stopped, with the reason.
  returned: always
  type: list
  elements: str
"""
