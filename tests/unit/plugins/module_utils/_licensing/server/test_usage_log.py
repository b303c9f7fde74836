# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who held which seat from when to when, as auditors read it."""

from __future__ import annotations

import csv
import os
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server import usage_log
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.metrics import Metrics
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.pool import Seat
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.usage_log import UsageLog
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import SESSION
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.server.site import (
    USER,
    Site,
    take,
    wait_until,
)

NOW = "2026-11-27T17:00:00Z"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def turn(site: Site, on: bool) -> None:
    with site.host.home.locked():
        site.host.home.save(replace(site.host.home.config(), usage_log=on))


def seat(client: str = "workstation-1", user: str = USER, profile: str = "PROSession") -> Seat:
    return Seat(b"0" * 16, 1, None, profile, SESSION, user, client, "192.0.2.7", "2026-11-27T16:00:00Z")


@pytest.fixture
def log(tmp_path: Path) -> UsageLog:
    return UsageLog(tmp_path / "Usage.csv", lambda: True, lambda: NOW, Metrics())


def test_each_seat_that_ends_has_a_row(site: Site) -> None:
    server = site.serve("--lease", "1")
    path = site.host.folder / usage_log.FILE
    released, expired = take(server), take(server, profile="Client", user="AIMS\\ben")
    server.seats.release(released["seat"])
    wait_until(lambda: path.exists() and len(rows(path)) == 2)
    first, second = rows(path)
    assert first == {
        "from": released["since"],
        "to": first["to"],
        "user": USER,
        "client": "workstation-1",
        "address": server.address if first["address"] == server.address else "127.0.0.1",
        "profile": "PROSession",
        "license": SESSION,
    }
    assert (second["user"], second["from"], second["profile"]) == ("AIMS\\ben", expired["since"], "Client")
    ended = datetime.strptime(first["to"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    assert first["from"] <= first["to"] and abs((datetime.now(timezone.utc) - ended).total_seconds()) < 60
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_seat_that_outlives_a_crash_of_the_server_has_its_row_when_it_ends(site: Site) -> None:
    server = site.serve()
    held = take(server)
    server.kill()
    server.start()
    server.seats.release(held["seat"])
    server.kill()
    (row,) = rows(site.host.folder / usage_log.FILE)
    assert (row["user"], row["from"]) == (USER, held["since"])


def test_the_log_is_turned_off_and_on_while_the_server_runs(site: Site) -> None:
    turn(site, False)
    server = site.serve()
    path = site.host.folder / usage_log.FILE
    server.seats.release(take(server)["seat"])
    assert not path.exists()
    turn(site, True)
    server.seats.release(take(server, user="AIMS\\ben")["seat"])
    turn(site, False)
    server.seats.release(take(server)["seat"])
    server.stop()
    assert [row["user"] for row in rows(path)] == ["AIMS\\ben"]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ('a,"b"', 'a,"b"'),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("'=1", "''=1"),
        ("Zürich (計算)", "Zürich (計算)"),
    ],
)
def test_names_stay_names_in_every_reader(log: UsageLog, tmp_path: Path, value: str, written: str) -> None:
    log.add([seat(client=value, user=value, profile=value)])
    (row,) = rows(tmp_path / "Usage.csv")
    assert (row["client"], row["user"], row["profile"]) == (written,) * 3
    assert (row["from"], row["to"]) == ("2026-11-27T16:00:00Z", NOW)


def test_the_log_is_rotated_and_bounded(log: UsageLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_log, "BYTES", 1000)
    for number in range(200):
        log.add([seat(client=f"host-{number}")])
    files = sorted(tmp_path.iterdir())
    assert len(files) == usage_log.FILES + 1
    assert all(path.stat().st_size <= 1000 and path.stat().st_mode & 0o777 == 0o600 for path in files)
    newest, before = rows(tmp_path / "Usage.csv"), rows(tmp_path / "Usage.csv.1")
    # Each file can be read by itself, and no row is lost between two.
    numbers = [int(row["client"].removeprefix("host-")) for row in [*before, *newest]]
    assert numbers == list(range(numbers[0], 200))


def test_a_full_disk_leaves_no_half_row_and_is_told_once(
    log: UsageLog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log.add([seat()])
    before = (tmp_path / "Usage.csv").read_bytes()
    write = os.write
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "write", lambda handle, data: write(handle, data[:10]))
        log.add([seat()])
        log.add([seat()])
    assert (tmp_path / "Usage.csv").read_bytes() == before
    log.add([seat(client="after")])
    assert [row["client"] for row in rows(tmp_path / "Usage.csv")] == ["workstation-1", "after"]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_a_log_that_cannot_be_written_costs_no_seat(site: Site) -> None:
    server = site.serve()
    path = site.host.folder / usage_log.FILE
    path.symlink_to("/dev/null")
    for _seat in range(3):
        server.seats.release(take(server)["seat"])
    text = server.ask("GET", "/metrics", port=3401)[1]
    assert "licsrv_usage_log_failures_total 3" in text.splitlines()
    assert server.log.read_text(encoding="utf-8").count("The usage cannot be written") == 1
