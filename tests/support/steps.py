# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of an online migration, by the names of their tasks."""

from __future__ import annotations

LOUD = ("-vvvv", "--diff")
# Those that take options, in their order; each is run once.
STEPS = [
    "Check the inventory",
    "Read the source's overview",
    "Read the target's overview",
    "Get a quote for the activation on the target",
    "Plan the next step of each license",
    "Install the license server on the target",
    "Back up the source",
    "Drain the source and deactivate its licenses",
    "Activate the licenses and profiles on the target",
    "Verify that the target grants a seat on every profile",
    "Verify the pair and write its report",
]
# Between the last two, where the source's server runs.
RELEASED = "Verify that the source grants no seats"
