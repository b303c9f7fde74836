# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a move of the vendor's license server is made of: two hosts, the declared licenses, PRO. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import CLIENTS_PORT, with_port
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense, named
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.named_commands import Purpose
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import PERSONAL, Profile, Word
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.steps import Evidence, Kind, Phase

LICENSES = "aims_license_server_licenses"


class Platform(Word):
    """What a license server runs on, or that only a copy of its files is there."""

    LINUX = "linux"
    WINDOWS = "windows"
    COPY = "copy"


# What the playbook migrate does on the vendor's server; everything else is a person's.
PLAYBOOKS_DO: Mapping[Platform, frozenset[Kind]] = {
    Platform.LINUX: frozenset({Kind.BACKUP, Kind.INSTALL, Kind.FILES, Kind.ACTIVATE, Kind.PROFILE, Kind.KEEP}),
    Platform.WINDOWS: frozenset({Kind.BACKUP, Kind.INSTALL, Kind.KEEP}),
    Platform.COPY: frozenset({Kind.BACKUP}),
}


# What an operator can name a command of licman for (aims_license_server_vendor_commands).
COMMANDS: Mapping[Kind, Purpose] = {
    Kind.MAINTENANCE: Purpose.MAINTENANCE_ON,
    Kind.DEACTIVATE: Purpose.DEACTIVATE,
    Kind.USERS: Purpose.REGISTER_USER,
}


@dataclass(frozen=True)
class Server:
    """A license server of a move.

    :ivar address: where clients reach it
    :ivar home: its folder; of a copy, the folder on the controller
    :ivar commands: what the inventory names commands of licman for
    :ivar service: its unit or the display name of its service, where it was seen whether that runs
    """

    host: str
    platform: Platform
    address: str
    home: str
    commands: frozenset[Purpose] = frozenset()
    service: str = ""

    @property
    def has_manager(self) -> bool:
        """Whether it is administered in the manager on Windows. Only Windows servers are known to be copied."""
        return self.platform is not Platform.LINUX

    def place(self, folder: str) -> str:
        """Return the path of a folder of the server's data."""
        if self.platform is Platform.LINUX:
            return f"{self.home.rstrip('/')}/{folder}"
        # The data folder of a copied server is the original's (docs/domain.md#identifiers-and-files).
        data = r"C:\ProgramData\AIMMS" if self.platform is Platform.COPY else self.home.rstrip("\\")
        return f"{data}\\{folder}"


@dataclass(frozen=True)
class Move:
    """A move from a source to a target.

    :ivar codes: where the code of each license is declared, by number
    :ivar further: declared profiles beside those of the licenses
    :ivar users: the registered users; None where none are declared, so that they are copied from the source
    :ivar is_offline: whether requests and responses are carried by a person
    :ivar requests: the folder on the controller where responses are archived
    :ivar pro_nodes: the hosts of PRO; None where nobody has declared whether there are any
    :ivar clients: the hosts of the inventory whose lists of licenses the playbook cut_over keeps
    :ivar names_screenshot: whether the inventory names a picture of the source's license manager
    :ivar read_only: nodelock files of the source that cannot be written
    :ivar has_tried_nodes: whether every node of PRO has tried to reach the target
    :ivar has_pro_log: whether the inventory names the log of PRO's configurator
    :ivar staying: what the source still serves after the move, by number, or by the name of a license file without one
    :ivar has_package: whether the inventory names the package that the playbook installs
    :ivar does: what the playbook does, by platform
    """

    source: Server
    target: Server
    licenses: tuple[DeclaredLicense, ...]
    codes: Mapping[str, str] = field(default_factory=dict)
    further: tuple[Profile, ...] = ()
    users: tuple[str, ...] | None = None
    is_offline: bool = False
    requests: str = "./aims-license/offline"
    pro_nodes: tuple[str, ...] | None = None
    read_only: tuple[str, ...] = ()
    names_screenshot: bool = False
    clients: tuple[str, ...] = ()
    staying: tuple[str, ...] = ()
    has_package: bool = False
    has_tried_nodes: bool = False
    has_pro_log: bool = False
    does: Mapping[Platform, frozenset[Kind]] = field(default_factory=lambda: PLAYBOOKS_DO)

    @property
    def profiles(self) -> list[Profile]:
        """The declared profiles, those of the licenses first."""
        return named(self.licenses, self.further)

    @property
    def has_pro(self) -> bool:
        """Whether PRO uses these licenses, as far as anybody has declared: an empty list says that there is none."""
        return self.pro_nodes is None or bool(self.pro_nodes)

    def is_ours(self, server: Server, kind: Kind) -> bool:
        """Whether the playbook does steps of a kind on a server."""
        if kind is Kind.INSTALL and not (self.has_package or server.service):
            return False
        if kind is Kind.KEEP and not server.service:
            return False
        named = COMMANDS.get(kind)
        if named is not None:
            return server.platform is Platform.LINUX and named in server.commands and not self.is_offline
        return kind in self.does[server.platform]

    def activates(self, number: str) -> bool:
        """Whether the playbook activates a license, and adds its profile.

        The documented command makes machine nodelocks online (docs/domain.md#license-server-on-linux).
        """
        machines = {license.number for license in self.licenses if license.nodelock != PERSONAL}
        return self.is_ours(self.target, Kind.ACTIVATE) and not self.is_offline and number in machines

    def evidence_of(self, phase: Phase) -> Evidence:
        """Return what shows that a license was activated or given up; offline that step only makes a request."""
        return Evidence.NONE if self.is_offline else Evidence.of_exchange(phase)

    @property
    def transfers_of_activation(self) -> int:
        """How many transfers the step of an activation spends; offline the exchange of its request spends it."""
        return 0 if self.is_offline else 1

    def code_of(self, number: str) -> str:
        """Return where the activation code of a license is declared."""
        return self.codes.get(number) or f"the activation code of {number} in {LICENSES} of {self.target.host}"


def address_of(server: Server) -> str:
    """Return the address and port that clients use."""
    return with_port(server.address, CLIENTS_PORT)


_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}\Z")


def code_variables(raw: Any, numbers: tuple[str, ...]) -> dict[str, str]:
    """Return the variable that has the activation code of each license, by number.

    :param raw: the declared licenses as they are written, templates and all; a code that is no reference to a variable
        is named by its place, and never repeated
    :param numbers: the license numbers in the same order
    """
    names = {}
    for at, number in enumerate(numbers):
        entry = raw[at] if isinstance(raw, (list, tuple)) and at < len(raw) else {}
        code = entry.get("activation_code") if isinstance(entry, Mapping) else None
        match = _VARIABLE.match(code) if isinstance(code, str) else None
        names[number] = match[1] if match else f"{LICENSES}[{at}].activation_code"
    return names
