# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worked example as a move of the vendor's license server, between any two platforms."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import read_declared_licenses
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.evidence import Sight
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.files import BUNDLE
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.move import Move, Platform, Server
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.record import Record
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.runbook import Runbook, make_runbook

from support.worked_example import CLIENT, NUMBERS, SERVER, SESSION, WORKED_EXAMPLE

NOW = datetime(2026, 11, 27, 1, 0, tzinfo=timezone.utc)
VARIABLES = {SERVER: "vault_code_server", SESSION: "vault_code_session", CLIENT: "vault_code_client"}
HOMES = {
    Platform.LINUX: "/usr/local/Aimms",
    Platform.WINDOWS: r"C:\ProgramData\AIMMS",
    Platform.COPY: "/srv/copies/old",
}


def server(host: str, platform: Platform) -> Server:
    return Server(host, platform, f"{host}.example.com", HOMES[platform])


def move(source: Platform = Platform.WINDOWS, target: Platform = Platform.LINUX, **values: Any) -> Move:
    """The worked example from old to new."""
    licenses = read_declared_licenses(WORKED_EXAMPLE, "licenses", without_codes=True)
    return Move(server("old", source), server("new", target), licenses, VARIABLES, **values)


def nodelocks(digest: str = "a" * 64) -> dict[str, str]:
    """The digests of the nodelocks of the worked example in a home."""
    return {f"Nodelocks/{digits(number)}{ending}": digest for number in NUMBERS for ending in (".lock", ".ver")}


def runbook(
    made: Move,
    *confirmed: str,
    record: Record | None = None,
    may_exceed: bool = False,
    is_backed_up: bool = True,
    **sights: Sight,
) -> Runbook:
    """The runbook at NOW, with what was seen of hosts by their names; the source's bundle is there unless denied."""
    record = record or Record("old", "new")
    if is_backed_up:
        seen = sights.get("old", Sight())
        sights["old"] = replace(seen, present=seen.present | {BUNDLE})
    return make_runbook(made, sights, record, confirmed, NOW, "admin", may_exceed=may_exceed)


def followed(made: Move, until: str, **sights: Sight) -> Record:
    """The record after every step before one was confirmed, phase by phase, as they came due."""
    record = Record("old", "new")
    while True:
        due = runbook(made, record=record, **sights).due
        if until in due:
            due = due[: due.index(until)]
        if not due:
            return record
        record = runbook(made, *due, record=record, **sights).record
