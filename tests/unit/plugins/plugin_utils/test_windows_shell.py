# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands for a Windows host, and what is made of answers that are none."""

from __future__ import annotations

import re
import subprocess
import time
from typing import Callable

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.shell import LONGEST, Shell

Answer = Callable[[str], bytes]


class Prompt:
    """A connection to a host that answers a mark with some bytes."""

    def __init__(self, answer: Answer, errors: bytes = b"") -> None:
        self._answer, self._errors = answer, errors
        self.lines: list[str] = []

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        self.lines.append(cmd)
        mark = re.search("aims-[0-9a-f]{16}", cmd)
        assert mark
        return 0, self._answer(mark[0]), self._errors


def test_each_command_has_its_own_lines() -> None:
    prompt = Prompt(lambda mark: f"{mark}\r\na\r\nä\u2028b\r\n{mark}\r\n{mark}\r\n".encode("utf-16-le"))
    assert Shell(prompt, "win").run(["dir /b", "dir /b >nul"]) == [["a", "ä\u2028b"], []]
    assert prompt.lines[0].startswith("cmd /d /v:off /u /c echo aims-")
    assert "^&dir /b ^>nul^&" in prompt.lines[0]


def test_what_a_host_greets_with_is_passed_over() -> None:
    prompt = Prompt(lambda mark: b"Nur f\x81r Befugte!\r\n" + f"{mark}\r\na\r\n{mark}\r\n".encode("utf-16-le"))
    assert Shell(prompt, "win").run(["dir /b"]) == [["a"]]


def test_an_exit_code_is_whole() -> None:
    prompt = Prompt(lambda mark: f"{mark}\r\n{mark}3010\r\n".encode("utf-16-le"))
    assert Shell(prompt, "win").exit_code("msiexec /?") == 3010
    assert "!errorlevel!" in prompt.lines[0]


@pytest.mark.parametrize(
    "answer",
    [
        lambda mark: f"{mark}\r\na\r\n".encode("utf-16-le"),
        lambda mark: f"{mark}\r\na".encode("utf-16-le") + b"x",
        lambda mark: mark.encode("utf-16-le"),
    ],
)
def test_an_answer_that_is_cut_off_is_not_used(answer: Answer) -> None:
    with pytest.raises(LicensingError, match="ends in the middle"):
        Shell(Prompt(answer), "win").run(["dir /b"])
    with pytest.raises(LicensingError, match="ends in the middle"):
        Shell(Prompt(answer), "win").exit_code("ver")


@pytest.mark.parametrize(
    ("answer", "errors", "words"),
    [
        (lambda mark: b"", b"The ampersand (&) character is not allowed.", "It printed: The ampersand"),
        (lambda mark: f"{mark}\r\n{mark}\r\n".encode(), b"", "It printed: aims-"),
        (lambda mark: b"", b"", "does not answer as the Windows command prompt does. "),
        (lambda mark: b"", b"code ABCDE-FGHIJ-KLMNO-PQRST-UVWXY \x1b[31m", "It printed: code …"),
    ],
)
def test_a_host_without_that_command_prompt_is_said_to_be_one(answer: Answer, errors: bytes, words: str) -> None:
    with pytest.raises(LicensingError) as refused:
        Shell(Prompt(answer, errors), "win").run(["dir /b"])
    assert words in str(refused.value)
    assert "\x1b" not in str(refused.value)
    assert "DefaultShell" in refused.value.problems[0].todo


def test_a_command_that_does_not_end_is_ended_on_the_controller() -> None:
    started: list[subprocess.Popen[bytes]] = []

    def hang(mark: str) -> bytes:
        started.append(subprocess.Popen(["sleep", "60"]))
        started[0].wait()
        return b""

    begun = time.monotonic()
    with pytest.raises(LicensingError, match=r"did not answer within 0\.2 seconds; whether it did what was asked"):
        Shell(Prompt(hang), "win").run(["dir /b"], patience=0.2)
    assert time.monotonic() - begun < 5
    assert started[0].wait(5)


def test_a_failure_of_the_connection_is_passed_on() -> None:
    def fail(mark: str) -> bytes:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        Shell(Prompt(fail), "win").run(["dir /b"])


def test_a_command_longer_than_cmd_takes_is_an_error_of_ours() -> None:
    with pytest.raises(ValueError, match="characters"):
        Shell(Prompt(lambda mark: b""), "win").run(["x" * LONGEST])
