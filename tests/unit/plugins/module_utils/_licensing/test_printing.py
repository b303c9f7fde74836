# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command has done is done and told as that, whatever becomes of the words and files that it ends with."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils import _licensing
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.issue import changed_license
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CODES,
    HOME,
    SERVER,
    CoreLab,
)

DONE, REFUSED, WAITING, UNPRINTED = 0, 1, 3, 5
STEM = digits(SERVER)
DASH = "AIMMS \u2013 PRO Server"
CORE = Path(str(_licensing.__file__)).parents[6]
RUN = f"import sys; from {_licensing.__name__}.cli import main; sys.exit(main(sys.argv[1:]))"
FULL = Path("/dev/full")


class Command:
    """Runs commands in processes of their own, with an output that takes what it takes."""

    def __init__(self, lab: CoreLab) -> None:
        self.lab = lab
        with lab.ledger.change():
            renamed = changed_license(lab.ledger.license(SERVER), type=DASH)
            lab.ledger.put_license(renamed, lab.clock(), "reissue")

    def start(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        more = options.pop("environment", {})
        done = subprocess.run(
            [sys.executable, "-B", "-W", "error", "-c", RUN, *arguments],
            env={"PYTHONPATH": str(CORE), "PATH": os.environ["PATH"], "PYTHONUTF8": "0", **more},
            cwd=self.lab.folder,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
            **{"stdout": subprocess.PIPE, **options},
        )
        assert b"Traceback" not in done.stderr and b"Exception" not in done.stderr, done.stderr.decode()
        return done

    def licman(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        place = ["--home", HOME, "--root", str(self.lab.new.root)]
        if "--authority" not in arguments:
            place += ["--authority", f"ledger:{self.lab.ledger_path}"]
        return self.start("licman", *arguments, *place, **options)

    def authority(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        return self.start("authority", *arguments, "--ledger", str(self.lab.ledger_path), **options)

    @property
    def give_back(self) -> list[str]:
        return ["--nodelock-deactivate", SERVER, "--authority", "offline", "--request-dir", str(self.lab.folder)]


@pytest.fixture
def command(lab: CoreLab) -> Command:
    found = Command(lab)
    lab.activate(lab.new, SERVER)
    assert lab.new.overview["licenses"][0]["type"] == DASH
    return found


@contextlib.contextmanager
def closed_pipe() -> Iterator[int]:
    """An output whose reader is gone."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        yield writer
    finally:
        os.close(writer)


LATIN = {"PYTHONIOENCODING": "latin-1"}


def test_a_license_with_a_dash_is_given_back_at_a_terminal_that_has_no_dash(command: Command) -> None:
    assert command.licman(*command.give_back, environment=LATIN).returncode == WAITING
    done = command.authority("process", f"{STEM}.request", environment=LATIN)
    assert (done.returncode, done.stderr) == (DONE, b"") and b"outcome: granted" in done.stdout
    done = command.licman(*command.give_back, "--response", f"{STEM}.response", environment=LATIN)
    assert (done.returncode, done.stderr) == (DONE, b"")
    assert b"AIMMS \\u2013 PRO Server" in done.stdout and command.lab.new.served() == set()


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252", "utf-8", "utf-16"])
def test_every_command_prints_at_every_terminal_and_its_json_is_json(command: Command, encoding: str) -> None:
    environment = {"PYTHONIOENCODING": encoding}
    for run, arguments in (
        (command.licman, ["--overview"]),
        (command.licman, ["--nodelock-update", SERVER]),
        (command.authority, ["list"]),
        (command.authority, ["audit"]),
        (command.authority, ["reissue", SERVER, "--type", f"{DASH} \U0001f600"]),
        (command.authority, ["release", SERVER, "--reason", DASH]),
    ):
        for json_too in ([], ["--json"]):
            done = run(*arguments, *json_too, environment=environment)
            assert (done.returncode, done.stderr) == (DONE, b""), arguments
            if json_too:
                told = json.dumps(json.loads(done.stdout.decode(encoding)), ensure_ascii=False)
                assert "release" in arguments or "\u2013" in told


@pytest.mark.parametrize("output", ["full", "gone", "closed"])
def test_an_output_that_takes_nothing_is_told_and_what_was_done_is_done_once(command: Command, output: str) -> None:
    with contextlib.ExitStack() as stack:
        options: dict[str, Any] = {
            "full": lambda: {"stdout": stack.enter_context(FULL.open("wb"))},
            "gone": lambda: {"stdout": stack.enter_context(closed_pipe())},
            "closed": lambda: {"stdout": None, "preexec_fn": lambda: os.close(1)},
        }[output]()
        for json_too in ([], ["--json"]):
            done = command.licman(*command.give_back, *json_too, **options)
            assert done.returncode == UNPRINTED and b"The result cannot be printed: " in done.stderr
            done = command.authority("process", f"{STEM}.request", *json_too, **options)
            assert done.returncode == UNPRINTED and b"The command itself has succeeded" in done.stderr
            # A refusal is told where it can be.
            done = command.authority("process", "gone", *json_too, **options)
            assert done.returncode == REFUSED and b"No such file" in done.stderr
    again = command.authority("process", f"{STEM}.request", "--json")
    told = json.loads(again.stdout)
    assert (told["outcome"], told["repeated"]) == ("granted", True)
    assert command.licman(*command.give_back, "--response", f"{STEM}.response").returncode == DONE
    assert command.lab.new.served() == set() and command.lab.spent() == 0


def test_a_response_that_cannot_be_written_is_told_with_the_outcome_and_comes_again(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command.licman(*command.give_back).returncode == WAITING
    request, out = command.lab.folder / f"{STEM}.request", command.lab.folder / "out"
    before = command.lab.ledger_path.read_bytes()
    gone = command.authority("process", str(request), "--out", str(out))
    assert gone.returncode == REFUSED and b"The folder does not exist or is not writable." in gone.stderr
    assert command.lab.ledger_path.read_bytes() == before
    (out / f"{STEM}.response").mkdir(parents=True)
    stopped = command.authority("process", str(request), "--out", str(out))
    assert stopped.returncode == REFUSED
    assert b"was answered: it is granted, but the file cannot be written" in stopped.stderr
    assert b"Process the same file again" in stopped.stderr
    (out / f"{STEM}.response").rmdir()
    again = json.loads(command.authority("process", str(request), "--out", str(out), "--json").stdout)
    assert (again["outcome"], again["repeated"]) == ("granted", True)
    assert command.licman(*command.give_back, "--response", str(out / f"{STEM}.response")).returncode == DONE


def test_a_request_that_cannot_be_written_is_told_before_the_license_is_fenced_or_comes_again(command: Command) -> None:
    lab, files = command.lab, command.lab.new.files()
    gone = [*command.give_back[:-1], str(lab.folder / "gone")]
    done = command.licman(*gone)
    assert done.returncode == REFUSED and b"The folder does not exist" in done.stderr
    assert lab.new.files() == files and lab.new.served() == {STEM}
    (lab.folder / f"{STEM}.request").mkdir()
    done = command.licman(*command.give_back)
    assert done.returncode == REFUSED and b"is pending on this host, but the file cannot be written" in done.stderr
    asked = lab.new.read(f"Journal/{STEM}.request")
    (lab.folder / f"{STEM}.request").rmdir()
    assert command.licman(*command.give_back).returncode == WAITING
    assert Folder(lab.folder).read(f"{STEM}.request") == asked


def test_codes_stay_out_of_what_is_told_of_an_output_that_fails(command: Command) -> None:
    with closed_pipe() as output:
        done = command.licman("--overview", "--activation-code", CODES[SERVER], stdout=output)
    assert done.returncode == UNPRINTED and CODES[SERVER].encode() not in done.stderr
