# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each fact of docs/domain.md has a row that names its tests, or says why there is none."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.remedies import REMEDIES
from support.worked_example import GRANTS, WORKED_EXAMPLE

CHECKOUT = Path(__file__).resolve().parents[3]
PAGE = (CHECKOUT / "docs" / "domain.md").read_text(encoding="utf-8")
TABLE = "Facts and their tests"
_ROW = re.compile(r"\| \[(.+?)\]\(#([\w-]+)\) \| (.+?) \| (.+?) \| (.+?) \|")
_WHY_NOT = "Not checked: "
_TOGETHER = "All of them"


@dataclass(frozen=True)
class Row:
    """A row of the table.

    :ivar anchor: of the fact's section
    :ivar fact: in a few words; "All of them" stands for the facts of a section that are checked together
    :ivar modules: modules that rely on the fact, by the ends of their paths
    :ivar tests: as ``file::function`` or ``file::Class::function``, files by the ends of their paths
    :ivar reason: why no test checks it, or ""
    """

    title: str
    anchor: str
    fact: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    reason: str


def anchor_of(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def sections_of(page: str) -> list[tuple[str, str]]:
    """Return the sections that state facts: title and text."""
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    return [(title, text) for title, text in zip(parts[1::2], parts[2::2]) if title != TABLE]


def rows_of(page: str) -> list[Row]:
    """Read the table.

    :raises ValueError: a line of it is no row
    """
    lines = [line for line in page.partition(f"## {TABLE}\n")[2].splitlines() if line.startswith("|")]
    rows = []
    for line in lines[2:]:
        match = _ROW.fullmatch(line)
        if match is None:
            raise ValueError(f"This is no row of section, fact, module and check: {line}")
        title, anchor, fact, modules, checked = match.groups()
        reason = checked.removeprefix(_WHY_NOT) if checked.startswith(_WHY_NOT) else ""
        tests = () if reason else tuple(re.findall(r"`([^`]+)`", checked))
        rows.append(Row(title, anchor, fact, tuple(re.findall(r"`([^`]+)`", modules)), tests, reason))
    return rows


def matching(name: str, folder: str) -> list[Path]:
    """Return the Python files below a folder whose paths end so."""
    return [path for path in sorted((CHECKOUT / folder).rglob("*.py")) if path.as_posix().endswith(f"/{name}")]


@cache
def functions_of(path: Path) -> frozenset[str]:
    """Return the tests of a file, those of a class as ``Class::function``."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        names |= {f"{prefix}{part.name}" for part in inner if isinstance(part, ast.FunctionDef)}
    return frozenset(name for name in names if name.rpartition("::")[2].startswith("test_"))


def problems_of(page: str, cited: frozenset[str]) -> list[str]:
    """Say what is wrong with the table of a page.

    :param cited: the anchors that code cites
    """
    rows, sections = rows_of(page), sections_of(page)
    titles = {anchor_of(title): title for title, _text in sections}
    twice = duplicates([title for title, _text in sections])
    problems = [f"{title}: two sections have this heading" for title in twice]
    for title, text in sections:
        own = [row for row in rows if row.anchor == anchor_of(title)]
        facts = max(len(re.findall(r"^(?:-|\d+\.) ", text, re.MULTILINE)), 1)
        if len(own) < facts and not any(row.fact.startswith(_TOGETHER) for row in own):
            problems.append(f"{title}: {len(own)} rows for {facts} facts")
        if anchor_of(title) in cited and not any(row.tests for row in own):
            problems.append(f"{title}: code cites it, and no test checks a fact of it")
    for row in rows:
        if titles.get(row.anchor) != row.title:
            problems.append(f"{row.title}: no section has this heading and anchor")
        if not row.tests and not row.reason.strip(" ."):
            problems.append(f"{row.title}: a row has neither a test nor a reason")
        problems += [f"{row.title}: {name} is no module" for name in row.modules if len(matching(name, "plugins")) != 1]
        problems += [f"{row.title}: {name} is no test" for name in row.tests if not is_test(name)]
    return problems


def duplicates(titles: list[str]) -> list[str]:
    return sorted({title for title in titles if titles.count(title) > 1})


def is_test(name: str) -> bool:
    """Whether a name is that of one test."""
    file, _colons, function = name.partition("::")
    files = matching(file, "tests")
    return len(files) == 1 and function in functions_of(files[0])


def cited_by_code() -> frozenset[str]:
    code = [path.read_text(encoding="utf-8") for path in sorted((CHECKOUT / "plugins").rglob("*.py"))]
    return frozenset(anchor for text in code for anchor in re.findall(r"domain\.md#([\w-]+)", text))


def test_each_fact_names_its_tests_or_says_why_there_is_none() -> None:
    cited = cited_by_code()
    assert problems_of(PAGE, cited) == []
    assert cited <= {row.anchor for row in rows_of(PAGE)}
    assert len(cited) > 15 and sum(bool(row.tests) for row in rows_of(PAGE)) > 60


GOOD = """## A fact

- It is so.

## Facts and their tests

| Section | Fact | Relied on by | Checked by |
|---|---|---|---|
| [A fact](#a-fact) | It is so | `_licensing/remedies.py` | `docs/test_domain.py::test_a_page_with_a_gap_is_told` |
"""


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("- It is so.\n", "- It is so.\n- And so.\n", "A fact: 1 rows for 2 facts"),
        ("## Facts and", "## Another\n\nIt is so.\n\n## Facts and", "Another: 0 rows for 1 facts"),
        ("## Facts and", "## A fact\n\n## Facts and", "A fact: two sections have this heading"),
        ("a_gap_is_told`", "no_gap`", "A fact: docs/test_domain.py::test_a_page_with_no_gap is no test"),
        ("`docs/test_d", "`docs/test_g", "A fact: docs/test_gomain.py::test_a_page_with_a_gap_is_told is no test"),
        ("`_licensing/rem", "`rim", "A fact: rimedies.py is no module"),
        ("`docs/test_domain.py::test_a_page_with_a_gap_is_told`", "—", "A fact: a row has neither a test nor a reason"),
        (
            "`docs/test_domain.py::test_a_page_with_a_gap_is_told`",
            "Not checked: a person does it.",
            "A fact: code cites it, and no test checks a fact of it",
        ),
        ("(#a-fact)", "(#a-fiction)", "A fact: no section has this heading and anchor"),
    ],
)
def test_a_page_with_a_gap_is_told(old: str, new: str, problem: str) -> None:
    cited = frozenset({"a-fact"})
    assert problems_of(GOOD, cited) == []
    assert GOOD.count(old) == 1
    assert problem in problems_of(GOOD.replace(old, new), cited)


def test_a_line_that_is_no_row_is_told() -> None:
    with pytest.raises(ValueError, match="This is no row"):
        rows_of(GOOD.replace(" | It is so |", " |"))


def test_each_known_message_of_the_page_has_a_remedy() -> None:
    (text,) = [text for title, text in sections_of(PAGE) if title == "Known messages"]
    messages = re.findall(r'^- "([^"]+)"', text, re.MULTILINE)
    assert sorted(messages) == sorted(message for message, _todo in REMEDIES)


def test_the_worked_example_of_the_tests_is_that_of_the_page() -> None:
    (text,) = [text for title, text in sections_of(PAGE) if title == "Worked example"]
    shown = [tuple(line.strip("| ").split(" | ")) for line in text.splitlines() if line.startswith("| 015")]
    assert shown == [
        (
            license["number"],
            GRANTS[license["number"]]["type"],
            str(GRANTS[license["number"]]["seats"]),
            license["profile"],
            "yes" if license.get("default") else "no",
        )
        for license in WORKED_EXAMPLE
    ]
