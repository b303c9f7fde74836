# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of QEMU that outlive the one that starts them, and are found again and ended by another one.

What is to be known of each lies in a file below /run, as the machine's own start ends them all.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import secrets
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hosts.disk import TUN, Disk

# Seconds after which a virtual machine ends, whoever has forgotten it.
LIFETIME = 2 * 60 * 60
MEMORY = "512M"
_STATES = Path("/run/aims-licensing/virtual-machines")
# Seconds that the kernel may take with KVM until it finds that it has no disk: emulated it takes three.
_PROOF = 10
_MACHINE = ("-no-user-config", "-nodefaults", "-display", "none", "-machine", "q35", "-m", MEMORY)
# What guards one program from another on a processor that guesses costs a fifth of one that does not guess; services
# may start slowly, where this machine has little of its processors left for the emulated one.
_KERNEL_OPTIONS = (
    "root=/dev/vda rw quiet console=ttyS0 net.ifnames=0 mitigations=off systemd.default_timeout_start_sec=600"
)
# linux/if_tun.h
_TUNSETIFF, _IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x400454CA, 0x0002, 0x1000, 0x4000


@dataclass(frozen=True)
class Guest:
    """A virtual machine.

    :ivar name: another one than that of all others on this machine
    :ivar folder: for its disk and its console; it is its own
    :ivar mac: the address of its network card
    :ivar uuid: its identity in the firmware's tables
    """

    name: str
    folder: Path
    mac: str
    uuid: str

    @property
    def root(self) -> Path:
        return self.folder / "root.img"

    @property
    def console(self) -> Path:
        return self.folder / "console"

    @property
    def pid(self) -> Path:
        """Where QEMU writes the number of its process as soon as it runs."""
        return self.folder / "pid"

    def processes(self) -> list[int]:
        """The processes that it consists of: QEMU and what ends that in time."""
        return _processes(self.root)

    def start(self, owner: str, disk: Disk, bridge: str, lifetime: int = LIFETIME) -> None:
        """Boot it from its disk, which is there already.

        :param owner: who is to be asked before it is taken away; see :func:`remove`
        :param disk: where its kernel is
        :param bridge: the network interface that it is attached to
        :param lifetime: seconds after which it ends
        :raises RuntimeError: QEMU did not start; with what it says
        """
        _STATES.mkdir(parents=True, exist_ok=True)
        state = _STATES / f"{self.name}.json"
        new = state.with_suffix(".new")
        new.write_text(json.dumps({"owner": owner, "folder": str(self.folder)}), encoding="utf-8")
        new.rename(state)
        log = self.folder / "log"
        with _tap(bridge) as tap, log.open("wb") as output:
            subprocess.run(
                # Nobody's child, so that nobody has to wait for it.
                ["setsid", "--fork", "timeout", str(lifetime), *self._command(disk, tap)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[tap],
                check=True,
            )
        while not self.pid.exists():
            if not self.processes():
                raise RuntimeError(f"{self.name} does not start: {log.read_text(encoding='utf-8', errors='replace')}")
            time.sleep(0.05)

    def _command(self, disk: Disk, tap: int) -> list[str]:
        return [
            "qemu-system-x86_64",
            *_MACHINE,
            *("-name", f"guest={self.name}", "-pidfile", str(self.pid)),
            *accelerator(disk),
            *("-uuid", self.uuid),
            *("-serial", f"file:{self.console}"),
            *("-kernel", str(disk.kernel), "-initrd", str(disk.initrd)),
            *("-append", _KERNEL_OPTIONS),
            # The disk is thrown away with its host, so this machine need not keep it through a failure of its own.
            *("-drive", f"{_file(self.root)},format=raw,if=virtio,cache=unsafe"),
            *("-netdev", f"tap,id=network,fd={tap}"),
            *("-device", f"virtio-net-pci,netdev=network,mac={self.mac},romfile="),
            *("-device", "virtio-rng-pci"),
        ]


def remove(is_meant: Callable[[str], bool]) -> None:
    """End the virtual machines of some owners, and remove their disks.

    :param is_meant: whether an owner's are to be removed
    """
    for state in _STATES.glob("*.json"):
        try:
            found = json.loads(state.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        if is_meant(found["owner"]):
            end(state.stem)


def end(name: str) -> None:
    """End a virtual machine, if there is one, and remove its disk."""
    state = _STATES / f"{name}.json"
    try:
        folder = Path(json.loads(state.read_text(encoding="utf-8"))["folder"])
    except FileNotFoundError:
        return
    until = time.monotonic() + 30
    while processes := _processes(folder / "root.img"):
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if time.monotonic() > until:
            raise TimeoutError(f"{name} does not end: process {processes}")
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)
    state.unlink(missing_ok=True)


def _processes(root: Path) -> list[int]:
    """The processes whose command lines name a disk: a number in a file may be another process's by the time."""
    wanted = f"{_file(root)},".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if any(argument.startswith(wanted) for argument in entry.read_bytes().split(b"\0")):
                found.append(int(entry.parent.name))
    return found


def _file(path: Path) -> str:
    """A file as QEMU's options name it; a comma would begin the next one."""
    return f"file={str(path).replace(',', ',,')}"


@contextlib.contextmanager
def _tap(bridge: str) -> Iterator[int]:
    """A network card on a bridge, as a file; it lasts as long as anybody has it open."""
    name = f"aims{secrets.token_hex(4)}"
    card = os.open(TUN, os.O_RDWR)
    try:
        fcntl.ioctl(card, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR))
        done = subprocess.run(
            ["ip", "link", "set", "dev", name, "master", bridge, "up"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{name} cannot be attached to {bridge}: {done.stderr.strip()}")
        yield card
    finally:
        os.close(card)


@functools.cache
def accelerator(disk: Disk) -> tuple[str, ...]:
    """QEMU's options for how instructions are run: by the processor where that proves to boot, else emulated.

    /dev/kvm may be there and hang, or end QEMU, where this machine is a virtual one itself.
    """
    processor = ("-accel", "kvm", "-cpu", "host")
    # With no disk to find the kernel panics, and ends the machine: it has booted.
    proof = [
        "qemu-system-x86_64",
        *_MACHINE,
        *processor,
        "-no-reboot",
        "-kernel",
        str(disk.kernel),
        "-append",
        "panic=-1",
    ]
    try:
        done = subprocess.run(proof, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROOF, check=False)
    except subprocess.TimeoutExpired:
        problem = f"a kernel takes more than {_PROOF} seconds with it"
    else:
        if done.returncode == 0:
            return processor
        problem = done.stderr.decode(errors="replace").strip().partition("\n")[0]
    sys.stderr.write(f"Virtual machines are emulated, which takes minutes, as KVM does not work here: {problem}.\n")
    return ("-accel", "tcg,thread=multi,tb-size=256", "-cpu", "max,-la57")
