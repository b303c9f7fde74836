# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host shows of the vendor's license server beside its files: the service, its ports, and the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ...fingerprint import read_fingerprint
from ...hosting.daemon import find_daemon
from ...hosting.ports import holders
from ...places import place_of

# They cannot be configured (docs/domain.md#license-server-on-linux).
PORTS = (3400, 3401)


@dataclass(frozen=True)
class HostView:
    """The service of a license server, as its host shows it.

    :ivar unit: the name of its systemd unit, or the display name of its Windows service; None where none is known
    :ivar running: whether its process runs; None where nobody can tell
    :ivar ports: who listens on each of its ports; nothing where nobody can tell
    :ivar service: what runs it, ``systemd`` or ``windows``
    """

    unit: str | None = None
    running: bool | None = None
    ports: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    service: str = "systemd"


class Host(Protocol):
    """The machine of a license server."""

    def view(self) -> HostView: ...

    def fingerprint(self) -> dict[str, str]:
        """Return the machine's identity by component; nothing where it cannot be read."""

    def places(self, home: str) -> dict[str, str | None]:
        """Return where home and machine-id lie, as of :class:`LicenseManager`."""


class LinuxHost:
    """This machine, or what an alternate root has of one.

    :param root: the alternate root, or ""; no service runs there
    """

    def __init__(self, root: str = "") -> None:
        self._root = root

    def view(self) -> HostView:
        daemon = find_daemon("licsrv", Path(self._root or "/"), is_alive=not self._root)
        if self._root:
            return HostView(daemon.unit)
        return HostView(daemon.unit, daemon.is_running, {port: tuple(holders("", port)) for port in PORTS})

    def fingerprint(self) -> dict[str, str]:
        return read_fingerprint(self._root)

    def places(self, home: str) -> dict[str, str | None]:
        machine_id = Path(self._root or "/") / "etc" / "machine-id"
        return {"home": place_of(Path(home)), "machine": place_of(machine_id)}


class NoHost:
    """The machine that a copy of a license server's folder came from: nothing of it is here."""

    def view(self) -> HostView:
        return HostView()

    def fingerprint(self) -> dict[str, str]:
        return {}

    def places(self, home: str) -> dict[str, str | None]:
        return {"home": None, "machine": None}
