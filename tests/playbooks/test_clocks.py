# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations between machines whose clocks are wrong by a day, each to another side."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography.x509 import load_pem_x509_certificate
from playbooks.serving import Authority
from support.clocks import environment, interpreter
from support.events import Events
from support.invariants import Model
from support.lab import NUMBERS, Lab
from support.runs import must

DAY = timedelta(days=1)
SIDES = [pytest.param(DAY, id="source-ahead"), pytest.param(-DAY, id="source-behind")]


def set_clocks(lab: Lab, **by: timedelta) -> Lab:
    for group in lab.inventory["all"]["children"].values():
        for name, variables in group["hosts"].items():
            variables["ansible_python_interpreter"] = interpreter(lab.folder / "clocks", name, by[name])
    lab.write_inventory()
    return lab


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The worked example as it was set up a week ago: a license that begins today is none yet where it is yesterday."""
    lab = set_clocks(Lab(tmp_path_factory.mktemp("begun") / "lab"), old=-7 * DAY, new=-7 * DAY)
    must(lab.play("rehearse", "--tags", "prepare"))
    return lab


@pytest.fixture
def pair(begun: Lab, tmp_path: Path, source: timedelta) -> Lab:
    """A source whose clock is wrong by a day; the target's is wrong by a day the other way."""
    return set_clocks(begun.copy_to(tmp_path / "pair"), old=source, new=-source)


def settled(lab: Lab, model: Model, source: timedelta) -> None:
    """The pair is migrated, the hosts wrote down what their own clocks say, and another run changes nothing."""
    assert model.broken() == [] and model.unsettled() == []
    assert {one["status"] for one in lab.overview(lab.target)["licenses"]} == {"Active"}
    now = datetime.now(timezone.utc)
    for host, by in ((lab.source, source), (lab.target, -source)):
        requests = [json.loads(path.read_bytes()) for path in lab.home(host).glob("Journal/closed/*.request")]
        made = max(str(one["body"]["made"]) for one in requests)
        assert abs(datetime.strptime(made, "%Y-%m-%dT%H:%M:%S%z") - now - by) < DAY / 2, (host, made)
    before = lab.everything()
    assert must(lab.play("migrate")).changed == 0
    assert lab.everything() == before


@pytest.mark.parametrize("source", SIDES)
def test_with_the_authority_in_the_hosts_own_process(pair: Lab, source: timedelta) -> None:
    model = Model(pair)
    must(pair.play("migrate"))
    settled(pair, model, source)


@pytest.mark.parametrize("source", SIDES)
def test_over_https(pair: Lab, source: timedelta) -> None:
    model = Model(pair)
    # Its certificate begins a day before the service's own now, which is wrong as well.
    with Authority(pair, "--host", "127.0.0.1", **environment(pair.folder / "clocks", -source)) as authority:
        begins = load_pem_x509_certificate(Path(f"{pair.ledger}.tls/server.pem").read_bytes()).not_valid_before_utc
        assert abs(begins + DAY + source - datetime.now(timezone.utc)) < DAY / 2
        authority.declare()
        run = Events(pair).killed("migrate", "end|Drain the source and deactivate its licenses|1")
        assert run.code < 0 and model.broken(run.output) == []
        must(pair.play("migrate"))
        settled(pair, model, source)


@pytest.mark.parametrize("source", SIDES)
def test_offline(pair: Lab, source: timedelta, carry: Callable[[Lab], int]) -> None:
    pair.go_offline()
    model = Model(pair, online=False)
    for _leg in range(2):
        assert pair.play("migrate").code
        assert carry(pair) == len(NUMBERS) and model.broken() == []
    must(pair.play("migrate"))
    settled(pair, model, source)


@pytest.fixture
def carry(source: timedelta) -> Callable[[Lab], int]:
    """Have the waiting requests processed at an authority whose clock is wrong as well; say how many there were."""

    def act(lab: Lab) -> int:
        requests = sorted((lab.work / "offline").glob("*.request"))
        for request in requests:
            command = [str(lab.home(lab.source) / "Bin" / "authority"), "process", str(request)]
            wrong = {**lab.environment(), **environment(lab.folder / "clocks", -source)}
            done = subprocess.run([*command, "--ledger", str(lab.ledger)], env=wrong, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr
        return len(requests)

    return act
