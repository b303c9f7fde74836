# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration with an authority over HTTPS, of a source that pinned its realm before there was a service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.authority.service_lab import (
    Service,
    run,
)
from support.lab import NUMBERS, Lab
from support.runs import must


class Https:
    """A laboratory whose inventory names a service on the ledger that it was rehearsed with."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.service = Service(lab.ledger, "--host", "localhost")
        self.declare()

    def declare(self) -> None:
        variables = self.lab.inventory["all"]["vars"]
        variables["aims_license_server_authority"] = self.service.address
        variables["aims_license_server_realm"] = {
            key: value for key, value in self.service.realm.as_dict().items() if key != "id"
        }
        self.lab.write_inventory()

    def close(self) -> None:
        self.service.kill()


@pytest.fixture
def https(rehearsed: Lab) -> Iterator[Https]:
    https = Https(rehearsed)
    yield https
    https.close()


def test_licenses_are_moved_over_https_and_a_second_run_changes_nothing(https: Https) -> None:
    lab = https.lab
    pinned = json.loads((lab.home("old") / "Config" / "server.json").read_text(encoding="utf-8"))["realm"]
    assert "ca" not in pinned
    must(lab.play("migrate", "--check"))
    must(lab.play("migrate"))
    assert (lab.held("old"), lab.held("new")) == (set(), set(NUMBERS))
    assert lab.transfers() == dict.fromkeys(NUMBERS, 1)
    server = lab.overview("new")["server"]
    assert server["authority"] == https.service.address and server["realm"]["ca"] == https.service.realm.ca
    assert must(lab.play("migrate")).changed == 0
    assert https.service.stop() == 0
    for secret in (*lab.codes.values(), "PRIVATE KEY"):
        assert secret not in https.service.log
    done = run("audit", "--ledger", str(lab.ledger), "--json")
    assert done.returncode == 0, done.stderr
    moves = [one for one in json.loads(done.stdout) if one["detail"].get("online") and one["detail"]["spends"]]
    assert [one["number"] for one in moves] == NUMBERS


def test_a_migration_during_which_the_service_dies_is_ended_by_the_same_command(https: Https) -> None:
    lab = https.lab
    started = lab.start("migrate")
    # As soon as the source has given its first license back.
    assert started.until(lambda: list((lab.home("old") / "Journal" / "closed").glob("*.response"))[3:])
    https.service.kill()
    died = started.wait()
    assert died.code != 0 and "Traceback" not in died.output
    assert "run the same command again" in died.output
    assert len(lab.held("old") | lab.held("new")) < len(NUMBERS)
    https.service = Service(lab.ledger)
    https.declare()
    must(lab.play("migrate"))
    assert (lab.held("old"), lab.held("new")) == (set(), set(NUMBERS))
    assert lab.transfers() == dict.fromkeys(NUMBERS, 1)


def test_without_the_services_certificate_nothing_begins(https: Https, tmp_path: Path) -> None:
    lab = https.lab
    other = run("init", "--ledger", str(tmp_path / "other.db"), "--host", "localhost", "--json")
    realm = lab.inventory["all"]["vars"]["aims_license_server_realm"]
    before = lab.everything()
    for ca, said in ((None, "the realm has no ca"), (json.loads(other.stdout)["ca"], "is not the authority of realm")):
        realm["ca"] = ca
        lab.write_inventory()
        refused = lab.play("migrate")
        assert refused.code != 0 and said in refused.output, refused.output
        assert "Traceback" not in refused.output
        assert lab.everything() == before
