# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options for offline requests and responses."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  requests_dir:
    description:
      - A folder on the controller. With O(authority=offline), request files C(aaabbbcccddd.request) are written to this
        folder, and response files are read from it. A response file may have any name, because its content names the
        request that it answers.
      - When a response has been applied, both files move to the subfolder C(done).
      - A relative path starts at the working directory of the command.
    type: path
  responses:
    description: The response files. Set by the action plugin.
    type: list
    elements: dict
    default: []
    suboptions:
      number:
        description: The license number.
        type: str
        required: true
      content:
        description: The content of the file, base64.
        type: str
        required: true
"""
