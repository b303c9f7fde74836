# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of bundles without links, copied, cut off in the middle, or on file systems that cannot sync or lock."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import faults
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Maintenance
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import digest_of, newest, read_bundle
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.backups import Backups, publish
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import NUMBERS, CoreLab

NOWHERE = [errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL]


@pytest.mark.parametrize("number", NOWHERE)
def test_without_symbolic_links_a_file_names_the_newest_bundle(
    lab: CoreLab, backups: Backups, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse_link(*_arguments: Any) -> None:
        raise OSError(number, "no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse_link)
    lab.activate(lab.old)
    first, link = backups.take(lab.old), backups.folder / "latest"
    assert link.is_file() and not link.is_symlink() and link.stat().st_mode & 0o777 == 0o600
    assert backups.latest == first.path == read_bundle(link).path
    assert not backups.judge(lab.old).changes
    publish(lab.old, "published since")
    second = backups.take(lab.old)
    assert backups.latest == second.path != first.path
    # Back on a file system that has links, the file gives way to one.
    monkeypatch.undo()
    lab.old.manager.set_maintenance(Maintenance(True))
    third = backups.take(lab.old)
    assert link.is_symlink() and backups.latest == third.path
    link.unlink()
    for text in ("", "../../elsewhere", "20260101T120000Z-000000000000/.."):
        link.write_text(text, encoding="utf-8")
        with pytest.raises(LicensingError, match="names no bundle"):
            newest(backups.folder)


def test_a_copy_that_followed_links_is_read_and_backed_up_into(
    lab: CoreLab, backups: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.activate(lab.old)
    first = backups.take(lab.old)
    for number in (1, 2):
        copy = backups.folder.parent / f"copy{number}"
        shutil.copytree(backups.folder, copy, symlinks=False)
        shutil.rmtree(backups.folder)
        copy.rename(backups.folder)
        assert (backups.folder / "latest").is_dir() and not (backups.folder / "latest").is_symlink()
        assert not backups.judge(lab.old).changes and backups.latest.name == "latest"
        publish(lab.old, f"published {number}")
        with monkeypatch.context() as cut:
            # Cut off between the two, what stands for the host is there.
            cut.setattr(Path, "replace", lambda *_names: os._exit(0))
            pid = os.fork()
            if pid == 0:
                backups.take(lab.old)
                os._exit(1)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert backups.latest.name == f"latest-copied-{2 * number - 1}"
        shutil.copytree(backups.latest, backups.folder / "latest")
        made = backups.take(lab.old)
        assert (backups.folder / "latest").is_symlink() and backups.latest == made.path != first.path
        assert read_bundle(backups.folder / f"latest-copied-{2 * number}").covered == set(NUMBERS)


@pytest.mark.parametrize("later", [False, True])
def test_a_backup_that_was_killed_before_its_link_got_its_name_is_ended_by_the_next_one_in_a_copy(
    lab: CoreLab, backups: Backups, monkeypatch: pytest.MonkeyPatch, later: bool
) -> None:
    """The copy followed links, so that what was to become the newest one's link is a folder."""

    def kill(point: str, _what: str) -> None:
        if point == "bundle.linked":
            raise KeyboardInterrupt

    lab.activate(lab.old)
    if later:
        backups.take(lab.old)
        publish(lab.old, "published since")
    with monkeypatch.context() as cut, pytest.raises(KeyboardInterrupt):
        cut.setattr(faults, "hook", kill)
        backups.take(lab.old)
    copy = backups.folder.with_name("copy")
    shutil.copytree(backups.folder, copy, symlinks=False)
    shutil.rmtree(backups.folder)
    copy.rename(backups.folder)
    assert (backups.folder / ".tmp-latest").is_dir() and not (backups.folder / ".tmp-latest").is_symlink()
    made = backups.take(lab.old)
    assert backups.latest == made.path and (backups.folder / "latest").is_symlink()
    assert not (backups.folder / ".tmp-latest").exists() and not backups.judge(lab.old).changes


LEFT = [".tmp-latest", ".tmp-20260101T120000Z-000000000000", "the bundle's own name"]


@pytest.mark.parametrize("kind", ["copied", "folder", "file", "link", "dangling"])
@pytest.mark.parametrize("name", LEFT)
def test_whatever_lies_in_the_place_of_a_temporary_one_keeps_no_bundle_from_being_made(
    lab: CoreLab, backups: Backups, tmp_path: Path, name: str, kind: str
) -> None:
    lab.activate(lab.old)
    first = backups.take(lab.old)
    publish(lab.old, "published since")
    if name == LEFT[-1]:
        name = f"20260101T120200Z-{digest_of(backups.seen(lab.old)[0])[:12]}"
    place = backups.folder / name
    (tmp_path / "elsewhere").mkdir()
    if kind == "copied":
        shutil.copytree(first.path, place)
    elif kind == "folder":
        place.mkdir()
    elif kind == "file":
        place.write_text("half", encoding="utf-8")
    else:
        place.symlink_to(tmp_path / ("elsewhere" if kind == "link" else "nowhere"))
    second = backups.take(lab.old)
    assert backups.latest == second.path != first.path and (backups.folder / "latest").is_symlink()
    assert {path.name for path in backups.folder.iterdir()} == {"latest", first.path.name, second.path.name}
    assert (tmp_path / "elsewhere").is_dir() and not backups.judge(lab.old).changes


def test_a_folder_that_cannot_be_synced_or_locked_by_itself_takes_bundles_all_the_same(
    lab: CoreLab, backups: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.activate(lab.old)
    sync, lock = os.fsync, fcntl.flock

    def refuse_folders(handle: Any, *more: Any) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EBADF if more else errno.EINVAL, "not a folder")
        (lock if more else sync)(handle, *more)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    monkeypatch.setattr(fcntl, "flock", refuse_folders)
    made = backups.take(lab.old)
    assert backups.latest == made.path and (backups.folder / ".lock").is_file()

    def refuse_locks(*_arguments: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    lab.old.manager.set_maintenance(Maintenance(True))
    monkeypatch.setattr(fcntl, "flock", refuse_locks)
    with pytest.raises(LicensingError, match="cannot lock files: No locks available"):
        backups.take(lab.old)
