# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The authority as a function call: for rehearsals whose hosts all reach one ledger file."""

from __future__ import annotations

from ..channel.base import Channel, Embedded
from .ledger import Ledger
from .processor import RequestProcessor


def open_ledger_channel(path: str) -> Channel:
    """Return the channel to the authority whose ledger lies at a path of this machine."""
    ledger = Ledger(path)
    desk = RequestProcessor(ledger, online=True)
    return Embedded(ledger.realm, path, desk.answer, ledger.check_writable)
