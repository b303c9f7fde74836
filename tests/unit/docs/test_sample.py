# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A review of the language reads a sample of task names, messages and docstrings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

COMMAND = Path(__file__).resolve().parents[2] / "docs" / "sample.py"


def printed(*arguments: str) -> list[str]:
    command = [sys.executable, str(COMMAND), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_sample_has_ten_texts_of_each_kind_and_is_the_same_for_the_same_seed() -> None:
    lines = printed("--seed", "14")
    assert len(set(lines)) == 30
    names, messages, docstrings = lines[:10], lines[10:20], lines[20:]
    assert all(line.endswith(".yml]") for line in names)
    assert all(" -> " in line and line.endswith(".py]") for line in messages)
    assert all("[plugins/" in line for line in docstrings)
    assert printed("--seed", "14") == lines != printed("--seed", "15")
