# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of an overview: what stands in which cell, and what is shown of a host that shows little."""

from __future__ import annotations

import copy
import datetime
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView, Status
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.plan import Plan
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering import pages, terminal
from ansible_collections.aims.licensing.plugins.plugin_utils._report.report import PairNames, Report
from ansible_collections.aims.licensing.tests.unit.plugins.plugin_utils.page_lab import (
    DASH,
    REALM,
    UNSEEN,
    headline,
    license_of,
    read,
    show,
)


def test_licenses_and_profiles_stand_in_their_cells(overview: dict[str, Any]) -> None:
    page = show(overview)
    server = page.tables["Licenses"][0]
    assert server["License"] == "015.120.064.022"
    assert server["In use"] == "1 of 100"
    assert server["File name"] == "015120064022.lic"
    assert server["Type"] == "AIMMS - PRO Server"
    assert server["Protection"] == "Machine Nodelock"
    assert server["Status"] == "Active"
    assert "2027-12-31" in server["Valid until"] and "2026-01-01" in server["Valid until"]
    assert server["Maintenance until"] == "2027-12-01"
    assert server["Transfers left"] == "2 of 3"
    assert server["Next one returns"] == "2027-11-21 19:00 UTC"
    assert [tuple(row.values()) for row in page.tables["Profiles"]] == [
        ("PROServer", "015.120.064.022", "1", "\N{EN DASH}", "no"),
        ("PROSession", "015.120.065.016", "1", "\N{EN DASH}", "yes"),
        ("Client", "015.120.055.014", "1", "3", "yes"),
    ]


def test_clients_users_and_the_servers_particulars(overview: dict[str, Any]) -> None:
    page = show(overview)
    assert list(page.tables["Clients"][0].values()) == ["desk-1", "192.0.2.7", "CORP\\mj", "2026-11-21 08:02 UTC"]
    assert page.texts["li"] == ["CORP\\mj", "CORP\\ad"]
    assert page.facts["Realm"] == "REHEARSAL one"
    assert page.facts["Realm id"] == REALM.id
    assert page.facts["Version"] == "1.2.3"
    assert page.facts["Authority"] == "https://authority.example.com/path"
    assert page.facts["Seats in use"] == "3 of 118"
    assert "bundle-digest" in page.text and "2026-11-21 19:00 UTC" in page.text


def test_var_licenses_only_if_there_are_any(overview: dict[str, Any]) -> None:
    assert "VAR licenses" not in show(overview).texts["h2"]
    overview["licenses"].append(license_of("015.120.070.001", "AIMMS VAR", 5, var=True))
    page = show(overview)
    assert [row["VAR license"] for row in page.tables["VAR licenses"]] == ["015.120.070.001"]
    assert len(page.tables["Licenses"]) == 3


def test_a_pending_request_and_a_fence_are_said_in_words(overview: dict[str, Any]) -> None:
    overview["licenses"][0].update(status="Pending Deactivation", fenced="2026-11-21T19:00:00Z")
    overview["server"]["maintenance"] = True
    request = {"number": "015.120.064.022", "action": "deactivate", "request_id": "r-1", "answered": False}
    overview["pending"] = [request | {"made": "2026-11-21T19:00:00Z", "file": "015120064022.request"}]
    page = show(overview)
    assert page.tables["Licenses"][0]["Status"] == "Pending Deactivation fenced since 2026-11-21 19:00 UTC"
    assert page.tables["Pending requests"][0]["Request file"] == "015120064022.request"
    assert page.facts["Maintenance mode"] == "yes"
    assert page.facts["Pending requests"] == "1"


def test_a_drain_is_said_with_its_licenses(overview: dict[str, Any]) -> None:
    overview["server"]["draining"] = ["015.120.055.014", "015.120.064.022"]
    told = "No new seats are granted of licenses that are about to leave: 015.120.055.014, 015.120.064.022."
    assert told in pages.overview_page(read(overview), "h", "2026-11-21T19:00:00Z", "d")


def test_the_same_arguments_give_the_same_bytes(overview: dict[str, Any]) -> None:
    arguments = ("h", "2026-11-21T19:00:00Z", "d")
    again = read(copy.deepcopy(overview))
    assert pages.overview_page(read(overview), *arguments) == pages.overview_page(again, *arguments)


@pytest.mark.parametrize("nothing", [{}, None, [], "text"], ids=repr)
def test_nothing_at_all_is_no_overview_and_no_report(nothing: Any) -> None:
    with pytest.raises(LicensingError, match=r"This is not an overview: .* \[here\] Give the overview"):
        read(nothing)
    with pytest.raises(LicensingError, match=r"This is not a report: .* \[here\] Move the file away"):
        Report.from_dict(nothing, "here")


def test_a_host_that_shows_nothing_still_gives_a_page() -> None:
    page = show(UNSEEN)
    assert page.facts["Version"] == DASH and page.facts["Realm"] == DASH
    assert "Pending requests" in page.texts["h2"] and page.tables == {}
    assert "Licenses" in terminal.overview_tables(UNSEEN)
    names = PairNames("old", "new")
    assert headline(Report(names, "", "migrate", UNSEEN, UNSEEN, UNSEEN, Plan(()))) == "Nothing to do"


def test_what_is_not_known_of_a_license_is_a_dash() -> None:
    row = show(Overview(licenses=(LicenseView("015.120.064.022", Status.ACTIVE),))).tables["Licenses"][0]
    known = ("License", "Status", "Protection")
    assert all(DASH in value for name, value in row.items() if name not in known)
    assert [row[name] for name in known] == ["015.120.064.022", "Active", "None"]


def test_dates_that_yaml_has_read_as_dates(overview: dict[str, Any]) -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))
    overview["licenses"][0]["maintenance_expiry"] = datetime.date(2027, 12, 1)
    overview["licenses"][0]["transfers"]["returns"] = datetime.datetime(2027, 11, 21, 21, 0, tzinfo=zone)
    row = show(overview).tables["Licenses"][0]
    assert row["Maintenance until"] == "2027-12-01"
    assert row["Next one returns"] == "2027-11-21 19:00 UTC"
