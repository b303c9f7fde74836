# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual hosts are what the scenario takes them for, and nothing of them stays.

They take minutes, so that nobody runs them without naming this file: ``pytest tests/hosts/walk_vms.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hosts import disk, image, machines, qemu, vms
from hosts.machines import ONLINE, Machine, Site
from hosts.qemu import Guest
from hosts.walks import until

HERE = Path(__file__).parent
# alive, so that no other run takes it for one that is left
OWNER = machines._owner(os.getpid())


@pytest.fixture(scope="module")
def authority(site: Site) -> Iterator[Machine]:
    try:
        disk.make()
    except image.Missing as missing:
        pytest.exit(str(missing), returncode=1)
    yield site.boot(authority=ONLINE)["authority"]
    site.remove(["authority"])


@pytest.fixture(scope="module")
def hosts(site: Site, authority: Machine) -> Iterator[dict[str, vms.VirtualMachine]]:
    made = vms.boot(site, source=ONLINE, target=ONLINE)
    yield made
    for name, machine in made.items():
        machine.remove()
        del site.machines[name]


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[Guest]:
    """A virtual machine that nobody waits for."""
    name = f"guest-{uuid.uuid4()}"
    made = Guest(name, tmp_path / "guest, of a test", "02:00:00:00:00:01", str(uuid.uuid4()))
    made.folder.mkdir()
    disk.make().copy(made.root, {})
    yield made
    qemu.end(name)


def cards(bridge: str) -> set[str]:
    """The network cards on a bridge."""
    shown = subprocess.run(["ip", "-json", "link", "show", "master", bridge], capture_output=True, check=True).stdout
    return {card["ifname"] for card in json.loads(shown)}


def test_they_boot(hosts: dict[str, vms.VirtualMachine]) -> None:
    assert {name: machine.wait() for name, machine in hosts.items()} == dict.fromkeys(hosts, "running")


def test_the_way_in_is_a_user_with_sudo(hosts: dict[str, vms.VirtualMachine]) -> None:
    for name, machine in hosts.items():
        assert machine.run("hostname; id --user --name; sudo -n id --user").split() == [name, "ops", "0"]


def test_each_is_another_machine(hosts: dict[str, vms.VirtualMachine]) -> None:
    def of_all(command: str) -> set[str]:
        return {machine.run(command) for machine in hosts.values()}

    assert of_all("cat /etc/machine-id") == {machine.machine_id for machine in hosts.values()}
    assert of_all("sudo -n cat /sys/class/dmi/id/product_uuid") == {machine.uuid for machine in hosts.values()}
    assert len(of_all("cat /etc/ssh/ssh_host_ed25519_key.pub")) == len(hosts)
    assert len(of_all("cat /sys/class/net/eth0/address")) == len(hosts)
    assert of_all("systemd-detect-virt --vm") <= {"qemu", "kvm"}


def test_they_run_what_the_collection_wants(hosts: dict[str, vms.VirtualMachine]) -> None:
    for machine in hosts.values():
        machine.run("python3 -c 'import cryptography, tornado' && curl --version")


def test_they_reach_each_other_and_containers(hosts: dict[str, vms.VirtualMachine], authority: Machine) -> None:
    def reaches(one: Machine, other: str) -> bool:
        return one.ask(f"timeout 10 bash -c '</dev/tcp/{other}/22'").code == 0

    assert reaches(hosts["source"], "authority")
    assert reaches(hosts["source"], "target")
    assert reaches(authority, hosts["target"].address)
    authority.reboot()
    assert reaches(hosts["source"], "authority")


def test_a_reboot_keeps_who_it_is(hosts: dict[str, vms.VirtualMachine]) -> None:
    machine = hosts["target"]

    def identity() -> str:
        dmi = "/sys/class/dmi/id/product_uuid"
        keys = "/etc/ssh/ssh_host_*"
        return machine.run(
            f"sudo -n cat /etc/machine-id /sys/class/net/eth0/address {dmi} {keys}; hostname --all-ip-addresses"
        )

    def booted() -> str:
        return machine.run("cat /proc/sys/kernel/random/boot_id")

    machine.run("touch stays")
    before, first = identity(), booted()
    assert machine.reboot() == "running"
    assert identity() == before
    assert booted() != first
    machine.run("test -e stays")


def test_another_process_takes_it_away(site: Site, authority: Machine, guest: Guest) -> None:
    bridge = vms._bridge(f"{site.mark}-{ONLINE}")
    before = cards(bridge)
    guest.start(f"{machines._NAMED}{guest.name}", disk.make(), bridge)
    assert len(guest.processes()) == 2
    assert len(cards(bridge) - before) == 1
    code = "import sys; from hosts.machines import take_away; take_away(sys.argv[1])"
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    subprocess.run([sys.executable, "-c", code, guest.name], env=environment, check=True)
    assert not guest.processes()
    assert not guest.folder.exists()
    until(lambda: cards(bridge) == before)


def test_it_stays_while_its_owner_is_alive(site: Site, authority: Machine, guest: Guest) -> None:
    guest.start(OWNER, disk.make(), vms._bridge(f"{site.mark}-{ONLINE}"))
    machines.sweep()
    assert len(guest.processes()) == 2


def test_it_ends_by_itself(site: Site, authority: Machine, guest: Guest) -> None:
    guest.start(OWNER, disk.make(), vms._bridge(f"{site.mark}-{ONLINE}"), lifetime=1)
    until(lambda: not guest.processes())


def test_qemu_that_does_not_start_says_why(site: Site, authority: Machine, guest: Guest) -> None:
    guest.root.unlink()
    with pytest.raises(RuntimeError, match="No such file"):
        guest.start(OWNER, disk.make(), vms._bridge(f"{site.mark}-{ONLINE}"))


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, HERE / "disk.py"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "apt-get install debootstrap" in done.stderr
    assert "apt-get install e2fsprogs qemu-system-x86" in done.stderr
