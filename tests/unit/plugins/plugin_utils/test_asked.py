# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host returns for licenses that it was not asked about reaches no other pair's files."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.folder import exchange_files

OURS, THEIRS = "015.120.064.022", "015.120.065.016"


def request(number: str) -> bytes:
    body = {"id": "a" * 32, "action": "activate", "number": number, "fingerprint": {"machine-id": "0" * 32}}
    return documents.sign(documents.REQUEST, body, {})


class Action:
    """A task whose module returns what it is told to."""

    dry = False

    def __init__(self, folder: Path, returned: list[dict[str, Any]]) -> None:
        self.folder = folder
        self.returned = returned

    def path(self, option: str) -> Path:
        return self.folder

    def host(self, task_vars: Any) -> str:
        return "old"

    def module(self, task_vars: Any, **filled_in: Any) -> dict[str, Any]:
        return {"requests": self.returned, "results": []}


def returned(number: str, asked_for: str) -> dict[str, Any]:
    return {"number": number, "content": base64.b64encode(request(asked_for)).decode()}


@pytest.mark.parametrize(("number", "asked_for"), [(THEIRS, THEIRS), (OURS, THEIRS), (THEIRS, OURS)])
def test_a_request_that_was_not_asked_for_displaces_no_other_pairs_files(
    tmp_path: Path, number: str, asked_for: str
) -> None:
    for kind in ("request", "response"):
        (tmp_path / f"015120065016.{kind}").write_bytes(request(THEIRS))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    action: Any = Action(tmp_path, [returned(OURS, OURS), returned(number, asked_for)])
    with pytest.raises(LicensingError, match=f"old returned a request for license '{THEIRS}', which it was not asked"):
        exchange_files(action, {}, [OURS])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_request_is_that_of_the_license_that_it_is_returned_for(tmp_path: Path) -> None:
    action: Any = Action(tmp_path, [returned(OURS, THEIRS)])
    with pytest.raises(LicensingError, match="incomplete or damaged"):
        exchange_files(action, {}, [OURS, THEIRS])
    assert list(tmp_path.iterdir()) == []


def test_a_request_that_was_asked_for_is_written(tmp_path: Path) -> None:
    action: Any = Action(tmp_path, [returned(OURS, OURS)])
    assert "1 request(s) wait" in exchange_files(action, {}, [OURS])["next_step"]
    assert (tmp_path / "015120064022.request").read_bytes() == request(OURS)
