# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says at once what this machine lacks for the stand-ins of the tests that are run, before the first is made.

Whoever ends the run by a signal gets them taken away.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hosts import image as hosts
from hosts.conftest import pytest_configure
from playbooks.conftest import some_of
from vendor.windows import image as windows

__all__ = ["pytest_configure"]

_HERE = Path(__file__).parent
_LINUX, _WINDOWS = ("linux", "walks"), ("windows", "walks")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """End the run with one message where a stand-in cannot be made.

    With ``AIMS_SOME_TESTS``, keep of the tests of Windows hosts some only. Those of Linux hosts build on each other.
    """
    if os.environ.get("AIMS_SOME_TESTS"):
        windows_tests = [item for item in items if item.path.parent == _HERE / "windows"]
        left_out = set(windows_tests) - some_of(windows_tests)
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]
    folders = {item.path.relative_to(_HERE).parts[0] for item in items if _HERE in item.path.parents}
    checks = [hosts.check_machine] if folders & {*_LINUX} else []
    checks += [windows.check_machine] if folders & {*_WINDOWS} else []
    problems = []
    for check in checks:
        try:
            check()
        except (hosts.Missing, windows.Missing) as missing:
            problems.append(str(missing))
    if problems:
        pytest.exit("\n".join(problems), returncode=1)
