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
  - Says for each license where it is, what the next step is, what it spends, how many transfers are left then and
    when one returns, and shows this as a table.
  - Fails with everything that stands against it. Equal machine-ids, a spent budget, an expired license, a wrong code,
    a profile whose name another license of the target has.
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
      - The license server that they go to, likewise, with C(authority), what it asks for activations.
      - With C(returns=true) they come back to it, so that it may ask for them where its source cannot be reached and
        no authority says who holds them.
    type: dict
    required: true
  licenses:
    description: The declared licenses, as of M(aims.licensing.aims_license_activate).
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
    description: The folder of bundles on the controller, for what the source no longer shows.
    type: path
  lost:
    description:
      - The bundle of a source that is lost for good. The plan then is what can be done without that host, and its
        C(next_step) what only the authority's owner can do.
    type: path
  without_files:
    description: Whether to go on where it is not known which files belong on the target, or some cannot be had.
    type: bool
    default: false
  realm:
    description:
      - Whose responses the target shall honour, as C({name, key, ca}).
      - Where its authority is V(offline) and it honours none yet, the plan fails without it. What the source or its
        bundle names is only compared with it.
    type: dict
  users:
    description: The registered users that are declared for the target. Unless given, they move with the licenses.
    type: list
    elements: str
  emergency:
    description: Whether licenses that a lost source holds are to be bridged by an emergency activation.
    type: bool
    default: false
  hosts_only:
    description:
      - Only compare the two hosts, before the authority is asked. Fails where one is a copy of the other, or both are
        one, because the authority knows nothing of copies.
      - Otherwise returns RV(quote).
    type: bool
    default: false
  rehearsal:
    description: Only return how far the rehearsal of this pair is, as RV(rehearsal).
    type: bool
    default: false
  issued:
    description: With O(rehearsal), whether this run issues licenses for it.
    type: bool
    default: false
author: aims.licensing contributors (@aims)
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.bundle
  - aims.licensing.codes
  - aims.licensing.attributes.no_diff
"""

EXAMPLES = r"""
- name: Plan
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
    - C(files) says which files that move with the licenses are C(expected) on the target, and which of them are
      C(missing) there; C(fetch), whether a bundle of the source has to be taken for them though no license is given up;
      C(unknown), whether nobody can tell which belong there. While any is missing, C(settled) is false.
    - Where a lost source holds licenses, they are in C(release), those that are bridged also in C(emergency), those
      that are not in C(left_out), and C(next_step) has the commands that set them free.
  returned: success
  type: dict
quote:
  description:
    - What to ask the authority before the plan is made, with M(aims.licensing.aims_license_activate) in check mode.
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
  description: The source's newest bundle, or empty.
  returned: success
  type: str
before:
  description: The overview of that bundle, or the source's.
  returned: success
  type: dict
"""
