# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the option for unauthenticated bundles."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  accept_unauthenticated:
    description:
      - Whether to accept a bundle that no vault password of this run authenticates, such as a bundle of an earlier
        version of the collection. Anybody with write access to the folder of bundles could have forged it. A warning
        names it.
    type: bool
    default: false
"""
