# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a license may be activated on a machine, and what that spends: a pure function.

The rules are those of the vendor (docs/domain.md#nodelock-rules): a machine nodelock may be transferred 3 times per
365 days and not become a personal one; a personal nodelock 3 times per 24 hours, never offline, and may become a
machine one. A license that cannot be deactivated is activated elsewhere for 7 days; that this can be had once in
365 days is a rule of ours.
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
    """Where a license is or last was.

    :ivar live: whether it is held now; otherwise the machine gave it back
    :ivar host_key: the public key it was activated with, base64
    """

    live: bool
    fingerprint: Mapping[str, str]
    host_key: str
    nodelock: str


@dataclass(frozen=True)
class Verdict:
    """:ivar refusal: why not, or None
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

    :param holding: where it is or last was, None if it was never activated
    :param account: the transfers spent under the nodelock that is asked for
    :param ask_only: for a quote: judge as if the present holder had given the license back
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
    """Return for how many days an authority may grant an emergency activation, or refuse."""
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
    """Judge an activation for a few days of a license that a lost machine holds; it spends nothing.

    :param earlier: when the license had one before
    :param days: how long this authority grants it for, 0 for never
    :return: why not, or None; and when it ends
    """
    where, until = f"license {license.number}", now + timedelta(days=days)
    todo = "Have the authority's owner release the license."
    live = holding is not None and holding.live and not compare(holding.fingerprint, fingerprint).is_same_machine
    latest = max(earlier, default=None)

    def problem() -> Problem | None:
        if not days:
            return Problem("This authority grants no emergency activations.", where, todo)
        if not live:
            what = f"License {license.number} is not live on another machine, so that there is no emergency."
            return Problem(what, where, "Activate it as usual.")
        if latest is not None and latest > now - EMERGENCY_WINDOW:
            had, next_one = render_time(latest), render_time(latest + EMERGENCY_WINDOW)
            what = f"License {license.number} had its emergency activation at {had}; the next can be at {next_one}."
            return Problem(what, where, todo)
        unfit = _unfit(license, holding, nodelock, online, now)
        return Problem(unfit[0], where, unfit[1]) if unfit else None

    return problem(), until


def _unfit(
    license: License, holding: Holding | None, nodelock: str, online: bool, now: datetime
) -> tuple[str, str] | None:
    """Say why a license cannot have this kind of nodelock now, whoever holds it, and what to do."""
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
