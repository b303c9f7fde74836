#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_plan
short_description: Plan moving licenses between two license servers
version_added: "0.1.0"
description:
  - Shows in a table for each license where it is, the next step, what the step spends, how many transfers are left
    afterwards and when the next one returns.
  - Fails with everything that prevents the plan, such as equal machine-ids, a spent budget, an expired license, a wrong
    code, or a profile whose name another license on the target has.
  - Runs on the controller only and changes nothing. Options of the server are accepted and not used.
options:
  source:
    description:
      - The license server that the licenses come from, as C(host) and C(info), the result of
        M(aims.licensing.aims_license_info) on it.
      - Where C(info) has no overview, the host was not reached, and the plan fails unless nothing is needed from it.
    type: dict
    required: true
  target:
    description:
      - The license server that they go to, likewise, with C(authority), where its requests go.
      - With C(returns=true) they come back to it, so that it may ask for them where its source cannot be reached and
        no authority says who holds them.
    type: dict
    required: true
  licenses:
    description: The declared licenses, as in M(aims.licensing.aims_license_activate).
    type: list
    elements: dict
    required: true
  profiles:
    description: Further profiles of these licenses, likewise.
    type: list
    elements: dict
    default: []
  keep_profiles:
    description: Whether the target keeps the profiles that it has for these licenses, likewise.
    type: bool
    default: false
  quotes:
    description: The C(results) of M(aims.licensing.aims_license_activate) in check mode on the target.
    type: list
    elements: dict
  bundles:
    description: The folder of bundles on the controller. Provides what the source no longer shows.
    type: path
  lost:
    description:
      - The bundle of a source that is lost for good. The plan is then what the run can do without that host, and its
        C(next_step) is what only the authority's owner can do.
    type: path
  without_files:
    description: Whether to continue if it is unknown which files belong on the target, or if some are lost.
    type: bool
    default: false
  realm:
    description:
      - The realm whose responses the target accepts, as C({name, key, ca}).
      - Required if the target's authority is V(offline) and the target has no realm yet. The realm of the source or its
        bundle is only compared with it.
    type: dict
  users:
    description: The registered users that are declared for the target. Without it, users move with the licenses.
    type: list
    elements: str
  emergency:
    description: Whether licenses that a lost source holds get an emergency activation.
    type: bool
    default: false
  hosts_only:
    description:
      - Whether to only compare the two hosts, before the authority is asked. Fails if one is a copy of the other, or if
        both are the same host, because the authority cannot detect copies.
      - Otherwise returns RV(quote).
    type: bool
    default: false
  rehearsal:
    description: Whether to only return the state of this pair's rehearsal, as RV(rehearsal).
    type: bool
    default: false
  issued:
    description: With O(rehearsal), whether this run issues licenses for it.
    type: bool
    default: false
  reconcile:
    description:
      - The vendor's license server of the target, as M(aims.licensing.aims_license_inventory) returns it in C(servers).
        With it, only RV(reconciliation) is returned.
      - O(source) is then the server that the inventory moves the licenses from. Licenses that it may still have are not
        activated.
    type: dict
author: aims.licensing contributors (@aims)
extends_documentation_fragment:
  - aims.licensing.server.warnings
  - aims.licensing.server
  - aims.licensing.server.reach
  - aims.licensing.bundle
  - aims.licensing.codes
  - aims.licensing.attributes.no_diff
"""

EXAMPLES = r"""
- name: Plan the migration of a pair
  aims.licensing.aims_license_plan:
    source: {host: old, info: "{{ old }}"}
    target: {host: new, info: "{{ new }}"}
    licenses: "{{ aims_license_server_licenses }}"
    quotes: "{{ quote.results }}"
"""

RETURN = r"""
plan:
  description:
    - The plan, with C(licenses), C(settled), C(notes), C(users) and C(files).
    - C(deactivate) has the licenses to deactivate on the source, C(returned) those that the source no longer holds
      when they are activated on the target, and C(unfinished) those whose activation on the source was requested and
      not finished.
    - C(users) has the users to register on the target, or null where it keeps its own.
    - C(files) has the files that move with the licenses. C(expected) belong on the target, C(missing) are not there,
      C(fetch) says whether the source is backed up for them although it releases no license, and C(unknown) whether it
      is unknown which files belong there. While a file is missing, C(settled) is false.
    - Licenses that a lost source holds are in C(release). Those with an emergency activation are also in C(emergency),
      the others in C(left_out). C(next_step) has the commands that release them.
  returned: success
  type: dict
quote:
  description:
    - The options for the quote, for which M(aims.licensing.aims_license_activate) runs in check mode before the plan.
    - C(needed) says whether the target lacks any license; C(realm), C(released_by) and C(emergency) are options of
      that module.
  returned: success and O(hosts_only)
  type: dict
rehearsal:
  description:
    - C(over) says whether the target has any of the licenses, or had it. The source then stays as it is.
    - C(unprepared) says that check mode has to end here, because only a real run makes what the migration needs.
  returned: success and O(rehearsal)
  type: dict
reconciliation:
  description:
    - C(activates) has the licenses that are active on the target, or that M(aims.licensing.aims_license_activate) can
      activate there. C(left) has the steps that are left for persons as text, or is empty. C(notes) has what is
      declared and no file shows.
  returned: success and O(reconcile)
  type: dict
activation:
  description:
    - The options of M(aims.licensing.aims_license_activate) on the target, C(licenses), C(profiles), C(emergency),
      C(returned), C(users) and C(source).
    - C(users) is null where the target keeps its own. C(source) is null where it is unknown which files belong there.
  returned: success
  type: dict
unfinished:
  description: The licenses whose activation the source has to finish first, without their codes.
  returned: success
  type: list
  elements: dict
verify_source:
  description: Whether the source can be asked for seats, to verify that it grants none.
  returned: success
  type: bool
source_overview:
  description: What the source shows, or the bundle of a lost source.
  returned: success
  type: dict
text:
  description: The plan as a table.
  returned: success
  type: str
bundle:
  description: The path of the source's newest bundle, or empty.
  returned: success
  type: str
before:
  description: The overview of that bundle, or the source's.
  returned: success
  type: dict
"""
