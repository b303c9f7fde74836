# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Detects hosts that are copies of each other: one machine under two names, clones, and copied homes. Pure.

A copy is told from a machine that has changed because what it shows is on another host too, which holds it. What
another host holds is never to be released.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import Problem
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import (
    CLONED,
    compare,
    new_machine_id,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.config import SYSTEMD
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import put_away
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.preflight import forget
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.sides import Side


def same_place(source: Side, target: Side) -> list[Problem]:
    """Tell of two names that lead to one machine, or of two machines that have one home."""
    names = f"{source.host} and {target.host}"
    if _is_shared("machine", source, target):
        return [
            Problem(
                f"{names} are one machine: both names lead to the same machine-id.",
                f"{target.host}: {_machine_id(target)}",
                "Name two machines: correct ansible_host of one of them. Two license servers on one machine need an "
                "alternate root each (aims_license_server_root).",
            )
        ]
    if _is_shared("home", source, target):
        return [
            Problem(
                f"{names} have one home: both have mounted the same folder.",
                f"{target.host}: {target.home}",
                f"Give {target.host} a folder of its own, and name it if need be (aims_license_server_home).",
            )
        ]
    return []


def cloned(source: Side, target: Side) -> list[Problem]:
    """Tell of two machines with one machine-id; the command gives the copy another one, and puts its home away."""
    comparison = compare(source.fingerprint, target.fingerprint)
    if not comparison.is_same_machine and comparison.verdict != CLONED:
        return []
    original, copy = _original(source, target)
    also = (
        f" If {original.host} was made from {copy.host}, do so on {original.host} instead: "
        f"{_of_its_own(original=copy, copy=original)}"
        if _holds(original) & _holds(copy)
        else ""
    )
    return [
        Problem(
            f"{source.host} and {target.host} have the same machine-id: one machine was cloned from the other.",
            f"{copy.host}: {_machine_id(copy)}",
            f"On {copy.host}, as root: {_of_its_own(original, copy)}; then run this again.{also}",
        )
    ]


def copied_home(source: Side, target: Side) -> list[Problem]:
    """Tell of a home that was copied from the other host: both have one id, and one of them holds nothing."""
    if not _has_same_home_id(source, target):
        return []
    for original, copy in ((source, target), (target, source)):
        if not _foreign(copy) or _holds(copy) or (_foreign(original) and not _holds(original)):
            continue
        held = [number for number in sorted(_holds(original)) if number in _foreign(copy)]
        holds = ", ".join(held) or "nothing of it"
        return [
            Problem(
                f"The home on {copy.host} is a copy of that on {original.host}, which holds {holds}: both have "
                f"the home id {str(copy.overview.server.home_id)[:8]}.",
                f"{copy.host}: {copy.home}",
                f"Leave {original.host} as it is. On {copy.host}, put the copy away: {_put_away(copy)}; then "
                "run the same command again.",
            )
        ]
    return []


def copied_nodelocks(numbers: Sequence[str], source: Side, target: Side) -> list[Problem]:
    """Tell of nodelocks and requests that are another machine's while the other host holds the license, or asked."""
    problems = []
    for original, copy in ((source, target), (target, source)):
        holder, host = original.host, copy.host
        for number in numbers:
            place = f"license {number}"
            todo = (
                f"Leave {holder} as it is. On {host}, remove what is not its own: {forget([number], copy.home)}; "
                "then run the same command again."
            )
            if _has_copied_nodelock(number, original, copy):
                what = f"The nodelock of license {number} on {host} is another machine's; {holder} holds the license."
                problems.append(Problem(what, place, todo))
            elif _has_copied_request(number, original, copy):
                what = f"The pending request for license {number} on {host} is a copy of that on {holder}."
                problems.append(Problem(what, place, todo))
    return problems


def is_copied(number: str, source: Side, target: Side) -> bool:
    """Whether one of the hosts has the nodelock of a license, or a request for it, that is the other one's."""
    return any(
        _has_copied_nodelock(number, original, copy) or _has_copied_request(number, original, copy)
        for original, copy in ((source, target), (target, source))
    )


def _has_copied_nodelock(number: str, original: Side, copy: Side) -> bool:
    return copy.license(number).is_elsewhere and original.license(number).is_held


def _has_copied_request(number: str, original: Side, copy: Side) -> bool:
    first, second = original.overview.request(number), copy.overview.request(number)
    if first is None or second is None or first.request_id != second.request_id:
        return False
    return second.here is False and bool(first.here)


def _of_its_own(original: Side, copy: Side) -> str:
    """The commands that make a clone a machine of its own: what only it holds is given back first."""
    shared = {
        number
        for number in _holds(copy) & _holds(original)
        if copy.license(number).rank <= original.license(number).rank
    }
    commands = [
        f"{shlex.quote(copy.home)}/Bin/licman --nodelock-deactivate {number} &&"
        for number in sorted(_holds(copy) - shared)
    ]
    commands.append(new_machine_id(copy.overview.server.root))
    if _has_same_home_id(original, copy):
        commands.append(f"&& {_put_away(copy)}")
    return " ".join(commands)


def _original(source: Side, target: Side) -> tuple[Side, Side]:
    """Which of two clones is the original, and which the copy.

    The original is the machine that its nodelocks name, or which holds licenses. Where both do, it is the source of the
    inventory, whatever the target shows: what a target says of itself takes no identity from the source.
    """

    def rank(side: Side) -> tuple[bool, bool]:
        return not (_foreign(side) and not _holds(side)), bool(_holds(side))

    # Licenses return to the source of the inventory.
    first, second = (target, source) if target.returns else (source, target)
    return (second, first) if rank(second) > rank(first) else (first, second)


def _holds(side: Side) -> set[str]:
    """The licenses that a host holds, or has asked for itself."""
    return side.overview.held | {request.number for request in side.overview.pending if request.here}


def _foreign(side: Side) -> set[str]:
    """The licenses of which a host has a nodelock or request that another machine was given, or made."""
    locks = {license.number for license in side.overview.licenses if license.is_elsewhere}
    return locks | {request.number for request in side.overview.pending if request.here is False}


def _has_same_home_id(source: Side, target: Side) -> bool:
    home_id = source.overview.server.home_id
    return home_id is not None and home_id == target.overview.server.home_id


def _put_away(side: Side) -> str:
    server = side.overview.server
    return put_away(side.home, bool(server.running) and server.service == SYSTEMD)


def _is_shared(name: str, source: Side, target: Side) -> bool:
    place = source.places.get(name)
    return place is not None and place == target.places.get(name)


def _machine_id(side: Side) -> str:
    return f"{side.overview.server.root}/etc/machine-id"
