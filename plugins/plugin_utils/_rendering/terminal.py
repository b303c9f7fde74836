# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain text tables for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.format import (
    DASH,
    day_of,
    in_words,
    part_of,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.tables import transfer_cells

TERMINAL_WIDTH = 150


def _columns(text: str) -> int:
    """Return how many terminal columns a text takes: East Asian wide characters two, combining ones none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _clip(text: str, width: int) -> str:
    if _columns(text) <= width:
        return text
    while text and _columns(text) > width - 1:
        text = text[:-1]
    return text + "…"


def text_table(headers: Sequence[str], rows: Sequence[Sequence[object]], width: int | None = None) -> str:
    """Return a plain aligned table for a terminal.

    :param width: the widest columns are clipped until the table fits into so many columns
    """
    count = max([len(headers), *(len(row) for row in rows)])
    numeric = [bool(rows) and all(len(row) > i and _is_number(row[i]) for row in rows) for i in range(count)]
    lines = [[in_words(h) for h in headers] + [""] * (count - len(headers))]
    lines += [[in_words(value) for value in row] + [DASH] * (count - len(row)) for row in rows]
    widths = [max(_columns(line[i]) for line in lines) for i in range(count)]
    while width is not None and sum(widths) + 2 * (count - 1) > width and max(widths) > 1:
        widths[widths.index(max(widths))] -= 1
    lines.insert(1, ["-" * w for w in widths])

    def cell(text: str, i: int) -> str:
        text = _clip(text, widths[i])
        blank = " " * (widths[i] - _columns(text))
        return blank + text if numeric[i] else text + blank

    return "\n".join("  ".join(cell(text, i) for i, text in enumerate(line)).rstrip() for line in lines)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def overview_tables(overview: Overview) -> str:
    """Return an overview's licenses, profiles and clients for a terminal; clients only where there are any."""
    licenses = [
        (
            license.number,
            part_of(license.in_use, license.seats),
            license.file,
            license.type,
            license.protection,
            f"{license.status}, emergency until {day_of(license.until)}" if license.until else license.status.value,
            day_of(license.expiry),
            transfer_cells(license.transfers)[0].text,
            day_of(license.transfers.returns if license.transfers else None),
        )
        for license in overview.licenses
    ]
    profiles = [
        (profile.name, profile.license, profile.in_use, profile.reuse, profile.default) for profile in overview.profiles
    ]
    heads = ("License", "In use", "File name", "Type", "Protection", "Status", "Expires", "Left", "Returns")
    clients = [
        (client.client, client.address, client.user, client.profile, client.since) for client in overview.clients
    ]
    tables: list[tuple[str, tuple[str, ...], Sequence[Sequence[object]]]] = [
        ("Licenses", heads, licenses),
        ("Profiles", ("Profile", "License", "In use", "Re-use", "Default"), profiles),
    ]
    if clients:
        tables.append(("Clients", ("Client", "Address", "User", "Profile", "Logged on since"), clients))
    parts = []
    for title, names, rows in tables:
        parts.append(f"{title}\n\n" + (text_table(names, rows, TERMINAL_WIDTH) if rows else "(none)"))
    return "\n\n".join(parts) + "\n"
