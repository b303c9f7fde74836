# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the option for the variable with activation codes."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  codes_from:
    description:
      - The name of a variable of the host that lists licenses with their activation codes, such as
        V(aims_license_server_licenses). An entry of O(licenses) without C(activation_code) gets the code that this
        variable has for its number.
      - Ansible may show the arguments of a task in its header and in callbacks, even secret ones. With this option, the
        task's arguments have no codes. A task with codes needs C(no_log), which also hides its messages.
    type: str
"""
