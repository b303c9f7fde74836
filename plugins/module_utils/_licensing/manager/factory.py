# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which manager a license server has."""

from __future__ import annotations

from ..errors import quoted, refuse
from .freshness import Freshness
from .port import LicenseManager

BUNDLED = "bundled"
VENDOR = "vendor"
# The bundled server's home; with the vendor's it stands for the documented places.
DEFAULT_HOME = "/opt/aims-license-server"


def open_manager(
    backend: str, home: str, *, root: str = "", freshness: Freshness | None = None, vendor_commands: object = None
) -> LicenseManager:
    """Return the manager of a home.

    :param freshness: when the call was asked for, where whoever asked may be gone by now
    :param vendor_commands: purpose → arguments of a command that the operator names for the vendor's server
    :raises LicensingError: there is no such backend, or home and root are no folders.
    """
    if backend == BUNDLED:
        from ..home.store import Home
        from .bundled import BundledManager

        return BundledManager(Home(home, root), freshness=freshness)
    if backend == VENDOR:
        from .vendor.manager import open_local

        return open_local(home, root, DEFAULT_HOME, vendor_commands)
    raise refuse(f"{quoted(backend)} is not a backend.", "backend", "Use 'bundled' or 'vendor'.")
