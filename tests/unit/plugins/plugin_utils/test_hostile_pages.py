# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages show what a host sends as text, load and run nothing, and no bad field breaks them."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering import pages, terminal
from ansible_collections.aims.licensing.plugins.plugin_utils._report.page import report_page
from ansible_collections.aims.licensing.plugins.plugin_utils._report.report import Report
from ansible_collections.aims.licensing.tests.unit.plugins.plugin_utils.page_lab import (
    REALM,
    Page,
    license_of,
    page_of,
    read,
    show,
)


def test_no_code_and_no_key_is_shown(overview: dict[str, Any], report: dict[str, Any]) -> None:
    overview["licenses"].append(license_of("015.120.070.001", "AIMMS VAR", 5, var=True))
    rendered = (
        pages.overview_page(read(overview), "h", "m", "d"),
        page_of(report),
        terminal.overview_tables(read(overview)),
    )
    assert [page for page in rendered if "PLANTED" in page or REALM.key in page] == []


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
    sources = [pages.overview_page(read(poisoned), HOSTILE, HOSTILE, HOSTILE)]
    sources += [page_of(hostile), page_of(done)]
    for source in sources:
        page = Page(source)
        assert "script" not in {tag for tag, _attrs in page.tags}
        assert HOSTILE in page.text


def test_unprintable_characters_are_replaced(overview: dict[str, Any]) -> None:
    overview["profiles"][0]["name"] = "a\x1b[31m\u202eb\ud800\x00c"
    overview["users"] = ["x\ny"]
    seen = read(overview)
    for text in (pages.overview_page(seen, "h", "m", "d"), terminal.overview_tables(seen)):
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
