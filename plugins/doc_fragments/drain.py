# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options by which an action plugin drains a server in short calls."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  drain_ticket:
    description: The id of the drain that this call belongs to. Set by the action plugin.
    type: str
  drain_waited:
    description: Seconds that the drain has already waited. Set by the action plugin.
    type: float
    default: 0
  drain_end:
    description: Whether to end the drain now. Set by the action plugin.
    type: bool
    default: false
"""
