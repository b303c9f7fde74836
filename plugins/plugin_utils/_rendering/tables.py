# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of an overview as the page templates draw them.

Every field that is shown is named here, so that a field added to the data later (a key, a code) never appears by
itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.format import (
    DASH,
    as_int,
    as_map,
    as_maps,
    day_of,
    in_words,
    part_of,
    time_in_words,
)

# A badge's colour; its text always says the same, for eyes and printers without colour.
_STATUS_KIND = {
    "Active": "good",
    "Inactive Nodelock": "quiet",
    "Pending Activation": "warn",
    "Pending Deactivation": "warn",
    "Pending Update": "warn",
    "Expired": "bad",
    "Keyless or Inactive": "quiet",
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


def code_cell(value: object) -> Cell:
    return Cell(in_words(value), code=True)


def status_cell(lic: Mapping[str, Any]) -> Cell:
    status = in_words(lic.get("status"))
    fenced, until = lic.get("fenced"), lic.get("until")
    told = f"emergency until {time_in_words(until)}" if until else ""
    return Cell(
        status, _STATUS_KIND.get(status, "quiet"), sub=f"fenced since {time_in_words(fenced)}" if fenced else told
    )


def mark_cell(value: object) -> Cell:
    return Cell("yes", "info") if value is True else Cell(in_words(value))


def seats_cell(lic: Mapping[str, Any]) -> Cell:
    used, seats = as_int(lic.get("in_use")), as_int(lic.get("seats"))
    share = min(100, max(0, round(100 * used / seats))) if used is not None and seats else None
    return Cell(part_of(lic.get("in_use"), lic.get("seats")), share=share)


def transfer_cells(source: Mapping[str, Any]) -> tuple[Cell, Cell]:
    """Transfers left, and when the next one returns."""
    transfers = as_map(source.get("transfers"))
    left = transfers.get("left")
    text = (
        DASH
        if left is None
        else in_words(left)
        if transfers.get("limit") is None
        else part_of(left, transfers["limit"])
    )
    return Cell(text, "bad" if left == 0 else ""), Cell(time_in_words(transfers.get("returns")))


def licenses_of(overview: Mapping[str, Any], var: bool) -> list[Mapping[str, Any]]:
    return [lic for lic in as_maps(overview.get("licenses")) if (lic.get("var") is True) == var]


def license_table(overview: Mapping[str, Any]) -> Table:
    rows = [
        [
            code_cell(lic.get("number")),
            seats_cell(lic),
            code_cell(lic.get("file")),
            Cell(in_words(lic.get("type"))),
            Cell(in_words(lic.get("protection"))),
            status_cell(lic),
            Cell(day_of(lic.get("expiry")), sub=f"from {day_of(lic.get('start'))}"),
            Cell(day_of(lic.get("maintenance_expiry"))),
            *transfer_cells(lic),
        ]
        for lic in licenses_of(overview, var=False)
    ]
    headers = ("License", "In use", "File name", "Type", "Protection", "Status")
    dates = ("Valid until", "Maintenance until", "Transfers left", "Next one returns")
    return Table("Licenses", headers + dates, rows, "No licenses are installed.")


def var_table(overview: Mapping[str, Any]) -> Table:
    rows = [
        [
            code_cell(lic.get("number")),
            seats_cell(lic),
            code_cell(lic.get("path", lic.get("file"))),
            Cell(in_words(lic.get("protection"))),
            status_cell(lic),
            Cell(day_of(lic.get("expiry"))),
            *transfer_cells(lic),
        ]
        for lic in licenses_of(overview, var=True)
    ]
    headers = ("VAR license", "In use", "Path", "Protection", "Status", "Expires", "Transfers left", "Next one returns")
    return Table("VAR licenses", headers, rows, "")


def profile_table(overview: Mapping[str, Any]) -> Table:
    rows = [
        [
            Cell(in_words(profile.get("name"))),
            code_cell(profile.get("license")),
            Cell(in_words(profile.get("in_use"))),
            mark_cell(profile.get("reuse")),
            mark_cell(profile.get("default")),
        ]
        for profile in as_maps(overview.get("profiles"))
    ]
    return Table("Profiles", ("Profile", "License", "In use", "Re-use", "Default"), rows, "No profiles are defined.")


def client_table(overview: Mapping[str, Any]) -> Table:
    rows = [
        [
            Cell(in_words(c.get("client"))),
            code_cell(c.get("address")),
            Cell(in_words(c.get("user"))),
            Cell(time_in_words(c.get("since"))),
        ]
        for c in as_maps(overview.get("clients"))
    ]
    return Table("Clients", ("Client", "Address", "User", "Logged on since"), rows, "No client is logged on.")


def pending_table(overview: Mapping[str, Any]) -> Table:
    rows = [
        [
            code_cell(request.get("number")),
            Cell(in_words(request.get("action"))),
            code_cell(request.get("file")),
            code_cell(request.get("request_id")),
            Cell(time_in_words(request.get("made"))),
            Cell("response here", "info") if request.get("answered") is True else Cell("waiting", "warn"),
        ]
        for request in as_maps(overview.get("pending"))
    ]
    headers = ("License", "Action", "Request file", "Request id", "Made", "Response")
    return Table("Pending requests", headers, rows, "No request is pending.")


def linked_table(overview: Mapping[str, Any], label: str, empty: str) -> Table:
    """Which license is linked to which profile: what a migration has to keep."""
    licenses = {in_words(lic.get("number")): lic for lic in as_maps(overview.get("licenses"))}
    links = [(profile, in_words(profile.get("license"))) for profile in as_maps(overview.get("profiles"))]
    linked = {number for _profile, number in links}
    links += [({}, number) for number in licenses if number not in linked]
    rows = []
    for profile, number in links:
        lic = licenses.get(number, {})
        seats = Cell(in_words(lic.get("seats")))
        kind = Cell(number, sub=in_words(lic.get("type")) if lic else "", code=True)
        rows.append(
            [Cell(in_words(profile.get("name"))), kind, seats, mark_cell(profile.get("default")), status_cell(lic)]
        )
    return Table(label, ("Profile", "License", "Seats", "Default", "Status"), rows, empty)


def is_installed(overview: Mapping[str, Any]) -> bool:
    return as_map(overview.get("server")).get("installed") is not False
