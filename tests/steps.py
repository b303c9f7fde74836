# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of an online migration, by the names of their tasks."""

from __future__ import annotations

LOUD = ("-vvvv", "--diff")
# Those that take options, in their order; each is run once.
STEPS = [
    "Check the inventory",
    "Look at the giver",
    "Look at the taker",
    "Ask what activating on the taker would spend",
    "Plan",
    "Install the license server on the taker",
    "Back up the giver",
    "Drain the giver and deactivate its licenses",
    "Activate the licenses on the taker, with their profiles",
    "Take and return a seat on every profile of the taker",
    "Verify the pair and write its report",
]
# Between the last two, where the giver's server runs.
RELEASED = "See that the giver gives no seats any more"
