# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded authority, for rehearsals whose hosts share one ledger file."""

from __future__ import annotations

from ..channel.base import Channel, Embedded
from .ledger import Ledger
from .processor import RequestProcessor


def open_ledger_channel(path: str) -> Channel:
    """Return the channel to the authority with a ledger at this local path."""
    ledger = Ledger(path)
    processor = RequestProcessor(ledger, online=True)
    return Embedded(ledger.realm, path, processor.answer, ledger.check_writable)
