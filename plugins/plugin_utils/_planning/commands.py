# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the authority's owner, as a plan prints them. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence


def release_command(number: str, host: str, authority: str | None) -> str:
    """Return the command by which the authority's owner releases a license that a lost host holds."""
    name = authority or ""
    ledger = name.partition(":")[2] if name.startswith("ledger:") else "PATH"
    reason = shlex.quote(f"{host} is lost")
    return f"authority release {number} --ledger {shlex.quote(ledger)} --reason {reason}"


def release_advice(numbers: Sequence[str], host: str, authority: str | None) -> str | None:
    """Say what only the authority's owner can do about licenses that a lost host holds, with the commands."""
    if not numbers:
        return None
    commands = "".join(f"\n  {release_command(number, host, authority)}" for number in numbers)
    return (
        f"Live on {host} by the authority's account: {', '.join(numbers)}. If {host} is lost for good, have the "
        f"authority's owner release each, then run the same command again:{commands}"
    )
