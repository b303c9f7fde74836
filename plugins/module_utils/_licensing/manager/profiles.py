# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Profiles and users: how they come out of an activation, and how they are changed by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..declared import DeclaredLicense, check_names, in_places, keep_profiles, named
from ..errors import LicensingError, Problem
from ..home.config import Config
from ..home.state import State
from ..model import Profile, arrange_profiles, free_name, parse_user
from .port import Activation, Change, ProfileChange
from .session import HomeSession, change_to


def arranged(state: State, activation: Activation) -> Config:
    """Return the configuration with the declared profiles first, in their order, and the active licenses served again.

    :raises LicensingError: a profile or user cannot be as declared
    """
    licenses, extra, users = activation.licenses, activation.extra_profiles, activation.users
    check_names(named(licenses, extra))
    served = {license.number for license in licenses if state.is_active(license.number)}
    arrange = keep_profiles if activation.keep_profiles else _declared
    profiles = arrange(state.config.profiles, licenses, extra)
    return replace(
        state.config,
        profiles=profiles if activation.keep_profiles else in_places(profiles, activation.places),
        users=state.config.users if users is None else tuple(dict.fromkeys(parse_user(user) for user in users)),
        fenced={n: since for n, since in state.config.fenced.items() if n not in served},
    )


def _declared(
    current: Sequence[Profile], licenses: Sequence[DeclaredLicense], extra: Sequence[Profile]
) -> tuple[Profile, ...]:
    profiles: list[Profile] = []
    declared = named(licenses, extra)
    for license in licenses:
        others_names = {profile.name for profile in declared if profile.name != license.profile}
        mine = [p for p in current if p.license == license.number and p.name not in others_names]
        if license.profile:
            # The declared name is given to the license's first profile, unless one of them has it already.
            others = [p for p in mine if p.name != license.profile]
            renamed = len(others) == len(mine)
            profiles += [
                Profile(license.profile, license.number, license.default),
                *(others[1:] if renamed else others),
            ]
        elif mine:
            profiles += mine
        elif all(profile.license != license.number for profile in extra):
            profiles.append(Profile(free_name(current, profiles, declared), license.number, license.default))
    return arrange_profiles(current, [*profiles, *extra])


@dataclass(frozen=True)
class PreparedProfiles:
    """A change of profiles as check mode and run know it before anything is changed."""

    session: HomeSession
    state: State
    config: Config


def prepare(session: HomeSession, change: ProfileChange) -> PreparedProfiles:
    """Look at the home; change nothing.

    :raises LicensingError: two profiles have one name, or one names a license that is not installed
    """
    check_names(change.profiles)
    state = session.read()
    unknown = [p for p in change.profiles if p.license not in state.installed and p.license not in state.intents]
    if unknown:
        raise LicensingError(
            Problem(
                f"Profile {profile.name} names license {profile.license}, which is not installed.",
                session.home.where,
                "Install the license first (aims_license_activate), or name one that is.",
            )
            for profile in unknown
        )
    # Others stay, also those of a license that something is declared for: here nothing is renamed unasked.
    gone = {*change.absent, *(profile.name for profile in change.profiles)}
    others = () if change.purge else tuple(p for p in state.config.profiles if p.name not in gone)
    return PreparedProfiles(session, state, replace(state.config, profiles=(*change.profiles, *others)))


def forecast(prepared: PreparedProfiles) -> Change:
    """Return what the change would do."""
    return change_to(prepared.session, prepared.config, before=prepared.state)


def execute(prepared: PreparedProfiles) -> Change:
    """Write the profiles; the home is to be held."""
    if prepared.config != prepared.state.config:
        prepared.session.home.save(prepared.config)
    return forecast(prepared)
