#!/usr/bin/python
# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aims_license_bundle_info
short_description: Read and verify a bundle
version_added: "0.1.0"
description:
  - Returns the content of a bundle of M(aims.licensing.aims_license_backup). Compares every file with its digest,
    authenticates the bundle with the run's vault password, and decrypts the files that move with the licenses.
  - Fails if there is no bundle, if it is damaged, or if it does not cover the licenses. A license that its host had
    given back by then need not be covered.
  - Runs on the controller only and changes nothing. Options of the server are accepted and not used.
options:
  bundle:
    description: The bundle's folder. Without it, the newest bundle of O(host) in O(bundles).
    type: path
  bundles:
    description: The folder of bundles on the controller.
    type: path
  host:
    description: The host whose newest bundle is read.
    type: str
  licenses:
    description:
      - The declared licenses, as in M(aims.licensing.aims_license_activate), which the bundle has to cover. Codes are
        not needed.
    type: list
    elements: dict
  target:
    description: The target's overview, as of M(aims.licensing.aims_license_info). A license that the target already
      holds need not be covered.
    type: dict
author: aims.licensing contributors (@aims)
extends_documentation_fragment:
  - aims.licensing.server
  - aims.licensing.server.reach
  - aims.licensing.bundle
  - aims.licensing.attributes.no_diff
"""

EXAMPLES = r"""
- name: Read the newest bundle of a license server
  aims.licensing.aims_license_bundle_info:
    host: old
    bundles: ./aims-license/bundles
  register: bundle
"""

RETURN = r"""
bundle:
  description: The bundle's folder.
  returned: success
  type: str
made:
  description: When the bundle was made.
  returned: success
  type: str
  sample: '2026-11-21T19:20:22Z'
authenticated:
  description: Whether a vault password of this run authenticates it. False only if O(accept_unauthenticated) is set.
  returned: success
  type: bool
host:
  description: The backed up host, as the inventory named it then.
  returned: success
  type: str
overview:
  description: The overview at that time, as of M(aims.licensing.aims_license_info).
  returned: success
  type: dict
carried:
  description: The names of the files that move with the licenses.
  returned: success
  type: list
  elements: str
  sample: [ApplicationKeys/app.key]
"""
