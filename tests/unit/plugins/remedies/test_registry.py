# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each text with a remedy that the code can print has a test that does it, or a reason why none can."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest
import yaml
from ansible_collections.aims.licensing.tests.unit.plugins.remedies.printed import CHECKOUT, printed

REGISTRY = yaml.safe_load(Path(__file__).with_name("registry.yml").read_text(encoding="utf-8"))
LISTED = [text for part in REGISTRY.values() for row in part for text in row["texts"]]


def test_each_remedy_that_can_be_printed_is_listed() -> None:
    """List a new text in registry.yml with the test that does what it says."""
    found = printed()
    missing = {text: file for text, file in found.items() if text not in LISTED}
    assert not missing
    assert not set(LISTED).difference(found), "gone"
    assert [text for text, times in Counter(LISTED).items() if times > 1] == []


@pytest.mark.parametrize("test", [row["by"] for row in REGISTRY["done"]])
def test_the_test_of_a_remedy_is_there(test: str) -> None:
    name, _colons, function = test.partition("::")
    tree = ast.parse((CHECKOUT / "tests" / name).read_text(encoding="utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
