# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How profiles, users and statuses come out of a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..declared import DeclaredLicense, check_names, keep_profiles, named
from ..home.config import Config
from ..home.state import State
from ..license_view import LicenseView, Status
from ..model import ACTIVATE, DEACTIVATE, UPDATE, Profile, arrange_profiles, digits, free_name, parse_user
from ..overview import Overview, PendingRequest

_PENDING = {
    Status.PENDING_ACTIVATION: ACTIVATE,
    Status.PENDING_DEACTIVATION: DEACTIVATE,
    Status.PENDING_UPDATE: UPDATE,
}


def arranged(
    state: State,
    wanted: Sequence[DeclaredLicense],
    extra: Sequence[Profile],
    users: Sequence[str] | None,
    keep: bool = False,
) -> Config:
    """The configuration with the wanted profiles first, in their order, and the active licenses served again.

    :param keep: whether licenses that have profiles keep these as they are
    """
    check_names(named(wanted, extra))
    served = {w.number for w in wanted if state.is_active(w.number)}
    return replace(
        state.config,
        profiles=(keep_profiles if keep else _declared)(state.config.profiles, wanted, extra),
        users=state.config.users if users is None else tuple(dict.fromkeys(parse_user(user) for user in users)),
        fenced={n: since for n, since in state.config.fenced.items() if n not in served},
    )


def _declared(
    current: Sequence[Profile], wanted: Sequence[DeclaredLicense], extra: Sequence[Profile]
) -> tuple[Profile, ...]:
    profiles: list[Profile] = []
    declared = named(wanted, extra)
    for one in wanted:
        others_names = {profile.name for profile in declared if profile.name != one.profile}
        mine = [p for p in current if p.license == one.number and p.name not in others_names]
        if one.profile:
            # The declared name is given to the license's first profile, unless one of them has it already.
            others = [p for p in mine if p.name != one.profile]
            renamed = len(others) == len(mine)
            profiles += [Profile(one.profile, one.number, one.default), *(others[1:] if renamed else others)]
        elif mine:
            profiles += mine
        elif all(profile.license != one.number for profile in extra):
            profiles.append(Profile(free_name(current, profiles, declared), one.number, one.default))
    return arrange_profiles(current, [*profiles, *extra])


def predict(
    overview: Overview,
    numbers: Sequence[str],
    status: Status,
    fenced: str | None = None,
    until: Mapping[str, str | None] | None = None,
) -> Overview:
    """Return an overview in which licenses have the status that they will have.

    :param until: when those end that are activated in an emergency, by license number
    """
    # Whatever was pending of them is over by then, or makes room for the next.
    pending = [request for request in overview.pending if request.number not in numbers]
    action = _PENDING.get(status)
    if action:
        # What a dry run foresees has no request.
        pending += [PendingRequest(n, action, None, None, f"{digits(n)}.request") for n in numbers]
    licenses = [
        _predicted(license, status, fenced, (until or {}).get(license.number)) if license.number in numbers else license
        for license in overview.licenses
    ]
    if status is not Status.PENDING_ACTIVATION:
        # A license file comes with the response.
        here = {license.number for license in licenses}
        licenses += [LicenseView(n, status, fenced, until.get(n) if until else None) for n in numbers if n not in here]
    ordered = sorted(pending, key=lambda request: request.number)
    return replace(overview, licenses=tuple(licenses), pending=tuple(ordered))


def _predicted(license: LicenseView, status: Status, fenced: str | None, until: str | None) -> LicenseView:
    if status is Status.PENDING_UPDATE:
        return replace(license, status=status)
    if status is Status.PENDING_ACTIVATION:
        return replace(license, status=status, until=None)
    return replace(license, status=status, fenced=fenced and (license.fenced or fenced), until=until)
