#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_runbook
short_description: Print and write the runbook of a move of the vendor's license server
version_added: "0.1.0"
description:
  - Lists every step of a move in order, with menus, commands, values to enter, what will show that the step is done,
    the transfers that it spends, and the time without a license server.
  - Each step is done, due or later. Evidence on the hosts decides where there is some; otherwise a person confirms the
    step by its id. A confirmation is recorded with time and user. It is void where evidence contradicts it.
  - Writes the runbook as a page with boxes to tick and as JSON. No activation code is in any of them; the variable that
    has it is named.
  - Fails where a license has no transfer left by the inventory and the record of the pair. The record is this
    collection's, and not the authority's word.
  - Runs on the controller only; no host is touched. Options of the server are accepted and not used.
options:
  source:
    description:
      - The license server that gives the licenses, as C(host), C(platform), C(address) and C(home).
      - C(platform) is V(linux), V(windows), or V(copy) for a folder on the controller into which a person copied the
        files of a Windows server; C(home) is that folder then.
    type: dict
    required: true
  target:
    description: The license server that gets them, likewise. It cannot be a copy.
    type: dict
    required: true
  licenses:
    description: The declared licenses, as of M(aims.licensing.aims_license_activate), with C(transfers_spent), the days
      of earlier transfers. Codes are not needed, and not used.
    type: list
    elements: dict
    required: true
  profiles:
    description: Further profiles, as C({name, license, default}).
    type: list
    elements: dict
    default: []
  users:
    description: The registered users. Without it, they are copied from the source by a person.
    type: list
    elements: str
  codes:
    description: The name of the variable that has the activation code, by license number.
    type: dict
  offline:
    description: Whether a person carries requests and responses.
    type: bool
    default: false
  pro_nodes:
    description: The hosts of PRO. An empty list leaves out PRO's steps.
    type: list
    elements: str
  pro_checks:
    description: By node of PRO, the exit code of a command that tried port 3400 of the target. 0 is a connection; 1 and
      124 are none.
    type: dict
  pro_log:
    description: A copy of the log of PRO's configurator on the controller. At level DEBUG it shows whether the saved
      settings name the target. Known messages in it are explained. Without it, a person confirms that step.
    type: path
  clients:
    description: The hosts whose lists of licenses the playbook C(cut_over) keeps. Without any, a person keeps them.
    type: list
    elements: str
    default: []
  package:
    description: Whether the inventory names a package for the target, so that the playbook installs the server.
    type: bool
    default: false
  carried_out:
    description: The ids of steps that the playbook has carried out since it last looked, as RV(acts) named them. They
      are recorded like confirmations.
    type: list
    elements: str
    default: []
  fresh_backup:
    description: Whether a bundle counts only once RV(acts) has named the backup in this move. An older bundle does not
      show what the source gives up now.
    type: bool
    default: false
  show:
    description: Whether to print the runbook.
    type: bool
    default: true
  confirmed:
    description: The ids of steps that a person confirms, as the runbook prints them. Only steps that are due can be
      confirmed; one that is done is passed over.
    type: list
    elements: str
    default: []
  exceed_transfers:
    description: Whether to go on where the record has no transfer left.
    type: bool
    default: false
  bundles:
    description: The folder of bundles on the controller. Nodelocks are compared with the newest bundle of the source.
    type: path
  requests:
    description: The folder on the controller where responses are archived, as C(HOST/NNNNNNNNNNNN.response).
    type: path
  looks:
    description:
      - What M(aims.licensing.aims_license_info) returned, by host. Of a host that is not in it, no nodelock is
        evidence. Other keys than C(nodelocks), C(overview), C(read_only), C(unnumbered) and C(symptoms) are not used.
      - A person makes nodelock files of the source that are read-only writable before its licenses are given up.
      - The source's service is stopped last of all, where it is known and no license is left that does not move.
    type: dict
  screenshot:
    description: A picture of the source's license manager, as a file on the controller. Without it, a person confirms
      the step.
    type: path
  seen:
    description:
      - What tasks have seen of the hosts, by their names. C(answers) is whether port 3400 answers, C(runs) whether the
        service runs.
      - Nothing is known of a host that is not in it.
    type: dict
  dest:
    description: The folder for runbooks on the controller. Its folder C(records) has what was confirmed.
    type: path
    required: true
author: aims.licensing contributors (@aims)
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.server.reach
  - aims.licensing.attributes.no_diff
"""

EXAMPLES = r"""
- name: Print the runbook
  aims.licensing.aims_license_runbook:
    source: {host: old, platform: windows, address: old.example.com, home: 'C:\ProgramData\AIMMS'}
    target: {host: new, platform: linux, address: new.example.com, home: /usr/local/Aimms}
    licenses:
      - {number: 015.120.064.022, profile: PROServer}
      - {number: 015.120.065.016, profile: PROSession, default: true, transfers_spent: ["2026-03-01"]}
    codes: {015.120.064.022: vault_code_server, 015.120.065.016: vault_code_session}
    dest: ./aims-license/runbooks
"""

RETURN = r"""
page:
  description: The path of the page.
  returned: success
  type: str
data:
  description: The path of the JSON file.
  returned: success
  type: str
text:
  description: The runbook as it is printed.
  returned: success
  type: str
acts:
  description: The ids of the due steps that the playbook carries out.
  returned: success
  type: list
  elements: str
kinds:
  description: What these steps do, such as V(install), V(backup) or V(activate).
  returned: success
  type: list
  elements: str
carried_out:
  description: As O(carried_out).
  returned: success
  type: list
  elements: str
deactivates:
  description: The numbers of the licenses that the playbook deactivates on the source.
  returned: success
  type: list
  elements: str
activates:
  description: The licenses that the playbook activates on the target, as M(aims.licensing.aims_license_activate) takes
    them.
  returned: success
  type: list
  elements: dict
bundle:
  description: The path of the source's newest bundle. None where there is none that counts.
  returned: success
  type: str
planned:
  description: What M(aims.licensing.aims_license_report) takes as C(planned). None until all licenses have moved.
  returned: success
  type: dict
next_step:
  description: The due steps with their values, and how to confirm them. Empty where everything is done.
  returned: success
  type: str
runbook:
  description: What the JSON file holds. A script can carry out the move by it alone.
  returned: success
  type: dict
  contains:
    pair:
      description: C(source) and C(target), the names of the hosts.
      type: dict
    platforms:
      description: What they run, likewise.
      type: dict
    offline:
      description: Whether a person carries requests and responses.
      type: bool
    made:
      description: When the runbook was made, UTC.
      type: str
    steps:
      description: Every step, in order.
      type: list
      elements: dict
      contains:
        id:
          description: What the step is confirmed by.
          type: str
        phase:
          description: The part of the move. All steps of a phase are due at once, in their order.
          type: str
        host:
          description: Where it is done; V(PRO) and V(clients) stand for what the inventory does not name.
          type: str
        title:
          description: What is done.
          type: str
        reason:
          description: Why.
          type: str
        path:
          description: Programs, menus and buttons, from left to right.
          type: list
          elements: str
        commands:
          description: Lines to enter in a shell, in order.
          type: list
          elements: str
        values:
          description: What to enter, in order, as C(label), C(text), and C(variable) where a variable has the value.
          type: list
          elements: dict
        shows:
          description: What will show that the step is done, in words.
          type: str
        evidence:
          description: What of that can be checked; V(none) where a person has to confirm the step.
          type: str
        transfers:
          description: How many transfers it spends.
          type: int
        outage:
          description: Whether the time without a license server V(begins) or V(ends) here.
          type: str
        ours:
          description: Whether a playbook does the step.
          type: bool
        state:
          description: V(done), V(due) or V(later).
          type: str
        verdict:
          description: What evidence says of it. V(done), V(not done) or V(cannot tell).
          type: str
        confirmed:
          description: When (C(at)) and by whom (C(by)) it was confirmed; null where evidence decides, or nothing.
          type: dict
    due:
      description: The ids of the steps that are due, in order.
      type: list
      elements: str
    done:
      description: Whether all steps are done.
      type: bool
    transfers:
      description: Of each license its C(number), the days C(spent) that count, what is C(left) by the record, and the
        day on which the next one C(returns). C(back) is the day from which the license can be moved back after this
        move; null where it can at once.
      type: list
      elements: dict
    notes:
      description: Which licenses cannot be moved back at once after this move, in sentences.
      type: list
      elements: str
    outage:
      description: The time without a license server. The steps with which it C(begins) and C(ends), how many C(steps)
        it has, how many of them are done C(by_persons), and C(since) when it lasts, where that was confirmed.
      type: dict
    void:
      description: Confirmations that evidence contradicts, as C(what), C(where) and C(todo).
      type: list
      elements: dict
    symptoms:
      description: Known messages in the logs of the license servers and of PRO's configurator, as C(what), C(where) and
        C(todo). They alone do not have the JSON file written anew.
      type: list
      elements: dict
    remedies:
      description: Known messages of the vendor's programs, as C(message) and C(todo).
      type: list
      elements: dict
"""
