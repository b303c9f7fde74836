#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_activate
short_description: Install and activate licenses on a license server
version_added: "0.1.0"
description:
  - Activates the declared licenses on this machine, online or offline, with their profiles in the declared order.
  - Before the first activation, asks the authority for a quote for all of them. If it would refuse one, nothing is
    changed, and the error lists everything that is wrong.
  - Licenses that are active here need no request. After an interruption, the same request ID is used again, so that
    no transfer is spent twice.
  - With O(backend=vendor), the vendor's documented commands are run, each once. Whatever they print, a nodelock decides
    whether a license was activated; without one the call fails, and so do later calls until a person has looked. See
    C(docs/vendor.md#activate-licenses).
  - In check mode the authority is asked too, and RV(results) shows what each activation would spend.
author: aims.licensing contributors (@aims)
options:
  licenses:
    description: The licenses, in the order of their profiles.
    type: list
    elements: dict
    required: true
    suboptions:
      number:
        description: The license number, such as V(015.120.064.022).
        type: str
        required: true
      activation_code:
        description:
          - The activation code. It never leaves the host; a request only proves that the host knows it.
          - Without it, nothing new is requested. Pending exchanges of the license are finished.
        type: str
      profile:
        description: The profile's name. Without it, a new license gets an abstract name.
        type: str
      default:
        description: Whether clients that name no profile may take it.
        type: bool
        default: false
      nodelock:
        description:
          - The protection. A machine nodelock can be transferred 3 times in 365 days, a personal one 3 times in 24
            hours.
          - A machine nodelock cannot become a personal one. A personal nodelock cannot be activated offline.
        type: str
        choices: [machine, personal]
        default: machine
  seen:
    description:
      - The host's overview as M(aims.licensing.aims_license_info) returned it. With it, the activation codes of
        licenses that the host holds as declared, or has requested, stay on the controller. Pending exchanges need no
        code.
    type: dict
  profiles:
    description: Further profiles of these licenses, below those of O(licenses).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The profile's name.
        type: str
        required: true
      license:
        description: The number of its license.
        type: str
        required: true
      default:
        description: Whether clients that name no profile may take it.
        type: bool
        default: false
  keep_profiles:
    description:
      - Whether licenses that have profiles here keep them, in their order. For a server that gets its licenses back.
      - O(licenses) and O(profiles) then add profiles only for licenses that have none, below the others, and never
        under the name of another license's profile.
    type: bool
    default: false
  profile_order:
    description:
      - The order of all profiles that are declared for this host, if O(licenses) are only some of its declared
        licenses. Without it, the profiles of O(licenses) come first.
    type: list
    elements: dict
    default: []
    suboptions:
      license:
        description: The license number.
        type: str
        required: true
      name:
        description: The profile's name. Omit it for a license without a declared profile.
        type: str
  users:
    description:
      - The registered users, as C(DOMAIN\\user). Without it, they stay as they are.
      - With O(backend=vendor), each is registered by the command that O(vendor_commands) names for it, once; none is
        removed.
    type: list
    elements: str
  bundle:
    description:
      - A bundle on the controller. Its application keys and C(.cpx) files are copied to the host where they are
        missing.
      - With the first of O(licenses) that this call activates, they replace files of the same name from an earlier
        migration. On a host that already serves licenses, they replace a file only if the bundle's file differs from
        the file that came before.
      - Application keys get mode 0600 and C(.cpx) files get 0644, whatever their mode was on the other host.
    type: path
  license_files:
    description:
      - With O(backend=vendor), a folder on the controller with C(.lic) and C(.cpx) files. They are copied to the host
        before the activation where they are missing, as those of O(bundle) are; none is replaced.
      - A file that differs from the one of the same name in O(bundle) is refused.
    type: path
  files:
    description: The files of bundle and folder. Set by the action plugin.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name in the home.
        type: str
        required: true
      content:
        description: The content, base64.
        type: str
        required: true
  emergency:
    description:
      - Numbers of the licenses that get an emergency activation if another machine holds them. It lasts as many days as
        the authority grants, 7 with the bundled authority, once in 365 days per license. It spends no transfer.
      - Such a license stays as it is while the other machine holds it. The next call after the authority's owner has
        released it activates it for good. Offline it stays until it ends, or until O(returned) names it.
    type: list
    elements: str
    default: []
  returned:
    description:
      - Numbers of the licenses that the other machine has given back. Offline, their emergency activation is replaced
        by a permanent one; online, the authority decides.
      - The license stays as it is on disk until the response is applied. Until then, sessions continue and no new ones
        start.
    type: list
    elements: str
    default: []
  source:
    description:
      - The name of the host that the licenses come from, if O(bundle) has all of its files that move, or it has none.
        Once all O(licenses) are active, the target records that these files arrived.
        M(aims.licensing.aims_license_info) returns the record as C(carried.sources).
      - Before that, the files of the bundle replace files of the same name from elsewhere.
    type: str
  released_by:
    description:
      - For check mode, public keys of license servers that will have released their licenses before the real call.
      - Without it, a license that another machine holds is refused, as in the real call. With C(*) none is refused, for
        a caller that evaluates RV(results).
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.server.reach
  - aims.licensing.server.commands
  - aims.licensing.realm
  - aims.licensing.offline
  - aims.licensing.bundle
  - aims.licensing.codes
  - aims.licensing.attributes
"""

EXAMPLES = r"""
- name: Activate the three licenses of an AIMMS PRO server
  aims.licensing.aims_license_activate:
    home: /opt/aims-license-server
    licenses:
      - {number: 015.120.064.022, activation_code: "{{ vault_proserver }}", profile: PROServer}
      - {number: 015.120.065.016, activation_code: "{{ vault_prosession }}", profile: PROSession, default: true}
      - {number: 015.120.055.014, activation_code: "{{ vault_client }}", profile: Client, default: true}

- name: Get a quote for the activation
  aims.licensing.aims_license_activate:
    home: /opt/aims-license-server
    licenses: "{{ aims_license_server_licenses }}"
  check_mode: true
  register: quote
"""

RETURN = r"""
results:
  description: One entry per license, in the declared order. C(spends) and C(transfers) are null where only the
    authority knows.
  returned: success
  type: list
  elements: dict
  sample:
    - number: 015.120.064.022
      action: activated
      spends: 1
      transfers: {limit: 3, left: 2, returns: '2027-11-21T19:20:22Z', spent: ['2026-11-21T19:20:22Z'], window_seconds:
        31536000}
requests:
  description: The request files that wait for their responses. Check mode makes no request; RV(results) shows
    C(pending) for what will wait.
  returned: success
  type: list
  elements: dict
next_step:
  description: What to do with the request files, as text, or null. In check mode, which requests will wait.
  returned: success
  type: str
ended:
  description: When the call ended, in seconds since 1970 by the controller's clock.
  returned: success
  type: float
overview:
  description: The overview afterwards, as of M(aims.licensing.aims_license_info).
  returned: success
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aims.licensing.plugins.module_utils._authority_argspec import OFFLINE, channel_of
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import (
    read_declared_licenses,
    read_numbers,
    read_places,
    read_profiles,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import PRIVATE
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation, HomeFile
from ansible_collections.aims.licensing.plugins.module_utils._licensing.sealing import unpacked
from ansible_collections.aims.licensing.plugins.module_utils._module import (
    COMMANDS,
    PROFILES,
    REALM,
    SERVER,
    described,
    manager_of,
    run,
)


def activate(module: AnsibleModule) -> dict[str, Any]:
    """Make the licenses active here."""
    manager = manager_of(module)
    activation = activation_of(module.params)
    return described(manager.activate(activation, channel_of(module, manager), dry=module.check_mode))


def activation_of(params: dict[str, Any]) -> Activation:
    """Return what the options ask for."""
    licenses = read_declared_licenses(params["licenses"], "licenses", without_codes=True)
    realm = params["realm"]
    return Activation(
        licenses=licenses,
        realm=Realm.from_dict(realm, "realm") if realm else None,
        extra_profiles=read_profiles(params["profiles"], "profiles", [license.number for license in licenses]),
        users=params["users"],
        released_by=params["released_by"],
        files=[
            HomeFile(file["name"], PRIVATE, True, unpacked(file["content"], f"files, {file['name']}"))
            for file in params["files"]
        ],
        emergency=read_numbers(params["emergency"], "emergency"),
        returned=read_numbers(params["returned"], "returned"),
        keep_profiles=params["keep_profiles"],
        source=params["source"],
        places=read_places(params["profile_order"], "profile_order"),
    )


def main() -> None:
    spec = {
        **SERVER,
        **COMMANDS,
        **OFFLINE,
        "licenses": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "number": {"type": "str", "required": True},
                "activation_code": {"type": "str", "no_log": True},
                "profile": {"type": "str"},
                "default": {"type": "bool", "default": False},
                "nodelock": {"type": "str", "choices": ["machine", "personal"], "default": "machine"},
            },
        },
        "codes_from": {"type": "str"},
        "profiles": PROFILES,
        "seen": {"type": "dict"},
        "keep_profiles": {"type": "bool", "default": False},
        "profile_order": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"license": {"type": "str", "required": True}, "name": {"type": "str"}},
        },
        "bundle": {"type": "path"},
        "license_files": {"type": "path"},
        "files": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "name": {"type": "str", "required": True},
                "content": {"type": "str", "required": True, "no_log": True},
            },
        },
        "users": {"type": "list", "elements": "str"},
        "realm": REALM,
        "emergency": {"type": "list", "elements": "str", "default": []},
        "returned": {"type": "list", "elements": "str", "default": []},
        "source": {"type": "str"},
        "released_by": {"type": "list", "elements": "str", "default": []},
        "accept_unauthenticated": {"type": "bool", "default": False},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), activate)


if __name__ == "__main__":
    main()
