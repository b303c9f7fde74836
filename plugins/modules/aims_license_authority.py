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
  - Creates the ledger of a rehearsal authority if there is none, and issues the licenses that it lacks.
  - The ledger is the one that O(authority) names, as C(ledger:/absolute/path).
  - Rehearsal licenses are not AIMMS licenses; only the bundled license server honours them. Issued licenses are never
    changed.
author: aims.licensing contributors (@aims)
options:
  name:
    description: The realm's name for a new ledger. C(REHEARSAL) is prefixed.
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
        description:
          - The code that activates it.
          - It stays on the controller. The ledger and its host get only the public half of a key that is derived from
            the code and the ledger's realm.
          - The code of a new license must be hard to guess. The code of an issued license is never changed.
        type: str
      code_key:
        description: The public key that proves the code in the ledger's realm. Set by the action plugin.
        type: str
      type:
        description: The license's type, as the overview shows it.
        type: str
        default: Rehearsal license
      seats:
        description: How many seats may be in use at once.
        type: int
        default: 10
      days:
        description: For how many days from today it is valid.
        type: int
        default: 365
  details:
    description: C(type), C(seats) and C(days) by license number, for licenses without them in O(licenses).
    type: dict
  bundle:
    description:
      - A bundle on the controller. Provides type and seats where neither O(licenses) nor O(details) does.
      - Its profiles and users are returned in RV(activation).
      - A bundle of the vendor's license server has no types, seats and users. See C(docs/vendor.md#rehearse).
    type: path
  look:
    description: Whether to only return what is missing. Set by the action plugin.
    type: bool
    default: false
  realm_id:
    description: The ID of the realm that the keys are derived for. Set by the action plugin.
    type: str
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.server.reach
  - aims.licensing.bundle
  - aims.licensing.codes
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
    - Null in check mode if there is no ledger yet.
  returned: success
  type: dict
issued:
  description: The numbers of the licenses that this call issued.
  returned: success
  type: list
  elements: str
activation:
  description:
    - What to activate on the source of the rehearsal, as the options C(licenses), C(profiles) and C(users) of
      M(aims.licensing.aims_license_activate).
    - With O(bundle), profiles and users are those of the bundle. Otherwise the licenses have the profiles that they
      declare, and C(users) is null.
  returned: success
  type: dict
licenses:
  description: The numbers of all licenses in the ledger.
  returned: success
  type: list
  elements: str
"""

from datetime import date
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.issue import (
    check_key,
    proven_license,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import ledger_path
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import (
    License,
    date_after,
    now_utc,
    parse_number,
)
from ansible_collections.aims.licensing.plugins.module_utils._module import SERVER, run


def issue(module: AnsibleModule) -> dict[str, Any]:
    """Make the ledger, and issue what is missing."""
    path, now = ledger_path(module.params["authority"]), now_utc()
    asked = {parse_number(entry["number"]): entry for entry in module.params["licenses"]}
    known, realm = [], None
    exists = Path(path).exists()
    if exists:
        with Ledger(path) as ledger:
            known, realm = [license.number for license in ledger.licenses()], ledger.realm.as_dict()
    licenses = [_license(number, entry, now.date()) for number, entry in asked.items() if number not in known]
    issued = [license.number for license in licenses]
    if not module.check_mode and not module.params["look"] and (licenses or not exists):
        licenses = [check_key(license) for license in licenses]
        with Ledger(path) if exists else Ledger.create(path, module.params["name"]) as ledger:
            realm = ledger.realm.as_dict()
            if licenses:
                _check_realm(ledger, module.params["realm_id"])
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


def _license(number: str, entry: dict[str, Any], today: date) -> License:
    until = date_after(today, entry["days"], f"days of license {number}")
    return proven_license(number, entry["code_key"] or "", (entry["type"], entry["seats"], today.isoformat(), until))


def _check_realm(ledger: Ledger, realm_id: str | None) -> None:
    """Refuse keys that prove codes in another realm: what they are issued for, nobody could activate."""
    if ledger.realm.id != realm_id:
        raise refuse(
            f"The ledger belongs to realm {ledger.realm.id}, but the licenses are for realm {realm_id}.",
            ledger.path,
            "The ledger was replaced during the run. Run the same command again.",
        )


def main() -> None:
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
                "code_key": {"type": "str", "no_log": False},
                "type": {"type": "str", "default": "Rehearsal license"},
                "seats": {"type": "int", "default": 10},
                "days": {"type": "int", "default": 365},
            },
        },
        "codes_from": {"type": "str"},
        "details": {"type": "dict"},
        "bundle": {"type": "path"},
        "accept_unauthenticated": {"type": "bool", "default": False},
        "look": {"type": "bool", "default": False},
        "realm_id": {"type": "str"},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), issue)


if __name__ == "__main__":
    main()
