# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option that names a realm."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  realm:
    description:
      - Whose responses to honour, as C(authority init) printed it. It is pinned once and never changed; only its C(ca)
        may come later or be replaced.
      - Needed before a first activation offline, and with its C(ca) for an authority over HTTPS where that is not yet
        pinned. A ledger says it by itself.
    type: dict
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
        description: The certificate, PEM, that an authority over HTTPS proves itself with; needed for one.
        type: str
      id:
        description: Printed with the others, and not needed; it follows from the key.
        type: str
"""
