# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run does with a license, and why. Pure."""

from __future__ import annotations

from enum import Enum

from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Word


class Step(Word):
    """What the run does with a license, in the words of the plan."""

    KEEP = "keep"
    SERVE = "serve again"
    MOVE = "move"
    FINISH_MOVE = "finish moving"
    FINISH = "finish activating"
    ACTIVATE = "activate"
    RELEASE = "needs release"
    EMERGENCY = "emergency"
    END = "end emergency"

    @property
    def arrives(self) -> bool:
        """Whether the license becomes active on the target."""
        return self not in (Step.KEEP, Step.RELEASE, Step.END)

    @property
    def is_left_to_others(self) -> bool:
        """Whether only the authority's owner can set the license free."""
        return self in (Step.RELEASE, Step.EMERGENCY)

    @property
    def takes_it_back(self) -> bool:
        """Whether the source gives a license up that the target gets."""
        return self in (Step.MOVE, Step.FINISH_MOVE)


class Reason(Enum):
    """Why: what the facts of a license come to."""

    SERVED_BY_BOTH = "both serve it, the source in an emergency only"
    HELD_BY_TARGET = "the target holds it"
    FENCED_ON_TARGET = "the target holds it, fenced"
    REQUESTED_BY_TARGET_BRIDGED = "an exchange of the target is open, and the source serves it in an emergency"
    REQUESTED_BY_TARGET = "an exchange of the target is open"
    REQUESTED_BY_SOURCE = "an exchange of the source is open"
    VOID_ON_SOURCE = "the source holds it, fenced; by the authority's word nobody does"
    HELD_BY_SOURCE = "the source holds it"
    BRIDGED_BY_TARGET = "the target serves it in an emergency, and another machine holds it"
    ASKED_BY_FILE_BRIDGED = "a file asks the authority, and for an emergency activation"
    ASKED_BY_FILE = "a file asks the authority"
    LOST_WITH_SOURCE_BRIDGED = "the lost source holds it, and the authority grants an emergency activation"
    LOST_WITH_SOURCE = "the lost source holds it"
    FREE_OF_SOURCE = "the lost source does not hold it"
    FREE_OF_EMERGENCY = "the target serves it in an emergency, and no other machine holds it"
    HELD_BY_NEITHER = "neither holds it"
