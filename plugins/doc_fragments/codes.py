# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option that names where activation codes are declared."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  codes_from:
    description:
      - The name of a variable of the host that lists licenses with their activation codes, such as
        V(aims_license_server_licenses). An entry of O(licenses) that has no C(activation_code) gets the code that the
        variable lists for its number.
      - Ansible shows the arguments of a task in its header and to callbacks, whatever the module marks as secret. With
        this option the task has no codes to show. A task that has them needs C(no_log), which hides its messages too.
    type: str
"""
