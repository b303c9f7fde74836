# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Issuing rehearsal licenses: what another run does meanwhile."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import faults
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.modules.aims_license_authority import issue

NUMBERS = ("015.120.064.022", "015.120.055.014")
CODES = ("K7QXM-2RVTA-9HWCP-DE4NZ-J6S8B", "W3HDU-8PZKE-5MJYF-QA6TX-N2C9R")


def asked(path: Path, *codes: str) -> Any:
    common = {"type": "Rehearsal license", "seats": 10, "days": 365}
    licenses = [{"number": n, "activation_code": code, **common} for n, code in zip(NUMBERS, codes)]
    return SimpleNamespace(
        params={"authority": f"ledger:{path}", "name": "lab", "licenses": licenses}, check_mode=False
    )


def test_a_license_that_another_run_issues_meanwhile_keeps_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "authority.db"
    Ledger.create(str(path), "lab").close()
    code_keys: list[str] = []

    def another_run(point: str, statement: str) -> None:
        if point == "ledger.statement" and statement.startswith("BEGIN") and not code_keys:
            monkeypatch.setattr(faults, "hook", None)
            issue(asked(path, CODES[1]))
            with Ledger(str(path)) as ledger:
                code_keys.extend(license.code_key for license in ledger.licenses())

    monkeypatch.setattr(faults, "hook", another_run)
    told = issue(asked(path, *CODES))
    with Ledger(str(path)) as ledger:
        issued = {license.number: license.code_key for license in ledger.licenses()}
    assert issued[NUMBERS[0]] == code_keys[0] and set(issued) == set(NUMBERS)
    assert told["changed"] and told["issued"] == [NUMBERS[1]] and told["licenses"] == sorted(NUMBERS)
