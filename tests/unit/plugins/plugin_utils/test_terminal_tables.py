# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables for a terminal: aligned, narrow enough, and with a license beside each profile."""

from __future__ import annotations

from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView, Status
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering import pages, terminal
from ansible_collections.aims.licensing.tests.unit.plugins.plugin_utils.page_lab import DASH, read


def test_columns_are_aligned() -> None:
    lines = terminal.text_table(["Name", "Seats"], [["PROServer", 100], ["Client", 8]]).splitlines()
    assert [line.split() for line in lines[2:]] == [["PROServer", "100"], ["Client", "8"]]
    assert lines[2].index("100") + 3 == lines[3].index("8") + 1, "numbers end in the same column"
    assert {len(line) for line in lines} == {len(lines[0])}


def test_ragged_rows_null_and_wide_characters() -> None:
    lines = terminal.text_table(
        ["A", "B"], [[None], ["\N{CJK UNIFIED IDEOGRAPH-6F22}x", True], ["", "y", "z"]]
    ).splitlines()
    assert lines[2].split() == [DASH, DASH, DASH]
    assert lines[3].split()[1] == "yes"
    assert lines[3].index("yes") + 1 == lines[4].index("y"), "a wide character takes two columns"
    assert terminal.text_table(["A", "B"], []).splitlines()[0].split() == ["A", "B"]


def test_overview_tables_show_which_license_is_linked_to_which_profile(overview: dict[str, Any]) -> None:
    rows = [line.split() for line in terminal.overview_tables(read(overview)).splitlines()]
    assert ["PROSession", "015.120.065.016", "1", "\N{EN DASH}", "yes"] in rows
    assert any(row[:4] == ["015.120.064.022", "1", "of", "100"] for row in rows)


def test_overview_tables_fit_a_terminal(overview: dict[str, Any]) -> None:
    overview["licenses"][0].update(type="T" * 300, status="Pending Deactivation")
    overview["profiles"][0]["name"] = "P" * 300
    text = terminal.overview_tables(read(overview))
    assert max(map(len, text.splitlines())) <= 150
    assert "015.120.064.022" in text and "Pending Deactivation" in text


def test_seats_that_nobody_counts_are_not_called_free() -> None:
    overview = Overview(licenses=(LicenseView("015.120.064.022", Status.ACTIVE, seats=100),))
    page = pages.overview_page(overview, "old", "2026-11-21T19:00:00Z", "0" * 64)
    assert "0 of 100" not in page
    assert "\N{EN DASH} of 100" in page
