# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the vendor's ``licman``: its two documented commands, word for word, and those that an operator names
(docs/domain.md#license-server-on-linux).

Their output and exit codes are not public: both are repeated to a person, and decide nothing. The activation code is an
argument here and nowhere else; whatever the command prints loses it.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ...errors import redact, refuse
from ...model import Word
from ...system import advice, reason

# Seconds. The command talks with the vendor's authority; nothing says how long that may take.
PATIENCE = 300.0
# Seconds that it has to end after it was asked to.
_GRACE = 10.0
# Seconds that output is read after its end, and between two looks whether it ended.
_LAST, _STEP = 1.0, 0.05
# Seconds that its help has to come.
_HELP = 30.0
# Bytes of its output that are read, and characters that are kept of its end.
_MOST, _KEPT = 1 << 20, 2000
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


class End(Word):
    """How a command ended."""

    EXITED = "exited"
    KILLED = "killed by a signal"
    TIMED_OUT = "timed out"


@dataclass(frozen=True)
class Outcome:
    """What a command left behind, apart from its effect.

    :ivar code: its exit code, or the number of the signal that ended it
    :ivar output: the end of what it printed, without activation codes
    """

    end: End
    code: int
    output: str

    @property
    def in_words(self) -> str:
        how = {
            End.EXITED: f"ended with exit code {self.code}",
            End.KILLED: f"was killed by signal {self.code}",
            End.TIMED_OUT: "did not end, and was stopped",
        }[self.end]
        lines = " | ".join(line.strip() for line in self.output.splitlines() if line.strip())
        return f"{how}; it printed: {lines or 'nothing'}"


class Licman:
    """Runs the vendor's command.

    :param program: its path
    :param patience: seconds until a command that does not end is stopped
    """

    def __init__(self, program: Path, patience: float = PATIENCE) -> None:
        self._program = program
        self._patience = patience

    @property
    def where(self) -> str:
        return str(self._program)

    def activate(self, number: str, code: str) -> Outcome:
        """Activate a machine nodelock; the code is in the process list meanwhile."""
        arguments = ["--nodelock-activate", number, "--type", "machine", "--activation-code", code, "--add-license"]
        return self._run(arguments, code)

    def add_profile(self, profile: str, number: str) -> Outcome:
        """Add a profile for a license."""
        return self._run(["--profile-add", profile, "--license", number])

    def run(self, arguments: Sequence[str], code: str = "") -> Outcome:
        """Run a command that an operator names.

        :param code: the activation code among its arguments, or ""
        """
        return self._run(arguments, code)

    def help(self) -> str:
        """Return what ``licman --help`` prints, whatever its exit code.

        :raises LicensingError: it prints nothing, or does not end by itself
        """
        outcome = self._run(["--help"], kept=_MOST, patience=min(_HELP, self._patience))
        if outcome.end is not End.EXITED or not outcome.output.strip():
            how = {
                End.EXITED: "prints nothing",
                End.KILLED: f"was killed by signal {outcome.code}",
                End.TIMED_OUT: "does not end",
            }[outcome.end]
            raise refuse(
                f"licman --help {how}, so that the commands named for it cannot be confirmed.",
                self.where,
                "Remove the commands (aims_license_server_vendor_commands), and do these steps in the license manager.",
            )
        return outcome.output

    def _run(
        self, arguments: Sequence[str], code: str = "", *, kept: int = _KEPT, patience: float | None = None
    ) -> Outcome:
        try:
            # A group of its own, so that all of it can be ended, and Ctrl-C on a terminal ends none of it.
            process = subprocess.Popen(
                [str(self._program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=_environment(),
                start_new_session=True,
            )
        except OSError as error:
            raise refuse(f"licman cannot be run: {reason(error)}.", self.where, advice(error)) from None
        with process:
            until = time.monotonic() + (self._patience if patience is None else patience)
            output, in_time = _read(process, process.stdout, until)
            if not in_time:
                _end(process)
            status = process.wait()
        end = End.TIMED_OUT if not in_time else End.KILLED if status < 0 else End.EXITED
        return Outcome(end, abs(status), without_code(decode(output), code)[-kept:])


def _environment() -> dict[str, str]:
    """Return the machine's environment with words in English; what it says of a proxy stays."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    return {**kept, "LC_ALL": "C", "LANG": "C"}


def _read(process: subprocess.Popen[bytes], stream: IO[bytes] | None, until: float) -> tuple[bytes, bool]:
    """Read a command's output to its end; return it, and whether the command ended in time.

    Whatever it leaves behind may hold the output open, so that its own end counts.
    """
    output = bytearray()
    if stream is None:
        return b"", process.poll() is not None
    is_open, left = True, _LAST
    with selectors.DefaultSelector() as selector:
        os.set_blocking(stream.fileno(), False)
        selector.register(stream, selectors.EVENT_READ)
        while time.monotonic() < until and left > 0:
            if process.poll() is not None:
                left -= _STEP
            if not is_open:
                time.sleep(_STEP)
            elif selector.select(_STEP):
                data = os.read(stream.fileno(), 65536)
                is_open = bool(data)
                # The end of a flood tells why; its beginning does not.
                output = (output + data)[-_MOST:]
            if not is_open and process.poll() is not None:
                break
    return bytes(output), process.poll() is not None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and all that it has started."""
    _signal(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    _signal(process, signal.SIGKILL)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    # Of a group that has ended nothing is left to signal.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def decode(output: bytes) -> str:
    """Return what a command printed as text, in whatever encoding it was."""
    if output.count(b"\0") * 3 > len(output):
        text = output.decode("utf-16-be" if output[:1] == b"\0" else "utf-16-le", errors="replace")
    else:
        text = output.decode("utf-8", errors="replace")
    return _ESCAPES.sub("", text).replace("\0", "").replace("\ufeff", "")


def without_code(text: str, code: str) -> str:
    """Return a text without an activation code, however the code is written there: spaced, broken, or in part."""
    letters = [re.escape(letter) for letter in code if letter.isalnum()]
    if letters:
        text = re.sub(r"[\W_]*".join(letters), "…", text, flags=re.IGNORECASE)
        for group in code.split("-"):
            text = re.sub(re.escape(group), "…", text, flags=re.IGNORECASE)
    return redact(text)
