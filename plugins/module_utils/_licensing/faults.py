# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failpoints: named places at which a test lets the core be killed, or lets the system fail it.

A point stands before or after every step that writes, sends or receives. It does nothing unless a test sets ``hook``,
or starts the process with ``AIMS_LICENSING_FAULT=POINT:OCCURRENCE:kill`` (or an ``errno`` name in the place of
``kill``), which is read once, when this module is loaded.
"""

from __future__ import annotations

import errno
import os
import signal
from typing import Callable

ENVIRONMENT = "AIMS_LICENSING_FAULT"
Hook = Callable[[str, str], object]


def reach(point: str, what: str = "") -> None:
    """Pass a point.

    :param point: the point's name, which stands once in the core
    :param what: what is worked on there: the name of a file, the number of a license
    """
    if hook is not None:
        hook(point, what)


def _armed(text: str) -> Hook | None:
    """Read ``POINT:OCCURRENCE:kill`` or ``POINT:OCCURRENCE:EIO``; None where no fault is asked for."""
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
