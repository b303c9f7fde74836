# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The places where a person does the steps of a runbook: hosts, clients and PRO; each is a stand-in."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from support.vendor_licman import make_licman
from support.vendor_manager import (
    ACTIVATE,
    Manager,
    Refused,
    VendorAuthority,
    request_of,
    require_response,
)
from support.vendor_tree import NUMBERS, activate, put, stem
from support.worked_example import WORKED_EXAMPLE

HOME = "/usr/local/Aimms"
PORT = 3400


class Post(Protocol):
    """A host with the vendor's license server, or without one yet, as a person has it before him.

    :ivar name: its name in the inventory
    :ivar variables: what the inventory has to say of it
    """

    name: str

    @property
    def address(self) -> str:
        """Where clients reach it."""

    @property
    def variables(self) -> dict[str, Any]: ...

    def install(self) -> None:
        """Install the license server and start it."""

    def stop(self) -> None:
        """Take the host away."""

    def put(self, folder: str, name: str, content: bytes) -> None:
        """Write a file into a folder, both as the host names them."""

    def nodelocks(self) -> set[str]:
        """Return the numbers of the licenses that have a nodelock of this host, without dots."""

    def calls(self) -> list[str]:
        """Return the arguments of each call of a command of the license server, as one line each, without codes."""

    def everything(self) -> Mapping[str, object]:
        """Return what is on the host, so that a change is seen."""

    def serves(self) -> bool:
        """Whether its license server runs."""

    def secrets(self, codes: list[str]) -> list[str]:
        """Return where a code is that ought not to be there."""


class LinuxPost(Post, Protocol):
    """A host that is administered by a shell."""

    def shell(self, lines: list[str], typed: str) -> None:
        """Run lines in one shell.

        :param typed: what is typed when one of them reads
        """

    def give_back(self, number: str) -> None:
        """Do what the vendor tells a person to do: no document names the option of licman."""

    def ask(self, number: str, code: str) -> bytes:
        """Make the request file of an activation as the vendor tells."""

    def load(self, number: str, response: bytes) -> None:
        """Load a response as the vendor tells."""

    def stop_service(self) -> None:
        """Stop the license server."""


class WindowsPost(Post, Protocol):
    """A host that is administered in the license manager."""

    manager: Manager


class Tree:
    """A Linux host as a folder of this machine.

    :param root: the folder that is ``/`` of the host
    :param address: an address of the loopback device
    """

    def __init__(self, name: str, root: Path, address: str, authority: VendorAuthority) -> None:
        self.name, self.root, self._address = name, root, address
        self._authority = authority
        self._listening: socket.socket | None = None

    @property
    def address(self) -> str:
        return self._address

    @property
    def home(self) -> Path:
        return self.root / HOME.lstrip("/")

    @property
    def variables(self) -> dict[str, Any]:
        return {
            "ansible_connection": "local",
            "ansible_host": self.address,
            "aims_license_server_root": str(self.root),
        }

    def install(self) -> None:
        for folder in ("Config", "Licenses", "Logging", "Nodelocks"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        put(self.home, "Bin/licsrv", b"#!/bin/sh\n").chmod(0o755)
        make_licman(self.home)
        self.start()

    def start(self) -> None:
        if self._listening is None:
            self._listening = socket.create_server((self.address, PORT))

    def stop_service(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    stop = stop_service

    def serves(self) -> bool:
        return self._listening is not None

    def fill(self, files: Mapping[str, bytes]) -> None:
        """Let the host hold the licenses of the worked example, and files of other kinds."""
        for number in NUMBERS:
            put(self.home, f"Licenses/{stem(number)}.lic", f"license {number}\n".encode())
            activate(self.home, number)
        for name, content in files.items():
            put(self.home, name, content)

    def put(self, folder: str, name: str, content: bytes) -> None:
        put(self.root / folder.lstrip("/"), name, content)

    def shell(self, lines: list[str], typed: str) -> None:
        script = "\n".join(["set -e", *lines]).replace(HOME, str(self.home))
        subprocess.run(["bash", "-c", script], input=f"{typed}\n", text=True, check=True, capture_output=True)

    def give_back(self, number: str) -> None:
        self._authority.deactivate(number, self.name)
        for ending in ("lock", "ver"):
            (self.home / "Nodelocks" / f"{stem(number)}.{ending}").unlink()

    def ask(self, number: str, code: str) -> bytes:
        return request_of(ACTIVATE, number, self.name, code)

    def load(self, number: str, response: bytes) -> None:
        require_response(response, ACTIVATE, number, self.name)
        put(self.home, f"Licenses/{stem(number)}.lic", f"license {number}\n".encode())
        activate(self.home, number, 2)

    def nodelocks(self) -> set[str]:
        return {place.stem for place in self.home.glob("Nodelocks/*.lock") if place.stat().st_size}

    @property
    def _calls(self) -> Path:
        return self.home.with_name(f"{self.home.name}.calls")

    def calls(self) -> list[str]:
        if not self._calls.exists():
            return []
        lines = self._calls.read_text(encoding="utf-8").splitlines()
        return [line.partition(" --activation-code")[0] for line in lines]

    def everything(self) -> dict[str, object]:
        places = [place for place in self.root.rglob("*") if place != self._calls]
        return {str(place): place.read_bytes() if place.is_file() else None for place in places}

    def secrets(self, codes: list[str]) -> list[str]:
        found = self.everything()
        return [f"{place} of {self.name}" for place, content in found.items() if _shows(content, codes)]


class Unreached:
    """A Windows host that the controller does not reach: a person copies its data folder there.

    :ivar manager: its license manager; the data folder is one of this machine
    :ivar copy: where the inventory says that the copy is
    """

    def __init__(self, name: str, folder: Path, copy: Path, authority: VendorAuthority) -> None:
        self.name, self.copy = name, copy
        self.manager = Manager(name, folder, authority)

    @property
    def address(self) -> str:
        return f"{self.name}.example.com"

    @property
    def variables(self) -> dict[str, Any]:
        return {"ansible_host": self.address, "aims_license_server_copy": str(self.copy)}

    def fill(self, files: Mapping[str, bytes]) -> None:
        """Let the host hold the licenses of the worked example, and files of other kinds."""
        for number in NUMBERS:
            put(self.manager.data, f"Licenses/{stem(number)}.lic", f"license {number}\r\n".encode())
            activate(self.manager.data, number)
        for name, content in files.items():
            put(self.manager.data, name, content)
        self.manager.profiles = {one["profile"]: one["number"] for one in WORKED_EXAMPLE}

    def install(self) -> None:
        raise AssertionError("Nothing is installed on a source.")

    def put(self, folder: str, name: str, content: bytes) -> None:
        raise AssertionError("Nothing is brought to a source.")

    def stop(self) -> None:
        pass

    def serves(self) -> bool:
        return self.manager.is_running

    def nodelocks(self) -> set[str]:
        return {place.stem for place in self.manager.data.glob("Nodelocks/*.lock")}

    def calls(self) -> list[str]:
        return []

    def everything(self) -> dict[str, object]:
        places = [*self.manager.data.rglob("*"), *self.copy.rglob("*")]
        return {str(place): place.read_bytes() if place.is_file() else None for place in places}

    def secrets(self, codes: list[str]) -> list[str]:
        return [f"{place} of {self.name}" for place, content in self.everything().items() if _shows(content, codes)]


def _shows(content: object, codes: list[str]) -> bool:
    return isinstance(content, bytes) and any(code.encode() in content for code in codes)


class Clients:
    """The clients' list of license servers, and PRO's settings.

    :ivar list: ``Config/licenses.cfg`` of the clients
    :ivar strings: PRO's connection strings
    :ivar is_running: whether PRO's services run
    """

    def __init__(self, folder: Path, source: str, profiles: list[str]) -> None:
        self.list = put(folder, "licenses.cfg", f"1\tnetwork\t{source}\n".encode())
        self.strings = [f"{source},{profile}" for profile in profiles]
        self.is_running = True

    @property
    def servers(self) -> list[str]:
        return [line.split("\t")[2] for line in self.list.read_text(encoding="utf-8").splitlines()]

    def add(self, line: str) -> None:
        with self.list.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def remove(self, server: str) -> None:
        if server not in self.servers:
            raise Refused(f"{server} is in no line of {self.servers}.")
        lines = self.list.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if line.rstrip("\n").split("\t")[2] != server]
        self.list.write_text("".join(kept), encoding="utf-8")

    def enter(self, new: str, place: str) -> None:
        """Replace a connection string, which a step names in words."""
        former = [text for text in self.strings if text in place]
        if not former:
            raise Refused(f"None of {self.strings} stands in '{place}'.")
        self.strings = [new if text in former else text for text in self.strings]


def reach(address: str) -> None:
    """Connect to ``host:port``, as a client does; a service that starts may take a moment."""
    host, _colon, port = address.rpartition(":")
    until = time.monotonic() + 60
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
