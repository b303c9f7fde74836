# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes whose clock is wrong: Python's, as nothing else here may set a machine's."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

_SHIFT = """
import datetime
import os

class Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=float(os.environ["AIMS_CLOCK_SECONDS"]))

datetime.datetime = Shifted
"""


def environment(folder: Path, by: timedelta) -> dict[str, str]:
    """What shifts the clock of a Python process and of what it starts.

    :param folder: for what Python loads at its start
    :param by: how far the clock is ahead
    """
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(_SHIFT, encoding="utf-8")
    return {"PYTHONPATH": str(folder), "AIMS_CLOCK_SECONDS": str(by.total_seconds())}


def interpreter(folder: Path, name: str, by: timedelta) -> str:
    """Make a Python whose clock is wrong, for ``ansible_python_interpreter``; return its path."""
    settings = " ".join(f"{key}='{value}'" for key, value in environment(folder, by).items())
    path = folder / name
    path.write_text(f'#!/bin/sh\nexec env {settings} "{sys.executable}" "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return str(path)
