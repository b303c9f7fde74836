# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendor's license server behind the port: what is documented is done, what is not is a person's step."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from ...channel.base import Channel
from ...declared import DeclaredLicense
from ...documents import Realm
from ...errors import Problem, refuse
from ...files import PRIVATE, PUBLIC
from ...home.store import is_carried, is_secret
from ...overview import Overview
from ...places import below
from ...quote import Quote
from ..port import Activation, Carried, Change, Deactivation, HomeFile, Maintenance, ProfileChange, SeatTrial
from .activation import activate, foresee
from .commands import Commands
from .host import Host, LinuxHost, NoHost
from .layout import LINUX_ROOTS, NODELOCKS, Layout, find_layout
from .reading import foreseen, obstacles_of, overview_of
from .tree import CopyTree, LocalTree, Tree

# All files of a bundle; they travel in one result.
_MOST = 256 << 20


class VendorManager:
    """Implements :class:`LicenseManager` on the files of the vendor's license server.

    :param trees: the root that the inventory names, or those that are documented
    :param commands: what runs ``licman`` here; None where it is a person's to run
    """

    def __init__(self, trees: Sequence[Tree], host: Host, commands: Commands | None = None) -> None:
        self._trees = trees
        self._host = host
        self._commands = commands
        self._layout: Layout | None = None

    @property
    def layout(self) -> Layout:
        """The files, as they were listed first in this call."""
        if self._layout is None:
            self._layout = find_layout(self._trees)
        return self._layout

    def overview(self) -> Overview:
        return overview_of(self.layout, self._host.view())

    def fingerprint(self) -> dict[str, str]:
        return self._host.fingerprint()

    def places(self) -> dict[str, str | None]:
        return self._host.places(self.layout.where)

    def obstacles(self) -> list[Problem]:
        return obstacles_of(self.layout, self._host.view())

    def carried(self) -> Carried:
        return Carried(self.layout.digests(self.layout.carried))

    def nodelocks(self) -> dict[str, str]:
        return self.layout.digests([name for name in self.layout.names if name.startswith(f"{NODELOCKS}/")])

    def files(self) -> list[HomeFile]:
        names = self.layout.state_files
        size = sum(entry.size for entry in self.layout.entries if entry.name in {self.layout.names[n] for n in names})
        if size > _MOST:
            raise refuse(
                f"The files of the license server have more than {_MOST >> 20} MiB.",
                self.layout.where,
                "Move away what does not belong into Config, Licenses, Nodelocks and ApplicationKeys.",
            )
        contents = self.layout.contents(names)
        missing = [name for name in names if name not in contents]
        if missing:
            what = f"Files were removed or renamed while they were read: {', '.join(missing[:10])}."
            raise refuse(what, self.layout.where, "Run this again once the license server's files are at rest.")
        # The files may be another system's, whose rights are not these: what is secret is private, and all else public.
        return [
            HomeFile(name, PRIVATE if is_secret(name) else PUBLIC, is_secret(name), contents[name]) for name in names
        ]

    def quote(
        self, licenses: Sequence[DeclaredLicense], channel: Channel, *, realm: Realm | None = None
    ) -> list[Quote]:
        self._leave_to_a_person("learns of no transfers", "its record of the moves of the last 365 days")

    def activate(self, activation: Activation, channel: Channel, *, dry: bool = False) -> Change:
        if self._commands is None:
            self._leave_to_a_person("activates no license", "License > License Configuration... > Install...")
        if activation.users:
            self._leave_to_a_person("registers no users", "License > Registered Users...")
        if activation.emergency:
            self._leave_to_a_person("makes no emergency activation", "License > License Configuration... > Install...")
        if activation.extra_profiles:
            self._leave_to_a_person("adds no profile beside the one of each license", "Profile > ...")
        licenses = activation.licenses
        if activation.keep_profiles:
            licenses = [replace(license, profile=None) for license in licenses]
        before = self.overview()
        site = self._commands.site(self.layout, lambda: find_layout(self._trees))
        missing = [file for file in activation.files if is_carried(file.name) and file.name not in self.layout.names]
        results = foresee(site, licenses)
        if not dry:
            self._commands.put(self.layout, missing)
            results = activate(site, licenses)
            self._layout = None
            after = self.overview()
        else:
            after = foreseen(before, [number for number in results if results[number].is_over])
            after = replace(after, files=tuple(sorted({*after.files, *(file.name for file in missing)})))
        has_changed = before != after or any(result.is_over for result in results.values())
        return Change(has_changed, before, after, [results[number] for number in activation.numbers])

    def deactivate(self, deactivation: Deactivation, channel: Channel, *, dry: bool = False) -> Change:
        self._leave_to_a_person("deactivates no license", "License > License Configuration... > Deactivate...")

    def update(self, numbers: Sequence[str], channel: Channel, *, dry: bool = False) -> Change:
        self._leave_to_a_person("updates no license", "License > License Configuration... > Update...")

    def set_maintenance(self, maintenance: Maintenance, *, dry: bool = False) -> Change:
        self._leave_to_a_person("neither enters nor leaves maintenance mode", "Maintenance > Maintenance mode")

    def end_drain(self, ticket: str) -> Change:
        self._leave_to_a_person("neither enters nor leaves maintenance mode", "Maintenance > Maintenance mode")

    def verify(self, served: bool, *, numbers: Sequence[str] | None = None, dry: bool = False) -> list[SeatTrial]:
        self._leave_to_a_person("takes no seat", "start AIMMS on a client, and look for its license in the log")

    def set_profiles(self, change: ProfileChange, *, dry: bool = False) -> Change:
        self._leave_to_a_person("changes no profiles", "Profile > ...")

    def _leave_to_a_person(self, what: str, how: str) -> NoReturn:
        raise refuse(
            f"With the vendor's license server this version {what}: that is a person's step.",
            self.layout.where,
            f"Do it in the license manager ({how}), then look with aims_license_info.",
        )


def open_local(home: str, root: str, default: str) -> VendorManager:
    """Return the manager of the vendor's license server on this machine.

    :param home: its folder; ``default`` stands for the documented places
    :raises LicensingError: home and root are no folders
    """
    named = LINUX_ROOTS if home == default else (home,)
    # By a link, two names may lead to one folder, which then counts by its first name.
    places = {os.path.realpath(place): place for place in reversed([below(root, name) for name in named])}
    trees = [LocalTree(place) for place in reversed(list(places.values()))]
    return VendorManager(trees, LinuxHost(root), Commands(root))


def open_copy(folder: Path) -> VendorManager:
    """Return the manager of a copy of a license server's folder on this machine.

    :raises LicensingError: there is no such folder
    """
    return VendorManager([CopyTree(folder)], NoHost())
