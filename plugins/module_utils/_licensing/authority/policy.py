# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges activations: whether a license may be activated on a machine, and how many transfers that spends. Pure.

The rules are the vendor's (docs/domain.md#nodelock-rules). A machine nodelock has 3 transfers per 365 days and cannot
become a personal nodelock. A personal nodelock has 3 transfers per 24 hours, works only online, and can become a
machine nodelock. A license on a lost machine gets an emergency activation for 7 days. Our own rule: one emergency
activation per 365 days.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..errors import Problem, refuse
from ..fingerprint import compare
from ..model import MACHINE, PERSONAL, Account, License, render_time

EMERGENCY_DAYS = 7
_MOST_EMERGENCY_DAYS = 30
EMERGENCY_WINDOW = timedelta(days=365)


@dataclass(frozen=True)
class Holding:
    """The machine that holds a license, or held it last.

    :ivar live: whether the machine holds it now; otherwise the license was given back or released
    :ivar host_key: the public key of the activation's request, base64
    """

    live: bool
    fingerprint: Mapping[str, str]
    host_key: str
    nodelock: str


@dataclass(frozen=True)
class Verdict:
    """The judgement of an activation.

    :ivar refusal: the reason for a refusal, or None
    :ivar spends: transfers that the activation spends, 0 or 1
    """

    refusal: Problem | None
    spends: int


def judge(
    license: License,
    holding: Holding | None,
    account: Account,
    fingerprint: Mapping[str, str],
    online: bool,
    now: datetime,
    ask_only: bool = False,
) -> Verdict:
    """Judge the activation of a license on a machine.

    :param holding: the current or last holding; None if it was never activated
    :param account: the transfers spent with the requested kind of nodelock
    :param ask_only: for a quote: judge as if the current holder had given the license back
    """
    where = f"license {license.number}"
    same = holding is not None and compare(holding.fingerprint, fingerprint).is_same_machine
    spends = 0 if holding is None or same else 1

    def no(what: str, todo: str) -> Verdict:
        return Verdict(Problem(what, where, todo), spends)

    unfit = _unfit(license, holding, account.nodelock, online, now)
    if unfit:
        return no(*unfit)
    if holding is not None and holding.live and not same and not ask_only:
        return no(
            f"License {license.number} is live on another machine.",
            "Deactivate it there first. If that machine is lost, only the authority's owner can release it.",
        )
    if spends > account.left(now):
        returns = account.returns(now)
        return no(
            f"License {license.number} has spent its {account.rule.limit} transfers.",
            f"The next one returns at {render_time(returns) if returns else '?'}; wait, or ask the licensor.",
        )
    return Verdict(None, spends)


def check_emergency_days(days: int, where: str = "--emergency-days") -> int:
    """Return the length of an emergency activation in days. Refuse an invalid one."""
    if not 0 <= days <= _MOST_EMERGENCY_DAYS:
        todo = f"Use 1 to {_MOST_EMERGENCY_DAYS}, or 0 for no emergency activations."
        raise refuse(f"An emergency activation cannot last {days} days.", where, todo)
    return days


def judge_emergency(
    license: License,
    holding: Holding | None,
    earlier: Sequence[datetime],
    days: int,
    fingerprint: Mapping[str, str],
    nodelock: str,
    online: bool,
    now: datetime,
) -> tuple[Problem | None, datetime]:
    """Judge an emergency activation of a license that a lost machine holds. It spends no transfer.

    :param earlier: the times of its earlier emergency activations
    :param days: the length in days; 0 for none
    :return: the reason for a refusal, or None; and the end of the emergency activation
    """
    where, until = f"license {license.number}", now + timedelta(days=days)
    todo = "Have the authority's owner release the license."
    live = holding is not None and holding.live and not compare(holding.fingerprint, fingerprint).is_same_machine
    latest = max(earlier, default=None)

    def problem() -> Problem | None:
        if not days:
            return Problem("This authority grants no emergency activations.", where, todo)
        if not live:
            what = f"License {license.number} is not live on another machine, so there is no emergency."
            return Problem(what, where, "Activate it as usual.")
        if latest is not None and latest > now - EMERGENCY_WINDOW:
            had, next_one = render_time(latest), render_time(latest + EMERGENCY_WINDOW)
            what = f"License {license.number} had an emergency activation at {had}. The next is possible at {next_one}."
            return Problem(what, where, todo)
        unfit = _unfit(license, holding, nodelock, online, now)
        return Problem(unfit[0], where, unfit[1]) if unfit else None

    return problem(), until


def _unfit(
    license: License, holding: Holding | None, nodelock: str, online: bool, now: datetime
) -> tuple[str, str] | None:
    """Return why a license cannot have this kind of nodelock now, on any machine, and the remedy; or None."""
    invalid = license.problem_on(now.date())
    if invalid:
        early = now.date().isoformat() < license.start
        todo = "Wait for that day, or ask the licensor." if early else "Ask the licensor for a renewed license."
        return f"License {license.number} {invalid}.", todo
    if nodelock == PERSONAL and not online:
        return "A personal nodelock cannot be activated offline.", "Use a machine nodelock, or go online."
    if holding is not None and holding.nodelock == MACHINE and nodelock == PERSONAL:
        return "A machine nodelock cannot be changed into a personal one.", "Ask for a machine nodelock."
    return None
