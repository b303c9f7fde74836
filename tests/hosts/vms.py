# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test hosts that are virtual machines: their own kernel, firmware and disk, and a reboot that is one.

They stand in the networks of a site beside its containers. podman makes a network's bridge with its first container,
so that one is booted before.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path

from hosts import disk, machines, qemu
from hosts.machines import Machine, Site, podman


class VirtualMachine(Machine):
    """A host that is a virtual machine.

    :ivar uuid: what the firmware says it is
    """

    # Emulated, it takes 20 seconds of a processor, and has to share that with others.
    patience = 600
    # Beside others, the way in alone may take 10 seconds; and a host that goes down while it is asked may not say so,
    # which SSH notices by asking for a sign of life: at the latest the host that has booted refuses one.
    ssh_options = ("-o", "ConnectTimeout=60", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=12")

    def __init__(self, site: Site, name: str, network: str, address: str) -> None:
        super().__init__(site, name, network, address)
        self.uuid = str(uuid.uuid4())
        self._guest = qemu.Guest(self.container, site.folder / self.container, self._mac, self.uuid)

    def make(self, image: str, owner: str, names: Mapping[str, str]) -> None:
        """Create the host, give it its identity, and boot it.

        :param image: that of containers; a disk is made of it
        """
        made = disk.make()
        self._guest.folder.mkdir()
        made.copy(self._guest.root, self._files(names))
        self._guest.start(owner, made, _bridge(f"{self._site.mark}-{self.network}"))

    def _files(self, names: Mapping[str, str]) -> dict[str, tuple[int, str]]:
        """What makes this host another one than its siblings, and what podman tells a container from outside."""
        subnet = self._site._network(self.network)
        gateway = f"Gateway={self._site.here(self.network)}\n" if self.network == machines.ONLINE else ""
        network = f"[Match]\nName=eth0\n[Network]\nAddress={self.address}/{subnet.prefixlen}\n{gateway}"
        return {
            **super()._files(names),
            "etc/hostname": (0o644, f"{self.name}\n"),
            "etc/systemd/network/10-eth0.network": (0o644, network),
        }

    def reboot(self) -> str:
        """Have the host reboot itself; return systemd's word for its state."""
        before = self.run("cat /proc/sys/kernel/random/boot_id")
        self.ask("sudo -n systemctl --no-block reboot")
        self._answer(f"grep --invert-match {before} /proc/sys/kernel/random/boot_id", 0)
        return self.wait()

    def console(self) -> str:
        return self._guest.console.read_text(encoding="utf-8", errors="replace")

    def remove(self) -> None:
        """Take the rejects this host."""
        qemu.end(self._guest.name)


def _bridge(network: str) -> str:
    """The interface that a network of podman is, on this machine."""
    name = str(json.loads(podman("network", "inspect", network))[0]["network_interface"])
    if not Path("/sys/class/net", name).exists():
        raise RuntimeError(f"{network} has no bridge: boot a container in it before a virtual machine.")
    return name


def boot(site: Site, **places: str) -> dict[str, VirtualMachine]:
    """Boot fresh virtual machines in a site, beside its containers; see :meth:`Site.boot`."""
    return site.boot_as(VirtualMachine, places)
