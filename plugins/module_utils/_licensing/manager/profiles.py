# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How profiles, users and statuses come out of a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..home.inspection import PENDING_ACTIVATION, PENDING_DEACTIVATION, PENDING_UPDATE
from ..home.state import State
from ..home.store import Config
from ..model import (
    ACTIVATE,
    DEACTIVATE,
    UPDATE,
    DeclaredLicense,
    Profile,
    arrange_profiles,
    check_names,
    digits,
    free_name,
    keep_profiles,
    named,
    parse_user,
)

_PENDING = {PENDING_ACTIVATION: ACTIVATE, PENDING_DEACTIVATION: DEACTIVATE, PENDING_UPDATE: UPDATE}
# An exchange that a dry run foresees; its request is not made.
_BEGUN = {"request_id": None, "made": None, "answered": False, "holder": None}


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
    overview: dict[str, Any],
    numbers: Sequence[str],
    status: str,
    fenced: str | None = None,
    until: Mapping[str, str | None] | None = None,
) -> None:
    """Write into an overview what the status of licenses will be.

    :param until: when those end that are activated in an emergency, by license number
    """
    known = {license["number"]: license for license in overview["licenses"]}
    action = _PENDING.get(status)
    # Whatever was pending of them is over by then, or makes room for the next.
    pending = [one for one in overview["pending"] if one["number"] not in numbers]
    if action:
        pending += [{**_BEGUN, "number": n, "action": action, "file": f"{digits(n)}.request"} for n in numbers]
    overview["pending"] = sorted(pending, key=lambda one: str(one["number"]))
    for number in numbers:
        ends = until.get(number) if until else None
        if number in known and status == PENDING_UPDATE:
            known[number].update(status=status)
        elif number in known and status == PENDING_ACTIVATION:
            known[number].update(status=status, until=None)
        elif number in known:
            known[number].update(status=status, fenced=fenced and (known[number]["fenced"] or fenced), until=ends)
        elif status != PENDING_ACTIVATION:
            # A license file comes with the response.
            overview["licenses"].append({"number": number, "status": status, "fenced": fenced, "until": ends})
