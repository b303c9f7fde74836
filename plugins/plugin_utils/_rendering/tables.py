# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of an overview as the page templates draw them.

Every field that is shown is named here, so that a field added to the data later (a key, a code) never appears by
itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import (
    LicenseView,
    ProfileView,
    Status,
    Transfers,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.format import (
    DASH,
    day_of,
    in_words,
    part_of,
    time_in_words,
)

# A badge's colour; its text always says the same, for eyes and printers without colour.
_STATUS_KIND = {
    Status.ACTIVE: "good",
    Status.INACTIVE: "quiet",
    Status.PENDING_ACTIVATION: "warn",
    Status.PENDING_DEACTIVATION: "warn",
    Status.PENDING_UPDATE: "warn",
    Status.EXPIRED: "bad",
    Status.KEYLESS_OR_INACTIVE: "quiet",
}


@dataclass(frozen=True)
class Cell:
    text: str
    badge: str = ""
    sub: str = ""
    code: bool = False
    share: int | None = None


@dataclass(frozen=True)
class Table:
    label: str
    headers: tuple[str, ...]
    rows: list[list[Cell]]
    empty: str


def code_cell(value: str | None) -> Cell:
    return Cell(in_words(value), code=True)


def status_cell(license: LicenseView) -> Cell:
    emergency = f"emergency until {time_in_words(license.until)}" if license.until else ""
    sub = f"fenced since {time_in_words(license.fenced)}" if license.fenced else emergency
    return Cell(license.status.value, _STATUS_KIND[license.status], sub=sub)


def mark_cell(is_set: bool) -> Cell:
    return Cell("yes", "info") if is_set else Cell("no")


def seats_cell(license: LicenseView) -> Cell:
    used, seats = license.in_use, license.seats
    share = min(100, max(0, round(100 * used / seats))) if used is not None and seats else None
    return Cell(part_of(used, seats), share=share)


def transfer_cells(transfers: Transfers | None) -> tuple[Cell, Cell]:
    """Return the transfers left, and when the next one returns."""
    if transfers is None:
        return Cell(DASH), Cell(DASH)
    left = transfers.left
    text = in_words(left) if left is None or transfers.limit is None else part_of(left, transfers.limit)
    return Cell(text, "bad" if left == 0 else ""), Cell(time_in_words(transfers.returns))


def license_table(overview: Overview) -> Table:
    rows = [
        [
            code_cell(license.number),
            seats_cell(license),
            code_cell(license.file),
            Cell(in_words(license.type)),
            Cell(in_words(license.protection)),
            status_cell(license),
            Cell(day_of(license.expiry), sub=f"from {day_of(license.start)}"),
            Cell(day_of(license.maintenance_expiry)),
            *transfer_cells(license.transfers),
        ]
        for license in overview.licenses
        if not license.var
    ]
    headers = ("License", "In use", "File name", "Type", "Protection", "Status")
    dates = ("Valid until", "Maintenance until", "Transfers left", "Next one returns")
    return Table("Licenses", headers + dates, rows, "No licenses are installed.")


def var_table(overview: Overview) -> Table:
    rows = [
        [
            code_cell(license.number),
            seats_cell(license),
            code_cell(license.file),
            Cell(in_words(license.protection)),
            status_cell(license),
            Cell(day_of(license.expiry)),
            *transfer_cells(license.transfers),
        ]
        for license in overview.licenses
        if license.var
    ]
    headers = ("VAR license", "In use", "Path", "Protection", "Status", "Expires", "Transfers left", "Next one returns")
    return Table("VAR licenses", headers, rows, "")


def profile_table(overview: Overview) -> Table:
    rows = [
        [
            Cell(in_words(profile.name)),
            code_cell(profile.license),
            Cell(in_words(profile.in_use)),
            Cell(in_words(profile.reuse)),
            mark_cell(profile.default),
        ]
        for profile in overview.profiles
    ]
    return Table("Profiles", ("Profile", "License", "In use", "Re-use", "Default"), rows, "No profiles are defined.")


def client_table(overview: Overview) -> Table:
    rows = [
        [
            Cell(in_words(client.client)),
            code_cell(client.address),
            Cell(in_words(client.user)),
            Cell(time_in_words(client.since)),
        ]
        for client in overview.clients
    ]
    return Table("Clients", ("Client", "Address", "User", "Logged on since"), rows, "No client is logged on.")


def pending_table(overview: Overview) -> Table:
    rows = [
        [
            code_cell(request.number),
            Cell(in_words(request.action)),
            code_cell(request.file),
            code_cell(request.request_id),
            Cell(time_in_words(request.made)),
            Cell("response here", "info") if request.answered else Cell("waiting", "warn"),
        ]
        for request in overview.pending
    ]
    headers = ("License", "Action", "Request file", "Request id", "Made", "Response")
    return Table("Pending requests", headers, rows, "No request is pending.")


def linked_table(overview: Overview, label: str, empty: str) -> Table:
    """Return which license is linked to which profile: what a migration has to keep."""
    linked = {profile.license for profile in overview.profiles}
    rows = [_linked_row(profile, profile.license, overview) for profile in overview.profiles]
    rows += [
        _linked_row(None, license.number, overview) for license in overview.licenses if license.number not in linked
    ]
    return Table(label, ("Profile", "License", "Seats", "Default", "Status"), rows, empty)


def _linked_row(profile: ProfileView | None, number: str, overview: Overview) -> list[Cell]:
    license = overview.license(number)
    return [
        Cell(in_words(profile.name) if profile else DASH),
        Cell(in_words(number), sub=in_words(license.type) if license else "", code=True),
        Cell(in_words(license.seats) if license else DASH),
        mark_cell(profile.default) if profile else Cell(DASH),
        status_cell(license) if license else Cell(DASH, "quiet"),
    ]
