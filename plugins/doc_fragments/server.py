# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options for a license server."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  home:
    description:
      - The license server's folder on the host, as the server sees it.
      - With O(backend=vendor), the default stands for the documented folders, C(/usr/local/Aimms) and
        C(/usr/local/AIMMS); on Windows C(%ProgramData%\AIMMS) and
        C(%ProgramData%\Paragon Decision Technology).
    type: path
    default: /opt/aims-license-server
  root:
    description:
      - An alternate root that contains O(home), as with C(systemctl --root). Empty for the host's own root.
      - With an alternate root, the machine's fingerprint is its machine-id only.
    type: str
    default: ''
  backend:
    description:
      - Which license server this is.
      - Of V(vendor), M(aims.licensing.aims_license_info) and M(aims.licensing.aims_license_backup) read what its files
        show, and M(aims.licensing.aims_license_activate) runs its two documented commands. The work of the other
        modules is a person's step, unless an operator names a command for it.
    type: str
    choices: [bundled, vendor]
    default: bundled
  authority:
    description:
      - The authority that requests go to. C(https://host:8443) for an authority's service, C(ledger:/absolute/path) for
        an embedded rehearsal authority with a ledger on this host, or V(offline) for request files that a person
        carries.
      - By default the authority that the server was installed with.
    type: str
notes:
  - Works on the bundled license server of this collection, which accepts rehearsal licenses only. What works on the
    vendor's is in C(docs/vendor.md).
  - "The host needs Python 3.9 or newer and, to sign or check documents, the Python library C(cryptography):
    package C(python3-cryptography) of Debian 12 and EL 9."
"""

    # For every module that comes to a host.
    REACH = r"""
options:
  fail_unreachable:
    description:
      - Whether the task fails if its host is unreachable, so that a C(rescue) runs. Otherwise Ansible counts the host
        as unreachable and runs no C(rescue).
    type: bool
    default: false
"""

    # For modules that only read.
    COPY = r"""
options:
  copy:
    description:
      - A folder of the controller into which a person copied the data folder of the vendor's license server, for a host
        that Ansible does not reach. Only the copy is read then. A relative path begins at the folder in which the
        command was started.
    type: path
"""

    # For modules that run commands which an operator names.
    COMMANDS = r"""
options:
  vendor_commands:
    description:
      - With O(backend=vendor) on Linux, commands of C(licman) for what no document describes, as a dictionary of lists.
        Whoever names one has read C(licman --help) on the host; none is guessed.
      - C(deactivate) needs C({number}), and may have C({activation_code}). C(rename_profile) needs C({old_profile}) and
        C({profile}), and may have C({number}). C(register_user) needs C({user}), and may have C({number}).
        C(maintenance_on) and C(maintenance_off) have no placeholders.
      - Each begins with C(licman). Each of its options has to be in what C(licman --help) prints, before anything is
        changed.
    type: dict
"""

    WARNINGS = r"""
options:
  warn_days:
    description: Warn of licenses that end, or whose maintenance ends, within this number of days. Without it, of none.
    type: int
"""
