# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes down everything that Ansible hands to a callback, so that a test knows what any of them could show."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: aims_everything
type: aggregate
short_description: Writes down what callbacks are given
description: For the tests of this collection only; AIMS_EVERYTHING names the file.
"""


class CallbackModule(CallbackBase):
    """Each event as a line: the task with its arguments, as they are then, and the result."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "aims_everything"

    def _write(self, *parts: Any) -> None:
        with Path(os.environ["AIMS_EVERYTHING"]).open("a", encoding="utf-8") as log:
            log.write(" ".join(map(repr, parts)) + "\n")

    def _result(self, result: Any, *more: Any) -> None:
        task = getattr(result, "task", None) or result._task
        outcome = getattr(result, "result", None) or result._result
        fields = getattr(result, "_task_fields", None)
        self._write(task.name, task.args, fields, dict(outcome), *more)

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._write("start", task.name, task.args)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._write("on", host, task.name, task.args)

    def v2_playbook_on_include(self, included_file: Any) -> None:
        self._write("include", included_file._args, included_file._vars)

    v2_runner_on_ok = v2_runner_on_skipped = v2_runner_on_unreachable = _result
    v2_runner_on_failed = v2_runner_retry = _result
    v2_runner_item_on_ok = v2_runner_item_on_failed = v2_runner_item_on_skipped = v2_on_file_diff = _result
