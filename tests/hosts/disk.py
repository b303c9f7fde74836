# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk of virtual test hosts: the image of the containers and a kernel, made once and kept between runs.

``python disk.py`` makes it where it is missing and prints its folder; ``--install`` gets the packages that it wants.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hosts import image
from hosts.image import USER, Missing

SIZE = "2G"
# Beside the tools of hosts that are containers.
TOOLS = {"debugfs": "e2fsprogs", "mke2fs": "e2fsprogs", "qemu-system-x86_64": "qemu-system-x86"}
TUN = Path("/dev/net/tun")
# The kernel for guests, and a disk in memory with no more than finding the real one takes: emulated, each driver that
# is looked at costs a part of a second. No name service is set up, as in the containers, and no machine-id is left, so
# that each host's is written as a new file.
KERNEL = f"""
set -eu
export DEBIAN_FRONTEND=noninteractive
mkdir -p /etc/initramfs-tools/conf.d
echo MODULES=list > /etc/initramfs-tools/conf.d/guest
printf '%s\\n' virtio_pci virtio_blk ext4 > /etc/initramfs-tools/modules
apt-get -q update
apt-get -q -y --no-install-recommends -o Dpkg::Options::=--force-confold install linux-image-cloud-amd64 zstd
systemctl enable systemd-networkd.service
systemctl mask e2scrub_reap.service
mkdir -p /home/{USER}/.ssh
cp -L /vmlinuz /boot/vmlinuz
cp -L /initrd.img /boot/initrd
"""
_CLEAN = """
set -eu
rm -f /etc/machine-id /etc/hosts /etc/hostname /etc/ssh/ssh_host_* /boot/initrd.img-*
rm -rf /var/cache/apt/* /var/lib/apt/lists/* /var/log/*.log /var/log/apt /usr/share/doc/* /usr/share/man/*
: > /etc/resolv.conf
"""


@dataclass(frozen=True)
class Disk:
    """What virtual machines boot from: a file system to copy, a Linux kernel and its first disk in memory."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "root.img"

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd"

    def copy(self, to: Path, files: Mapping[str, tuple[int, str]]) -> None:
        """Make the disk of one host.

        It is written before the host boots, so that the host finds its identity as files of its own, at each boot.

        :param files: the mode and the text of files that the disk does not have yet, in folders that it has
        :raises RuntimeError: a file could not be written
        """
        image._run(["cp", "--sparse=always", "--reflink=auto", str(self.root), str(to)])
        with tempfile.TemporaryDirectory() as folder:
            commands = []
            for number, (name, (mode, text)) in enumerate(files.items()):
                source = Path(folder) / str(number)
                source.write_text(text, encoding="utf-8")
                commands.append(f"write {source} {name}")
                commands.append(f"set_inode_field {name} mode 0{0o100000 | mode:o}")
            script = Path(folder) / "commands"
            script.write_text("".join(f"{command}\n" for command in commands), encoding="utf-8")
            done = subprocess.run(
                ["debugfs", "-w", "-f", str(script), str(to)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        # It succeeds whatever its commands say; the first line is its own version.
        problems = done.stderr.splitlines()[1:]
        if done.returncode or problems:
            raise RuntimeError(f"debugfs ended with {done.returncode}: {' '.join(problems)}")


def check_machine() -> None:
    """Say what is missing on this machine for virtual machines.

    :raises Missing: where something is
    """
    problems = []
    try:
        image.check_machine()
    except Missing as missing:
        problems.append(str(missing))
    if platform.machine() != "x86_64":
        problems.append(f"Virtual test hosts are x86_64, and this machine is {platform.machine()}: use another one.")
    packages = image.packages_for(TOOLS)
    if packages:
        problems.append(f"Not installed: {' '.join(packages)}. On Debian: apt-get install {' '.join(packages)}.")
    try:
        os.close(os.open(TUN, os.O_RDWR))
    except OSError as error:
        problems.append(
            f"The network of virtual machines wants {TUN}, which cannot be opened ({error.strerror}): modprobe tun; "
            f"in a container, start that with --device={TUN} --cap-add=NET_ADMIN."
        )
    if problems:
        raise Missing(" ".join(problems))


def make() -> Disk:
    """Return the disk; make it where it is missing.

    :raises Missing: where this machine lacks something
    :raises RuntimeError: it could not be made
    """
    check_machine()
    name = image.make()
    # The name of an image that is made here says what is in it; that of another one does not.
    if os.environ.get("AIMS_HOSTS_IMAGE"):
        content = image._run(["podman", "image", "inspect", "--format={{.Id}}", name])
    else:
        content = name
    recipe = "\n".join([content, KERNEL, _CLEAN, SIZE])
    cache = image._cache()
    folder = cache / f"disk-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    with image._locked(cache / "disk.lock"):
        if not folder.exists():
            for former in cache.glob("disk-*"):
                shutil.rmtree(former)
            _build(folder, name)
    return Disk(folder)


def _build(folder: Path, name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="build-", dir=folder.parent) as work:
        tree, made = Path(work) / "tree", Path(work) / "made"
        image._run(["cp", "--archive", image._run(["podman", "image", "mount", name]).strip(), str(tree)])
        image._run(["podman", "image", "unmount", name])
        for file in ("resolv.conf", "hosts"):
            (tree / "etc" / file).write_bytes((Path("/etc") / file).read_bytes())
        log = Path(work) / "log"
        with log.open("wb") as output:
            done = subprocess.run(
                ["chroot", str(tree), "/bin/sh", "-c", KERNEL],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **image._proxies()},
                check=False,
            )
        if done.returncode:
            raise RuntimeError(f"The installation of a kernel ended with {done.returncode}:\n{image._end_of(log)}")
        made.mkdir()
        disk = Disk(made)
        (tree / "boot/vmlinuz").rename(disk.kernel)
        (tree / "boot/initrd").rename(disk.initrd)
        image._run(["chroot", str(tree), "/bin/sh", "-c", _CLEAN])
        image._run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", str(tree), str(disk.root), SIZE])
        made.rename(folder)


if __name__ == "__main__":
    try:
        if "--install" in sys.argv[1:]:
            image.install({**image.TOOLS, **TOOLS})
        print(make().folder)
    except Missing as missing:
        raise SystemExit(str(missing)) from None
