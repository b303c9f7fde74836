# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts made from nothing: containers in which systemd runs, reached over SSH by a user who is not root.

A site is networks, hosts and an SSH key. It carries a label that says who owns it: a process, so that a later run finds
and removes what a run that was killed has left, or a name, under which one command makes it and another takes it away.
"""

from __future__ import annotations

import io
import ipaddress
import json
import os
import resource
import secrets
import subprocess
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from hosts import qemu
from hosts.image import USER

_LABEL = "aims-licensing.hosts"
# What root of a real host may do and systemd needs to shut a service in; podman withholds it from containers. Without
# SYS_PTRACE, /proc of a service cannot be hidden from it.
_CAPABILITIES = ("SYS_ADMIN", "SYS_PTRACE", "AUDIT_WRITE")
# before the name of an owner that is no process
_NAMED = "name:"
ONLINE, OFFLINE = "online", "offline"


def podman(*arguments: str, data: bytes | None = None) -> str:
    """Return what a podman command prints.

    :raises RuntimeError: it failed; with what it says
    """
    done = subprocess.run(["podman", *arguments], input=data or b"", capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"podman {arguments[0]} ended with {done.returncode}: {done.stderr.decode().strip()}")
    return done.stdout.decode().strip()


@dataclass(frozen=True)
class Answer:
    """What a command on a host said."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


class Machine:
    """A host.

    :ivar name: its host name, and its name in the inventory
    :ivar address: its IPv4 address; it keeps it over a reboot
    :ivar patience: seconds that a boot may take
    :ivar ssh_options: how SSH reaches it, beside the site's configuration
    """

    patience = 90
    ssh_options: tuple[str, ...] = ()

    def __init__(self, site: Site, name: str, network: str, address: str) -> None:
        self.name, self.address, self.network = name, address, network
        self.container = f"{site.mark}-{name}-{address.rpartition('.')[2]}"
        self.machine_id = secrets.token_hex(16)
        self._mac = "02:" + secrets.token_bytes(5).hex(":")
        self._site = site

    def make(self, image: str, owner: str, names: Mapping[str, str]) -> None:
        """Create the host, give it its identity, and boot it.

        :param owner: what runs it, as the label says it
        :param names: the addresses that it knows by name; there is no other way to look names up
        """
        limits = []
        for name, limit in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
            # A limit above that of this process is refused, and podman's defaults may be.
            hard = resource.getrlimit(limit)[1]
            value = 20000 if hard == resource.RLIM_INFINITY else min(hard, 20000)
            limits.append(f"--ulimit={name}={value}:{value}")
        podman(
            # crun, podman's default, refuses hosts with cgroups in hybrid mode
            "--runtime=runc",
            "create",
            f"--name={self.container}",
            f"--hostname={self.name}",
            f"--label={_LABEL}={owner}",
            f"--label={_LABEL}.name={self.name}",
            f"--network={self._site.mark}-{self.network}",
            f"--ip={self.address}",
            # kept over a reboot, as a real host's is: its neighbours remember it
            f"--mac-address={self._mac}",
            "--no-hosts",
            "--dns=none",
            "--systemd=always",
            *(f"--cap-add={capability}" for capability in _CAPABILITIES),
            *limits,
            image,
            "/sbin/init",
        )
        podman("cp", "--archive=false", "-", f"{self.container}:/", data=_archive(self._files(names)))
        podman("start", self.container)

    def _files(self, names: Mapping[str, str]) -> dict[str, tuple[int, str]]:
        """What makes this host another one than its siblings: modes and texts of files, by their paths."""
        key = self._site.folder / f"{self.address}.key"
        _keygen(key)
        public = key.with_suffix(".key.pub").read_text(encoding="utf-8")
        with (self._site.folder / "known_hosts").open("a", encoding="utf-8") as file:
            file.write(f"{self.address} {public}")
        hosts = "".join(f"{address} {name}\n" for name, address in names.items())
        authorized = (self._site.key.with_suffix(".pub")).read_text(encoding="utf-8")
        return {
            "etc/machine-id": (0o444, f"{self.machine_id}\n"),
            "etc/hosts": (0o644, f"127.0.0.1 localhost\n::1 localhost\n{hosts}"),
            "etc/ssh/ssh_host_ed25519_key": (0o600, key.read_text(encoding="utf-8")),
            "etc/ssh/ssh_host_ed25519_key.pub": (0o644, public),
            # root's file, so that the user whose way in it is cannot change it; sshd takes it from root as well
            f"home/{USER}/.ssh/authorized_keys": (0o644, authorized),
        }

    def ask(self, command: str, data: str = "", timeout: float = 600) -> Answer:
        """Run a shell command over SSH as the user, and say how it ended."""
        ssh = ["ssh", "-F", str(self._site.ssh_config), *self.ssh_options, self.name, command]
        done = subprocess.run(ssh, input=data, capture_output=True, text=True, timeout=timeout, check=False)
        return Answer(done.returncode, done.stdout, done.stderr)

    def run(self, command: str, data: str = "") -> str:
        """Run a shell command over SSH as the user, and return what it prints; it has to succeed."""
        answer = self.ask(command, data)
        if answer.code:
            raise AssertionError(f"{self.name}: '{command}' ended with {answer.code}:\n{answer.stdout}{answer.stderr}")
        return answer.stdout.rstrip("\n")

    def wait(self) -> str:
        """Wait until the host has booted; return systemd's word for its state."""
        return self._answer("systemctl is-system-running --wait", 0, 1).stdout.strip()

    def _answer(self, command: str, *codes: int) -> Answer:
        """Ask a host that boots until it answers with one of some codes."""
        until = time.monotonic() + self.patience
        while (answer := self.ask(command)).code not in codes:
            if time.monotonic() > until:
                raise TimeoutError(f"{self.name} does not answer: {answer.stderr}\n{self.console()}")
            time.sleep(0.1)
        return answer

    def console(self) -> str:
        """What the host has printed since it was made."""
        return podman("logs", self.container)

    def reboot(self) -> str:
        """Shut the host down as its power button does, and boot it; return systemd's word for its state."""
        podman("stop", "--time=30", self.container)
        podman("start", self.container)
        return self.wait()


M = TypeVar("M", bound=Machine)


class Site:
    """What one run makes; leaving it takes everything away.

    :param folder: for the keys and the configuration of SSH
    :param owner: a name under which it stays until :func:`take_away`; where there is none, this process owns it
    """

    def __init__(self, folder: Path, image: str, owner: str = "") -> None:
        sweep()
        self.folder = folder
        folder.mkdir(parents=True)
        # Short, because the names of network interfaces and sockets are made of it.
        self.mark = f"aims-{secrets.token_hex(3)}"
        self.machines: dict[str, Machine] = {}
        # what SSH is to know a host by beside its name
        self.aliases: dict[str, str] = {}
        self.key = folder / "id"
        self._image = image
        self._owner = f"{_NAMED}{owner}" if owner else _owner(os.getpid())
        self._subnets: dict[str, ipaddress.IPv4Network] = {}
        self._booted = 0
        _keygen(self.key)

    def __enter__(self) -> Site:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _remove(lambda owner: owner == self._owner)

    @property
    def ssh_config(self) -> Path:
        return self.folder / "ssh_config"

    def boot(self, **places: str) -> dict[str, Machine]:
        """Boot fresh hosts.

        :param places: the network of each, by its name: ``online``, where everybody reaches everybody, or ``offline``,
            which has no way out
        """
        return self.boot_as(Machine, places)

    def boot_as(self, kind: Callable[[Site, str, str, str], M], places: Mapping[str, str]) -> dict[str, M]:
        """Boot fresh hosts of a kind; see :meth:`boot`."""
        made = {}
        for name, network in places.items():
            # Never an address that a former host had: its neighbours still know that one's card and key.
            self._booted += 1
            address = str(self._network(network)[10 + self._booted])
            made[name] = self.machines[name] = kind(self, name, network, address)
        self._write_config()
        names = {machine.name: machine.address for machine in self.machines.values()}
        for machine in made.values():
            machine.make(self._image, self._owner, names)
        return made

    def remove(self, names: Sequence[str]) -> None:
        """Take hosts away."""
        containers = [self.machines.pop(name).container for name in names]
        if containers:
            podman("rm", "--force", "--ignore", "--time=0", *containers)

    def _network(self, name: str) -> ipaddress.IPv4Network:
        if name not in self._subnets:
            full = f"{self.mark}-{name}"
            internal = ["--internal"] if name == OFFLINE else []
            podman("network", "create", "--disable-dns", f"--label={_LABEL}={self._owner}", *internal, full)
            seen = json.loads(podman("network", "inspect", full))[0]
            self._subnets[name] = ipaddress.IPv4Network(seen["subnets"][0]["subnet"])
        return self._subnets[name]

    @property
    def networks(self) -> list[str]:
        """The networks in which there are hosts."""
        return list(self._subnets)

    def here(self, network: str) -> str:
        """The address of this machine, the controller, in a network."""
        return str(next(self._subnets[network].hosts()))

    def open_offline(self) -> None:
        """Give this machine, the controller, an address in the offline network, where podman gives it none."""
        name = f"{self.mark}-{OFFLINE}"
        bridge = json.loads(podman("network", "inspect", name))[0]["network_interface"]
        subnet = self._subnets[OFFLINE]
        has = json.loads(_run(["ip", "-json", "-4", "address", "show", "dev", bridge]))
        if not any(entry.get("addr_info") for entry in has):
            _run(["ip", "address", "add", f"{self.here(OFFLINE)}/{subnet.prefixlen}", "dev", bridge])

    def _write_config(self) -> None:
        hosts = "".join(
            f"Host {one.name} {self.aliases.get(one.name, '')}\n  HostName {one.address}\n"
            for one in self.machines.values()
        )
        self.ssh_config.write_text(
            f"{hosts}Host *\n"
            f"  User {USER}\n"
            f"  IdentityFile {self.key}\n"
            "  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.folder}/known_hosts\n"
            "  GlobalKnownHostsFile /dev/null\n"
            "  StrictHostKeyChecking yes\n"
            "  UpdateHostKeys no\n"
            "  BatchMode yes\n"
            "  ConnectTimeout 5\n"
            "  LogLevel ERROR\n",
            encoding="utf-8",
        )


def _archive(files: Mapping[str, tuple[int, str]]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, (mode, text) in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = mode, len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return archive.getvalue()


def sweep() -> None:
    """Remove what earlier runs left that did not come to their end; what runs now is left alone."""
    _remove(lambda owner: not _alive(owner))


def take_away(owner: str) -> None:
    """Remove what was made under a name."""
    _remove(lambda found: found == f"{_NAMED}{owner}")


def lose(owner: str, host: str) -> None:
    """Destroy one of the hosts that were made under a name."""
    labels = f"--filter=label={_LABEL}={_NAMED}{owner}", f"--filter=label={_LABEL}.name={host}"
    (container,) = podman("ps", "--all", "--quiet", *labels).split()
    podman("rm", "--force", "--time=0", container)


def _remove(is_meant: Callable[[str], bool]) -> None:
    """Remove the virtual machines, containers and networks of some owners."""
    qemu.remove(is_meant)
    found = json.loads(podman("ps", "--all", f"--filter=label={_LABEL}", "--format=json"))
    containers = [one["Id"] for one in found if is_meant(one["Labels"][_LABEL])]
    if containers:
        podman("rm", "--force", "--ignore", "--time=0", *containers)
    for network in podman("network", "ls", f"--filter=label={_LABEL}", "--format={{.Name}}").split():
        if is_meant(json.loads(podman("network", "inspect", network))[0]["labels"][_LABEL]):
            podman("network", "rm", "--force", network)


def _owner(process: int) -> str:
    """A process as a label names it: its number may be given to another one, its start is its own."""
    stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    return f"{process}-{stat.rpartition(')')[2].split()[19]}"


def _alive(owner: str) -> bool:
    if owner.startswith(_NAMED):
        return True
    try:
        return _owner(int(owner.partition("-")[0])) == owner
    except (OSError, ValueError):
        return False


def _keygen(path: Path) -> None:
    _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"'{' '.join(command)}' ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
