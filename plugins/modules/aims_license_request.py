#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_request
short_description: Have offline request files answered by the request page of an authority
version_added: "0.1.0"
description:
  - Hands the request files that wait in a folder to the page that a person would upload them to, and writes the
    response files that come back beside them. So a playbook walks the offline way by itself where the hosts have no
    route to the authority but the controller has.
  - A response is written only where the realm's key has signed it as the answer to that very request. One that is
    there already is never replaced.
  - A refusal is an answer too. It is written and told in C(results); the task that applies it fails with its reason.
  - A request may be handed over any number of times; the authority answers it once and repeats that answer.
  - Runs on the controller only. Options of the server are accepted and not used.
options:
  requests_dir:
    description:
      - The folder on the controller with the files C(aaabbbcccddd.request), where O(portal) puts
        C(aaabbbcccddd.response).
      - A request is found under what mail programs make of that name too, such as C(aaabbbcccddd.request.txt), and a
        response under any name.
      - A relative path begins at the folder in which the command was started.
    type: path
    required: true
  portal:
    description: The address of the authority's service, C(https://host) or C(https://host:port).
    type: str
    required: true
  realm:
    description: Whose responses to take, as C(authority init) printed it.
    type: dict
    required: true
    suboptions:
      name:
        description: The realm's name.
        type: str
        required: true
      key:
        description: The public half of its key, base64.
        type: str
        required: true
      ca:
        description: The certificate, PEM, that the page proves itself with. Needed here; no other is trusted.
        type: str
      id:
        description: Printed with the others, and not needed; it follows from the key.
        type: str
  email:
    description: An e-mail address that the page shall send the responses to as well.
    type: str
  numbers:
    description: The licenses whose requests to hand over, all that wait unless given.
    type: list
    elements: str
  timeout:
    description: Seconds to wait for each sign of life of the page. It is asked three times at most.
    type: float
    default: 60
  probe:
    description:
      - Whether to see first that the authority can be reached and is the realm's, also where nothing waits and in
        check mode. Nothing is handed over for it.
    type: bool
    default: false
author: aims.licensing contributors (@aims)
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.attributes
"""

EXAMPLES = r"""
- name: Exchange the requests for responses
  aims.licensing.aims_license_request:
    requests_dir: ./aims-license/offline
    portal: https://authority.example.com:8443
    realm: "{{ aims_license_server_realm }}"
    email: licenses@example.com
  register: answered

- name: Say which were refused
  ansible.builtin.debug:
    msg: "{{ answered.results | selectattr('outcome', 'eq', 'refused') | map(attribute='problem') }}"
"""

RETURN = r"""
results:
  description:
    - One entry per request file that was looked at. C(outcome) is V(granted) or V(refused) where it was answered now,
      V(there) where its response was there already, and V(waiting) where it has none, as in check mode.
    - C(problem) is the reason of a refusal; C(mailed) says whether the mail server accepted a mail with the
      response.
    - C(repeated) says that the page had answered the request before, and that this is the same response again.
  returned: success
  type: list
  elements: dict
  sample:
    - number: 015.120.064.022
      action: deactivate
      outcome: granted
      file: 015120064022.response
      mailed: true
      repeated: false
      problem:
sent:
  description: The request files that were handed over, or would be.
  returned: success
  type: list
  elements: str
received:
  description: The response files that were written, or would be.
  returned: success
  type: list
  elements: str
"""
