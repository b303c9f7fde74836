# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's logs are searched for known messages, the newest first and not without end."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor import symptoms
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.manager import open_copy
from support.vendor_tree import put

SEATS, START = b"There are no free seats available\n", b"Unable to Start the service\n"


def told(home: Path) -> list[tuple[str, str]]:
    return [(problem.what, problem.where.rpartition(", ")[2]) for problem in open_copy(home).symptoms()]


def test_each_message_is_told_from_the_newest_log_that_has_it(tmp_path: Path) -> None:
    put(tmp_path, "Logging/LicenseServer.log", b"09:00 " + SEATS)
    put(tmp_path, "Logging/LicenseServer.log.2", b"08:00 " + SEATS + b"08:01 " + START)
    put(tmp_path, "Logging/LicenseServer.log.11", b"Too many retries for starting\n")
    put(tmp_path, "Logging/Other.log", b"Too many retries for starting\n")
    (seats, newest), (start, older) = told(tmp_path)
    assert "at last in '09:00 There" in seats and newest == "Logging/LicenseServer.log"
    assert "08:01 Unable" in start and older == "Logging/LicenseServer.log.2"


def test_a_server_without_logs_has_no_symptoms(tmp_path: Path) -> None:
    assert told(tmp_path) == []


def test_older_logs_are_left_out_once_much_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "Logging/LicenseServer.log", SEATS)
    put(tmp_path, "Logging/LicenseServer.log.1", START)
    monkeypatch.setattr(symptoms, "_MOST", len(SEATS + START))
    assert len(told(tmp_path)) == 2
    monkeypatch.setattr(symptoms, "_MOST", len(SEATS + START) - 1)
    assert len(told(tmp_path)) == 1


def test_a_log_that_cannot_be_read_is_told_and_the_others_are_searched(tmp_path: Path) -> None:
    put(tmp_path, "Logging/real", SEATS)
    (tmp_path / "Logging/LicenseServer.log").symlink_to("real")
    put(tmp_path, "Logging/LicenseServer.log.1", START)
    (unread, _place), (start, _older) = told(tmp_path)
    assert unread.startswith("The log cannot be searched for known messages.") and "Unable to Start" in start
