# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of aims_license_profile: an unreachable host fails as for the other modules."""

from __future__ import annotations

from ansible_collections.aims.licensing.plugins.plugin_utils._action import ServerAction


class ActionModule(ServerAction):
    """Runs the module."""
