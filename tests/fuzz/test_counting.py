# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A long run that gave a format fewer inputs than it was asked for does not end as if it had."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COUNTS_ONE = """
from ansible_collections.aims.licensing.tests.fuzz.counting import count
def test_one():
    count("one")
"""


@pytest.mark.parametrize("asked, chosen, code", [("2", "", 1), ("1", "", 0), ("2", "one", 0), ("", "", 0)])
def test_too_few_inputs_fail_a_long_run_of_all_the_tests(tmp_path: Path, asked: str, chosen: str, code: int) -> None:
    config = Path(__file__).with_name("conftest.py")
    (tmp_path / "conftest.py").write_bytes(config.read_bytes())
    (tmp_path / "test_one.py").write_text(COUNTS_ONE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen, str(tmp_path)],
        env={**os.environ, "AIMS_FUZZ": asked, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert ("fewer than the 2" in done.stdout) is (asked == "2")
