#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_client
short_description: Keep the entries of a client's list of licenses
version_added: "0.1.0"
description:
  - Adds entries of license servers to the list of licenses of an AIMMS client, C(licenses.cfg), puts them first, or
    removes them. A client takes the first valid entry, top to bottom.
  - Only lines that it adds, moves or removes are touched. All others, known or not, keep their bytes, line ends and
    encoding.
  - The file as it was before the first change is kept beside it, as C(licenses.cfg.aims-original), and never replaced.
    The list itself is replaced at once and keeps mode, owner and group; on Windows it gets the rights that its folder
    hands on.
  - A file of which no line is known to be an entry is refused, as well as one with zero bytes or in UTF-16.
  - Only the form of the lines is documented. How a line names a profile is not, so that O(like) copies it from the
    lines of another server.
options:
  path:
    description:
      - The list. Its folder has to be there; a missing list is made if O(state) needs one and O(like) is not set.
      - By default the only one of C(licenses.cfg) and C(license.cfg) in the folder C(Config) of C(/usr/local/Aimms) and
        C(/usr/local/AIMMS), on Windows of C(%ProgramData%\AIMMS) and C(%ProgramData%\Paragon Decision Technology). If
        there is none, or more than one, the task fails.
    type: str
  root:
    description: An alternate root that contains the list. Not on Windows.
    type: str
    default: ''
  entries:
    description:
      - The entries, as C(HOST:PORT) or C(HOST:PORT,PROFILE), in their order. C(PROFILE) is written as it is; whether
        AIMMS reads it there is not documented.
      - With O(state=absent), C(HOST:PORT) stands for all entries of that server.
    type: list
    elements: str
    required: true
  like:
    description:
      - The server, C(HOST[:PORT]), whose lines are copied for the only one of O(entries), with its address instead. So
        each profile of this server gets a line for the other, in whatever form the list names profiles.
      - If the list has no line of this server, nothing is changed.
    type: str
  state:
    description:
      - V(present) adds missing entries below the lines they are copied from, or below all entries. Entries that are
        there stay where they are.
      - V(first) puts the entries above all others.
      - V(absent) removes them.
    type: str
    choices: [present, absent, first]
    default: present
  replaced_by:
    description: With O(state=absent), the server that has to be in the list and has to answer on its port, else
      nothing is removed. The client tries the port; of a Windows client, the controller.
    type: str
author: aims.licensing contributors (@aims)
notes:
  - Options of license servers that C(module_defaults) sets for the action group are accepted and not used.
extends_documentation_fragment:
  - aims.licensing.server.reach
  - aims.licensing.attributes
"""

EXAMPLES = r"""
- name: List the new server below the old one, with the same profiles
  aims.licensing.aims_license_client:
    entries: [new.example.com:3400]
    like: old.example.com:3400

- name: Remove the old server once the new one serves
  aims.licensing.aims_license_client:
    entries: [old.example.com:3400]
    state: absent
    replaced_by: new.example.com:3400
"""

RETURN = r"""
path:
  description: The list that was looked at.
  returned: success
  type: str
original:
  description: The file as it was before the first change; null as long as nothing was changed.
  returned: success
  type: str
listed:
  description: Whether the list has any of the entries afterwards.
  returned: success
  type: bool
entries:
  description: All entries of the list afterwards, top to bottom.
  returned: success
  type: list
  elements: dict
  contains:
    line:
      description: The number of its line.
      type: int
    kind:
      description: V(local) or V(network).
      type: str
    entry:
      description: The third field of the line, a license file, the address of a license server, or another text.
      type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client_file import LocalFile
from ansible_collections.aims.licensing.plugins.module_utils._module import CLIENT, keep_entries, run


def keep(module: AnsibleModule) -> dict[str, Any]:
    """Bring the list to what is declared."""
    options = module.params
    return keep_entries(lambda: LocalFile(options["path"] or "", options["root"]), options, module.check_mode)


def main() -> None:
    run(AnsibleModule(argument_spec=CLIENT, supports_check_mode=True), keep)


if __name__ == "__main__":
    main()
