#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_request
short_description: Exchange offline request files for responses on an authority's request page
version_added: "0.1.0"
description:
  - Uploads the request files that wait in a folder to the authority's request page, and writes the response files
    beside them. So a playbook exchanges files itself if the controller reaches the authority and the hosts do not.
  - Writes a response only if the realm's key has signed it as the answer to that request. Never replaces a response.
  - A refusal is a response too. It is written and shown in RV(results); the task that applies it fails with its reason.
  - Uploading a request again is safe. The authority answers it once and repeats that response.
  - Runs on the controller only. Options of the server are accepted and not used.
options:
  requests_dir:
    description:
      - The folder on the controller with the files C(aaabbbcccddd.request), which also gets the files
        C(aaabbbcccddd.response).
      - Names that mail programs changed, such as C(aaabbbcccddd.request.txt), are recognized. A response may have any
        name.
      - A relative path starts at the folder in which the command was started.
    type: path
    required: true
  portal:
    description: The address of the authority's service, C(https://host) or C(https://host:port).
    type: str
    required: true
  realm:
    description: The realm whose responses to accept, as C(authority init) printed it.
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
        description: The PEM certificate that authenticates the page. Required here; no other is trusted.
        type: str
      id:
        description: The realm's ID, which C(authority init) prints too. Not needed, because it follows from the key.
        type: str
  email:
    description: An e-mail address to which the page also sends the responses.
    type: str
  numbers:
    description: The licenses whose requests to upload. Without it, all requests that wait.
    type: list
    elements: str
  timeout:
    description: How many seconds to wait for each answer of the page. It is asked three times at most.
    type: float
    default: 60
  probe:
    description:
      - Whether to verify first that the authority can be reached and belongs to the realm, even if nothing waits, and
        in check mode too. Uploads nothing.
    type: bool
    default: false
author: aims.licensing contributors (@aims)
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.server.reach
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

- name: Show which requests were refused
  ansible.builtin.debug:
    msg: "{{ answered.results | selectattr('outcome', 'eq', 'refused') | map(attribute='problem') }}"
"""

RETURN = r"""
results:
  description:
    - One entry per request file. C(outcome) is V(granted) or V(refused) if the page answered the request in this call,
      V(there) if its response was there before, and V(waiting) if it has no response, as in check mode.
    - C(problem) is the reason of a refusal. C(mailed) says whether the mail server accepted a mail with the response.
    - C(repeated) says whether the page had answered the request before, and repeated that response.
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
  description: The request files that were uploaded, or would be in check mode.
  returned: success
  type: list
  elements: str
received:
  description: The response files that were written, or would be in check mode.
  returned: success
  type: list
  elements: str
"""
