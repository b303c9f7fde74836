# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a license server on this machine: listed whole, links to folders followed, links to files not."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor import tree
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.tree import (
    CopyTree,
    Entry,
    LocalTree,
)


def test_everything_below_the_root_is_listed_by_name_with_size_time_and_read_only(tmp_path: Path) -> None:
    lock = tmp_path / "Nodelocks" / "015120064022.lock"
    lock.parent.mkdir()
    lock.write_bytes(b"1234")
    os.utime(lock, (1_700_000_000.5, 1_700_000_000.5))
    lock.chmod(0o444)
    (tmp_path / "a file with ümlauts.cpx").write_bytes(b"")
    entries = LocalTree(tmp_path).entries()
    assert [entry.name for entry in entries] == ["Nodelocks", "Nodelocks/015120064022.lock", "a file with ümlauts.cpx"]
    folder, file, _other = entries
    assert folder.is_folder and folder.size == 0
    moment = datetime.fromtimestamp(1_700_000_000, timezone.utc)
    assert file == Entry("Nodelocks/015120064022.lock", False, 4, moment, is_read_only=True)
    lock.chmod(0o644)
    assert not any(entry.is_read_only for entry in LocalTree(tmp_path).entries())


def test_a_root_that_is_not_there_has_nothing_below_it(tmp_path: Path) -> None:
    assert LocalTree(tmp_path / "Aimms").entries() == []


def test_a_folder_may_be_a_link_and_several_may_lead_to_one(tmp_path: Path) -> None:
    data, root = tmp_path / "data", tmp_path / "Aimms"
    data.mkdir()
    root.mkdir()
    (data / "015120064022.lic").write_bytes(b"license")
    for name in ("Licenses", "Nodelocks"):
        (root / name).symlink_to(data)
    linked = LocalTree(root)
    names = [entry.name for entry in linked.entries() if not entry.is_folder]
    assert names == ["Licenses/015120064022.lic", "Nodelocks/015120064022.lic"]
    assert linked.read(names) == dict.fromkeys(names, b"license")


def test_a_link_that_leads_round_in_a_circle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Licenses").symlink_to(tmp_path)
    with pytest.raises(LicensingError, match="a link to a folder that it lies in") as refused:
        LocalTree(tmp_path).entries()
    assert refused.value.problems[0].where == str(tmp_path / "Licenses")


def test_a_link_to_a_file_is_listed_and_never_read(tmp_path: Path) -> None:
    secret, root = tmp_path / "secret", tmp_path / "Aimms"
    secret.write_bytes(b"not for others")
    root.mkdir()
    (root / "x.lic").symlink_to(secret)
    (root / "lost.lic").symlink_to(tmp_path / "nowhere")
    assert [entry.name for entry in LocalTree(root).entries()] == ["x.lic"]
    with pytest.raises(LicensingError, match=r"cannot be read.*symbolic link"):
        LocalTree(root).read(["x.lic"])


def test_files_that_are_missing_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "here").write_bytes(b"1")
    assert LocalTree(tmp_path).read(["here", "gone", "here/below"]) == {"here": b"1"}


@pytest.mark.parametrize("name", ["../x", "/etc/hostname", "a/../../x", "", "a//b", "a\0b"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LicensingError, match="leads out"):
        LocalTree(tmp_path).read([name])


def test_what_is_no_file_of_a_license_server_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LicensingError, match="not a regular file"):
        LocalTree(tmp_path).read(["pipe"])
    monkeypatch.setattr(tree, "LIMIT", 10)
    (tmp_path / "large").write_bytes(b"x" * 11)
    with pytest.raises(LicensingError, match="more than"):
        LocalTree(tmp_path).read(["large"])


def test_a_tree_that_never_ends_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MOST_ENTRIES", 3)
    for number in range(4):
        (tmp_path / str(number)).touch()
    with pytest.raises(LicensingError, match="more than 3 files"):
        LocalTree(tmp_path).entries()


def test_a_folder_that_cannot_be_listed_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Licenses").mkdir()
    listing = os.scandir

    def refusing(path: Path) -> object:
        if path == tmp_path / "Licenses":
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    with monkeypatch.context() as patched, pytest.raises(LicensingError, match="Permission denied") as refused:
        patched.setattr(os, "scandir", refusing)
        LocalTree(tmp_path).entries()
    assert refused.value.problems[0].where == str(tmp_path / "Licenses")


def test_a_copy_is_read_as_the_host_is_and_has_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "Licenses").mkdir()
    assert [entry.name for entry in CopyTree(tmp_path).entries()] == ["Licenses"]
    with pytest.raises(LicensingError, match="is not there"):
        CopyTree(tmp_path / "copy")
