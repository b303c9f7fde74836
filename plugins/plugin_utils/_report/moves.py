# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report of a pair needs of a move of the vendor's license server. Pure."""

from __future__ import annotations

from typing import Any

from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import Bundle
from ansible_collections.aims.licensing.plugins.plugin_utils._persons_steps.runbook import Runbook
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.plan import Plan, PlannedLicense
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.steps import Step


def planned_of(runbook: Runbook, bundle: Bundle | None) -> dict[str, Any] | None:
    """Return a moved pair as ``planned`` of ``aims_license_report``; None before it has moved or without a bundle.

    :param bundle: of the source, from before it gave the licenses up
    """
    if bundle is None or not runbook.is_moved:
        return None
    budgets = {budget.number: budget for budget in runbook.budgets}
    licenses = tuple(
        PlannedLicense(
            license.number,
            license.profile,
            "moved by the steps of the runbook",
            Step.KEEP,
            until=None,
            spends=1,
            left=budgets[license.number].left,
            returns=None,
        )
        for license in runbook.move.licenses
    )
    return {"plan": Plan(licenses).as_dict(), "before": bundle.overview.as_dict(), "bundle": str(bundle.path)}
