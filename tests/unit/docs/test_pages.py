# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages agree with the code: generated tables are current, and files, classes, headings and modules exist."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[3]
PAGES = [CHECKOUT / "README.md", *sorted(CHECKOUT.glob("docs/*.md")), *sorted(CHECKOUT.glob("roles/*/README.md"))]
SOURCES = [
    path
    for folder in ("plugins", "roles", "playbooks", "tests", "tools", "extensions")
    for path in sorted((CHECKOUT / folder).rglob("*"))
    if path.suffix in {".py", ".yml", ".md", ".j2"} and path != Path(__file__)
]
CODE = [path for path in SOURCES if path.suffix == ".py"]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(CHECKOUT).as_posix())


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub forms them."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    }


def test_the_tables_of_variables_and_modules_are_current() -> None:
    command = [sys.executable, str(CHECKOUT / "tests" / "docs" / "reference.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_citation_of_the_domain_names_a_heading_of_it() -> None:
    known = anchors(CHECKOUT / "docs" / "domain.md")
    cited: set[str] = set()
    for path in [*SOURCES, *PAGES]:
        text = path.read_text(encoding="utf-8")
        for anchor in re.findall(r"domain\.md#([\w-]+)", text):
            assert anchor in known, f"{path.relative_to(CHECKOUT)} cites {anchor}"
            cited.add(anchor)
        assert not re.search(r"\bDOMAIN\.md|\(S[01]\)|\(H\d{2,3}\)|\bD (licsrv|pro)/", text), path.relative_to(CHECKOUT)
    assert len(cited) > 9


@each_page
def test_each_link_to_a_heading_leads_to_it(page: Path) -> None:
    for place, anchor in re.findall(r"\]\(([^)#: ]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
        other = (page.parent / place) if place else page
        assert anchor in anchors(other), f"{place}#{anchor}"


def named_files(page: Path) -> Iterator[str]:
    """Yield the Python files that a page names."""
    yield from re.findall(r"(?<![\w/.*…-])([\w./]+\.py)\b", page.read_text(encoding="utf-8"))


@each_page
def test_each_python_file_that_a_page_names_exists(page: Path) -> None:
    paths = ["/" + path.relative_to(CHECKOUT).as_posix() for path in CODE]
    for name in named_files(page):
        assert any(path.endswith("/" + name) for path in paths), name


@each_page
def test_each_class_and_method_that_a_page_names_exists(page: Path) -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in CODE)
    for owner, member in re.findall(r"`([A-Z][a-z]\w+)\.(_?[a-z]\w+)`", page.read_text(encoding="utf-8")):
        assert re.search(rf"^class {owner}\b", code, re.MULTILINE), owner
        assert re.search(rf"\bdef {member}\b|\b{member}: ", code), f"{owner}.{member}"


def test_the_release_notes_describe_each_module_as_its_documentation_does() -> None:
    section = (
        (CHECKOUT / "CHANGELOG.rst").read_text(encoding="utf-8").partition("New Modules")[2].partition("New Roles")[0]
    )
    notes = dict(re.findall(r"^- (aims_license_\w+) - (.+)\.$", section, re.MULTILINE))
    for path in sorted((CHECKOUT / "plugins" / "modules").glob("aims_*.py")):
        documentation = path.read_text(encoding="utf-8").partition('DOCUMENTATION = r"""')[2].partition('"""')[0]
        assert notes[path.stem] == yaml.safe_load(documentation)["short_description"]
