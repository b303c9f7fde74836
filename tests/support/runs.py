# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of ansible-playbook: under way, and ended."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from support.worked_example import NUMBERS

MARK = "AIMS_LAB_RUN"


@dataclass(frozen=True)
class Run:
    """A finished ansible-playbook run."""

    code: int
    output: str

    def recap(self) -> dict[str, dict[str, int]]:
        """Return the counts of the recap by host."""
        counts = {}
        for host, rest in re.findall(r"^(\S+)\s+: (ok=.*)$", self.output, re.MULTILINE):
            counts[host] = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", rest)}
        return counts

    def plan_rows(self) -> dict[str, list[str]]:
        """Return the cells of the plan from ``old`` to ``new`` that the run shows, by license."""
        lines = self.output.splitlines()
        start = next(at for at, line in enumerate(lines) if line.startswith("Plan old -> new"))
        rows = [re.split(r"\s{2,}", line.strip()) for line in lines[start + 1 : start + 8]]
        return {row[0]: row[1:] for row in rows if row[0] in NUMBERS}

    @property
    def changed(self) -> int:
        """How many tasks changed something, over all hosts."""
        return sum(counts["changed"] for counts in self.recap().values())


def must(run: Run) -> Run:
    """Return a run that ended well; show the whole of one that did not."""
    if run.code or "Traceback" in run.output:
        raise AssertionError(f"ansible-playbook ended with {run.code}:\n{run.output}")
    return run


class Started:
    """An ansible-playbook run that is under way.

    Ansible's workers are sessions of their own, so a signal to the command's process group does not reach them; they
    are found by a mark in their environment.

    :ivar patience: for how many seconds it may run
    """

    patience = 300.0

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self.mark = secrets.token_hex(8)
        self.log = folder / f"run-{self.mark}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env={**environment, MARK: self.mark},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def over(self) -> bool:
        return self.process.poll() is not None

    def processes(self) -> list[int]:
        """The command and everything that it started, whoever their parents are by now; not the services it leaves."""
        mark = f"{MARK}={self.mark}".encode()
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                service = b"licsrv" in (place / "cmdline").read_bytes().split(b"\0")
                if not service and mark in (place / "environ").read_bytes().split(b"\0"):
                    found.append(int(place.name))
        return found

    def until(self, seen: Callable[[], object]) -> bool:
        """Wait until something is seen on disk; say whether it was. It may be the last that the run does."""
        while not seen():
            if self.over:
                return bool(seen())
            time.sleep(0.0005)
        return True

    def interrupt(self) -> None:
        """Do what Ctrl-C on a terminal does."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """End everything at once, as a loss of power does."""
        while found := self.processes():
            for process in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            self.process.poll()

    def wait(self) -> Run:
        """Wait until nothing of the run is left."""
        code = self.process.wait(timeout=self.patience)
        # Ansible's connections stay for a while after the run.
        for connection in self.log.parent.glob("ansible/cp/*"):
            subprocess.run(["ssh", "-S", str(connection), "-O", "exit", "-"], capture_output=True, check=False)
        until = time.monotonic() + 60
        while self.processes():
            if time.monotonic() > until:
                raise TimeoutError(f"Processes of the run are left: {self.processes()}")
            time.sleep(0.02)
        output = self.log.read_text(encoding="utf-8", errors="replace")
        self.log.unlink()
        return Run(code, output)
