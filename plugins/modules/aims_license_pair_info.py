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
  - Says in one table for each license on which host it is live, what is pending, and what the next run will do.
  - The roles end with it where they stop. M(aims.licensing.aims_license_info) says the same of one host.
  - Runs on the controller only and changes nothing. Options of the server are accepted and not used.
options:
  source:
    description:
      - The license server that gives the licenses, as C(host), C(info), the result of
        M(aims.licensing.aims_license_info) on it, and C(authority), what it asks.
      - Where C(info) shows that the host was not reached, the table says so. Leave it out for a single host.
    type: dict
  target:
    description: The license server that gets them, likewise.
    type: dict
    required: true
  licenses:
    description: The declared licenses, as of M(aims.licensing.aims_license_activate). Codes are not needed.
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
    description: Whether licenses that a lost source holds are to be bridged by an emergency activation.
    type: bool
    default: false
  requests_dir:
    description: The folder of offline requests on the controller, to tell of the responses that are there.
    type: path
  portal:
    description: The request page that the run hands requests to by itself, or empty.
    type: str
    default: ""
  stopped:
    description:
      - What the run stopped at, as C(task), its name, and C(msg), what it told.
      - The task then fails, and the table begins with that.
    type: dict
author: aims.licensing contributors (@aims)
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.bundle
  - aims.licensing.attributes.no_diff
seealso:
  - module: aims.licensing.aims_license_plan
"""

EXAMPLES = r"""
- name: Look at a pair
  aims.licensing.aims_license_pair_info:
    source: {host: old, info: "{{ old }}"}
    target: {host: new, info: "{{ new }}"}
    licenses: "{{ aims_license_server_licenses }}"
"""

RETURN = r"""
status:
  description:
    - Where each license stands. C(live) has the hosts that serve it, C(where) says in words where it is.
    - C(pending) has its open exchanges, each with the C(host), the C(action), the C(request_id), when it was C(made),
      and C(response), which is C(on the host), C(in the folder), C(none) or, where the authority is asked online,
      C(unknown).
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
  description: The same as a table, line by line; where a run stopped, with why.
  returned: always
  type: list
  elements: str
"""
