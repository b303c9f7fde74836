# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts on which the stand-in of the vendor's license server is installed: those of tests/hosts."""

from __future__ import annotations

from hosts.conftest import site

__all__ = ["site"]
