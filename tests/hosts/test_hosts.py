# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts are what the walks take them for: fresh, different, booted, reached over SSH by a user who is not root."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hosts.machines import OFFLINE, ONLINE, Machine, Site


@pytest.fixture(scope="module")
def hosts(site: Site) -> Iterator[dict[str, Machine]]:
    made = site.boot(source=ONLINE, authority=ONLINE, left=OFFLINE, right=OFFLINE)
    site.open_offline()
    yield made
    site.remove(list(made))


def test_they_boot(hosts: dict[str, Machine]) -> None:
    assert {name: machine.wait() for name, machine in hosts.items()} == dict.fromkeys(hosts, "running")


def test_the_way_in_is_a_user_with_sudo(hosts: dict[str, Machine]) -> None:
    for name, machine in hosts.items():
        assert machine.run("hostname; id --user --name; sudo -n id --user").split() == [name, "ops", "0"]


def test_each_is_another_machine(hosts: dict[str, Machine]) -> None:
    def of_all(command: str) -> set[str]:
        return {machine.run(command) for machine in hosts.values()}

    assert of_all("cat /etc/machine-id") == {machine.machine_id for machine in hosts.values()}
    assert len(of_all("cat /etc/ssh/ssh_host_ed25519_key.pub")) == len(hosts)
    assert len(of_all("cat /sys/class/net/eth0/address")) == len(hosts)


def test_offline_hosts_have_no_way_to_the_authority(hosts: dict[str, Machine]) -> None:
    def reaches(one: str, other: str) -> bool:
        # No name service is asked: every host has a table of all names, so that only the way can be missing.
        return hosts[one].ask(f"timeout 3 bash -c '</dev/tcp/{other}/22'").code == 0

    assert reaches("source", "authority")
    assert reaches("left", "right")
    assert not reaches("left", "authority")
    assert hosts["left"].run("ip route show default") == ""


def test_a_reboot_keeps_who_it_is(hosts: dict[str, Machine]) -> None:
    machine = hosts["source"]

    def identity() -> str:
        return machine.run("cat /etc/machine-id /sys/class/net/eth0/address; hostname --all-ip-addresses")

    def booted() -> str:
        return machine.run("systemctl show --property=UserspaceTimestampMonotonic")

    machine.run("touch stays")
    before, first = identity(), booted()
    assert machine.reboot() == "running"
    assert identity() == before
    assert booted() != first
    machine.run("test -e stays")
