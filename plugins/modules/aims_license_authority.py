#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_authority
short_description: Set up a rehearsal authority and issue rehearsal licenses
version_added: "0.1.0"
description:
  - Makes the ledger of a rehearsal authority where there is none, and issues the licenses that are not yet in it.
  - The ledger is the one that O(authority) names, as C(ledger:/absolute/path).
  - These are no AIMMS licenses; only the bundled license server honours them. A license that was issued stays as it is.
author: aims.licensing contributors (@aims)
options:
  name:
    description: The realm's name for a new ledger; C(REHEARSAL) is put before it.
    type: str
    default: authority
  licenses:
    description: The licenses to issue.
    type: list
    elements: dict
    default: []
    suboptions:
      number:
        description: The license number.
        type: str
        required: true
      activation_code:
        description: The code with which it can be activated. The ledger keeps only what proves it.
        type: str
      type:
        description: What it is, as the overview shows it.
        type: str
        default: Rehearsal license
      seats:
        description: How many may be in use at once.
        type: int
        default: 10
      days:
        description: How many days from today it is valid.
        type: int
        default: 365
  codes_from:
    description:
      - The name of a variable of the host that lists licenses with their activation codes, such as
        V(aims_license_server_licenses). Entries of O(licenses) that have no O(licenses[].activation_code) get
        theirs from it, by number.
      - Ansible shows what a task is given, in its header and to callbacks, whatever the module says of it. A task that
        has no codes shows none; one that has them needs C(no_log), which hides its messages too.
    type: str
  details:
    description: C(type), C(seats) and C(days) of licenses that O(licenses) does not say them of, by license number.
    type: dict
  bundle:
    description:
      - A bundle on the controller, for type and seats that nothing else says.
      - Its profiles and users come back in RV(overview).
    type: path
  accept_unauthenticated:
    description:
      - Whether to accept a bundle that nobody vouches for, as of an earlier version of the collection. Who can write
        the folder of bundles may have made such a bundle. It is told with a warning.
    type: bool
    default: false
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.attributes
"""

EXAMPLES = r"""
- name: Set up a rehearsal authority
  aims.licensing.aims_license_authority:
    authority: ledger:/srv/authority.db
    licenses:
      - number: 015.120.064.022
        activation_code: "{{ vault_proserver }}"
        type: AIMMS - PRO Server
        seats: 100
"""

RETURN = r"""
realm:
  description:
    - The realm's name, id and public key, and its C(ca) where the ledger has certificates for a service.
    - Null in check mode where there is no ledger yet.
  returned: success
  type: dict
issued:
  description: The numbers that were issued now.
  returned: success
  type: list
  elements: str
overview:
  description: Profiles and users of the bundle, as far as they belong to the licenses.
  returned: success and a bundle was given
  type: dict
licenses:
  description: The numbers of all licenses in the ledger.
  returned: success
  type: list
  elements: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.issuing import check_code, new_license
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel import ledger_path
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import (
    date_after,
    now_utc,
    parse_code,
    parse_number,
)
from ansible_collections.aims.licensing.plugins.module_utils._module import SERVER, run


def issue(module):
    """Make the ledger, and issue what is missing."""
    path, now = ledger_path(module.params["authority"]), now_utc()
    asked = {parse_number(entry["number"]): entry for entry in module.params["licenses"]}
    known, realm = [], None
    exists = Path(path).exists()
    if exists:
        with Ledger(path) as ledger:
            known, realm = [license.number for license in ledger.licenses()], ledger.realm.as_dict()
    new = {number: _checked(number, entry) for number, entry in asked.items() if number not in known}
    issued = list(new)
    if not module.check_mode and (new or not exists):
        with Ledger(path) if exists else Ledger.create(path, module.params["name"]) as ledger:
            realm = ledger.realm.as_dict()
            # Before the change, which others wait for: deriving their keys takes its time.
            licenses = [_license(ledger.realm, number, entry, now.date()) for number, entry in new.items()]
            with ledger.change():
                # One that another run has issued meanwhile keeps its code.
                licenses = [license for license in licenses if ledger.license(license.number) is None]
                for license in licenses:
                    ledger.put_license(license, now)
        issued = [license.number for license in licenses]
    after = sorted({*known, *asked})
    return {
        "changed": bool(issued) or not exists,
        "realm": realm,
        "issued": issued,
        "licenses": after,
        "diff": {
            "before": "".join(f"{n}\n" for n in known),
            "after": "".join(f"{n}\n" for n in after),
        },
    }


def _checked(number, entry):
    code = parse_code(entry["activation_code"], f"activation code of {number}")
    return {**entry, "activation_code": check_code(number, code)}


def _license(realm, number, entry, today):
    until = date_after(today, entry["days"], f"days of license {number}")
    return new_license(
        realm, number, entry["activation_code"], (entry["type"], entry["seats"], today.isoformat(), until)
    )


def main():
    spec = {
        **SERVER,
        "name": {"type": "str", "default": "authority"},
        "licenses": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "number": {"type": "str", "required": True},
                "activation_code": {"type": "str", "no_log": True},
                "type": {"type": "str", "default": "Rehearsal license"},
                "seats": {"type": "int", "default": 10},
                "days": {"type": "int", "default": 365},
            },
        },
        "codes_from": {"type": "str"},
        "details": {"type": "dict"},
        "bundle": {"type": "path"},
        "accept_unauthenticated": {"type": "bool", "default": False},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), issue)


if __name__ == "__main__":
    main()
