# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain text tables for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.format import (
    DASH,
    as_int,
    as_map,
    as_maps,
    day_of,
    in_words,
    part_of,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering.tables import transfer_cells

TERMINAL_WIDTH = 150


def _columns(text: str) -> int:
    """How many terminal columns a text takes: East Asian wide characters two, combining ones none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _clip(text: str, width: int) -> str:
    if _columns(text) <= width:
        return text
    while text and _columns(text) > width - 1:
        text = text[:-1]
    return text + "…"


def text_table(headers: Sequence[str], rows: Sequence[Sequence[object]], width: int | None = None) -> str:
    """A plain aligned table for a terminal; with `width`, the widest columns are clipped until it fits."""
    count = max([len(headers), *(len(row) for row in rows)])
    numeric = [bool(rows) and all(len(row) > i and as_int(row[i]) is not None for row in rows) for i in range(count)]
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


def _emergency(lic: Mapping[str, Any]) -> str:
    return f", emergency until {day_of(lic['until'])}" if lic.get("until") else ""


def overview_tables(overview: Mapping[str, Any]) -> str:
    """An overview's licenses, profiles and clients for a terminal; clients only where there are any."""
    overview = as_map(overview)
    licenses = [
        (
            lic.get("number"),
            part_of(lic.get("in_use"), lic.get("seats")),
            lic.get("file"),
            lic.get("type"),
            lic.get("protection"),
            f"{in_words(lic.get('status'))}{_emergency(lic)}",
            day_of(lic.get("expiry")),
            transfer_cells(lic)[0].text,
            day_of(as_map(lic.get("transfers")).get("returns")),
        )
        for lic in as_maps(overview.get("licenses"))
    ]
    profiles = [
        tuple(profile.get(field) for field in ("name", "license", "in_use", "reuse", "default"))
        for profile in as_maps(overview.get("profiles"))
    ]
    heads = ("License", "In use", "File name", "Type", "Protection", "Status", "Expires", "Left", "Returns")
    clients = [
        tuple(client.get(field) for field in ("client", "address", "user", "profile", "since"))
        for client in as_maps(overview.get("clients"))
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
