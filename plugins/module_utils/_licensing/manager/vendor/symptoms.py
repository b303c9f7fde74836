# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Known messages in the logs of the license server (docs/domain.md#known-messages), each with what to do."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import LicensingError, Problem
from ...remedies import symptoms_in
from .layout import LOGGING, Layout

_LOG = f"{LOGGING}/LicenseServer.log"
# The log itself is the newest, .10 the oldest.
_LOGS = (_LOG, *(f"{_LOG}.{at}" for at in range(1, 11)))
# Bytes of all logs together that are read at most, the newest logs first.
_MOST = 8 << 20


def symptoms_of(layout: Layout) -> list[Problem]:
    """Return each known message once, from the newest log that has it; a log that cannot be read keeps nobody back."""
    seen: dict[str, Problem] = {}
    for name in _readable(layout):
        try:
            content = layout.contents([name]).get(name, b"")
        except LicensingError as error:
            what = f"The log cannot be searched for known messages. {error.problems[0].what}"
            seen[name] = Problem(what, error.problems[0].where, error.problems[0].todo)
            continue
        for message, problem in symptoms_in(content, f"{layout.where}, {name}").items():
            seen.setdefault(message, problem)
    return list(seen.values())


def _readable(layout: Layout) -> Iterator[str]:
    sizes = {entry.name: entry.size for entry in layout.entries}
    left = _MOST
    for name in _LOGS:
        if name in layout.names:
            left -= sizes[layout.names[name]]
            if left < 0:
                return
            yield name
