# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wherever a run is killed, or the disk fails, a command is run once, and the next run ends well or in doubt."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import faults
from ansible_collections.aims.licensing.plugins.module_utils._licensing.declared import DeclaredLicense
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Change
from support.vendor_host import CODE, VendorHost, hurry
from support.vendor_stories import without_nodelock
from support.vendor_tree import NUMBERS, SERVER

Call = Callable[[VendorHost], Change]
CALLS: dict[str, tuple[Call, str]] = {
    "activate": (lambda host: host.activate(DeclaredLicense(SERVER, CODE, "PROServer")), "--nodelock-activate"),
    "deactivate": (lambda host: host.deactivate(), "--give-back"),
    "rename": (lambda host: host.rename("Profile1", "PROServer"), "--rename"),
    "maintenance": (lambda host: host.maintenance(True), "--maintenance"),
}


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


def made(folder: Path, name: str) -> VendorHost:
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_name(f"{folder.name}.calls").unlink(missing_ok=True)
    host = VendorHost(folder)
    host.behaves(deactivate="lock stays")
    if name == "activate":
        without_nodelock(host)
    return host


def steps_of(host: VendorHost, call: Call) -> int:
    """How many failpoints a call passes."""
    passed: list[str] = []
    faults.hook = lambda point, _what: passed.append(point)
    try:
        assert call(host).changed
    finally:
        faults.hook = None
    return len(passed)


def fail_at(step: int, act: Callable[[], object]) -> None:
    left = step

    def hook(point: str, what: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            act()

    faults.hook = hook


def killed_at(step: int, host: VendorHost, call: Call) -> None:
    child = os.fork()
    if child == 0:
        fail_at(step, lambda: os.kill(os.getpid(), signal.SIGKILL))
        with suppress(BaseException):
            call(host)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def without_space_at(step: int, host: VendorHost, call: Call) -> None:
    def fill() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    fail_at(step, fill)
    try:
        with suppress(LicensingError, OSError):
            call(host)
    finally:
        faults.hook = None


@pytest.mark.parametrize("fault", [killed_at, without_space_at], ids=["killed", "disk full"])
@pytest.mark.parametrize("name", CALLS)
def test_a_command_is_run_once_wherever_its_run_ends(
    tmp_path: Path, name: str, fault: Callable[[int, VendorHost, Call], None]
) -> None:
    call, option = CALLS[name]
    steps = steps_of(made(tmp_path / "host", name), call)
    assert steps > 20
    for step in range(1, steps + 1):
        host = made(tmp_path / "host", name)
        fault(step, host, call)
        for _time in range(2):
            try:
                call(host)
            except LicensingError as error:
                assert "is not known" in str(error), step
                assert [str(problem) for problem in host.manager().obstacles()] == [str(error)], step
        assert host.runs(option) <= 1, step
        is_open = host.manager().obstacles() != []
        # Where it never ran, the intent was written, and nobody can know.
        assert is_open or host.runs(option) == 1, step
        assert host.runs("--profile-add") <= 1, step
        if name == "activate":
            assert (SERVER in host.held) is (host.runs(option) == 1), step
        if name == "deactivate":
            assert host.held == (set(NUMBERS) if is_open else set(NUMBERS) - {SERVER}), step
            # A nodelock that changed leaves no doubt.
            assert not (is_open and host.runs(option)), step
        assert host.has_lost_nothing()
