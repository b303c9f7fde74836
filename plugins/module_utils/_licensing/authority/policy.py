# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a license may be activated on a machine, and what that spends: a pure function.

The rules are those of the vendor's dialog (DOMAIN.md, Rules): a machine nodelock may be transferred 3 times per
365 days and not become a personal one; a personal nodelock 3 times per 24 hours, never offline, and may become a
machine one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ..errors import Problem
from ..fingerprint import compare
from ..model import MACHINE, PERSONAL, Account, License, render_time


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
    invalid = license.problem_on(now.date())
    same = holding is not None and compare(holding.fingerprint, fingerprint).is_same_machine
    spends = 0 if holding is None or same else 1

    def no(what: str, todo: str) -> Verdict:
        return Verdict(Problem(what, where, todo), spends)

    if invalid:
        return no(f"License {license.number} {invalid}.", "Ask the licensor for a renewed license.")
    if account.nodelock == PERSONAL and not online:
        return no("A personal nodelock cannot be activated offline.", "Use a machine nodelock, or go online.")
    if holding is not None and holding.nodelock == MACHINE and account.nodelock == PERSONAL:
        return no("A machine nodelock cannot be changed into a personal one.", "Ask for a machine nodelock.")
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
