# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing, upgrading and removing the bundled license server's package in a home."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .. import documents
from ..channel import check_authority
from ..documents import Realm
from ..errors import LicensingError, Problem, refuse
from ..files import PUBLIC
from ..library import require_cryptography
from ..model import parse_version
from ..store import FOREIGN, OURS, Config, Home
from .bundled import BundledManager
from .overview import INACTIVE

ARCHIVE = "Bin/aims-licensing.pyz"
COMMANDS = ("licman", "authority")
# D licsrv/linux_setup: ports of the server, less than 100 MB of disk.
PORTS = (3400, 3401)
SPACE = 100 * 1024 * 1024
_EXECUTABLE = 0o755
_LISTEN = "0A"


@dataclass(frozen=True)
class Package:
    """The core as one archive that Python runs.

    :ivar digest: SHA-256 of the content, hexadecimal
    """

    version: str
    content: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        return documents.digest(self.content)

    def files(self, home: Home) -> dict[str, tuple[bytes, int]]:
        """Return the files of the package in a home, with their modes, in the order of writing."""
        described = f'{{"version": "{self.version}", "digest": "{self.digest}"}}\n'
        made: dict[str, tuple[bytes, int]] = {ARCHIVE: (self.content, PUBLIC)}
        for command in COMMANDS:
            made[f"Bin/{command}"] = (_launcher(home, command), _EXECUTABLE)
        made["Bin/package.json"] = (described.encode(), PUBLIC)
        return made


def _launcher(home: Home, command: str) -> bytes:
    # The root is what the commands' real place has before the home's real place within its root.
    place = os.path.realpath(home.folder.path)[len(os.path.realpath(home.root or "/").rstrip("/")) :]
    options = f'--home {shlex.quote(home.home)} --root "${{bin%{shlex.quote(place + "/Bin")}}}" ' * (
        command == "licman"
    )
    return (
        "#!/bin/sh\n"
        "# Runs a command of the license server whose home this file lies in.\n"
        'bin=$(dirname -- "$(readlink -f -- "$0")")\n'
        f'exec {shlex.quote(sys.executable)} "$bin/aims-licensing.pyz" {command} {options}"$@"\n'
    ).encode()


@dataclass(frozen=True)
class Installation:
    """What an installation did, or in a dry run would do.

    :ivar changes: in words, one per kind of change
    """

    changes: tuple[str, ...]
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def install(
    home: Home, package: Package, authority: str | None, realm: Realm | None = None, dry: bool = False
) -> Installation:
    """Bring a home to a package, and set its authority.

    All that can be wrong is looked at first: whose the home is, version, rights, space, ports, cryptography.

    :param authority: where this server's requests go; what is set stays for None
    :raises LicensingError: with everything that is wrong; nothing was changed then, except that a package which does
        not run is reported after its files were written.
    """
    before = BundledManager(home).overview()
    _check(home, package, before["server"])
    config = home.config() if home.state() == OURS else Config()
    if authority is not None:
        config = replace(config, authority=check_authority(authority))
    if realm is not None and config.realm is None:
        config = replace(config, realm=realm)
    stale = {name: held for name, held in package.files(home).items() if not _is_written(home, name, *held)}
    changes = _in_words(home, package, before["server"], config, bool(stale))
    if changes and not dry:
        home.create()
        with home.locked():
            for name, (content, mode) in stale.items():
                home.folder.write(name, content, mode)
            if config != home.config() or not home.folder.has("Config/server.json"):
                home.save(config)
        if stale:
            _check_health(home, package)
    predicted = {**before["server"], "installed": True, "version": package.version, "digest": package.digest}
    after = (
        {**before, "server": {**predicted, "authority": config.authority}} if dry else BundledManager(home).overview()
    )
    return Installation(changes, before, after)


def _in_words(home: Home, package: Package, server: Mapping[str, Any], config: Config, stale: bool) -> tuple[str, ...]:
    changes = []
    if not server["installed"]:
        changes.append(f"install {package.version}")
    elif server["version"] != package.version:
        changes.append(f"upgrade {server['version']} to {package.version}")
    elif stale:
        changes.append(f"restore the files of {package.version}")
    current = home.config() if home.state() == OURS else Config()
    if config.authority != current.authority:
        changes.append(f"set the authority to {config.authority}")
    if config.realm != current.realm and config.realm is not None:
        changes.append(f"pin realm {config.realm.id}")
    return tuple(changes)


def _is_written(home: Home, name: str, content: bytes, mode: int) -> bool:
    return home.folder.mode(name) == mode and home.folder.find(name, 64 << 20) == content


def _check(home: Home, package: Package, server: Mapping[str, Any]) -> None:
    problems: list[Problem] = []
    try:
        require_cryptography()
    except LicensingError as error:
        problems.extend(error.problems)
    if home.state() == FOREIGN:
        home.require()
    installed = server["version"]
    if installed and parse_version(installed) > parse_version(package.version):
        todo = "Use the collection's newer version here too, or remove the server first."
        problems.append(Problem(f"Version {installed} is installed; {package.version} is older.", home.where, todo))
    standing = next(path for path in (home.folder.path, *home.folder.path.parents) if path.exists())
    if not os.access(standing, os.W_OK | os.X_OK):
        problems.append(
            Problem("The home cannot be written.", str(standing), "Run with become: true, or mend its rights.")
        )
    free = shutil.disk_usage(standing).free
    if free < SPACE:
        todo = "Free some space, or choose a home on another file system."
        problems.append(Problem(f"{free >> 20} MB are free; {SPACE >> 20} MB are needed.", str(standing), todo))
    if not server["installed"] and not home.root:
        problems.extend(
            Problem(
                f"Port {port} is in use, which a license server needs.",
                "this host",
                f"See who holds it with 'ss -ltnp sport = :{port}'; another license server must be removed first.",
            )
            for port in sorted(set(PORTS) & _listening())
        )
    if problems:
        raise LicensingError(problems)


def _listening() -> set[int]:
    """The TCP ports that some process listens on."""
    ports = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if table.exists():
            for line in table.read_text(encoding="ascii").splitlines()[1:]:
                columns = line.split()
                if columns[3] == _LISTEN:
                    ports.add(int(columns[1].rpartition(":")[2], 16))
    return ports


def _check_health(home: Home, package: Package) -> None:
    command = [home.folder.place("Bin/licman"), "--version"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise refuse(
            f"The installed package does not run: {error}.", command[0], "Check noexec mounts and Python."
        ) from None
    if answer.returncode != 0 or package.version not in answer.stdout:
        told = (answer.stderr or answer.stdout).strip().splitlines()
        raise refuse(
            f"The installed package does not run: {told[-1] if told else 'it says nothing'}.",
            command[0],
            "Run this command by hand on the host to see the whole message.",
        )


def remove(home: Home, dry: bool = False) -> Installation:
    """Remove the package; licenses, journal and configuration stay as they are.

    :raises LicensingError: a license is active or pending here.
    """
    manager = BundledManager(home)
    before = manager.overview()
    held = [license["number"] for license in before["licenses"] if license["status"] != INACTIVE]
    held += [pending["number"] for pending in before["pending"] if pending["number"] not in held]
    if held:
        todo = "Deactivate them first (aims_license_deactivate)."
        raise refuse(f"Licenses are active or pending here: {', '.join(held)}.", home.where, todo)
    if not before["server"]["installed"]:
        return Installation((), before, before)
    if not dry:
        with home.locked():
            for name in ("package.json", *COMMANDS, Path(ARCHIVE).name):
                home.folder.remove(f"Bin/{name}")
    after = {**before, "server": {**before["server"], "installed": False, "version": None, "digest": None}}
    return Installation((f"remove {before['server']['version']}",), before, after)
