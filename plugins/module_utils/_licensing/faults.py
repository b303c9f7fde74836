# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failpoints: named places where a test kills the process or injects a system error.

There is a point before or after every step that writes, sends or receives. It does nothing unless a test sets ``hook``,
or starts the process with ``AIMS_LICENSING_FAULT=POINT:OCCURRENCE:kill`` (or an ``errno`` name instead of ``kill``).
This variable is read once, at import.
"""

from __future__ import annotations

import errno
import os
import signal
from typing import Callable

ENVIRONMENT = "AIMS_LICENSING_FAULT"
Hook = Callable[[str, str], object]


def reach(point: str, what: str = "") -> None:
    """Pass a failpoint.

    :param point: the name of the point, unique in the core
    :param what: the object in work, such as a file name or a license number
    """
    if hook is not None:
        hook(point, what)


def _armed(text: str) -> Hook | None:
    """Read ``POINT:OCCURRENCE:kill`` or ``POINT:OCCURRENCE:EIO``. Return None for any other text."""
    point, _colon, rest = text.partition(":")
    count, _colon, fault = rest.partition(":")
    if not point or not count.isdigit():
        return None
    left = int(count)

    def act(reached: str, what: str) -> None:
        nonlocal left
        left -= reached == point
        if reached == point and left == 0:
            if fault == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            number = getattr(errno, fault)
            raise OSError(number, os.strerror(number))

    return act


hook: Hook | None = _armed(os.environ.get(ENVIRONMENT, ""))
