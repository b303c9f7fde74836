# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells tests where a run stands, and cuts it off, holds it or has a task fail there; see tests/support/events.py."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: aims_events
type: aggregate
short_description: Cuts runs off between two tasks
description: For the tests of this collection only; it is governed by environment variables named AIMS_EVENTS_*.
"""


class CallbackModule(CallbackBase):
    """An event is ``PHASE|TASK|HOW MANIETH OF THAT NAME``; the phase is start or end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "aims_events"

    def __init__(self) -> None:
        super().__init__()
        self._log = os.environ.get("AIMS_EVENTS_LOG")
        self._kill = os.environ.get("AIMS_EVENTS_KILL")
        self._spoil = os.environ.get("AIMS_EVENTS_SPOIL")
        self._hold = os.environ.get("AIMS_EVENTS_HOLD", "").splitlines()
        self._seen: Counter[str] = Counter()

    def _come_to(self, phase: str, task: Any) -> str:
        name = task.get_name().rpartition(" : ")[2]
        self._seen[f"{phase}|{name}"] += 1
        event = f"{phase}|{name}|{self._seen[f'{phase}|{name}']}"
        if self._log:
            with Path(self._log).open("a", encoding="utf-8") as log:
                log.write(f"{event}\n")
        if event == self._kill:
            os.kill(os.getpid(), signal.SIGKILL)
        if event in self._hold or self._hold == [phase]:
            os.kill(os.getpid(), signal.SIGSTOP)
        return event

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        if self._come_to("start", task) == self._spoil:
            task.args = {**task.args, "spoiled": True}

    def v2_runner_on_ok(self, result: Any) -> None:
        self._come_to("end", result.task)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._come_to("end", result.task)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._come_to("end", result.task)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._come_to("end", result.task)
