# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of the walks as a person has them before him: a Linux host over SSH, and a stand-in for Windows."""

from __future__ import annotations

import base64
import shlex
from pathlib import Path
from typing import Any

from hosts.machines import Machine, Site
from support.posts import HOME, PORT
from support.vendor_manager import Manager, VendorAuthority
from support.vendor_tree import NUMBERS, stem
from support.worked_example import WORKED_EXAMPLE
from vendor.windows import server_files
from vendor.windows.host import WindowsHost, is_open
from vendor.windows.image import Image

KEY = "-----BEGIN PRIVATE KEY----- of a published application -----END PRIVATE KEY-----"


class LinuxHost:
    """A host with systemd.

    :param package: the license server's package on this machine
    """

    def __init__(self, name: str, site: Site, package: Path, authority: VendorAuthority) -> None:
        self.name, self.package = name, package
        self._site, self._authority = site, authority
        self._machine: Machine = site.boot(**{name: "online"})[name]
        self._machine.wait()

    @property
    def address(self) -> str:
        return self._machine.address

    @property
    def variables(self) -> dict[str, Any]:
        return {
            "ansible_connection": "ssh",
            "ansible_host": self.address,
            "ansible_become": True,
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_args": f"-F {self._site.ssh_config} -o ControlMaster=auto -o ControlPersist=60s",
        }

    def stop(self) -> None:
        self._site.remove([self.name])

    def install(self) -> None:
        content = base64.b64encode(self.package.read_bytes()).decode()
        self._machine.run("base64 -d >/tmp/server.deb && sudo -n dpkg -i /tmp/server.deb; rm /tmp/server.deb", content)

    def fill(self, codes: dict[str, str]) -> None:
        """Let the host hold the licenses of the worked example, by the documented commands."""
        licman, lines = f"{HOME}/Bin/licman", []
        for number, code in codes.items():
            lines.append(f"{licman} --nodelock-activate {number} --type machine --activation-code {code} --add-license")
        lines += [f"{licman} --profile-add {one['profile']} --license {one['number']}" for one in WORKED_EXAMPLE]
        # By standard input: sudo writes the arguments of each command into the journal.
        self._machine.run("sudo -n bash -es", "\n".join(lines))
        self.put(f"{HOME}/ApplicationKeys", "app.key", KEY.encode())
        self.put(f"{HOME}/Licenses", "010073015120001005001036.cpx", b"composite\n")

    def put(self, folder: str, name: str, content: bytes) -> None:
        place = shlex.quote(f"{folder}/{name}")
        command = f"sudo -n mkdir -p {shlex.quote(folder)} && base64 -d | sudo -n tee {place} >/dev/null"
        self._machine.run(command, base64.b64encode(content).decode())

    def shell(self, lines: list[str], typed: str) -> None:
        script = shlex.quote("\n".join(["set -e", *lines]))
        self._machine.run(f"sudo -n bash -c {script}", f"{typed}\n")

    def ask(self, number: str, code: str) -> bytes:
        raise AssertionError("No walk with such a host is offline.")

    def load(self, number: str, response: bytes) -> None:
        raise AssertionError("No walk with such a host is offline.")

    def stop_service(self) -> None:
        raise AssertionError("The playbook stops a service that it sees.")

    def serves(self) -> bool:
        return is_open(self.address, PORT)

    def give_back(self, number: str) -> None:
        self._authority.deactivate(number, self.name)
        self.shell([f"rm {HOME}/Nodelocks/{stem(number)}.*"], "")

    def nodelocks(self) -> set[str]:
        names = self._machine.run(f"sudo -n find {HOME}/Nodelocks -name '*.lock' -size +0 2>/dev/null; true").split()
        return {Path(name).stem for name in names}

    def calls(self) -> list[str]:
        return self._machine.run(f"sudo -n cat {HOME}/Logging/licman.calls 2>/dev/null; true").splitlines()

    def everything(self) -> dict[str, object]:
        find = f"sudo -n find {HOME} /etc /var/lib -type f -not -path '*/Logging/*' -not -path '/var/lib/s[yu]*'"
        lines = self._machine.run(f"{find} -exec sha256sum {{}} +").splitlines()
        return dict(reversed(line.split(maxsplit=1)) for line in lines)

    def secrets(self, codes: list[str]) -> list[str]:
        look = "sudo -n grep -rlF -f - /home /root /tmp /var/lib /var/tmp /var/log /run /etc /usr/local"
        found = self._machine.ask(f"{look} 2>/dev/null", "\n".join(codes)).stdout.split()
        journal = self._machine.run("sudo -n journalctl --no-pager")
        return [f"{place} of {self.name}" for place in found] + [
            f"the journal of {self.name}" for code in codes if code in journal
        ]


class Windows:
    """A stand-in for a Windows host, with the license manager before the person.

    :ivar package: the license server's package on this machine
    """

    def __init__(self, name: str, folder: Path, image: Image, authority: VendorAuthority, **habits: bool) -> None:
        self.name, self._image, self.package = name, image, image.installer
        self.host = WindowsHost(folder, image)
        # Kept open by stop().
        self.host.__enter__()
        self.manager = Manager(name, self.host.path(server_files.DATA), authority, **habits)

    @property
    def address(self) -> str:
        return self.host.address

    @property
    def variables(self) -> dict[str, Any]:
        return self.host.variables

    def stop(self) -> None:
        self.host.stop()

    def install(self) -> None:
        server_files.install(self.host, self._image)

    def fill(self) -> None:
        """Let the host hold the licenses of the worked example."""
        server_files.fill(self.host)
        self.manager.profiles = {one["profile"]: one["number"] for one in WORKED_EXAMPLE}

    def put(self, folder: str, name: str, content: bytes) -> None:
        place = self.host.path(folder) / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    def nodelocks(self) -> set[str]:
        own = [stem(number) for number in NUMBERS]
        locks = [self.manager.data / "Nodelocks" / f"{number}.lock" for number in own]
        return {lock.stem for lock in locks if lock.exists() and lock.stat().st_size}

    def serves(self) -> bool:
        return is_open(self.address, PORT)

    def calls(self) -> list[str]:
        """Of a Windows host no command of the license server is known."""
        return []

    def everything(self) -> dict[str, object]:
        return {**server_files.files(self.host)}

    def secrets(self, codes: list[str]) -> list[str]:
        """Search the drive, the registry, and the commands that the host was sent."""
        shown = dict(server_files.files(self.host))
        places = [*self.host.folder.rglob("*.reg"), *self.host.drive.glob("users/*/Temp/**/*")]
        shown.update({str(place): place.read_bytes() for place in places if place.is_file()})
        shown["commands"] = "\n".join(self.host.commands).encode()
        return [
            f"{place} of {self.name}"
            for place, content in shown.items()
            for code in codes
            if content is not None and code.encode() in content
        ]
