# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the service of another product on this machine by the program that it starts."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .programs import answer_of

# systemd.unit(5), the first has precedence.
_UNIT_FOLDERS = (
    "etc/systemd/system",
    "run/systemd/system",
    "run/systemd/generator.late",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
)
_LONGEST = 1 << 16
# systemd itself waits for a start for 90 s; a command that takes longer hangs.
_PATIENCE = 120
# Prefixes of a command (systemd.service(5)).
_PREFIXES = "@-:+!|"
_UNIT_OF_PROCESS = re.compile(r"/([^/\n]+\.service)(?:/|$)", re.MULTILINE)


@dataclass(frozen=True)
class Daemon:
    """A service of another product.

    :ivar unit: its systemd unit, such as ``licsrv.service``; None if unknown
    :ivar processes: the numbers of its processes
    """

    unit: str | None = None
    processes: tuple[int, ...] = ()

    @property
    def is_running(self) -> bool:
        return bool(self.processes)


def find_daemon(program: str, root: Path = Path("/"), proc: Path = Path("/proc"), *, is_alive: bool = True) -> Daemon:
    """Find the service that runs a program.

    :param program: the file name of the program that it starts
    :param root: the root folder of the unit files
    :param is_alive: whether this machine's processes belong to this root
    """
    processes = tuple(_processes(program, proc)) if is_alive else ()
    running = [unit for process in processes for unit in _units_of(proc / str(process) / "cgroup")]
    named = list(_units(program, root))
    return Daemon(next(iter([*running, *named]), None), processes)


def process_marks(program: str, proc: Path = Path("/proc")) -> str:
    """Return the processes of a program in a form that changes when one of them is started anew; "" where none runs."""
    marks = []
    for number in _processes(program, proc):
        # It may end in the meantime. What follows its name in parentheses is separated by blanks (proc_pid_stat(5)).
        with contextlib.suppress(OSError, IndexError):
            text = (proc / str(number) / "stat").read_text(encoding="utf-8", errors="replace")
            marks.append(f"{number}@{text.rpartition(')')[2].split()[19]}")
    boot = ""
    with contextlib.suppress(OSError):
        boot = (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return " ".join([boot, *marks]) if marks else ""


def _processes(program: str, proc: Path) -> Iterator[int]:
    for place in sorted(proc.iterdir()):
        if place.name.isdigit():
            # Processes may end in the meantime. The kernel keeps 15 characters of a name.
            with contextlib.suppress(OSError):
                if (place / "comm").read_text(encoding="utf-8", errors="replace").strip() == program[:15]:
                    yield int(place.name)


def _units_of(cgroup: Path) -> list[str]:
    """Return the systemd unit of a process."""
    with contextlib.suppress(OSError):
        return _UNIT_OF_PROCESS.findall(cgroup.read_text(encoding="utf-8", errors="replace"))[-1:]
    return []


def _units(program: str, root: Path) -> Iterator[str]:
    """Yield the units whose files start a program. Masked units start none."""
    seen: set[str] = set()
    for folder in _UNIT_FOLDERS:
        with contextlib.suppress(OSError):
            for place in sorted((root / folder).glob("*.service")):
                if place.name not in seen:
                    seen.add(place.name)
                    if any(PurePosixPath(command).name == program for command in _commands(place)):
                        yield place.name


def _commands(place: Path) -> Iterator[str]:
    """Yield the program of each ExecStart in a unit file. Links out of the root are followed, as systemd does."""
    try:
        if not place.is_file() or os.path.getsize(place) > _LONGEST:  # noqa: PTH202 - as cheap, and beside is_file
            return
        text = place.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.replace("\\\n", " ").splitlines():
        key, equals, value = line.partition("=")
        words = value.strip().lstrip(_PREFIXES).split()
        if equals and key.strip() == "ExecStart" and words:
            yield words[0].strip("\"'")


def unit_state(unit: str) -> tuple[bool, bool]:
    """Return whether systemd runs a unit, and whether it starts it at boot."""
    shown = _systemctl("show", "--property=ActiveState,UnitFileState", unit)
    return "ActiveState=active" in shown.split(), "UnitFileState=enabled" in shown.split()


def enable_now(unit: str) -> None:
    """Have systemd start a unit now and at boot; whether it did is for the caller to see."""
    _systemctl("enable", "--now", unit)


def stop_now(unit: str) -> None:
    """Have systemd stop a unit; at boot it starts as before. Whether it stopped is for the caller to see."""
    _systemctl("stop", unit)


def _systemctl(*arguments: str) -> str:
    return answer_of(["systemctl", *arguments], seconds=_PATIENCE, SYSTEMD_PAGER="").stdout
