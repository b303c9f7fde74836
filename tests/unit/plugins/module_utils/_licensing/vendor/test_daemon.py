# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service of another product is known by the program that it starts, and by what systemd counts its process to."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.daemon import (
    Daemon,
    find_daemon,
    process_marks,
)

UNIT = "[Unit]\nDescription=License server\n[Service]\n{}\n[Install]\nWantedBy=multi-user.target\n"


@pytest.mark.parametrize(
    "line",
    [
        "ExecStart=/usr/local/Aimms/Bin/licsrv",
        "ExecStart = -/usr/local/AIMMS/Bin/licsrv --foreground",
        'ExecStart="/usr/local/Aimms/Bin/licsrv"',
        "ExecStart=\\\n  /usr/local/Aimms/Bin/licsrv",
    ],
)
@pytest.mark.parametrize("folder", ["etc/systemd/system", "usr/lib/systemd/system", "run/systemd/system"])
def test_a_unit_is_found_by_its_program(tmp_path: Path, folder: str, line: str) -> None:
    place = tmp_path / folder / "aimms-something.service"
    place.parent.mkdir(parents=True)
    place.write_text(UNIT.format(line), encoding="utf-8")
    (place.parent / "other.service").write_text(UNIT.format("ExecStart=/usr/bin/other licsrv"), encoding="utf-8")
    assert find_daemon("licsrv", tmp_path, is_alive=False) == Daemon("aimms-something.service")


def test_a_masked_unit_starts_nothing(tmp_path: Path) -> None:
    written = tmp_path / "usr/lib/systemd/system/licsrv.service"
    written.parent.mkdir(parents=True)
    written.write_text(UNIT.format("ExecStart=/usr/local/Aimms/Bin/licsrv"), encoding="utf-8")
    mask = tmp_path / "etc/systemd/system/licsrv.service"
    mask.parent.mkdir(parents=True)
    mask.symlink_to("/dev/null")
    assert find_daemon("licsrv", tmp_path, is_alive=False).unit is None


def test_the_unit_of_a_running_process_counts_first(tmp_path: Path) -> None:
    process = tmp_path / "proc" / "812"
    process.mkdir(parents=True)
    (process / "comm").write_text("licsrv\n", encoding="utf-8")
    (process / "cgroup").write_text("1:name=systemd:/x\n0::/system.slice/wrapped.service\n", encoding="utf-8")
    (tmp_path / "proc" / "1").mkdir()
    (tmp_path / "proc" / "1" / "comm").write_text("systemd\n", encoding="utf-8")
    daemon = find_daemon("licsrv", tmp_path, tmp_path / "proc")
    assert daemon == Daemon("wrapped.service", (812,)) and daemon.is_running


def test_a_process_that_nothing_started_has_no_unit(tmp_path: Path) -> None:
    process = tmp_path / "proc" / "812"
    process.mkdir(parents=True)
    (process / "comm").write_text("licsrv\n", encoding="utf-8")
    (process / "cgroup").write_text("0::/user.slice/user-0.slice/session-1.scope\n", encoding="utf-8")
    assert find_daemon("licsrv", tmp_path, tmp_path / "proc") == Daemon(None, (812,))
    assert not find_daemon("other", tmp_path, tmp_path / "proc").is_running


def test_a_process_that_was_started_anew_has_another_mark(tmp_path: Path) -> None:
    def start(number: int, at: int) -> str:
        process = tmp_path / str(number)
        process.mkdir(exist_ok=True)
        (process / "comm").write_text("licsrv\n", encoding="utf-8")
        (process / "stat").write_text(f"{number} (lic (srv) S {' '.join('0' * 18)} {at} 1 2\n", encoding="utf-8")
        return process_marks("licsrv", tmp_path)

    assert process_marks("licsrv", tmp_path) == ""
    boot = tmp_path / "sys/kernel/random/boot_id"
    boot.parent.mkdir(parents=True)
    boot.write_text("first\n", encoding="ascii")
    first = start(812, 4711)
    assert first == "first 812@4711" == start(812, 4711)
    # The same number, after a reboot or a restart.
    assert start(812, 4712) != first and process_marks("other", tmp_path) == ""
    boot.write_text("second\n", encoding="ascii")
    assert start(812, 4711) != first
