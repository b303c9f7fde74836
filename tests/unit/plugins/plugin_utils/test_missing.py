# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files that move with the licenses a target lacks, and whether a bundle of the source is taken for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Carried
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.manifest import FORMAT, ListedFile, Manifest
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.carried_files import (
    FilesComparison,
    FilesPlan,
    FilesStatus,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.pair import Pair
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.plan import Plan, PlannedLicense, with_files
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.sides import Side
from ansible_collections.aims.licensing.plugins.plugin_utils._planning.steps import Step

KEY, CPX = "ApplicationKeys/app.key", "Licenses/extra.cpx"


def side(host: str, files: dict[str, str], brought: dict[str, str] | None = None, *sources: str) -> Side:
    carried = Carried(files, brought or {}, sources)
    return Side(host, Overview(files=tuple(sorted(files))), carried=carried)


def manifest(**files: str) -> Manifest:
    names = {"key": KEY, "cpx": CPX, "other": "Config/server.json"}
    listed = tuple(ListedFile(names[name], "0600", False, digest, "") for name, digest in files.items())
    return Manifest(FORMAT, "old", None, None, "", "", {}, listed)


def plan(source: Side, target: Side, bundle: Manifest | None = None, **how: bool) -> FilesPlan:
    target = replace(target, returns=how.pop("returns", False))
    digests = bundle.carried if bundle else None
    return FilesComparison(source, target, digests, **{"gives_up": False, "arrives": False, **how}).plan()


def whole(source: Side, target: Side, *steps: Step) -> Plan:
    """A plan with that of its files; each license is at a step."""
    rows = tuple(PlannedLicense(f"{at}", None, "", step, None, 0, None, None) for at, step in enumerate(steps))
    pair = Pair(source, target, (), datetime(2026, 1, 1, tzinfo=timezone.utc))
    return with_files(Plan(rows), pair, None, waived=False)


OLD, NEW = side("old", {KEY: "1", CPX: "2"}), side("new", {})
GONE = replace(side("old", {}), reachable=False)


@pytest.mark.parametrize(
    ("bundle", "how", "fetch"),
    [
        (None, {"gives_up": True, "arrives": True}, False),
        (None, {"arrives": True}, True),
        (None, {}, True),
        (manifest(key="1", cpx="2"), {"arrives": True}, False),
        (manifest(key="1", cpx="2"), {}, False),
        (manifest(key="1", cpx="an older"), {}, True),
        (manifest(key="1", other="3"), {"arrives": True}, True),
    ],
)
def test_a_bundle_is_taken_for_what_no_bundle_has(bundle: Any, how: dict[str, bool], fetch: bool) -> None:
    found = plan(OLD, NEW, bundle, **how)
    assert found.missing == found.expected == (KEY, CPX) and found.fetch is fetch and not found.unknown


def test_what_is_there_by_name_comes_anew_with_a_license_and_not_without() -> None:
    there = side("new", {KEY: "an older", CPX: "2"}, {KEY: "an older"}, "old")
    settled = plan(OLD, there)
    assert settled.missing == () and settled.fetch is False
    assert plan(OLD, there, arrives=True).fetch is True
    assert [note.partition(" ")[0] for note in settled.notes] == [KEY]


@pytest.mark.parametrize(
    ("target", "missing"),
    [
        (side("new", {KEY: "renewed", CPX: "2"}, {KEY: "1", CPX: "2"}), []),
        (side("new", {KEY: "renewed", CPX: "2"}, {}, "old"), []),
        (side("new", {KEY: "an older", CPX: "2"}, {KEY: "an older"}), [KEY]),
        (side("new", {KEY: "its own", CPX: "2"}, {}, "another"), [KEY]),
        (side("new", {KEY: "0" * 64, CPX: "2"}, {}, "another"), []),
    ],
)
def test_a_file_of_an_earlier_stay_counts_as_missing_and_one_that_was_renewed_does_not(
    target: Side, missing: list[str]
) -> None:
    assert [*plan(OLD, target).missing] == missing


def test_a_link_on_the_target_is_there_and_one_on_the_source_does_not_move() -> None:
    linked = replace(side("new", {CPX: "2"}), overview=Overview(files=(KEY, CPX)))
    assert plan(OLD, linked).missing == ()
    source = replace(side("old", {CPX: "2"}), overview=Overview(files=(KEY, CPX)))
    assert plan(source, NEW).expected == (CPX,)


def test_what_a_source_no_longer_has_is_in_its_bundle_unless_it_is_taken_as_it_is() -> None:
    assert plan(side("old", {}), NEW, manifest(key="1")).missing == (KEY,)
    assert plan(side("old", {}), NEW, manifest(key="1"), gives_up=True, arrives=True).expected == ()


@pytest.mark.parametrize(
    ("target", "bundle", "how", "unknown"),
    [
        (NEW, None, {}, True),
        (NEW, manifest(), {}, False),
        (side("new", {}, {}, "old"), None, {}, False),
        (side("new", {}, {}, "another"), None, {}, True),
        (NEW, None, {"returns": True}, False),
        (NEW, None, {"waived": True}, False),
    ],
)
def test_nobody_can_tell_without_source_bundle_and_record(
    target: Side, bundle: Any, how: dict[str, bool], unknown: bool
) -> None:
    found = plan(GONE, target, bundle, **how)
    assert found.unknown is unknown and found.fetch is False
    assert bool(found.notes) is bool(how)


def test_a_plan_is_not_settled_without_its_files_and_a_report_tells_what_is_still_missing() -> None:
    lacks = whole(OLD, NEW, Step.KEEP)
    assert not lacks.is_settled and lacks.as_dict()["files"]["words"] == [f"Files missing on new: {KEY}, {CPX}"]
    assert whole(OLD, side("new", {KEY: "1", CPX: "2"}), Step.KEEP).is_settled
    status = FilesStatus.of(lacks.files, Overview(files=(CPX,)))
    assert status.missing == (KEY,) and not status.is_complete
    assert KEY in status.problems("old", "new")[0].what
    for complete in (replace(status, waived=True), FilesStatus.of(lacks.files, OLD.overview)):
        assert complete.is_complete and complete.problems("old", "new") == []
    assert FilesStatus.of(None, Overview()).as_dict() == {"missing": [], "unknown": False, "waived": False}


def test_a_plan_comes_back_as_it_was_returned() -> None:
    plan = replace(whole(OLD, NEW, *Step), users=("CORP\\anna",), limits=("x",), returned=("1",), next_step="y")
    # What is to be known of its files is among the notes of the plan.
    expected = replace(plan, files=replace(plan.files, notes=())) if plan.files else plan
    assert Plan.from_dict(plan.as_dict(), "here") == expected
    with pytest.raises(
        LicensingError, match=r"This is not a plan: licenses\[0\].step is not a step of a plan. \[here\]"
    ):
        Plan.from_dict({"licenses": [{"number": "1", "step": "dance"}]}, "here")


def test_names_from_a_host_write_no_lines_of_their_own() -> None:
    name = "ApplicationKeys/x\nPLAY RECAP"
    files = whole(side("old", {name: "1"}), NEW).files
    assert files is not None
    status = FilesStatus.of(files, Overview())
    assert all("\n" not in text for text in (*files.words, status.problems("old", "new")[0].what))


@pytest.mark.parametrize(
    "said",
    [[], "x", 7, None, {"files": ["x"]}, {"files": {KEY: {}}, "sources": 5, "brought": []}, {"files": {KEY: "1"}}],
)
@pytest.mark.parametrize("listed", [None, 7, "x", [None, 7, {}, KEY], [KEY, "Config/server.json"]])
def test_whatever_a_host_says_of_its_files_is_taken_for_what_it_is_or_refused_in_words(said: Any, listed: Any) -> None:
    overview = {"server": {"realm": None}, "licenses": [], "profiles": [], "users": [], "files": listed}
    data = {"host": "old", "overview": overview, "carried": said}
    if listed != [KEY, "Config/server.json"] or said in ("x", 7) or (said and said != {"files": {KEY: "1"}}):
        with pytest.raises(LicensingError, match="This is not a"):
            Side.from_dict(data, "source")
        return
    host = Side.from_dict(data, "source")
    assert set(plan(host, replace(host, host="new"), arrives=True).expected) == {KEY}
    assert FilesStatus.of(FilesPlan(expected=(KEY,)), host.overview).missing == ()
