# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Detects hosts that are copies of each other: one machine under two names, clones, and copied homes. Pure.

A copy is told from a machine that has changed because what it shows is on another host too, which holds it. What
another host holds is never to be released.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import Problem
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import (
    CLONED,
    compare,
    new_machine_id,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import SYSTEMD, put_away
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.preflight import forget
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair_status import is_another_machine
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.tables import HELD

Host = Mapping[str, Any]


def one_place(source: Host, target: Host) -> list[Problem]:
    """Tell of two names that lead to one machine, or of two machines that have one home.

    :param source, target: ``{host, overview, fingerprint, places}``
    """
    names = f"{source['host']} and {target['host']}"
    if _same_place(source, target, "machine"):
        return [
            Problem(
                f"{names} are one machine: both names lead to the same machine-id.",
                f"{target['host']}: {_root(target)}/etc/machine-id",
                "Name two machines: correct ansible_host of one of them. Two license servers on one machine need an "
                "alternate root each (aims_license_server_root).",
            )
        ]
    if _same_place(source, target, "home"):
        return [
            Problem(
                f"{names} have one home: both have mounted the same folder.",
                f"{target['host']}: {_home(target)}",
                f"Give {target['host']} a folder of its own, and name it if need be (aims_license_server_home).",
            )
        ]
    return []


def cloned(source: Host, target: Host, back: bool) -> list[Problem]:
    """Tell of two machines with one machine-id; the command gives the copy another one, and puts its home away.

    :param back: whether the target is the source of the inventory, to which the licenses return
    """
    found = compare(source.get("fingerprint") or {}, target.get("fingerprint") or {})
    if not found.is_same_machine and found.verdict != CLONED:
        return []
    original, copy = _original(source, target, back)
    also = (
        f" If {original['host']} was made from {copy['host']}, do so on {original['host']} instead: "
        f"{_of_its_own(original=copy, copy=original)}"
        if _holds(original) & _holds(copy)
        else ""
    )
    return [
        Problem(
            f"{source['host']} and {target['host']} have the same machine-id: one machine was cloned from the other.",
            f"{copy['host']}: {_root(copy)}/etc/machine-id",
            f"On {copy['host']}, as root: {_of_its_own(original, copy)}; then run this again.{also}",
        )
    ]


def copied_home(source: Host, target: Host) -> list[Problem]:
    """Tell of a home that was copied from the other host: both have one id, and one of them holds nothing."""
    ids = [side["overview"]["server"].get("home_id") for side in (source, target)]
    if ids[0] is None or ids[0] != ids[1]:
        return []
    for original, copy in ((source, target), (target, source)):
        if not _foreign(copy) or _holds(copy) or (_foreign(original) and not _holds(original)):
            continue
        held = [number for number in sorted(_holds(original)) if number in _foreign(copy)]
        holds = ", ".join(held) or "nothing of it"
        return [
            Problem(
                f"The home on {copy['host']} is a copy of that on {original['host']}, which holds {holds}: both have "
                f"the home id {str(ids[0])[:8]}.",
                f"{copy['host']}: {_home(copy)}",
                f"Leave {original['host']} as it is. On {copy['host']}, put the copy away: {_put_away(copy)}; then "
                "run the same command again.",
            )
        ]
    return []


def copied_nodelocks(numbers: Sequence[str], source: Host, target: Host) -> list[Problem]:
    """Tell of nodelocks and requests that are another machine's while the other host holds the license, or asked."""
    problems = []
    for original, copy in ((source, target), (target, source)):
        holder, host = original["host"], copy["host"]
        for number in numbers:
            place = f"license {number}"
            todo = (
                f"Leave {holder} as it is. On {host}, remove what is not its own: {forget([number], _home(copy))}; "
                "then run the same command again."
            )
            if _has_copied_nodelock(number, original, copy):
                what = f"The nodelock of license {number} on {host} is another machine's; {holder} holds the license."
                problems.append(Problem(what, place, todo))
            elif _has_copied_request(number, original, copy):
                what = f"The pending request for license {number} on {host} is a copy of that on {holder}."
                problems.append(Problem(what, place, todo))
    return problems


def is_copied(number: str, source: Host, target: Host) -> bool:
    """Whether one of the hosts has the nodelock of a license, or a request for it, that is the other one's."""
    return any(
        _has_copied_nodelock(number, original, copy) or _has_copied_request(number, original, copy)
        for original, copy in ((source, target), (target, source))
    )


def _has_copied_nodelock(number: str, original: Host, copy: Host) -> bool:
    return _is_foreign(_license(copy, number)) and _license(original, number).get("status") in HELD


def _has_copied_request(number: str, original: Host, copy: Host) -> bool:
    asked, first = _pending(copy, number), _pending(original, number)
    same = asked.get("request_id") == first.get("request_id")
    return bool(same and asked.get("here") is False and first.get("here"))


def _of_its_own(original: Host, copy: Host) -> str:
    """The commands that make a clone a machine of its own: what only it holds is given back first."""
    shared = {n for n in _holds(copy) & _holds(original) if _serial(copy, n) <= _serial(original, n)}
    commands = [
        f"{shlex.quote(_home(copy))}/Bin/licman --nodelock-deactivate {number} &&"
        for number in sorted(_holds(copy) - shared)
    ]
    commands.append(new_machine_id(_root(copy)))
    ids = [side["overview"]["server"].get("home_id") for side in (original, copy)]
    if ids[0] is not None and ids[0] == ids[1]:
        commands.append(f"&& {_put_away(copy)}")
    return " ".join(commands)


def _original(source: Host, target: Host, back: bool) -> tuple[Host, Host]:
    """Which of two clones is the original, and which the copy.

    The original is the machine that its nodelocks name, or which holds licenses. Where both do, it is the source of the
    inventory, whatever the target shows: what a target says of itself takes no identity from the source.
    """

    def rank(side: Host) -> tuple[bool, bool]:
        return not (_foreign(side) and not _holds(side)), bool(_holds(side))

    first, second = (target, source) if back else (source, target)
    return (second, first) if rank(second) > rank(first) else (first, second)


def _holds(side: Host) -> set[str]:
    """The licenses that a host holds, or has asked for itself."""
    overview = side["overview"]
    held = {one["number"] for one in overview["licenses"] if one.get("status") in HELD}
    return held | {one["number"] for one in overview["pending"] if one.get("here")}


def _foreign(side: Host) -> set[str]:
    """The licenses of which a host has a nodelock or request that another machine was given, or made."""
    overview = side["overview"]
    locks = {one["number"] for one in overview["licenses"] if _is_foreign(one)}
    return locks | {one["number"] for one in overview["pending"] if one.get("here") is False}


def _is_foreign(license: Mapping[str, Any]) -> bool:
    return is_another_machine(license.get("drift"))


def _license(side: Host, number: str) -> Mapping[str, Any]:
    return next((one for one in side["overview"]["licenses"] if one["number"] == number), {})


def _pending(side: Host, number: str) -> Mapping[str, Any]:
    return next((one for one in side["overview"]["pending"] if one["number"] == number), {})


def _serial(side: Host, number: str) -> int:
    found = _license(side, number).get("serial")
    return found if isinstance(found, int) else 0


def _put_away(side: Host) -> str:
    server = side["overview"]["server"]
    return put_away(_home(side), bool(server.get("running")) and server.get("service") == SYSTEMD)


def _same_place(source: Host, target: Host, name: str) -> bool:
    places = [(side.get("places") or {}).get(name) for side in (source, target)]
    return places[0] is not None and places[0] == places[1]


def _root(side: Host) -> str:
    return str(side["overview"]["server"].get("root") or "")


def _home(side: Host) -> str:
    return f"{_root(side)}{side['overview']['server'].get('home') or ''}"
