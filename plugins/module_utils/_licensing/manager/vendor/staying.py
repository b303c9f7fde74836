# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which licenses a source keeps after a move: as long as there is one, its license server is not stopped. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ...errors import refuse
from ...license_view import Status
from ...overview import Overview


def staying(overview: Overview, unnumbered: Sequence[str], moved: Collection[str]) -> tuple[str, ...]:
    """Return the licenses that the server may still serve, by number, or by the name of a file without one.

    A nodelock may stay after a deactivation (docs/domain.md#reset-after-a-nodelock-error), so that the files do not
    tell of the licenses that have moved.
    """
    served = [
        license.number
        for license in overview.licenses
        if license.status is not Status.INACTIVE and license.number not in moved
    ]
    return (*served, *unnumbered)


def require_none(overview: Overview, unnumbered: Sequence[str], moved: Collection[str]) -> None:
    """Refuse to stop a license server that still serves licenses.

    :raises LicensingError: with their numbers
    """
    kept = staying(overview, unnumbered, moved)
    if kept:
        raise refuse(
            f"The license server is not stopped: it still has {', '.join(kept)}.",
            overview.server.where,
            "Move these licenses as well, or leave the license server running for them.",
        )
