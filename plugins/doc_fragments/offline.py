# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options for activating and deactivating offline."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  requests_dir:
    description:
      - A folder on the controller. With O(authority=offline), request files are written here and response files
        are looked for here, under the names C(aaabbbcccddd.request) and C(aaabbbcccddd.response). A response is found
        under any other name too, as browsers and mail programs change it - the request that it answers is read from it.
      - Both are moved into its folder C(done) once the response was applied.
      - A relative path begins at the folder in which the command was started.
    type: path
  responses:
    description: The response files found. Set by the action plugin.
    type: list
    elements: dict
    default: []
    suboptions:
      number:
        description: The license number.
        type: str
        required: true
      content:
        description: The file's content, base64.
        type: str
        required: true
"""
