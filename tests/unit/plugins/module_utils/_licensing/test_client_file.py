# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a client's list: found in the documented places, replaced at once, and kept once as it was."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client_entries import ABSENT, PRESENT, Change
from ansible_collections.aims.licensing.plugins.module_utils._licensing.client_file import Edited, LocalFile, edit
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from support.needs import needs_root

OLD, NEW = "old:3400", "new:3400"
LIST = b"1\tnetwork\told:3400\r\n"
COPIED = b"1\tnetwork\tnew:3400\r\n"


def config(root: Path, name: str = "Aimms") -> Path:
    folder = root / "usr" / "local" / name / "Config"
    folder.mkdir(parents=True)
    return folder


def add(root: Path, path: str = "", dry: bool = False, like: str | None = OLD) -> Edited:
    return edit(LocalFile(path, str(root)), Change.read([NEW], PRESENT, like), None, dry)


def remove(root: Path, replaced_by: str | None = None, dry: bool = False) -> Edited:
    return edit(LocalFile("", str(root)), Change.read([OLD], ABSENT, None), replaced_by, dry)


def refusal(call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(LicensingError) as refused:
        call(*arguments, **options)
    return str(refused.value)


@pytest.mark.parametrize("name", ["licenses.cfg", "license.cfg"])
@pytest.mark.parametrize("folder", ["Aimms", "AIMMS"])
def test_a_list_is_found_by_both_names_in_both_folders_and_its_original_is_kept_once(
    tmp_path: Path, name: str, folder: str
) -> None:
    place = config(tmp_path, folder) / name
    place.write_bytes(LIST)
    place.chmod(0o640)
    foreseen = add(tmp_path, dry=True)
    assert foreseen.is_changed and list(place.parent.iterdir()) == [place]
    done = add(tmp_path)
    assert done.as_dict() == foreseen.as_dict()
    original = place.with_name(f"{name}.aims-original")
    assert done.as_dict()["original"] == str(original)
    assert place.read_bytes() == LIST + COPIED and original.read_bytes() == LIST
    assert {stat.S_IMODE(file.stat().st_mode) for file in (place, original)} == {0o640}
    again = add(tmp_path)
    assert not again.is_changed and again.is_listed and again.has_original

    remove(tmp_path)
    assert place.read_bytes() == COPIED and original.read_bytes() == LIST
    assert sorted(place.parent.iterdir()) == [place, original]


@needs_root
def test_owner_and_group_stay(tmp_path: Path) -> None:
    place = config(tmp_path) / "licenses.cfg"
    place.write_bytes(LIST)
    os.chown(place, 12, 34)
    add(tmp_path)
    files = sorted(place.parent.iterdir())
    assert len(files) == 2
    assert {(file.stat().st_uid, file.stat().st_gid) for file in files} == {(12, 34)}


def test_the_folder_may_be_a_link_and_the_list_itself_may_not(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "licenses.cfg").write_bytes(LIST)
    above = tmp_path / "usr" / "local" / "Aimms"
    above.mkdir(parents=True)
    (above / "Config").symlink_to(data)
    assert add(tmp_path).as_dict()["path"] == str(data / "licenses.cfg")
    assert (data / "licenses.cfg").read_bytes() == LIST + COPIED

    (data / "licenses.cfg").rename(data / "other")
    (data / "licenses.cfg").symlink_to("other")
    assert "It is a symbolic link, which is never followed here." in refusal(add, tmp_path)
    assert (data / "other").read_bytes() == LIST + COPIED


def test_none_or_several_lists_in_the_documented_places_are_refused_and_one_can_be_named(tmp_path: Path) -> None:
    assert "There is no list of licenses in the documented places: " in refusal(add, tmp_path)
    for folder in ("Aimms", "AIMMS"):
        (config(tmp_path, folder) / "licenses.cfg").write_bytes(LIST)
    words = refusal(add, tmp_path)
    assert "There are several lists of licenses: " in words and "(aims_license_client_path)" in words
    add(tmp_path, "/usr/local/AIMMS/Config/licenses.cfg")
    assert (tmp_path / "usr/local/Aimms/Config/licenses.cfg").read_bytes() == LIST


def test_a_named_list_that_is_missing_is_made_for_new_entries_alone(tmp_path: Path) -> None:
    path = "/usr/local/Aimms/Config/licenses.cfg"
    assert "The folder of the list is not there." in refusal(add, tmp_path, path)
    folder = config(tmp_path)
    copied = add(tmp_path, path)
    assert not copied.is_changed and not copied.is_listed and list(folder.iterdir()) == []
    made = add(tmp_path, path, like=None)
    assert made.is_changed and not made.has_original
    assert (folder / "licenses.cfg").read_bytes() == b"1\tnetwork\tnew:3400\n"
    assert stat.S_IMODE((folder / "licenses.cfg").stat().st_mode) == 0o644


def test_what_is_no_file_or_no_path_is_refused(tmp_path: Path) -> None:
    (config(tmp_path) / "licenses.cfg").mkdir()
    assert "It is a directory. Move it away" in refusal(add, tmp_path)
    for path in ("licenses.cfg", "/", "/a\0b"):
        assert "is not the whole path of a file." in refusal(add, tmp_path, path)


def test_the_source_stays_until_the_target_is_listed_and_answers(tmp_path: Path) -> None:
    place = config(tmp_path) / "licenses.cfg"
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = f"127.0.0.1:{server.getsockname()[1]}"
        place.write_bytes(LIST)
        words = refusal(remove, tmp_path, target)
        assert f"The list would have no entry of {target} afterwards" in words
        assert "Add it first: run the playbook cut_over without aims_license_client_remove_source." in words
        listed = LIST + f"1\tnetwork\t{target},Client\n".encode()
        place.write_bytes(listed)
        assert remove(tmp_path, target, dry=True).is_changed and place.read_bytes() == listed
    # Nobody listens any more.
    for dry in (True, False):
        assert f"{target} does not answer, and the entries that it replaces stay" in refusal(
            remove, tmp_path, target, dry=dry
        )
    assert place.read_bytes() == listed
    with socket.create_server(("127.0.0.1", int(target.rpartition(":")[2]))):
        remove(tmp_path, target)
    assert place.read_bytes() == listed.removeprefix(LIST)
    # Once it is removed, nobody has to answer.
    assert not remove(tmp_path, target).is_changed


def test_a_list_that_cannot_be_replaced_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = config(tmp_path) / "licenses.cfg"
    place.write_bytes(LIST)

    def full(*arguments: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    assert "The disk is full" in refusal(add, tmp_path)
    assert place.read_bytes() == LIST and list(place.parent.iterdir()) == [place]
