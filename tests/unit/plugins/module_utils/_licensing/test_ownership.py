# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Root runs and changes nothing that another user of the machine could put in its place."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.config import UNMANAGED
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import SEATS_LOCK, Home
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting import ownership, service
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.install import (
    Package,
    Settings,
    install,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.liveness import signal_holder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.process import (
    logging_to,
    seats_locked,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._package import build_package
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import CoreLab
from support.needs import needs_root

NOBODY = 65534


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "srv/hosts/etc").mkdir(parents=True)
    (tmp_path / "srv/hosts/etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n", encoding="utf-8")
    return tmp_path / "srv/hosts"


def installed(root: Path) -> Any:
    settings = Settings(authority="offline", service=UNMANAGED)
    return install(Home("/opt/home", str(root)), Package(VERSION, build_package()), settings=settings)


def give(path: Path) -> None:
    os.chown(path, NOBODY, NOBODY)


def open_to_all(path: Path) -> None:
    path.chmod(0o777)


def open_to_a_group(path: Path) -> None:
    os.chown(path, 0, NOBODY)
    path.chmod(0o775)


@needs_root
@pytest.mark.parametrize("weaken", [give, open_to_all, open_to_a_group])
@pytest.mark.parametrize("name", ["..", "", "opt", "opt/home"])
def test_root_installs_nothing_where_another_user_could_exchange_it(place: Path, weaken: Any, name: str) -> None:
    (place / "opt/home").mkdir(parents=True)
    weaken((place / name).resolve())
    with pytest.raises(LicensingError, match="can change programs or secrets of root") as refused:
        installed(place)
    assert refused.value.problems[0].where == str((place / name).resolve())
    assert list((place / "opt/home").iterdir()) == []


@needs_root
def test_a_link_on_the_way_is_looked_at_and_so_is_what_it_leads_to(place: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (place / "opt").symlink_to("../../data")
    assert list(ownership.others(place / "opt/home")) == []
    give(tmp_path / "data")
    assert [str(weak) for weak, _who in ownership.others(place / "opt/home")] == [str(tmp_path / "data")]
    os.chown(tmp_path / "data", 0, 0)
    os.chown(place / "opt", NOBODY, NOBODY, follow_symlinks=False)
    assert [str(weak) for weak, _who in ownership.others(place / "opt/home")] == [str(place / "opt")]


@needs_root
def test_a_folder_like_tmp_protects_what_is_roots(place: Path) -> None:
    (place / "home").mkdir()
    place.chmod(0o1777)
    assert list(ownership.others(place / "home")) == []
    give(place / "home")
    assert list(ownership.others(place / "home"))


@needs_root
def test_a_group_without_members_changes_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(place, 0, 50)
    place.chmod(0o2775)
    monkeypatch.setattr("grp.getgrgid", lambda group: type("Group", (), {"gr_mem": []}))
    assert list(ownership.others(place)) == []
    monkeypatch.setattr("grp.getgrgid", lambda group: type("Group", (), {"gr_mem": ["anna"]}))
    assert list(ownership.others(place)) == [(place, "The group 50")]


@needs_root
def test_an_interpreter_of_another_user_is_not_run_by_root(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/python").symlink_to(sys.executable)
    give(tmp_path / "venv")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv/bin/python"))
    with pytest.raises(LicensingError, match="can change the Python that root runs"):
        installed(place)


@needs_root
def test_a_command_that_another_user_owns_is_written_anew(place: Path) -> None:
    installed(place)
    home = Home("/opt/home", str(place))
    assert installed(place).changes == ()
    give(place / "opt/home/Bin/licman")
    assert [str(change) for change in installed(place).changes] == [f"restore the files of {VERSION}"]
    assert home.folder.owner("Bin/licman") == 0


def test_an_ordinary_user_rehearses_in_folders_of_his_own(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_to_all(place)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert installed(place).changes
    assert installed(place).changes == ()


@needs_root
def test_owner_and_mode_are_set_through_no_name_that_the_services_user_could_exchange(tmp_path: Path) -> None:
    secret = tmp_path / "shadow"
    secret.write_bytes(b"secret")
    secret.chmod(0o600)
    folder = Folder(tmp_path / "home")
    folder.make()
    folder.make("Seats/deeper", 0o700)
    folder.write("Seats/seats.db", b"", 0o600)
    (tmp_path / "home/Seats/link").symlink_to(secret)
    (tmp_path / "home/Seats/folder").symlink_to(tmp_path)
    (tmp_path / "home/Seats/second").hardlink_to(secret)
    os.mkfifo(tmp_path / "home/Seats/pipe")
    left = folder.set_owners(NOBODY, NOBODY, "Seats")
    assert sorted(left) == ["Seats/folder", "Seats/link", "Seats/pipe", "Seats/second"]
    assert not folder.set_owner("Seats/link", NOBODY, NOBODY, 0o666)
    assert not folder.set_owner("Seats/second", NOBODY, NOBODY, 0o666)
    assert (secret.stat().st_uid, stat.S_IMODE(secret.stat().st_mode)) == (0, 0o600)
    assert tmp_path.stat().st_uid == 0
    for name in ("Seats", "Seats/deeper", "Seats/seats.db"):
        assert folder.owner(name) == NOBODY


@needs_root
def test_a_name_that_is_exchanged_at_the_last_moment_changes_nothing_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "shadow"
    secret.write_bytes(b"secret")
    folder = Folder(tmp_path / "home")
    folder.make()
    folder.make("Seats", 0o700)
    folder.write("Seats/seats.db", b"", 0o600)
    looked = os.fstat

    def exchange(handle: int) -> os.stat_result:
        (tmp_path / "home/Seats/seats.db").unlink(missing_ok=True)
        (tmp_path / "home/Seats/seats.db").symlink_to(secret)
        return looked(handle)

    monkeypatch.setattr(os, "fstat", exchange)
    folder.set_owner("Seats/seats.db", NOBODY, NOBODY, 0o666)
    monkeypatch.undo()
    assert secret.stat().st_uid == 0


@needs_root
def test_root_starts_no_server_in_folders_of_another_user(lab: CoreLab) -> None:
    home = lab.old.home
    give(home.folder.path / "Logging")
    with pytest.raises(LicensingError, match="Logging belongs to another user"), logging_to(home):
        pass


@needs_root
def test_a_server_that_root_runs_gets_its_folders_back_without_what_was_left_in_them(
    lab: CoreLab, tmp_path: Path
) -> None:
    home = lab.old.home
    for name in ("Seats", "Logging"):
        give(home.folder.path / name)
    (tmp_path / "outside").write_bytes(b"kept")
    (home.folder.path / "Logging/LicenseServer.log").symlink_to(tmp_path / "outside")
    service.Process(home, home.config())._take_back()
    assert home.folder.owner("Seats") == home.folder.owner("Logging") == 0
    assert not home.folder.has("Logging/LicenseServer.log")
    assert (tmp_path / "outside").read_bytes() == b"kept"


def test_root_writes_the_fingerprint_where_the_services_user_cannot(lab: CoreLab) -> None:
    text = service._unit_text(lab.old.home)
    assert "RuntimeDirectory" not in text
    assert Path(service._FINGERPRINT).parent == Path("/run")


def test_a_process_is_signalled_only_if_it_holds_the_seats_of_the_home(lab: CoreLab) -> None:
    home = lab.old.home
    with subprocess.Popen(["/bin/sleep", "60"]) as stranger:
        try:
            with seats_locked(home):
                # This one holds the seats; the signal 0 reaches nobody.
                assert signal_holder(home, os.getpid(), 0)
                assert not signal_holder(home, stranger.pid, 15)
            assert not signal_holder(home, os.getpid(), 0)
            assert (home.folder.path / SEATS_LOCK).exists()
            assert stranger.poll() is None
        finally:
            stranger.kill()
    assert not signal_holder(home, stranger.pid, 0)


def test_what_answers_at_the_port_cannot_have_another_process_killed(
    lab: CoreLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = lab.old.home
    with subprocess.Popen(["/bin/sleep", "60"]) as stranger:
        monkeypatch.setattr(service, "running", lambda *given: {"pid": stranger.pid, "home_id": home.home_id})
        try:
            process = service.Process(home, home.config())
            for call in (process.stop, process.restart, process.remove):
                with pytest.raises(LicensingError, match=f"Process {stranger.pid} .* It is not signalled"):
                    call()
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_user_whom_the_name_service_does_not_tell_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> Any:
        raise KeyError(name)

    monkeypatch.setattr(pwd, "getpwnam", fail)
    with pytest.raises(LicensingError, match=r"does not know the user aims-license.*getent passwd aims-license"):
        ownership.account("aims-license")
