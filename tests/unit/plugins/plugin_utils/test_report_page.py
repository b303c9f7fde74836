# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a migration's report: its headline, what moved, what waits, and what differs afterwards."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.plugin_utils._report.page import report_page
from ansible_collections.aims.licensing.plugins.plugin_utils._report.report import Report
from ansible_collections.aims.licensing.tests.unit.plugins.plugin_utils.page_lab import (
    DASH,
    UNSEEN,
    Page,
    headline,
    license_of,
    page_of,
)


def test_a_complete_migration(report: dict[str, Any]) -> None:
    page = Page(page_of(report))
    assert page.texts["h1"] == ["Migration complete"]
    assert page.facts["Licenses moved"] == "3 of 3"
    assert page.facts["Transfers spent"] == "3"
    assert page.facts["Without license server"] == "4.3 s"
    before, after = page.tables["Before, on old.example.com"], page.tables["After, on new.example.com"]
    assert before == after
    assert [(row["Profile"], row["License"].split()[0]) for row in after] == [
        ("PROServer", "015.120.064.022"),
        ("PROSession", "015.120.065.016"),
        ("Client", "015.120.055.014"),
    ]
    assert all("Inactive Nodelock" in row["Status"] for row in page.tables["Now, on old.example.com"])
    assert page.texts["li"] == ["The budget suffices."]
    assert page.texts["pre"] == [
        "new.example.com:3400,Client",
        "1\tnetwork\tnew.example.com:3400\n0\tlocal\t015120001005.lic",
    ]


def test_transfers_left_are_those_after_the_move(report: dict[str, Any]) -> None:
    row = Page(page_of(report)).tables["Licenses and transfers"][0]
    assert (row["Result"], row["Spends"], row["Transfers left"]) == ("Moved", "1", "2 of 3")
    assert row["Next one returns"] == "2027-11-21 19:00 UTC"


def test_without_an_overview_the_plans_transfers_count(report: dict[str, Any]) -> None:
    report.update(after=UNSEEN.as_dict(), source_after=UNSEEN.as_dict())
    row = Page(page_of(report)).tables["Licenses and transfers"][0]
    assert (row["Transfers left"], row["Next one returns"]) == ("3", DASH)


@pytest.mark.parametrize(("files", "words"), [(1, "Waiting for 1 response"), (3, "Waiting for 3 responses")])
def test_waiting_counts_the_responses_and_names_the_files(report: dict[str, Any], files: int, words: str) -> None:
    requests = [
        {"host": "old.example.com", "number": number, "action": "deactivate", "file": number + ".request"}
        for number in report["moved"][:files]
    ]
    report.update(
        moved=[], after=UNSEEN.as_dict(), pending=requests, next_step="Upload the files.", without_service_seconds=None
    )
    page = Page(page_of(report))
    assert page.texts["h1"] == [words]
    assert [row["Request file"] for row in page.tables["Responses awaited"]] == [r["file"] for r in requests]
    assert "Upload the files." in page.text
    assert page.facts["Without license server"] == DASH


def test_nothing_to_do_and_rollback(report: dict[str, Any]) -> None:
    assert headline(report | {"direction": "rollback"}) == "Rollback complete"
    assert headline(report | {"moved": []}) == "Nothing to do"


def test_what_did_not_arrive_is_never_called_complete(report: dict[str, Any]) -> None:
    report["after"]["licenses"][1]["status"] = "Inactive Nodelock"
    page = Page(page_of(report))
    assert page.texts["h1"] == ["Migration not complete"]
    assert "015.120.065.016" in page.texts["p"][1]
    assert [row["Result"] for row in page.tables["Licenses and transfers"]] == ["Moved", "Not on the target", "Moved"]


def change(path: str, value: Any) -> Any:
    def apply(report: dict[str, Any]) -> None:
        *way, last = path.split(".")
        place: Any = report
        for step in way:
            place = place[int(step) if step.isdigit() else step]
        place[last] = value

    return apply


@pytest.mark.parametrize(
    ("break_it", "names"),
    [
        (change("after.profiles.0.name", "Profile_1"), ["PROServer"]),
        (change("after.profiles.0.license", "015.120.055.014"), ["PROServer", "015.120.064.022", "015.120.055.014"]),
        (change("after.profiles.0.default", True), ["PROServer", "default", "no", "yes"]),
        (change("after.licenses.0.seats", 50), ["015.120.064.022", "100", "50"]),
        (lambda report: report["after"]["profiles"].reverse(), ["order", "PROServer, PROSession, Client"]),
        (change("after.users", ["CORP\\mj"]), ["CORP\\ad"]),
        (change("source_after.licenses", [license_of("015.120.055.014", "x", 1)]), ["015.120.055.014", "old.example"]),
    ],
)
def test_a_difference_between_before_and_after_is_named(
    report: dict[str, Any], break_it: Any, names: list[str]
) -> None:
    report["plan"]["notes"] = []
    assert "li" not in Page(page_of(report)).texts
    break_it(report)
    (difference,) = Page(page_of(report)).texts["li"]
    assert all(name in difference for name in names), difference


def test_what_the_target_has_besides_is_no_difference(report: dict[str, Any]) -> None:
    report["plan"]["notes"] = []
    report["after"]["licenses"].insert(0, license_of("001.002.003.004", "AIMMS Network", 2))
    report["after"]["profiles"].insert(1, {"name": "Other", "license": "001.002.003.004"})
    assert "li" not in Page(page_of(report)).texts


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0.0 s"), (61, "1 min 1 s"), (3725.2, "1 h 2 min"), (None, DASH), (float("nan"), DASH)],
)
def test_time_without_a_license_server(report: dict[str, Any], seconds: float | None, words: str) -> None:
    shown = replace(Report.from_dict(report, "here"), without_service_seconds=seconds)
    assert Page(report_page(shown)).facts["Without license server"] == words


@pytest.mark.parametrize("seconds", [float("nan"), "4", True, -1])
def test_a_time_that_is_none_is_refused(report: dict[str, Any], seconds: Any) -> None:
    with pytest.raises(LicensingError, match="without_service_seconds is not a number of seconds"):
        Report.from_dict(report | {"without_service_seconds": seconds}, "here")


def test_a_report_comes_back_as_it_was_written(report: dict[str, Any]) -> None:
    written = Report.from_dict(report, "here")
    again = Report.from_dict(json.loads(json.dumps(written.as_dict())), "here")
    assert again == written and again.repeats(written) and list(again.as_dict()) == list(written.as_dict())


@pytest.mark.parametrize(
    ("way", "value"),
    [
        ("after.licenses.0.status", "Expired"),
        ("after.licenses.0.serial", 2),
        ("pair.target", "another"),
        ("direction", "rollback"),
        ("pending", [{"host": "h", "number": "n", "action": None, "file": "f"}]),
        ("files", {"missing": ["Licenses/x.cpx"], "unknown": False, "waived": False}),
    ],
)
def test_a_report_repeats_one_that_has_its_facts_and_no_other(report: dict[str, Any], way: str, value: Any) -> None:
    earlier = Report.from_dict(copy.deepcopy(report), "here")
    change("made", "2027-01-01T12:00:00Z")(report)
    assert Report.from_dict(report, "here").repeats(earlier)
    change(way, value)(report)
    assert not Report.from_dict(report, "here").repeats(earlier)
