# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said where a library is missing, or there and broken."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.requirements import missing, require_tornado


def _loaded() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "tornado"]


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which Python looks for tornado first, as if it had never been loaded."""
    real = {name: sys.modules.pop(name) for name in _loaded()}
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "tornado").mkdir()
    yield tmp_path / "tornado"
    for name in _loaded():
        del sys.modules[name]
    sys.modules.update(real)


def test_a_library_that_is_not_there_is_named_with_its_packages(other: Path) -> None:
    (other / "__init__.py").write_text("", encoding="utf-8")
    with pytest.raises(LicensingError, match=r"'tornado' is missing.*python3-tornado"):
        require_tornado()


def test_a_library_that_does_not_load_is_told_with_what_it_says(other: Path) -> None:
    (other / "__init__.py").write_text("raise ValueError('cut short')", encoding="utf-8")
    (problem,) = missing(require_tornado)
    assert problem.what == "The Python library 'tornado' does not load: cut short."
    assert problem.todo == "Install the distribution's package again."


def test_what_is_there_is_no_problem() -> None:
    assert missing(require_tornado) == []
