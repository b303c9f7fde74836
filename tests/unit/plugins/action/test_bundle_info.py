# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which licenses a bundle of a lost source has to cover."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.action import aims_license_bundle_info
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import HELD, Status
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from support.worked_example import CLIENT, SERVER

BUNDLE = SimpleNamespace(
    path=Path("/bundle"),
    known={SERVER},
    manifest=SimpleNamespace(made="2026-01-01T12:00:00Z", host="old"),
    overview=Overview(),
    doubt=lambda vault: None,
)


class Task(aims_license_bundle_info.ActionModule):  # type: ignore[misc]  # action plugins carry no types
    """A task that reads a bundle which covers one license."""

    vault = None

    def __init__(self, target: Any) -> None:
        licenses = [{"number": number} for number in (SERVER, CLIENT)]
        self._task = SimpleNamespace(args={"bundle": "/bundle", "licenses": licenses, "target": target})


@pytest.fixture(autouse=True)
def bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aims_license_bundle_info, "read_bundle", lambda path: BUNDLE)
    monkeypatch.setattr(aims_license_bundle_info, "carried_files", lambda bundle, vault: [])


def shows(status: Status) -> dict[str, Any]:
    license = {"number": CLIENT, "status": status.value}
    return {"server": {"realm": None}, "licenses": [license], "profiles": [], "users": []}


@pytest.mark.parametrize("status", HELD)
def test_a_license_that_the_target_holds_need_not_be_covered(status: Status) -> None:
    assert Task(shows(status)).act({})["host"] == "old"


@pytest.mark.parametrize("target", [None, *(shows(status) for status in Status if status not in HELD)])
def test_a_license_that_the_target_does_not_hold_has_to_be_covered(target: Any) -> None:
    with pytest.raises(LicensingError, match=f"License {CLIENT} was not active when the bundle was made"):
        Task(target).act({})
