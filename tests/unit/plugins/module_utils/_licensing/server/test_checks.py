# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``licman`` does with a running license server, as an administrator types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.cli import NO_ANSWER, REFUSED, main
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import HOME, SESSION
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.server.site import (
    Site,
    take,
    wait_until,
)
from support.licsrv import COLLECTIONS, Server

DONE = 0


class Licman:
    """The command for one host."""

    def __init__(self, site: Site, capsys: pytest.CaptureFixture[str]) -> None:
        self.place = ["--home", HOME, "--root", str(site.host.root)]
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, Any]:
        code = main(["licman", *arguments, *self.place, "--json"])
        return code, json.loads(self._capsys.readouterr().out)


@pytest.fixture
def licman(site: Site, capsys: pytest.CaptureFixture[str]) -> Licman:
    return Licman(site, capsys)


def test_the_status_of_a_running_server_is_shown(site: Site, licman: Licman) -> None:
    server = site.serve()
    take(server)
    code, shown = licman("--status")
    assert (code, shown["seats"], shown["pid"]) == (DONE, 1, server.process.pid)


def test_a_server_that_does_not_run_has_an_exit_code_of_its_own(site: Site, licman: Licman) -> None:
    server = site.serve()
    server.stop()
    for arguments in (["--status"], ["--seat-take"], ["--seat-hold"], ["--seat-release", "0" * 32]):
        code, told = licman(*arguments)
        assert code == NO_ANSWER
        assert "does not answer" in told["problems"][0]["what"]


def test_a_seat_is_taken_and_released_by_hand(site: Site, licman: Licman) -> None:
    server = site.serve()
    code, seat = licman("--seat-take", "PROSession", "--user", "AIMS\\anna")
    assert (code, seat["license"]) == (DONE, SESSION)
    assert site.recorded() == {seat["seat"]: ("PROSession", "AIMS\\anna")}
    assert licman("--seat-release", seat["seat"]) == (DONE, {"seat": seat["seat"], "released": True})
    assert site.recorded() == {}
    code, told = licman("--seat-release", seat["seat"])
    assert (code, told["problems"][0]["what"]) == (REFUSED, "No seat has this id.")
    assert server.status()["seats"] == 0


def test_without_a_profile_it_is_the_first_default(site: Site, licman: Licman) -> None:
    site.serve()
    assert licman("--seat-take")[1]["profile"] == "PROSession"


def test_another_server_is_asked_if_one_is_named(site: Site, licman: Licman) -> None:
    server = site.serve()
    licman.place = ["--home", "/nowhere", "--server", server.address]
    assert licman("--status")[1]["pid"] == server.process.pid
    assert licman("--seat-take", "Client")[0] == DONE


def test_a_seat_is_held_for_a_time_and_then_released(site: Site, licman: Licman) -> None:
    site.serve("--lease", "1")
    code, held = licman("--seat-hold", "PROSession", "--seconds", "1.5")
    # Longer than its lease: it was kept alive meanwhile.
    assert (code, held["released"]) == (DONE, True)
    assert held["held_seconds"] >= 1.5
    assert site.recorded() == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_hold_releases_its_seat(site: Site, licman: Licman, number: int) -> None:
    site.serve()
    command = [sys.executable, "-c", Server.code(), "licman", "--seat-hold", "PROSession", *licman.place, "--json"]
    environment = {**os.environ, "PYTHONPATH": str(COLLECTIONS)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as held:
        wait_until(lambda: len(site.recorded()) == 1)
        held.send_signal(number)
        out, _err = held.communicate(timeout=30)
    assert held.returncode == DONE
    assert json.loads(out)["released"] is True
    assert site.recorded() == {}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seat-take", "Nothing"], "There is no profile Nothing"),
        (["--seat-take", "a/b"], "is not a profile name"),
        (["--seat-take", "Client", "--user", "anna"], "is not a registered user"),
        (["--seat-release", "../status"], ""),
        (["--seat-release", "no id"], ""),
    ],
)
def test_what_is_refused_has_exit_code_1(site: Site, licman: Licman, arguments: list[str], said: str) -> None:
    site.serve()
    code, told = licman(*arguments)
    assert code == REFUSED
    assert said in told["problems"][0]["what"]
    assert site.recorded() == {}
