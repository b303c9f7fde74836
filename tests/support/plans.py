# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs and their plans, of what modules return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.assessment import assess
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.checks import copies
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair import Pair, quotes_of
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.plan import make_plan
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.sides import Side


def pair_of(
    source: Mapping[str, Any],
    target: Mapping[str, Any],
    declared: Sequence[DeclaredLicense],
    quotes: Mapping[str, Mapping[str, Any]],
    remembered: Mapping[str, Any] | None,
    now: datetime,
    further: Sequence[Profile] = (),
    *,
    kept: bool = False,
    lost: bool = False,
    emergency: bool = False,
) -> Pair:
    """Return a pair of what ``aims_license_info`` and ``aims_license_activate`` return.

    :param lost: whether the source is declared lost, so that what is remembered stands for it
    """
    bundle = Overview.from_dict(remembered, "bundle") if remembered else None
    if lost:
        source = {"overview": remembered, **source}
    quoted = quotes_of([{"number": number, **quote} for number, quote in quotes.items()])
    pair = Pair(
        Side.from_dict(source, "source"),
        Side.from_dict(target, "target"),
        tuple(declared),
        now,
        quoted,
        bundle,
        tuple(further),
    )
    if bundle is not None and lost:
        return pair.without_source(bundle, is_bridged=emergency)
    return pair.with_profiles_of_target() if kept else pair


def plan_of(pair: Pair) -> dict[str, Any]:
    """Return the plan as the module returns it; refuse what stands against it."""
    return make_plan(pair).as_dict()


def check_copies(pair: Pair) -> None:
    """Refuse hosts that are copies of each other, as it is done before the authority is asked."""
    problems = copies(pair, assess(pair))
    if problems:
        raise LicensingError(problems)
