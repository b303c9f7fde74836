# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendor's license server is moved there, back, and there again, by commands of licman that the operator names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.lab import Lab
from support.runs import Run, must
from support.vendor_licman import NAMED, calls, make_licman
from support.vendor_tree import NUMBERS, make_tree, stem


@pytest.fixture
def pair(lab: Lab) -> Lab:
    """The worked example active on the vendor's server of ``old``, an empty one on ``new``, and no PRO."""
    variables = lab.inventory["all"]["vars"]
    del variables["aims_license_server_home"], variables["aims_license_server_authority"]
    variables.update(
        {
            "aims_license_server_backend": "vendor",
            "aims_license_server_vendor_commands": NAMED,
            "aims_license_server_users": [],
            "aims_license_pro_nodes": [],
        }
    )
    lab.inventory["all"]["children"]["aims_license_sources"]["hosts"]["old"] = {}
    del lab.target_vars["aims_license_migrate_rehearse_licenses"]
    lab.write_inventory()
    make_tree(home(lab, "old"))
    for host in ("old", "new"):
        make_licman(home(lab, host))
        for folder in ("Licenses", "Nodelocks", "Config"):
            (home(lab, host) / folder).mkdir(exist_ok=True)
    return lab


def home(lab: Lab, host: str) -> Path:
    return lab.root(host) / "usr" / "local" / "Aimms"


def locked(lab: Lab, host: str) -> set[str]:
    return {path.stem for path in (home(lab, host) / "Nodelocks").glob("*.lock")}


def runbook(lab: Lab, name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((lab.work / "runbooks" / f"{name}.json").read_text(encoding="utf-8"))
    return read


def walk(lab: Lab, playbook: str, name: str) -> tuple[Run, list[str]]:
    """Run a playbook until everything is done, and confirm what it asks for; return the last run and these ids."""
    asked: list[str] = []
    confirmed: list[str] = []
    for _stop in range(10):
        run = lab.play(playbook, "-e", json.dumps({"aims_license_migrate_confirmed": confirmed}))
        assert "Traceback" not in run.output and not any(code in run.output for code in lab.codes.values())
        if run.code == 0:
            return run, asked
        confirmed = runbook(lab, name)["due"]
        assert confirmed and not set(confirmed) & set(asked), run.output
        asked += confirmed
    raise AssertionError("The move does not end.")


def test_there_and_back_and_there_again_spends_three_transfers_and_asks_for_each_word_anew(pair: Lab) -> None:
    everywhere = {stem(number) for number in NUMBERS}
    _run, first = walk(pair, "migrate", "old-to-new")
    assert (locked(pair, "old"), locked(pair, "new")) == (set(), everywhere)
    assert not any("/deactivate/" in id or "/activate/" in id for id in first)
    assert must(pair.play("migrate")).changed == 0
    assert (pair.work / "reports" / "old-to-new.html").is_file()

    _run, _asked = walk(pair, "rollback", "new-to-old")
    assert (locked(pair, "old"), locked(pair, "new")) == (everywhere, set())
    assert must(pair.play("rollback")).changed == 0

    _run, again = walk(pair, "migrate", "old-to-new")
    assert (locked(pair, "old"), locked(pair, "new")) == (set(), everywhere)
    # What was confirmed for the first move counts for that only.
    assert again == first
    activated = [call for host in ("old", "new") for call in calls(home(pair, host)) if "--nodelock-activate" in call]
    assert len(activated) == 9
    assert {row["number"]: row["left"] for row in runbook(pair, "old-to-new")["transfers"]} == dict.fromkeys(NUMBERS, 0)
    # A fourth move is refused before anything is given up.
    refused = pair.play("rollback")
    assert refused.code != 0 and "has no transfer left" in refused.output
    assert (locked(pair, "old"), locked(pair, "new")) == (set(), everywhere)
