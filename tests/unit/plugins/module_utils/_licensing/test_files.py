# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file is whole or not there, a link is never followed, and what fails says where and what to do."""

from __future__ import annotations

import errno
import multiprocessing
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import PRIVATE, PUBLIC, Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.places import below
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    as_nobody,
    let_others_come_to,
)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "home").mkdir()
    return Folder(tmp_path / "home")


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def entries(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_a_file_has_the_mode_it_is_written_with_whatever_the_umask(folder: Folder, umask: int) -> None:
    folder.make("Config", 0o700)
    folder.write("Config/host.key", b"secret", PRIVATE)
    folder.write("Licenses/a.lic", b"license", PUBLIC)
    assert mode(folder.path / "Config") == 0o700
    assert mode(folder.path / "Config/host.key") == folder.mode("Config/host.key") == 0o600
    assert mode(folder.path / "Licenses") == 0o755
    assert mode(folder.path / "Licenses/a.lic") == 0o644


def test_what_another_run_removes_meanwhile_is_not_listed(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (".tmp-host.key-0123", "a.lic", "b.lic", "inner/c.lic"):
        (folder.path / name).parent.mkdir(exist_ok=True)
        (folder.path / name).touch()
    listed = os.walk

    def vanishing(*arguments: Any, **options: Any) -> Iterator[Any]:
        for found in listed(*arguments, **options):
            for name in {".tmp-host.key-0123", "a.lic"}.intersection(found[2]):
                (folder.path / name).unlink()
            yield found

    monkeypatch.setattr(os, "walk", vanishing)
    assert folder.walk() == ["b.lic", "inner/c.lic"]
    assert entries(folder.path) == ["b.lic", "inner"]


def test_a_folder_is_made_with_those_above_it_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    Folder(tmp_path / "opt/aims/home").make()
    assert [mode(tmp_path / part) for part in ("opt", "opt/aims", "opt/aims/home")] == [0o755] * 3


def test_a_file_that_is_replaced_gets_the_new_content_and_mode(folder: Folder) -> None:
    folder.write("a", b"old", PUBLIC)
    folder.write("a", b"new", PRIVATE)
    assert folder.read("a") == b"new"
    assert folder.mode("a") == PRIVATE
    assert entries(folder.path) == ["a"]


@pytest.mark.parametrize("call", ["fsync", "rename", "fchmod"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])
def test_a_write_that_fails_keeps_the_old_content_and_leaves_nothing_beside_it(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    folder.write("Config/server.json", b"old")

    def fail(*arguments: Any, **options: Any) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(LicensingError, match=os.strerror(number)) as refused:
            folder.write("Config/server.json", b"new")
    (problem,) = refused.value.problems
    assert problem.where == str(folder.path / "Config/server.json")
    assert problem.todo
    assert folder.read("Config/server.json") == b"old"
    assert entries(folder.path / "Config") == ["server.json"]


def test_a_temporary_file_of_a_killed_run_is_in_nobodys_way(folder: Folder) -> None:
    (folder.path / ".tmp-a-0123").write_bytes(b"half")
    folder.write("a", b"whole")
    assert folder.names() == ["a"]
    assert folder.walk() == ["a"]


LEADING_OUT = ["../a", "a/../../b", "/etc/passwd", "", "..", "a/..", "//a", "a/../../../b", "a\0b"]


@pytest.mark.parametrize("name", LEADING_OUT)
def test_a_name_that_leads_out_is_refused_by_everything(folder: Folder, name: str) -> None:
    (folder.path.parent / "a").write_bytes(b"outside")
    calls = [
        lambda: folder.read(name),
        lambda: folder.find(name),
        lambda: folder.write(name, b"x"),
        lambda: folder.remove(name),
        lambda: folder.has(name),
        lambda: folder.move(name, "b"),
        lambda: folder.move("b", name),
        lambda: folder.locked(name).__enter__(),
    ]
    for call in calls:
        with pytest.raises(LicensingError):
            call()
    assert (folder.path.parent / "a").read_bytes() == b"outside"
    assert list(folder.path.iterdir()) == []


def test_a_linked_file_is_neither_read_nor_written_nor_locked(folder: Folder, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"kept")
    (folder.path / "link").symlink_to(outside)
    for call in (
        lambda: folder.read("link"),
        lambda: folder.find("link"),
        lambda: folder.write("link", b"x"),
        lambda: folder.locked("link").__enter__(),
    ):
        with pytest.raises(LicensingError) as refused:
            call()
        assert refused.value.problems[0].where == str(folder.path / "link")
    assert outside.read_bytes() == b"kept"
    assert (folder.path / "link").is_symlink()
    assert folder.has("link")
    assert folder.walk() == []


def test_a_link_that_leads_nowhere_counts_as_there(folder: Folder) -> None:
    (folder.path / "link").symlink_to("nowhere")
    assert folder.has("link")
    with pytest.raises(LicensingError, match="not a regular file"):
        folder.write("link", b"x")
    assert not (folder.path / "nowhere").exists()


def test_a_linked_directory_is_not_entered(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a").write_bytes(b"kept")
    (folder.path / "link").symlink_to(tmp_path / "outside", target_is_directory=True)
    for call in (
        lambda: folder.read("link/a"),
        lambda: folder.find("link/a"),
        lambda: folder.write("link/a", b"x"),
        lambda: folder.write("link/b", b"x"),
        lambda: folder.remove("link/a"),
        lambda: folder.names("link"),
        lambda: folder.make("link/c"),
        lambda: folder.move("link/a", "a"),
    ):
        with pytest.raises(LicensingError):
            call()
    assert entries(tmp_path / "outside") == ["a"]
    assert (tmp_path / "outside/a").read_bytes() == b"kept"
    assert folder.walk() == []


def test_removing_a_link_leaves_what_it_points_to(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"kept")
    (folder.path / "link").symlink_to(tmp_path / "outside")
    assert folder.remove("link")
    assert (tmp_path / "outside").read_bytes() == b"kept"


def test_what_is_no_regular_file_is_refused_without_waiting(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(folder.path / "pipe")
    (folder.path / "directory").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(folder.path)
        listener.bind("socket")
        for name in ("pipe", "directory", "socket"):
            with pytest.raises(LicensingError):
                folder.read(name)
            with pytest.raises(LicensingError):
                folder.write(name, b"x")


def test_a_file_over_its_limit_is_not_read(folder: Folder) -> None:
    folder.write("a", b"12345")
    assert folder.read("a", 5) == b"12345"
    with pytest.raises(LicensingError, match="5 bytes; the maximum is 4"):
        folder.read("a", 4)


def test_a_missing_file_is_none_to_find_and_a_problem_to_read(folder: Folder) -> None:
    assert folder.find("Config/server.json") is None
    assert folder.mode("Config/server.json") is None
    assert folder.names("Config") == []
    assert not folder.remove("Config/server.json")
    with pytest.raises(LicensingError, match="No such file") as refused:
        folder.read("Config/server.json")
    assert refused.value.problems[0].where == str(folder.path / "Config/server.json")
    assert "restore the file from a backup" in refused.value.problems[0].todo


def test_moving_a_file_that_is_gone_changes_nothing(folder: Folder) -> None:
    folder.write("b", b"there")
    folder.make("closed")
    folder.move("a", "closed/a")
    assert folder.walk() == ["b"]


READ = """
folder = files.Folder(files.Path(sys.argv[1]))
for call in (lambda: folder.read("a"), lambda: folder.find("a"), lambda: folder.write("a", b"x"),
             lambda: folder.write("new", b"x"), lambda: folder.remove("a"), lambda: folder.names(),
             lambda: folder.make("b"), lambda: folder.locked().__enter__(), lambda: folder.has("a"),
             lambda: folder.walk(),
             lambda: files.Folder(folder.path / "deeper").make()):
    try:
        print("done", call())
    except errors.LicensingError as error:
        print(error.problems[0].what, error.problems[0].todo)
"""


def test_what_may_not_be_read_or_written_says_so_and_how_to_gain_the_right(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    (locked / "a").write_bytes(b"secret")
    let_others_come_to(locked)
    locked.chmod(0)
    try:
        lines = as_nobody(READ, str(locked)).splitlines()
    finally:
        locked.chmod(0o700)
    assert len(lines) == 11
    for line in lines:
        assert "Permission denied" in line
        assert "Run as the user that owns it (become: true)" in line
    assert (locked / "a").read_bytes() == b"secret"


WALK = """
try:
    print(files.Folder(files.Path(sys.argv[1])).walk())
except errors.LicensingError as error:
    print(error)
"""


def test_a_directory_that_may_not_be_read_is_not_left_out_of_a_list_without_a_word(folder: Folder) -> None:
    folder.write("Config/server.json", b"{}")
    folder.write("Licenses/a.lic", b"license")
    let_others_come_to(folder.path / "Config")
    (folder.path / "Config").chmod(0)
    try:
        told = as_nobody(WALK, str(folder.path))
    finally:
        (folder.path / "Config").chmod(0o700)
    assert "Permission denied" in told


def hold(path: str, ready: Any, release: Any) -> None:
    with Folder(Path(path)).locked():
        ready.set()
        release.wait(20)


def test_one_run_at_a_time_holds_a_folder_and_the_other_waits_only_so_long(folder: Folder) -> None:
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(str(folder.path), ready, release))
    other.start()
    try:
        assert ready.wait(20)
        began = time.monotonic()
        with pytest.raises(LicensingError, match=r"Another run has locked .* for 0\.3 seconds"):
            folder.locked(seconds=0.3).__enter__()
        assert 0.2 < time.monotonic() - began < 3
        release.set()
        with folder.locked(seconds=20):
            pass
    finally:
        release.set()
        other.join(20)
    assert folder.mode(".lock") == PRIVATE


def test_an_alternate_root_contains_its_home(tmp_path: Path) -> None:
    assert below(str(tmp_path), "/opt/home") == tmp_path / "opt/home"
    assert below("", "/opt/home") == Path("/opt/home")
    (tmp_path / "data").mkdir()
    (tmp_path / "opt").symlink_to("data")
    assert below(str(tmp_path), "/opt/home").resolve() == tmp_path / "data/home"


@pytest.mark.parametrize("path", ["", "/", "opt/home", "/opt/../etc", "//", "~/home", "/opt/\0"])
def test_a_home_that_is_no_absolute_folder_is_refused(tmp_path: Path, path: str) -> None:
    for root in ("", str(tmp_path)):
        with pytest.raises(LicensingError):
            below(root, path)


def test_a_root_is_refused_that_is_not_there_or_that_its_home_leaves(tmp_path: Path) -> None:
    with pytest.raises(LicensingError, match="does not exist"):
        below(str(tmp_path / "gone"), "/opt/home")
    with pytest.raises(LicensingError, match="not an absolute path"):
        below("rel", "/opt/home")
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").mkdir()
    (root / "opt").symlink_to(tmp_path / "outside")
    with pytest.raises(LicensingError, match="leads out of this root"):
        below(str(root), "/opt/home")
    (root / "var").symlink_to("var")
    with pytest.raises(LicensingError):
        Folder(below(str(root), "/var/home")).make()


def test_what_a_killed_write_left_behind_is_swept_once_it_is_old(folder: Folder) -> None:
    folder.write("Config/host.key", b"secret", PRIVATE)
    old, new = folder.path / "Config/.tmp-host.key-1", folder.path / "Config/.tmp-host.key-2"
    for left in (old, new):
        left.write_bytes(b"secret")
    an_hour_ago = time.time() - 3600
    os.utime(old, (an_hour_ago, an_hour_ago))
    os.utime(folder.path / "Config/host.key", (an_hour_ago, an_hour_ago))
    folder.sweep()
    assert entries(folder.path / "Config") == [".tmp-host.key-2", "host.key"]
