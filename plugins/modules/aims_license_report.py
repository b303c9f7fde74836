#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_report
short_description: Verify a moved pair and write its report
version_added: "0.1.0"
description:
  - Writes a page and a JSON file with the overviews before and after, the transfers left and when they return, the
    seconds without a license server, and the strings for the PRO configuration and the clients.
  - Keeps an earlier report that shows the same. Writes no report if nothing moved.
  - Fails if a declared license or profile is not active afterwards. Fails with the next step if responses to offline
    requests are missing.
  - Fails after writing the report if the target lacks files that move with the licenses, or if that is unknown.
  - Runs on the controller only. Options of the server are accepted and not used.
options:
  source:
    description: The license server that the licenses come from, as C(host) and C(overview), what it showed at first.
    type: dict
    required: true
  target:
    description: The license server that they go to, as C(host).
    type: dict
    required: true
  planned:
    description: The result of M(aims.licensing.aims_license_plan).
    type: dict
    required: true
  deactivated:
    description: The result of M(aims.licensing.aims_license_deactivate), if it ran.
    type: dict
  activated:
    description: The result of M(aims.licensing.aims_license_activate), if it ran.
    type: dict
  after:
    description: The target's overview now.
    type: dict
    required: true
  verified:
    description: The result of M(aims.licensing.aims_license_verify) on the target.
    type: dict
  bundle:
    description: The path of the bundle that this run made.
    type: str
  address:
    description: The address at which clients reach the target. Without it, the target's inventory name.
    type: str
  direction:
    description: The direction of the run.
    type: str
    choices: [migrate, rollback]
    default: migrate
  dest:
    description: The folder for reports on the controller.
    type: path
    required: true
  probe:
    description: Whether to only return RV(verification_due), and write nothing.
    type: bool
    default: false
author: aims.licensing contributors (@aims)
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.server.reach
  - aims.licensing.attributes.no_diff
"""

EXAMPLES = r"""
- name: Write the report
  aims.licensing.aims_license_report:
    source: {host: old, overview: "{{ planned.source_overview }}"}
    target: {host: new}
    planned: "{{ planned }}"
    activated: "{{ activated }}"
    after: "{{ verified.overview }}"
    dest: ./aims-license/reports
"""

RETURN = r"""
page:
  description: The path of the page, or empty if nothing moved.
  returned: success
  type: str
data:
  description: The path of the JSON file, or empty if nothing moved.
  returned: success
  type: str
up_to_date:
  description: Whether an earlier report shows the same.
  returned: success
  type: bool
verification_due:
  description:
    - Whether the target still has to be verified, because this run moves licenses, or an earlier run moved them and
      stopped before its report.
  returned: success and O(probe)
  type: bool
report:
  description: The content of the JSON file.
  returned: success
  type: dict
"""
