# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the option for the realm."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  realm:
    description:
      - The realm whose responses the server honours, as printed by C(authority init). It is pinned once and never
        changes. Only its C(ca) can be added or replaced later.
      - Needed before the first offline activation, and, with C(ca), before the first call over HTTPS. A ledger provides
        its realm itself.
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
        description: The CA certificate of the authority's service, PEM. Needed for HTTPS.
        type: str
      id:
        description: Printed with the others, but not needed. It is derived from the key.
        type: str
"""
