# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the rehearsal of a pair is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import Status
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview


@dataclass(frozen=True)
class Rehearsal:
    """The state of a rehearsal.

    :ivar is_over: whether the target has any of the licenses, or had it: the source then stays as the migration left it
    :ivar is_unprepared: whether check mode has to end here, because the migration would ask a ledger, or plan with
        licenses, that only a real run makes
    """

    is_over: bool
    is_unprepared: bool

    def as_dict(self) -> dict[str, Any]:
        return {"over": self.is_over, "unprepared": self.is_unprepared}


def rehearsal(
    numbers: Sequence[str], target: Overview, source: Overview | None, *, is_issued: bool, is_dry: bool
) -> Rehearsal:
    """Return how far a rehearsal is.

    :param numbers: the declared licenses
    :param source: None before it is prepared
    :param is_issued: whether this run issues licenses, or in check mode would
    :param is_dry: whether the run is in check mode
    """
    is_over = any(target.license(number) is not None for number in numbers)
    is_unprepared = is_dry and source is not None and (is_issued or not _are_active(source, numbers))
    return Rehearsal(is_over, is_unprepared)


def _are_active(source: Overview, numbers: Sequence[str]) -> bool:
    active = {license.number for license in source.licenses if license.status is Status.ACTIVE}
    return active.issuperset(numbers)
