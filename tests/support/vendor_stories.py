# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small stories of a command that betrays whoever relies on it, each with what has to hold nevertheless."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Change

from support.vendor_host import CODE, VendorHost
from support.vendor_licman import calls
from support.vendor_tree import NUMBERS, SERVER, activate, put, stem


def quietly(call: Callable[[], object]) -> None:
    with suppress(LicensingError):
        call()


def is_done(call: Callable[[], Change]) -> bool:
    """Whether a call succeeds, and changes something."""
    try:
        return call().changed
    except LicensingError:
        return False


def processes_with(variable: str) -> list[int]:
    """The processes that have a variable in their environment."""
    found = []
    for place in Path("/proc").iterdir():
        with suppress(OSError):
            if place.name.isdigit() and variable.encode() in (place / "environ").read_bytes():
                found.append(int(place.name))
    return found


def without_nodelock(host: VendorHost) -> None:
    for kind in ("lock", "ver"):
        (host.home / f"Nodelocks/{stem(SERVER)}.{kind}").unlink()


def _is_killed(call: Callable[[], object]) -> None:
    """Make a call whose command kills its caller, in a process of its own: it has to be that alone."""
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            call()
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def an_intent_outlives_a_run_that_is_killed(host: VendorHost) -> None:
    host.behaves(deactivate="kills its caller before the effect")
    _is_killed(host.deactivate)
    host.behaves()
    assert "a run that was cut off" in str(host.refused(host.deactivate)) and host.runs() == 1


def an_activations_intent_outlives_a_run_that_is_killed(host: VendorHost) -> None:
    without_nodelock(host)
    host.behaves("kills its caller before the effect")
    _is_killed(host.activate)
    host.behaves()
    assert "a run that was cut off" in str(host.refused(host.activate)) and host.runs("--nodelock-activate") == 1


def success_without_effect_is_no_deactivation(host: VendorHost) -> None:
    host.behaves(deactivate="no effect")
    host.refused(host.deactivate)
    assert SERVER in host.held


def success_without_effect_is_no_activation(host: VendorHost) -> None:
    without_nodelock(host)
    host.behaves("no effect")
    host.refused(host.activate)


def failure_with_effect_is_a_deactivation(host: VendorHost) -> None:
    host.behaves(deactivate="failure with effect")
    assert is_done(host.deactivate)


def a_half_written_nodelock_is_waited_for(host: VendorHost) -> None:
    host.behaves(deactivate="late")
    assert is_done(host.deactivate)


def a_half_written_nodelock_is_no_deactivation(host: VendorHost) -> None:
    host.behaves(deactivate="half-written")
    host.refused(host.deactivate)


def an_option_that_the_help_lacks_is_not_run(host: VendorHost) -> None:
    host.behaves(help="like it")
    host.refused(host.deactivate)
    assert host.runs() == 0 and host.held == set(NUMBERS)


def a_licman_without_help_is_not_run(host: VendorHost) -> None:
    host.behaves(help="hang")
    host.refused(host.deactivate)
    assert host.runs() == 0


def a_command_in_doubt_is_not_repeated(host: VendorHost) -> None:
    host.behaves(deactivate="failure")
    for _time in range(3):
        quietly(host.deactivate)
    assert host.runs() == 1


def a_command_without_evidence_in_doubt_is_not_repeated(host: VendorHost) -> None:
    host.behaves(other="failure")
    for _time in range(3):
        quietly(lambda: host.rename("Profile1", "PROServer"))
    assert host.runs("--rename") == 1


def failure_is_no_success_where_nothing_shows_the_effect(host: VendorHost) -> None:
    host.behaves(other="failure")
    host.refused(lambda: host.rename("Profile1", "PROServer"))


def what_no_file_shows_is_done_once(host: VendorHost) -> None:
    host.rename("Profile1", "PROServer")
    host.rename("Profile1", "PROServer")
    assert host.runs("--rename") == 1


def no_input_is_read(host: VendorHost) -> None:
    host.behaves(deactivate="prompt")
    with standard_input(b"y\n"):
        quietly(host.deactivate)
    assert host.held == set(NUMBERS)


def no_code_is_kept(host: VendorHost) -> None:
    host.takes_the_code()
    host.behaves(deactivate="echoes the code")
    text = str(host.refused(host.deactivate)) + host.record().read_text(encoding="utf-8")
    assert not any(group.lower() in text.lower() for group in CODE.split("-"))


def the_output_is_in_english(host: VendorHost) -> None:
    host.behaves(deactivate="another locale")
    with environment(LC_ALL="de_DE.UTF-8"):
        assert "in English" in str(host.refused(host.deactivate))


def a_command_that_does_not_end_in_time_is_stopped(host: VendorHost) -> None:
    host.behaves(deactivate="longer than the limit")
    assert "did not end, and was stopped" in str(host.refused(host.deactivate))


def a_hanging_command_ends_with_all_that_it_started(host: VendorHost) -> None:
    host.behaves(deactivate="hang")
    with environment(MARK_OF_THIS_TEST=str(host.root)):
        host.refused(host.deactivate)
    left = processes_with(f"MARK_OF_THIS_TEST={host.root}\0")
    for process in left:
        os.kill(process, signal.SIGKILL)
    assert left == []


def a_profile_with_a_blank_or_a_semicolon_is_one_argument(host: VendorHost) -> None:
    mark = host.root / "shell"
    host.rename("Profile 1", f"A; touch {mark}")
    assert not mark.exists() and calls(host.home)[-1] == f"--rename Profile 1 --to A; touch {mark}"


def only_the_bundles_nodelock_is_given_back(host: VendorHost) -> None:
    activate(host.home, SERVER, 2)
    quietly(host.deactivate)
    assert host.runs() == 0


def a_nodelock_that_stays_is_not_active(host: VendorHost) -> None:
    host.behaves(deactivate="lock stays")
    host.deactivate()
    assert SERVER not in host.held


def a_license_is_given_back_once(host: VendorHost) -> None:
    host.behaves(deactivate="lock stays")
    for _time in range(2):
        # The bundle may be a new one, which a person took in between.
        host.bundled = host.nodelocks()
        quietly(host.deactivate)
    assert host.runs() == 1


def a_command_that_runs_is_not_joined(host: VendorHost) -> None:
    host.behaves(deactivate="hang")
    command = [str(host.home / "Bin/licman"), "--give-back", SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as other:
        try:
            assert other.stdout is not None and other.stdout.readline() == b"waiting\n"
            host.behaves()
            quietly(host.deactivate)
            assert host.runs() == 1
        finally:
            os.killpg(other.pid, signal.SIGKILL)


def what_is_pending_is_left_alone(host: VendorHost) -> None:
    put(host.home, f"Config/{stem(SERVER)}.request")
    quietly(host.deactivate)
    assert host.runs() == 0


def a_value_is_no_option(host: VendorHost) -> None:
    quietly(lambda: host.activate(users=["--everybody\\x"]))
    assert host.runs("--register") == 0


@contextmanager
def standard_input(content: bytes) -> Iterator[None]:
    """Let this process have an input that somebody has typed into."""
    before, (reading, writing) = os.dup(0), os.pipe()
    try:
        os.write(writing, content)
        os.dup2(reading, 0)
        yield
    finally:
        os.dup2(before, 0)
        for handle in (before, reading, writing):
            os.close(handle)


@contextmanager
def environment(**values: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        yield
