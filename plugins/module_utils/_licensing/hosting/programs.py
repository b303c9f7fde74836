# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs programs of the system that only have to answer."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence


def answer_of(command: Sequence[str], *, seconds: float, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program without input and return what it printed.

    One that cannot be started, or that takes longer, answers with exit code 127 and the reason as its error.

    :param seconds: how long to wait for its end
    :param variables: of its environment, beside those of this process; the locale is C unless LC_ALL is among them
    """
    environment = {**os.environ, "LC_ALL": "C", **variables}
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))
