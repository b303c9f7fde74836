# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendor's license server behind the port: what is documented is done; what is not is a person's step, or a
command that the operator names.
"""

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
from ...license_view import ProfileView
from ...model import Profile
from ...overview import Overview
from ...places import below
from ...quote import Quote
from ..port import Activation, Carried, Change, Deactivation, HomeFile, Maintenance, ProfileChange, SeatTrial
from . import activation as documented
from . import deactivation as named
from . import unseen
from .commands import Commands
from .host import Host, LinuxHost, NoHost
from .layout import LICENSES, LINUX_ROOTS, NODELOCKS, Layout, find_layout
from .named_commands import NUMBER, NamedCommand, Purpose, read_commands
from .reading import foreseen, obstacles_of, overview_of, without
from .site import Site, unnamed
from .symptoms import symptoms_of
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
        given_back = self._commands.released(self.layout) if self._commands else {}
        return overview_of(self.layout, self._host.view(), given_back)

    def fingerprint(self) -> dict[str, str]:
        return self._host.fingerprint()

    def places(self) -> dict[str, str | None]:
        return self._host.places(self.layout.where)

    def obstacles(self) -> list[Problem]:
        problems = self._commands.problems(self.layout) if self._commands else []
        return obstacles_of(self.layout, self._host.view()) + problems

    def carried(self) -> Carried:
        return Carried(self.layout.digests(self.layout.carried))

    def nodelocks(self) -> dict[str, str]:
        return self.layout.digests([name for name in self.layout.names if name.startswith(f"{NODELOCKS}/")])

    def read_only(self) -> list[str]:
        listed = {entry.name for entry in self.layout.entries if entry.is_read_only}
        names = self.layout.names
        return sorted(name for name in names if name.startswith(f"{NODELOCKS}/") and names[name] in listed)

    def unnumbered(self) -> list[str]:
        return self.layout.unnumbered

    def symptoms(self) -> list[Problem]:
        return symptoms_of(self.layout)

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
        if activation.emergency:
            self._leave_to_a_person("makes no emergency activation", "License > License Configuration... > Install...")
        if activation.extra_profiles:
            self._leave_to_a_person("adds no profile beside the one of each license", "Profile > ...")
        site = self._site()
        jobs = self._users(activation)
        licenses = activation.licenses
        if activation.keep_profiles:
            licenses = [replace(license, profile=None) for license in licenses]
        before = self.overview()
        missing = [file for file in activation.files if is_movable(file.name) and file.name not in self.layout.names]
        results = documented.foresee(site, licenses)
        registered = unseen.foresee(site, jobs)
        if not dry:
            self._commands.put(self.layout, missing)
            results = documented.activate(site, licenses)
            registered = unseen.run(site, jobs)
            self._layout = None
            after = self.overview()
        else:
            after = foreseen(before, [number for number in results if results[number].is_over])
            carried = (file.name for file in missing if is_carried(file.name))
            after = replace(after, files=tuple(sorted({*after.files, *carried})))
        after = replace(after, users=tuple(sorted({*after.users, *(job.subject for job in registered)})))
        has_changed = before != after or bool(missing) or any(result.is_over for result in results.values())
        warnings = [f"licman has registered {job.subject}; {unseen.LOOK}" for job in registered if not dry]
        return Change(has_changed, before, after, [results[n] for n in activation.numbers], warnings=warnings)

    def _users(self, activation: Activation) -> list[unseen.Job]:
        """Return what registers the users that are declared."""
        if not activation.users:
            return []
        command = self._named(Purpose.REGISTER_USER, "registers no users", "License > Registered Users...")
        number = None
        if command.takes(NUMBER):
            if len(activation.numbers) != 1:
                raise refuse(
                    "The command for register_user takes a license number, and this call has not exactly one license.",
                    command.where,
                    "Register the users with a call of aims_license_activate for the one license that they belong to.",
                )
            number = activation.numbers[0]
        return [unseen.user_job(command, number, user) for user in activation.users]

    def deactivate(self, deactivation: Deactivation, channel: Channel, *, dry: bool = False) -> Change:
        what, how = "deactivates no license", "License > License Configuration... > Deactivate..."
        command = self._named(Purpose.DEACTIVATE, what, how)
        if deactivation.drain is not None:
            self._leave_to_a_person("waits for no seats in use", "its list of clients")
        site = self._site()
        request = named.Request(deactivation.numbers, command, deactivation.bundled, deactivation.codes)
        before = self.overview()
        if not dry:
            results = named.deactivate(site, request)
            self._layout = None
            after = self.overview()
        else:
            results = named.foresee(site, request)
            over = {n: result.fenced_since or site.now() for n, result in results.items() if result.is_over}
            after = without(before, over)
        has_changed = any(result.is_over for result in results.values())
        return Change(has_changed, before, after, [results[number] for number in deactivation.numbers])

    def update(self, numbers: Sequence[str], channel: Channel, *, dry: bool = False) -> Change:
        self._leave_to_a_person("updates no license", "License > License Configuration... > Update...")

    def set_maintenance(self, maintenance: Maintenance, *, dry: bool = False) -> Change:
        purpose = Purpose.MAINTENANCE_ON if maintenance.enabled else Purpose.MAINTENANCE_OFF
        what = "neither enters nor leaves maintenance mode"
        command = self._named(purpose, what, "Maintenance > Maintenance mode")
        if maintenance.drain is not None:
            self._leave_to_a_person("waits for no seats in use", "its list of clients")
        site, overview = self._site(), self.overview()
        state = unseen.is_in_maintenance(site)
        jobs = [unseen.maintenance_job(command, maintenance.enabled)]
        done = unseen.foresee(site, jobs) if dry else unseen.run(site, jobs)
        before = replace(overview, server=replace(overview.server, maintenance=state))
        after = replace(overview, server=replace(overview.server, maintenance=maintenance.enabled))
        word = "entered" if maintenance.enabled else "left"
        said = "licman has" if done else "By the record of an earlier call, licman has"
        warnings = [] if dry else [f"{said} {word} maintenance mode; {unseen.LOOK}"]
        return Change(bool(done), before, after, warnings=warnings)

    def end_drain(self, ticket: str) -> Change:
        self._leave_to_a_person("neither enters nor leaves maintenance mode", "Maintenance > Maintenance mode")

    def verify(self, served: bool, *, numbers: Sequence[str] | None = None, dry: bool = False) -> list[SeatTrial]:
        self._leave_to_a_person("takes no seat", "start AIMMS on a client, and look for its license in the log")

    def set_profiles(self, change: ProfileChange, *, dry: bool = False) -> Change:
        command = self._named(Purpose.RENAME_PROFILE, "changes no profiles", "Profile > ...")
        if change.purge or len(change.absent) != len(change.profiles):
            raise refuse(
                "The command for rename_profile renames profiles, and neither adds nor removes any.",
                command.where,
                "Give each new profile with its license (profiles), its old name at the same place of absent, and "
                "leave purge out. Other changes are made in the license manager (Profile > ...).",
            )
        site, overview = self._site(), self.overview()
        pairs = list(zip(change.absent, change.profiles))
        jobs = [unseen.rename_job(command, profile.license, old, profile.name) for old, profile in pairs]
        done = unseen.foresee(site, jobs) if dry else unseen.run(site, jobs)
        renamed = [pair for pair, job in zip(pairs, jobs) if job in done]
        # In no documented file: these are the ones that this call renames.
        before = replace(overview, profiles=tuple(ProfileView(old, profile.license) for old, profile in renamed))
        after = replace(overview, profiles=tuple(ProfileView(new.name, new.license) for _old, new in renamed))
        warnings = [f"licman has renamed profile {old} to {new.name}; {unseen.LOOK}" for old, new in renamed if not dry]
        return Change(bool(done), before, after, warnings=[*warnings, *_unmarked(change.profiles)])

    def _site(self) -> Site:
        if self._commands is None:
            self._leave_to_a_person("runs no command", "of its host")
        return self._commands.site(self.layout, lambda: find_layout(self._trees))

    def _named(self, purpose: Purpose, what: str, how: str) -> NamedCommand:
        """Return the command that the operator names; refuse what is a person's step otherwise."""
        command = self._commands.named(purpose) if self._commands else None
        if command is None:
            raise unnamed(what, how, purpose, self.layout.where)
        return command

    def _leave_to_a_person(self, what: str, how: str) -> NoReturn:
        raise refuse(
            f"With the vendor's license server this version {what}: that is a person's step.",
            self.layout.where,
            f"Do it in the license manager ({how}), then look with aims_license_info.",
        )


def is_movable(name: str) -> bool:
    """Whether a file is put where it is missing before an activation: what moves with licenses, and license files."""
    folder, slash, rest = name.partition("/")
    is_license = folder == LICENSES and bool(slash) and "/" not in rest and rest.lower().endswith(".lic")
    return is_carried(name) or is_license


def _unmarked(profiles: Sequence[Profile]) -> list[str]:
    """Say which profiles a person has to mark as default."""
    return [
        f"Whether profile {profile.name} is marked as default is a person's step: look in the license manager"
        for profile in profiles
        if profile.default
    ]


def open_local(home: str, root: str, default: str, named: object = None) -> VendorManager:
    """Return the manager of the vendor's license server on this machine.

    :param home: its folder; ``default`` stands for the documented places
    :param named: purpose → arguments of a command that the operator names
    :raises LicensingError: home and root are no folders, or a command is not as it has to be
    """
    commands = Commands(root, read_commands(named, "vendor_commands"))
    named = LINUX_ROOTS if home == default else (home,)
    # By a link, two names may lead to one folder, which then counts by its first name.
    places = {os.path.realpath(place): place for place in reversed([below(root, name) for name in named])}
    trees = [LocalTree(place) for place in reversed(list(places.values()))]
    return VendorManager(trees, LinuxHost(root), commands)


def open_copy(folder: Path) -> VendorManager:
    """Return the manager of a copy of a license server's folder on this machine.

    :raises LicensingError: there is no such folder
    """
    return VendorManager([CopyTree(folder)], NoHost())
