# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Offline migrations between hosts that have no way to an authority."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hosts.machines import OFFLINE, Site
from hosts.rig import Rig
from lab import GRANTS, HOME, NUMBERS, Run, must


@pytest.fixture
def rig(site: Site, tmp_path: Path) -> Iterator[Rig]:
    """A source and a target without a way to anywhere; nothing on them."""
    made = Rig(site, tmp_path / "rig", source=OFFLINE, target=OFFLINE)
    made.inventory["all"]["vars"]["aims_license_server_authority"] = "offline"
    made.write_inventory()
    yield made
    made.close()


def set_desk_up(rig: Rig) -> None:
    """Install an authority beside the inventory, on the controller, and let the hosts honour it."""
    rig.make_root("desk")
    here = {"ansible_python_interpreter": "{{ ansible_playbook_python }}", "ansible_become": False}
    tasks = [
        {
            "name": "Install the commands",
            "aims.licensing.aims_license_server_install": {"home": HOME, "root": str(rig.root("desk"))},
        },
        {
            "name": "Issue rehearsal licenses",
            "aims.licensing.aims_license_authority": {
                "authority": f"ledger:{rig.ledger}",
                "licenses": "{{ aims_license_server_licenses }}",
                "details": GRANTS,
            },
            "register": "authority",
        },
        {
            "name": "Keep the realm",
            "ansible.builtin.copy": {
                "content": "{{ authority.realm }}",
                "dest": str(rig.folder / "realm.json"),
                "mode": "0600",
            },
        },
    ]
    must(rig.play(rig.write_play("authority", "localhost", tasks, connection="local", vars=here)))
    realm = json.loads((rig.folder / "realm.json").read_text(encoding="utf-8"))
    del realm["id"]
    rig.inventory["all"]["vars"]["aims_license_server_realm"] = realm
    rig.write_inventory()


def set_source_up(rig: Rig, carry: Callable[[Rig], object]) -> None:
    """Have the licenses activated on the source, the offline way."""
    role = {"name": "Reconcile", "ansible.builtin.include_role": {"name": "aims.licensing.aims_license_server"}}
    play = rig.write_play("source", "aims_license_sources", [role])
    stopped(rig.play(play))
    carry(rig)
    must(rig.play(play))
    assert rig.held("source") == set(NUMBERS)


def carry_by_hand(rig: Rig) -> None:
    """Be the person who has the requests processed, and puts the responses beside them."""
    for request in sorted((rig.work / "offline").glob("*.request")):
        command = [str(rig.home("desk") / "Bin" / "authority"), "process", str(request), "--ledger", str(rig.ledger)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)


def stopped(run: Run) -> None:
    """The run stopped because responses are missing, and says what to do."""
    assert run.code != 0 and "Traceback" not in run.output, run.output
    assert "3 request(s) wait in" in run.output.replace("\n", " "), run.output


def test_by_hand(rig: Rig) -> None:
    set_desk_up(rig)
    set_source_up(rig, carry_by_hand)

    stopped(rig.play("migrate"))
    assert rig.held("source") == rig.held("target") == set()
    carry_by_hand(rig)
    stopped(rig.play("migrate"))
    carry_by_hand(rig)
    must(rig.play("migrate"))
    assert rig.held("target") == set(NUMBERS) and rig.held("source") == set()
    assert rig.transfers() == dict.fromkeys(NUMBERS, 1)
    overview = rig.licman("target", "--overview")["overview"]
    assert {one["status"] for one in overview["licenses"]} == {"Active"}

    before = {host: rig.digests(host, HOME) for host in ("source", "target")}
    assert must(rig.play("migrate")).changed == 0
    assert {host: rig.digests(host, HOME) for host in ("source", "target")} == before
