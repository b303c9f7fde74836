# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendor's license server behind the port: looked at and backed up; what is a person's step is refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.channel.base import OfflineFiles
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager import factory
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import (
    DEFAULT_HOME,
    VENDOR,
    open_manager,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import (
    Activation,
    Deactivation,
    LicenseManager,
    Maintenance,
    ProfileChange,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor import manager as vendor
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import Profile
from support.vendor_tree import KEY, NUMBERS, SERVER, make_tree, put, stem

MACHINE_ID = "0123456789abcdef0123456789abcdef\n"
OFFLINE = OfflineFiles({})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path, "etc/machine-id", MACHINE_ID.encode())
    make_tree(tmp_path / "usr" / "local" / "Aimms")
    return tmp_path


def opened(root: Path, home: str = DEFAULT_HOME) -> LicenseManager:
    return open_manager(VENDOR, home, root=str(root))


def test_the_default_home_stands_for_the_documented_folders(root: Path) -> None:
    assert opened(root).overview().held == set(NUMBERS)
    (root / "usr/local/Aimms").rename(root / "usr/local/AIMMS")
    assert opened(root).overview().server.home == str(root / "usr/local/AIMMS")


def test_one_folder_under_both_names_is_no_second_one(root: Path) -> None:
    (root / "usr/local/AIMMS").symlink_to("Aimms")
    assert opened(root).overview().held == set(NUMBERS)


def test_a_named_home_is_the_one(root: Path) -> None:
    (root / "usr/local/Aimms").rename(root / "licenses")
    assert opened(root, "/licenses").overview().held == set(NUMBERS)
    assert not opened(root).overview().server.installed


def test_a_bundle_has_keys_as_secrets_and_everything_as_it_is(root: Path) -> None:
    files = {file.name: file for file in opened(root).files()}
    key = files["ApplicationKeys/store.key"]
    assert key.secret and key.mode == 0o600 and key.content == KEY
    assert not files[f"Licenses/{stem(SERVER)}.lic"].secret
    assert files[f"Nodelocks/{stem(SERVER)}.lock"].content == b"nodelock 015.120.064.022 1\n"


def test_files_that_move_are_known_by_their_digests(root: Path) -> None:
    carried = opened(root).carried()
    assert sorted(carried.files) == ["ApplicationKeys/store.key", f"Licenses/{stem(SERVER)}.cpx"]
    assert carried.brought == {} and carried.sources == ()


def test_a_bundle_that_is_too_large_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor, "_MOST", 100)
    with pytest.raises(LicensingError, match="Move away what does not belong"):
        opened(root).files()


def test_a_file_that_went_while_it_was_read_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = opened(root)
    manager.overview()
    (root / "usr/local/Aimms/Config/settings.cfg").unlink()
    with pytest.raises(LicensingError, match=r"removed or renamed while they were read: Config/settings\.cfg"):
        manager.files()


def test_the_machine_is_known_as_any_other(root: Path) -> None:
    manager = opened(root)
    assert set(manager.fingerprint()) == {"machine-id"}
    assert manager.places()["machine"]


CALLS: dict[str, Callable[[LicenseManager], object]] = {
    "deactivates no license": lambda manager: manager.deactivate(Deactivation([SERVER]), OFFLINE),
    "registers no users": lambda manager: manager.activate(Activation((), users=["AIMS\\anna"]), OFFLINE),
    "makes no emergency activation": lambda manager: manager.activate(Activation((), emergency=[SERVER]), OFFLINE),
    "adds no profile beside the one of each license": lambda manager: manager.activate(
        Activation((), extra_profiles=[Profile("Night", SERVER)]), OFFLINE
    ),
    "updates no license": lambda manager: manager.update([SERVER], OFFLINE),
    "neither enters nor leaves maintenance mode": lambda manager: manager.set_maintenance(Maintenance(True)),
    "takes no seat": lambda manager: manager.verify(True),
    "changes no profiles": lambda manager: manager.set_profiles(ProfileChange()),
    "learns of no transfers": lambda manager: manager.quote([], OFFLINE),
}


@pytest.mark.parametrize("words", CALLS)
def test_what_is_a_persons_step_is_refused_and_nothing_changes(root: Path, words: str) -> None:
    manager = opened(root)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    with pytest.raises(LicensingError, match=f"this version {words}: that is a person's step") as refused:
        CALLS[words](manager)
    assert refused.value.problems[0].where == str(root / "usr/local/Aimms")
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_another_backend_is_none() -> None:
    with pytest.raises(LicensingError, match="is not a backend"):
        factory.open_manager("other", DEFAULT_HOME)


def test_what_a_person_did_in_the_license_manager_is_seen(root: Path) -> None:
    with pytest.raises(LicensingError, match=r"Do it in the license manager \(License > .*Deactivate"):
        opened(root).deactivate(Deactivation([SERVER]), OFFLINE)
    (root / f"usr/local/Aimms/Nodelocks/{stem(SERVER)}.lock").unlink()
    assert opened(root).overview().held == set(NUMBERS) - {SERVER}
