# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages are read as a browser reads them: parsed, and asked what stands in which cell."""

from __future__ import annotations

import base64
import copy
import datetime
import html.parser
import json
import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.license_view import LicenseView, Status
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview, ServerView
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.plan import Plan
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering import pages as _pages
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering import terminal
from ansible_collections.aims.licensing.plugins.plugin_utils._report.page import report_page
from ansible_collections.aims.licensing.plugins.plugin_utils._report.report import PairNames, Report

DASH = "\N{EN DASH}"
VOID = {"meta", "br", "hr", "img", "link", "input"}
REALM = Realm("REHEARSAL one", base64.b64encode(b"the public key of a realm: planted"[:32]).decode())
# What an unreachable host shows.
UNSEEN = Overview(ServerView(installed=None))


class Page(html.parser.HTMLParser):
    """Tables by label, facts by name, and the text of chosen elements."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.tables: dict[str, list[dict[str, str]]] = {}
        self.current: list[list[str]] = []
        self.label = ""
        self.text = ""
        self.feed(source)
        self.close()
        assert not self.open, f"never closed: {self.open}"
        self.facts = dict(zip(self.texts.get("dt", []), self.texts.get("dd", []), strict=True))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in VOID:
            return
        self.open.append(tag)
        self.texts.setdefault(tag, []).append("")
        if tag == "span":
            self.handle_data(" ")
        if tag == "table":
            self.label, self.current = dict(attrs)["aria-label"] or "", []
        if tag == "tr":
            self.current.append([])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"
        if tag in ("td", "th"):
            self.current[-1].append(" ".join(self.texts[tag][-1].split()))
        if tag == "table":
            head, *rows = self.current
            self.tables[self.label] = [dict(zip(head, row, strict=True)) for row in rows]

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data
        for tag in dict.fromkeys(self.open):
            self.texts[tag][-1] += data


def license_of(number: str, kind: str, seats: int, **other: Any) -> dict[str, Any]:
    return {
        "number": number,
        "file": number.replace(".", "") + ".lic",
        "type": kind,
        "seats": seats,
        "in_use": 1,
        "start": "2026-01-01",
        "expiry": "2027-12-31",
        "maintenance_expiry": "2027-12-01",
        "protection": "Machine Nodelock",
        "status": "Active",
        "fenced": None,
        "var": False,
        "code_key": "PLANTED-code-key",
        "activation_code": "PLANTED-activation-code",
        "transfers": {
            "limit": 3,
            "window_seconds": 31536000,
            "spent": [],
            "left": 2,
            "returns": "2027-11-21T19:00:00Z",
        },
        "serial": 1,
    } | other


@pytest.fixture
def overview() -> dict[str, Any]:
    numbers = ("015.120.064.022", "015.120.065.016", "015.120.055.014")
    names = ("PROServer", "PROSession", "Client")
    return {
        "server": {
            "installed": True,
            "version": "1.2.3",
            "digest": "d1",
            "home": "/usr/local/Aimms",
            "root": "/",
            "backend": "bundled",
            "maintenance": False,
            "home_id": "home-7",
            "realm": REALM.as_dict(),
            "host_key": "PLANTED-host-key",
            "authority": "https://user:PLANTED-password@authority.example.com/path",
        },
        "licenses": [
            license_of(numbers[0], "AIMMS - PRO Server", 100),
            license_of(numbers[1], "AIMMS Network - PRO Session", 8),
            license_of(numbers[2], "AIMMS Network - PRO Client", 10),
        ],
        "profiles": [
            {"name": name, "license": number, "in_use": 1, "reuse": name == "Client", "default": name != "PROServer"}
            for name, number in zip(names, numbers, strict=True)
        ],
        "clients": [
            {
                "client": "desk-1",
                "address": "192.0.2.7",
                "user": "CORP\\mj",
                "profile": "Client",
                "license": "015.120.055.014",
                "since": "2026-11-21T08:02:11Z",
            },
        ],
        "users": ["CORP\\mj", "CORP\\ad"],
        "pending": [],
    }


@pytest.fixture
def report(overview: dict[str, Any]) -> dict[str, Any]:
    left = copy.deepcopy(overview)
    for lic in left["licenses"]:
        lic.update(status="Inactive Nodelock", fenced="2026-11-21T19:00:00Z", transfers=None)
    return {
        "pair": {"source": "old.example.com", "target": "new.example.com"},
        "made": "2026-11-21T19:00:05Z",
        "direction": "migrate",
        "before": overview,
        "after": copy.deepcopy(overview),
        "source_after": left,
        "plan": {
            "licenses": [
                {
                    "number": p["license"],
                    "profile": p["name"],
                    "state": "on source",
                    "step": "move",
                    "spends": 1,
                    "left": 3,
                    "returns": None,
                }
                for p in overview["profiles"]
            ],
            "notes": ["The budget suffices."],
        },
        "moved": [p["license"] for p in overview["profiles"]],
        "without_service_seconds": 4.26,
        "bundle": "/srv/bundles/old",
        "connection_strings": [{"profile": "Client", "string": "new.example.com:3400,Client"}],
        "licenses_cfg": ["1\tnetwork\tnew.example.com:3400", "0\tlocal\t015120001005.lic"],
        "pending": [],
        "next_step": None,
    }


def read(overview: Any) -> Overview:
    return Overview.from_dict(overview, "here")


def show(overview: Any) -> Page:
    seen = overview if isinstance(overview, Overview) else read(overview)
    return Page(_pages.overview_page(seen, "old.example.com", "2026-11-21T19:00:00Z", "bundle-digest"))


def page_of(report: Any) -> str:
    return report_page(report if isinstance(report, Report) else Report.from_dict(report, "here"))


def headline(report: Any) -> str:
    return Page(page_of(report)).texts["h1"][0]


# -- overview page --------------------------------------------------------------------------------------------------


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
        ("PROServer", "015.120.064.022", "1", "no", "no"),
        ("PROSession", "015.120.065.016", "1", "no", "yes"),
        ("Client", "015.120.055.014", "1", "yes", "yes"),
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


def test_the_same_arguments_give_the_same_bytes(overview: dict[str, Any]) -> None:
    arguments = ("h", "2026-11-21T19:00:00Z", "d")
    again = read(copy.deepcopy(overview))
    assert _pages.overview_page(read(overview), *arguments) == _pages.overview_page(again, *arguments)


# -- both pages -----------------------------------------------------------------------------------------------------


def test_no_code_and_no_key_is_shown(overview: dict[str, Any], report: dict[str, Any]) -> None:
    overview["licenses"].append(license_of("015.120.070.001", "AIMMS VAR", 5, var=True))
    pages = (
        _pages.overview_page(read(overview), "h", "m", "d"),
        page_of(report),
        terminal.overview_tables(read(overview)),
    )
    assert [page for page in pages if "PLANTED" in page or REALM.key in page] == []


def test_pages_load_and_run_nothing(overview: dict[str, Any], report: dict[str, Any]) -> None:
    for page in (show(overview), Page(page_of(report))):
        assert not {tag for tag, _attrs in page.tags} & {"script", "link", "img", "iframe", "object", "a", "form"}
        assert not [attrs for _tag, attrs in page.tags if attrs.keys() & {"src", "href", "onclick", "onload"}]
        style = page.texts["style"][0]
        assert "url(" not in style and "@import" not in style
        assert "prefers-color-scheme: dark" in style and "@media print" in style


HOSTILE = "<script>alert(1)</script>\"'&amp;"


# Fields that take nothing but a word of a list, or a key.
FIXED = ("status", "step", "key")


def poison(value: Any) -> Any:
    """Every string there may be, replaced."""
    if isinstance(value, dict):
        return {key: item if key in FIXED else poison(item) for key, item in value.items()}
    if isinstance(value, list):
        return [poison(item) for item in value]
    return HOSTILE if isinstance(value, str) else value


def test_markup_in_a_profile_name_is_text(overview: dict[str, Any]) -> None:
    overview["profiles"][0]["name"] = HOSTILE
    page = show(overview)
    assert page.tables["Profiles"][0]["Profile"] == HOSTILE


def test_markup_anywhere_is_text(overview: dict[str, Any], report: dict[str, Any]) -> None:
    overview["licenses"][2]["var"] = True
    overview["pending"] = [
        {"number": "n", "action": "a", "request_id": "r", "made": "m", "file": "f", "answered": False}
    ]
    report.update(pending=[{"host": "h", "number": "n", "action": "a", "file": "f"}], next_step="s")
    hostile = poison(report)
    hostile["after"]["profiles"] = hostile["after"]["licenses"] = []
    done = hostile | {"pending": []}
    for name in ("before", "after", "source_after"):
        hostile[name]["server"]["realm"] = None
    poisoned = poison(overview) | {
        "server": poison(overview["server"]) | {"realm": {"name": HOSTILE, "key": REALM.key}}
    }
    pages = [_pages.overview_page(read(poisoned), HOSTILE, HOSTILE, HOSTILE)]
    pages += [page_of(hostile), page_of(done)]
    for source in pages:
        page = Page(source)
        assert "script" not in {tag for tag, _attrs in page.tags}
        assert HOSTILE in page.text


def test_unprintable_characters_are_replaced(overview: dict[str, Any]) -> None:
    overview["profiles"][0]["name"] = "a\x1b[31m\u202eb\ud800\x00c"
    overview["users"] = ["x\ny"]
    seen = read(overview)
    for text in (_pages.overview_page(seen, "h", "m", "d"), terminal.overview_tables(seen)):
        text.encode("utf-8")
        assert not {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs")} - {"\n"}


def prune(value: Any, drop: str, replacement: Any) -> Any:
    """A copy in which every field of that name is null or of another kind."""
    if isinstance(value, dict):
        return {k: replacement if k == drop else prune(v, drop, replacement) for k, v in value.items()}
    return [prune(item, drop, replacement) for item in value] if isinstance(value, list) else value


def fields(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for item in value.values() for name in fields(item)}
    return {name for item in value for name in fields(item)} if isinstance(value, list) else set()


@pytest.mark.parametrize("replacement", [None, "text", 7, [], {}, [None], True, -1.5], ids=repr)
def test_a_bad_field_is_refused_in_words_or_breaks_no_page(report: dict[str, Any], replacement: Any) -> None:
    report["before"]["pending"] = [{"number": "n", "action": "activate", "file": "f", "answered": True}]
    refusals = 0
    for field in sorted(fields(report)):
        bad = prune(report, field, replacement)
        for data in (bad, bad | {"pending": [{"host": replacement}]}):
            try:
                seen = Report.from_dict(data, "here")
            except LicensingError as error:
                assert "This is not a" in str(error)
                refusals += 1
                continue
            Page(report_page(seen))
            show(seen.before)
            terminal.overview_tables(seen.before)
            json.dumps(seen.as_dict())
    assert refusals


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


# -- report ---------------------------------------------------------------------------------------------------------


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


# -- text tables ----------------------------------------------------------------------------------------------------


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
    assert ["PROSession", "015.120.065.016", "1", "no", "yes"] in rows
    assert any(row[:4] == ["015.120.064.022", "1", "of", "100"] for row in rows)


def test_overview_tables_fit_a_terminal(overview: dict[str, Any]) -> None:
    overview["licenses"][0].update(type="T" * 300, status="Pending Deactivation")
    overview["profiles"][0]["name"] = "P" * 300
    text = terminal.overview_tables(read(overview))
    assert max(map(len, text.splitlines())) <= 150
    assert "015.120.064.022" in text and "Pending Deactivation" in text


def test_seats_that_nobody_counts_are_not_called_free() -> None:
    overview = Overview(licenses=(LicenseView("015.120.064.022", Status.ACTIVE, seats=100),))
    page = _pages.overview_page(overview, "old", "2026-11-21T19:00:00Z", "0" * 64)
    assert "0 of 100" not in page
    assert "\N{EN DASH} of 100" in page
