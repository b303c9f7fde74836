# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints, as JSON, how many transfers each license has spent, read from the tables of the authority's ledger."""

from __future__ import annotations

import json
import sqlite3

COUNTS = "SELECT number, (SELECT count(*) FROM transfer WHERE transfer.number = license.number) FROM license"
ledger = sqlite3.connect("file:/var/lib/aims-license-authority/authority.db?mode=ro", uri=True)
print(json.dumps(dict(ledger.execute(COUNTS).fetchall())))
