# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of the test hosts: a Debian with systemd and an SSH server, made from nothing and kept between runs.

``python image.py`` makes it where it is missing and prints its name; with ``--install``, root of a Debian gets the
packages first that this machine lacks. It is Debian 12 where AIMS_HOSTS_RELEASE gives no other release's code name.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

RELEASE = os.environ.get("AIMS_HOSTS_RELEASE") or "bookworm"
PACKAGES = [
    "curl",
    "dbus",
    "iproute2",
    "openssh-server",
    "procps",
    # Named because debootstrap does not follow the virtual package by which python3-cryptography asks for it.
    "python3-cffi-backend",
    "python3",
    "python3-cryptography",
    "python3-tornado",
    "sudo",
    "systemd",
    "systemd-sysv",
]
# What this machine needs, and the packages that bring it.
TOOLS = {
    "debootstrap": "debootstrap",
    # by which a scenario is the person who uploads requests to the authority's page
    "curl": "curl",
    "ip": "iproute2",
    "podman": "podman",
    "runc": "runc",
    "ssh": "openssh-client",
    "tar": "tar",
}
USER = "ops"
_NAME = "localhost/aims-licensing-host"
# Makes an installed tree into a host that may be started many times: no identity, a user for the way in, nothing
# that wakes up by itself. Whoever changes it makes a new image, for it is a part of the image's name.
FINISH = f"""
set -eu
useradd --create-home --shell /bin/bash {USER}
echo '{USER} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{USER}
chmod 0440 /etc/sudoers.d/{USER}
systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer getty.target
systemctl mask console-getty.service
# Each watches a folder, and a machine has 128 such watchers for all of its hosts.
systemctl mask systemd-ask-password-console.path systemd-ask-password-wall.path
rm -rf /etc/ssh/ssh_host_* /etc/hostname /etc/hosts /var/lib/dbus/machine-id
rm -rf /var/cache/apt/* /var/lib/apt/lists/* /var/log/*.log /var/log/apt /usr/share/doc/* /usr/share/man/*
: > /etc/machine-id
: > /etc/resolv.conf
"""


class Missing(Exception):
    """What this machine lacks for test hosts, and how to get it."""


def check_machine() -> None:
    """Say what is missing on this machine, all at once.

    :raises Missing: where it is not root, or a tool is not installed
    """
    problems = []
    if os.geteuid() != 0:
        problems.append(
            "Test hosts with systemd are containers that only root can start here: run this as root (sudo make …)."
        )
    packages = packages_for(TOOLS)
    if packages:
        problems.append(f"Not installed: {' '.join(packages)}. On Debian: apt-get install {' '.join(packages)}.")
    if problems:
        raise Missing(" ".join(problems))


def packages_for(tools: Mapping[str, str]) -> list[str]:
    """The packages that this machine lacks of some tools'."""
    return sorted({package for tool, package in tools.items() if shutil.which(tool) is None})


def install(tools: Mapping[str, str]) -> None:
    """Get the packages that this machine lacks, where that is in this user's power; otherwise nothing is done.

    :param tools: the package of each
    """
    packages = packages_for(tools)
    if packages and os.geteuid() == 0 and shutil.which("apt-get"):
        sys.stderr.write(f"Installing {' '.join(packages)}\n")
        _run(["apt-get", "--quiet", "update"])
        options = ["--quiet", "--yes", "--no-install-recommends"]
        _run(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *options, "install", *packages])


def make() -> str:
    """Return the name of the image; make it where it is missing.

    :returns: an image that podman has, or the one that AIMS_HOSTS_IMAGE names
    :raises Missing: where this machine lacks something
    """
    check_machine()
    if named := os.environ.get("AIMS_HOSTS_IMAGE"):
        return _named(named)
    recipe = "\n".join([RELEASE, *sorted(PACKAGES), FINISH])
    key = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    name = f"{_NAME}:{key}"
    folder = _cache()
    with _locked(folder / f"{RELEASE}.lock"):
        if subprocess.run(["podman", "image", "exists", name], check=False).returncode:
            archive = folder / f"{RELEASE}-{key}.tar"
            if not archive.exists():
                for former in folder.glob(f"{RELEASE}-*.tar"):
                    former.unlink()
                _build(archive)
            _run(["podman", "import", str(archive), name])
            _forget_former(folder)
    return name


def _named(image: str) -> str:
    """An image of the user's own: one that podman has, or gets from a registry, an archive or Docker."""
    if subprocess.run(["podman", "image", "exists", image], check=False).returncode:
        return _run(["podman", "pull", "--quiet", image]).strip()
    return image


def _forget_former(folder: Path) -> None:
    """Remove the images whose archives are gone; one that a run still uses stays, which podman says by failing."""
    kept = {f"{_NAME}:{archive.stem.rpartition('-')[2]}" for archive in folder.glob("*.tar")}
    for image in _run(["podman", "images", "--format", "{{.Repository}}:{{.Tag}}"]).split():
        if image.startswith(f"{_NAME}:") and image not in kept:
            subprocess.run(["podman", "rmi", image], capture_output=True, check=False)


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "aims-licensing" / "hosts"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one run make the image while the others wait for it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(archive: Path) -> None:
    mirror = _mirror()
    with tempfile.TemporaryDirectory(prefix="build-", dir=archive.parent) as folder:
        tree = Path(folder) / "tree"
        include = f"--include={','.join(PACKAGES)}"
        log = Path(folder) / "debootstrap.log"
        with log.open("wb") as output:
            done = subprocess.run(
                ["debootstrap", "--variant=minbase", include, RELEASE, str(tree), mirror],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **_proxies()},
                check=False,
            )
        if done.returncode:
            raise RuntimeError(f"debootstrap ended with {done.returncode}:\n{_end_of(log)}")
        _run(["chroot", str(tree), "/bin/sh", "-c", FINISH])
        _run(["tar", "--directory", str(tree), "--create", "--file", f"{archive}.new", "."])
        Path(f"{archive}.new").rename(archive)


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])


def _mirror() -> str:
    """Where apt of this machine gets Debian from; AIMS_HOSTS_MIRROR where that is another system's."""
    if named := os.environ.get("AIMS_HOSTS_MIRROR"):
        return named
    template = "$(ORIGIN)|$(COMPONENT)|$(CODENAME)|$(REPO_URI)"
    found = _run(["apt-get", "indextargets", "--format", template, "Created-By: Packages"])
    entries = [line.split("|", 3) for line in found.splitlines() if line.startswith("Debian|main|")]
    # Any archive of Debian has the release; one that apt already reads it from is known to be reachable for it.
    entries.sort(key=lambda entry: (entry[2] != RELEASE, "-" in entry[2]))
    if not entries:
        todo = "Run apt-get update, or name one: AIMS_HOSTS_MIRROR=URL make hosts."
        raise Missing(f"apt of this machine knows no archive of Debian. {todo}")
    return entries[0][3]


def _proxies() -> dict[str, str]:
    """The proxies that apt is set up with, as debootstrap's downloader reads them."""
    found = {}
    for scheme in ("http", "https"):
        value = _run(["apt-config", "shell", "PROXY", f"Acquire::{scheme}::Proxy"]).strip()
        if value:
            found[f"{scheme}_proxy"] = value.removeprefix("PROXY=").strip("'")
    return found


def _run(command: list[str]) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    try:
        if "--install" in sys.argv[1:]:
            install(TOOLS)
        print(make())
    except Missing as missing:
        raise SystemExit(str(missing)) from None
