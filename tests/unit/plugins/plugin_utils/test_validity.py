# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A license that is not valid by the clock of its host: plan and table say whether it is over or has not begun."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair_status import SeenHost, pair_status
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    SERVER,
    CoreLab,
    Host,
    declared,
)
from support.plans import pair_of, plan_of


def side(name: str, host: Host) -> dict[str, Any]:
    return {"host": name, "overview": host.overview, "fingerprint": host.manager.fingerprint(), "obstacles": []}


@pytest.mark.parametrize(
    ("days", "words", "limit", "todo"),
    [
        (
            -1,
            f"License {SERVER} is not valid before 2026-01-01, by the clock of old.",
            "is not valid before 2026-01-01",
            "Correct that clock if it is behind, or wait for the day.",
        ),
        (
            365,
            f"License {SERVER} expired on 2026-12-31.",
            "expired on 2026-12-31",
            "Ask the licensor for a renewed license.",
        ),
    ],
    ids=["a day behind", "over"],
)
def test_a_license_that_is_not_valid_is_told_by_what_it_lacks(
    tmp_path: Path, days: int, words: str, limit: str, todo: str
) -> None:
    lab = CoreLab(tmp_path, CoreLab.new_ledger(tmp_path))
    with lab.ledger.change():
        lab.ledger.put_license(lab.license(SERVER, start="2026-01-01", expiry="2026-12-31"), lab.clock(), "reissue")
    lab.activate(lab.old, SERVER)
    now = lab.clock()
    assert [one["invalid"] for one in lab.old.overview["licenses"]] == [None]
    # The clock of the hosts alone: the controller's is right.
    lab.clock.forward(days=days)
    source, target = side("old", lab.old), side("new", lab.new)
    with pytest.raises(LicensingError) as refused:
        plan_of(pair_of(source, target, declared(SERVER), {}, None, now))
    assert [(problem.what, problem.todo) for problem in refused.value.problems] == [(words, todo)]
    hosts = [SeenHost(one["host"], Overview.from_dict(one["overview"], one["host"])) for one in (source, target)]
    (row,) = pair_status(hosts, [SERVER], {})
    assert row.where == f"old, {limit}"
    lab.close()
