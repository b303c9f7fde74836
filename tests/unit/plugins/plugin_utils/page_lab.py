# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages as a browser reads them, and what is asked of them."""

from __future__ import annotations

import base64
import html.parser
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview, ServerView
from ansible_collections.aims.licensing.plugins.plugin_utils._rendering import pages
from ansible_collections.aims.licensing.plugins.plugin_utils._report.page import report_page
from ansible_collections.aims.licensing.plugins.plugin_utils._report.report import Report

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


def read(overview: Any) -> Overview:
    return Overview.from_dict(overview, "here")


def show(overview: Any) -> Page:
    seen = overview if isinstance(overview, Overview) else read(overview)
    return Page(pages.overview_page(seen, "old.example.com", "2026-11-21T19:00:00Z", "bundle-digest"))


def page_of(report: Any) -> str:
    return report_page(report if isinstance(report, Report) else Report.from_dict(report, "here"))


def headline(report: Any) -> str:
    return Page(page_of(report)).texts["h1"][0]
