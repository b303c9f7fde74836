# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendor's license server on a Windows host, managed from the controller."""

from __future__ import annotations

from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import DEFAULT_HOME
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.manager import VendorManager
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.windows_paths import parse_path
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.host import WindowsHost
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.shell import Shell
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.tree import RemoteTree

# Below the folder of all programs' data; the second is of older versions (docs/domain.md#license-server-on-windows).
ROOTS = ("AIMMS", "Paragon Decision Technology")


def open_remote(shell: Shell, home: str, address: str) -> VendorManager:
    """Return the manager of the vendor's license server on a Windows host.

    :param home: its folder of data; the default home stands for the documented places
    :param address: where the controller reaches the host
    :raises LicensingError: home is no path on a drive
    """
    host = WindowsHost(shell, address)
    if home != DEFAULT_HOME:
        return VendorManager([RemoteTree(shell, parse_path(home, "home"))], host)
    above = parse_path(host.facts.program_data, f"{shell.host}, %ProgramData%")
    return VendorManager([RemoteTree(shell, parse_path(f"{above}\\{name}", "home")) for name in ROOTS], host)
