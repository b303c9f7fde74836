# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stand-ins for Windows hosts are made from: Wine's C: with our programs, and an installer. Made once and kept."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parents[2] / ".build" / "vendor" / "windows"
COMPILER = "x86_64-w64-mingw32-gcc"
# Command → Debian's package.
NEEDED = {
    "wine": "wine wine64",
    "wineserver": "wine",
    "wixl": "wixl",
    COMPILER: "gcc-mingw-w64-x86-64-win32",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "unshare": "util-linux",
}
PROGRAMS = {"remote": (), "idle": (), "arguments": ("-lshell32",), "service": ("-lws2_32",)}
# Of Wine's folder of the system, these are large, and no host changes them.
SHARED = ("system32", "syswow64", "winsxs", "Microsoft.NET", "Fonts", "inf")


class Missing(Exception):
    """A command that stand-ins need is not installed."""


@dataclass(frozen=True)
class Image:
    """A folder with Wine's prefix in ``prefix``, and what is installed in hosts.

    :ivar installer: the stand-in for the vendor's installer
    """

    folder: Path

    @property
    def prefix(self) -> Path:
        return self.folder / "prefix"

    @property
    def installer(self) -> Path:
        return self.folder / "server.msi"


def environment(prefix: Path) -> dict[str, str]:
    """Return the environment of Wine's commands for a prefix."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(prefix.parent),
        # Wine converts file names and the environment by it.
        "LC_ALL": "C.UTF-8",
        "WINEPREFIX": str(prefix),
        "WINEARCH": "win64",
        "WINEDEBUG": "-all",
    }


def find(command: str) -> str | None:
    """Return where a command of ``NEEDED`` is; Debian keeps some where only root looks."""
    return shutil.which(command, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def check_machine() -> None:
    """Say what is missing on this machine for stand-ins.

    :raises Missing: a command is not installed
    """
    packages = sorted({package for command, package in NEEDED.items() if not find(command)})
    if packages:
        raise Missing(
            f"Not installed, for Windows hosts: {' '.join(packages)}. "
            f"On Debian: apt-get install --no-install-recommends {' '.join(packages)}."
        )


def make() -> Image:
    """Return the image, and make it where it is missing.

    :raises Missing: a command is not installed
    """
    check_machine()
    image = Image(CACHE / _digest())
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not image.folder.exists():
            _make(image)
    return image


def _digest() -> str:
    version = subprocess.run(["wine", "--version"], capture_output=True, check=True).stdout
    sources = [path.read_bytes() for path in [Path(__file__), HERE / "license_server.wxs", *HERE.glob("programs/*.c")]]
    return hashlib.sha256(b"\0".join([version, *sorted(sources)])).hexdigest()[:16]


def _make(image: Image) -> None:
    draft = Image(image.folder.with_suffix(".new"))
    shutil.rmtree(draft.folder, ignore_errors=True)
    draft.folder.mkdir()
    for program, libraries in PROGRAMS.items():
        source, built = HERE / "programs" / f"{program}.c", draft.folder / f"{program}.exe"
        _run([COMPILER, "-Wall", "-Werror", "-O1", "-s", "-o", str(built), str(source), *libraries], draft.folder)
    shutil.copy(HERE / "license_server.wxs", draft.folder)
    _run(["wixl", "-o", "server.msi", "license_server.wxs"], draft.folder)
    variables = environment(draft.prefix)
    _run(["wine", "cmd", "/c", "exit"], draft.folder, variables)
    _run(["wineserver", "-w"], draft.folder, variables)
    _empty(draft)
    draft.folder.rename(image.folder)


def _empty(image: Image) -> None:
    """Take out of the prefix what shows this machine's own files, and put our programs in."""
    drive = image.prefix / "drive_c"
    for link in (image.prefix / "dosdevices").iterdir():
        if link.name != "c:":
            link.unlink()
    for link in drive.glob("users/*/*"):
        if link.is_symlink():
            link.unlink()
            link.mkdir()
    (drive / "windows" / "Temp").mkdir(exist_ok=True)
    for program in ("remote", "idle", "arguments"):
        shutil.copy(image.folder / f"{program}.exe", drive / "windows")


def copy(image: Image, prefix: Path) -> None:
    """Give a host a prefix of its own; the folders of the system in it are the image's."""
    windows = image.prefix / "drive_c" / "windows"

    def passed(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(folder) == windows and name in SHARED]

    shutil.copytree(image.prefix, prefix, symlinks=True, ignore=passed)
    for name in SHARED:
        if (windows / name).exists():
            (prefix / "drive_c" / "windows" / name).symlink_to(windows / name)


def _run(command: list[str], folder: Path, variables: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=300,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
