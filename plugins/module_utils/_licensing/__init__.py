# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The licensing core: a license server's state, its manager, and an activation authority.

Floors, each importing only from those below it: model, errors · documents, fingerprint, files ·
store, journal · channel · manager · authority · cli.
"""

from __future__ import annotations

VERSION = "0.1.0"
