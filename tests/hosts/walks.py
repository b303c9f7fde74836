# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the walks have in common: an authority with its licenses on a host of its own, and a source that holds them."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hosts.machines import ONLINE, Site
from hosts.rig import Rig
from hosts.traces import watch
from support.runs import must

URL = "https://authority:8443"


def until(happens: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something to happen on a host."""
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.1)


@contextlib.contextmanager
def online(site: Site, folder: Path, *others: str) -> Iterator[Rig]:
    """Make an authority, a source that holds the licenses, a target with nothing on it, and other hosts; watch all."""
    places = dict.fromkeys(("source", "target", "authority", *others), ONLINE)
    with Rig(site, folder, **places) as made:
        made.inventory["all"]["vars"]["aims_license_server_authority"] = URL
        made.target_vars["aims_license_migrate_rehearse_authority"] = "authority"
        serve_authority(made)
        for machine in made.machines.values():
            watch(machine)
        must(made.play("rehearse", "--tags", "prepare"))
        yield made


def serve_authority(rig: Rig, **options: object) -> None:
    """Serve an authority on the host ``authority``, and let the inventory say whose responses to honour.

    :param options: more variables of its role, without their prefix
    """
    machine = rig["authority"]
    variables = rig.inventory["all"]["hosts"]["authority"]
    variables["aims_license_authority_hosts"] = ["authority", machine.address]
    for name, value in options.items():
        variables[f"aims_license_authority_{name}"] = value
    rig.inventory["all"]["children"]["aims_license_authorities"] = {"hosts": {"authority": {}}}
    rig.write_inventory()
    must(rig.play("authority"))
    realm = machine.run("curl --silent --fail --insecure https://127.0.0.1:8443/v1/realm")
    rig.inventory["all"]["vars"]["aims_license_server_realm"] = json.loads(realm)
    rig.write_inventory()


def source_play(rig: Rig) -> str:
    """A playbook that brings the source to its licenses."""
    role = {
        "name": "Reconcile the hosts",
        "ansible.builtin.include_role": {"name": "aims.licensing.aims_license_server"},
    }
    return rig.write_play("source", "aims_license_sources", [role])


def in_use(rig: Rig, host: str) -> dict[str, int]:
    """The seats that a host's license server says are taken, by profile."""
    overview = rig.curl(host, "http://127.0.0.1:3401/v1/overview").json
    return {profile["name"]: profile["in_use"] for profile in overview["profiles"]}
