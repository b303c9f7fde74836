# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbook runs that are cut off, held or made to fail where a task begins or ends.

``AIMS_FAULTS_LONG=1`` has the tests take every such place alone; otherwise they take every third.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from support import module_cache
from support.lab import CHECKOUT, Lab
from support.runs import Run, Started

LONG = os.environ.get("AIMS_FAULTS_LONG") == "1"


class Events:
    """The events of one run, as far as it has come: ``PHASE|TASK|HOW MANIETH OF THAT NAME``.

    :param lab: the run's laboratory
    :param name: of the file that tells them; runs at the same time want different ones
    """

    def __init__(self, lab: Lab, name: str = "events") -> None:
        self._lab = lab
        self._log = lab.folder / name

    def start(self, playbook: str, *options: str, **environment: str) -> Started:
        self._log.unlink(missing_ok=True)
        settings = {
            "ANSIBLE_CALLBACK_PLUGINS": f"{CHECKOUT / 'tests' / 'callback_plugins'}:{module_cache.PLUGIN}",
            "AIMS_EVENTS_LOG": str(self._log),
            # What it told before it was killed is to be read.
            "PYTHONUNBUFFERED": "1",
        }
        return self._lab.start(playbook, *options, **settings, **environment)

    def play(self, playbook: str, *options: str, **environment: str) -> Run:
        return self.start(playbook, *options, **environment).wait()

    def seen(self) -> list[str]:
        return self._log.read_text(encoding="utf-8").splitlines() if self._log.exists() else []

    def killed(self, playbook: str, at: str, *options: str, **environment: str) -> Run:
        """Run a playbook whose controller is killed at an event, and everything it started with it.

        :return: the run; its code is 0 where it never came to the event
        """
        started = self.start(playbook, *options, AIMS_EVENTS_KILL=at, **environment)
        started.process.wait(timeout=300)
        started.kill()
        run = started.wait()
        if run.code == -signal.SIGKILL and self.seen()[-1] != at:
            raise AssertionError(f"It was not killed at {at} but after {self.seen()[-1]}:\n{run.output}")
        return run


def held(started: Started) -> bool:
    """Wait until a run is held at an event; say whether it was, or is over."""
    while not started.over:
        try:
            state = Path(f"/proc/{started.process.pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][0]
        except OSError:
            continue
        if state == "T":
            return True
        time.sleep(0.005)
    return False


def release(started: Started) -> None:
    """Let a run that is held go on."""
    os.kill(started.process.pid, signal.SIGCONT)


def gaps(events: list[str]) -> list[str]:
    """The places between tasks: before the first, and after each. Where the next begins nothing else has happened."""
    return [events[0], *(event for event in events if event.startswith("end|"))]


def some(events: list[str], first: int = 0) -> list[str]:
    """All events, or in the bounded form every third, from some on."""
    return events if LONG else events[first % 3 :: 3]
