# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Windows host shows of the license server beside its files: the service, its port, and the machine."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import fingerprint_of
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.host import HostView
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.shell import Shell

# On Windows only this port is documented (docs/domain.md#license-server-on-windows).
PORT = 3400
STRANGER = "another program"
_SERVICES = r"HKLM\SYSTEM\CurrentControlSet\Services"
_MACHINE = r"HKLM\SOFTWARE\Microsoft\Cryptography"
_VALUE = re.compile(r"\s+(\S+)\s+REG_(?:EXPAND_)?SZ\s+(.*\S)\s*")
# Seconds for the answer of a port.
_PATIENCE = 3.0


@dataclass(frozen=True)
class Facts:
    """What one look at the host shows.

    :ivar program_data: the folder of all programs' data
    :ivar started: the display names of the services that run
    :ivar services: the display names of the services that are installed
    :ivar machine: the id that Windows gave itself at its installation; None where it shows none
    """

    program_data: str
    started: tuple[str, ...]
    services: tuple[str, ...]
    machine: str | None

    @property
    def service(self) -> str | None:
        """The display name of the license server's service; None where there is none, or more than one.

        The name is not public (docs/domain.md#not-public). PRO has services of its own
        (docs/domain.md#license-server-on-windows).
        """
        names = {name for name in (*self.services, *self.started) if is_license_service(name)}
        return names.pop() if len(names) == 1 else None

    @property
    def is_running(self) -> bool | None:
        return None if self.service is None else self.service in self.started


def is_license_service(name: str) -> bool:
    """Say whether a service of this display name may be the license server's."""
    lower = name.casefold()
    return "aimms" in lower and "licens" in lower and not lower.startswith("aimms pro")


class WindowsHost:
    """The machine of a license server, as of ``manager.vendor.host.Host``.

    :param address: where the controller reaches it
    """

    def __init__(self, shell: Shell, address: str) -> None:
        self._shell, self._address = shell, address

    @cached_property
    def facts(self) -> Facts:
        """What the host showed first in this call."""
        return read_facts(self._shell.run(fact_commands()))

    def view(self) -> HostView:
        facts = self.facts
        holders = port_holders(self._address, facts.service if facts.is_running else None)
        ports = {} if holders is None else {PORT: holders}
        return HostView(facts.service, facts.is_running, ports, service="windows")

    def fingerprint(self) -> dict[str, str]:
        return fingerprint_of(self.facts.machine) if self.facts.machine else {}

    def places(self, home: str) -> dict[str, str | None]:
        # A copy of a machine has the same id, so that nothing here is the same for one machine only.
        return {"home": None, "machine": None}


def fact_commands() -> list[str]:
    """Return the commands whose output :func:`read_facts` reads."""
    return [
        "echo %ProgramData%",
        _lines_of("net start"),
        _lines_of(f"reg query {_SERVICES} /s /v DisplayName"),
        _lines_of(f"reg query {_MACHINE} /v MachineGuid"),
    ]


def read_facts(parts: Iterable[list[str]]) -> Facts:
    """Read the output of :func:`fact_commands`, command by command, whatever its language."""
    folders, started, services, machine = parts
    return Facts(
        next((line.strip() for line in folders if line.strip()), ""),
        # The headline stands at the margin, and the names are indented.
        tuple(line.strip() for line in started if line[:1].isspace() and line.strip()),
        tuple(_values(services, "DisplayName")),
        next(_values(machine, "MachineGuid"), None),
    )


def port_holders(address: str, service: str | None) -> tuple[str, ...] | None:
    """Return who listens on the license server's port, as seen from the controller; None where nobody can tell.

    :param service: the display name of the license server's service, where it runs
    """
    try:
        with socket.create_connection((address, PORT), timeout=_PATIENCE):
            return (service or STRANGER,)
    except ConnectionRefusedError:
        return ()
    except OSError:
        return None


def _lines_of(command: str) -> str:
    """Return a command that prints what another program prints, in Unicode."""
    return f"(for /f \"delims=\" %i in ('{command}') do @echo %i)"


def _values(lines: Iterable[str], name: str) -> Iterator[str]:
    for line in lines:
        match = _VALUE.fullmatch(line)
        if match is not None and match[1].casefold() == name.casefold():
            yield match[2]
