# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who held which seat from when to when, as a CSV file for auditors (docs/monitoring.md#who-held-what).

A seat gets its row when it ends. The rows of a batch are one write without a sync: they survive the end of the process,
and no client waits for a disk.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Callable

from ..files import PRIVATE
from .metrics import Metrics
from .pool import Seat

FILE = "Logging/Usage.csv"
COLUMNS = ("from", "to", "user", "client", "address", "profile", "license")
# About a year of a thousand seats a day.
BYTES = 4 << 20
FILES = 10
# A spreadsheet takes a value that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

log = logging.getLogger("licsrv")


class UsageLog:
    """The usage log of a home.

    :param is_on: whether it is written now
    :param now: returns the current time as text (UTC, ISO 8601)
    """

    def __init__(self, path: Path, is_on: Callable[[], bool], now: Callable[[], str], metrics: Metrics) -> None:
        self._path = path
        self._is_on = is_on
        self._now = now
        self._metrics = metrics
        self._failing = False

    def add(self, ended: Sequence[Seat]) -> None:
        """Write the rows of seats that have ended. A failure is logged, and the seats are served on."""
        if not ended or not self._is_on():
            return
        to = self._now()
        rows = [(s.since, to, s.user, s.client, s.address, s.profile, s.license) for s in ended]
        try:
            self._append(_csv(rows))
        except OSError as error:
            self._metrics.usage_failures += 1
            if not self._failing:
                log.error("The usage cannot be written to %s: %s. The seats are served on.", self._path, error)
            self._failing = True
        else:
            if self._failing:
                log.warning("The usage can be written again.")
            self._failing = False

    def _append(self, rows: bytes) -> None:
        with contextlib.ExitStack() as stack:
            handle = self._open(stack)
            size = os.fstat(handle).st_size
            if size and size + len(rows) > BYTES:
                self._rotate()
                handle, size = self._open(stack), 0
            data = rows if size else _csv([COLUMNS]) + rows
            if os.write(handle, data) < len(data):
                # No half rows, as on a full disk.
                os.ftruncate(handle, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _open(self, stack: contextlib.ExitStack) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(self._path, flags, PRIVATE)
        stack.callback(os.close, handle)
        return handle

    def _rotate(self) -> None:
        """Rename the file to ``.1``, and so on. The oldest is dropped."""
        names = [self._path, *(self._path.with_name(f"{self._path.name}.{number}") for number in range(1, FILES + 1))]
        for older, newer in zip(reversed(names[1:]), reversed(names[:-1])):
            with contextlib.suppress(FileNotFoundError):
                newer.replace(older)


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[_safe(value) for value in row] for row in rows])
    return text.getvalue().encode()


def _safe(value: str) -> str:
    """Return a value that no spreadsheet runs. An apostrophe that is in front of it is always ours."""
    return f"'{value}" if value.startswith(("'", *_FORMULA)) else value
