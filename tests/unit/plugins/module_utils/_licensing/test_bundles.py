# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bundle is written, and which one stands for a host: no good one gives way to a poorer (invariant I6)."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import Home
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Deactivation, Maintenance
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import newest_of, read_bundle
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.backups import (
    KEY,
    VAULT,
    Backups,
    publish,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    HOME,
    NUMBERS,
    SERVER,
    SESSION,
    CoreLab,
)


def test_a_home_that_only_gave_licenses_up_makes_no_bundle(lab: CoreLab, backups: Backups) -> None:
    lab.activate(lab.old)
    first = backups.take(lab.old)
    for gone in NUMBERS:
        lab.deactivate(lab.old, gone)
        assert backups.judge(lab.old).made == first and backups.judge(lab.old).kept
        assert backups.take(lab.old) == first and backups.count() == 1


def test_what_is_new_beside_a_damaged_license_is_backed_up_and_displaces_nothing(
    lab: CoreLab, backups: Backups
) -> None:
    lab.activate(lab.old)
    first = backups.take(lab.old)
    for kind in ("lock", "ver"):
        (lab.old.folder / "Nodelocks" / f"{digits(SERVER)}.{kind}").unlink()
    assert backups.take(lab.old) == first
    publish(lab.old, "published since")
    found = backups.judge(lab.old)
    assert found.made is None and not found.moves and found.kept and SERVER in found.kept
    second = backups.take(lab.old)
    assert KEY in {file.name for file in second.manifest.files} and second.covered == {SESSION, CLIENT}
    assert backups.latest == first.path
    # Nothing is written a second time, nor in another run.
    assert backups.take(lab.old) == second and not backups.judge(lab.old).changes and backups.count() == 2


def test_what_is_new_beside_licenses_that_were_given_back_becomes_the_newest(lab: CoreLab, backups: Backups) -> None:
    lab.activate(lab.old)
    backups.take(lab.old)
    lab.deactivate(lab.old, SERVER)
    publish(lab.old, "published since")
    second = backups.take(lab.old)
    assert backups.latest == second.path and second.covered == {SESSION, CLIENT}
    assert second.known == set(NUMBERS)
    # A host that holds nothing any more displaces nothing.
    lab.deactivate(lab.old, SESSION, CLIENT)
    publish(lab.old, "published at last")
    assert backups.take(lab.old) != second and backups.latest == second.path


def test_licenses_that_are_about_to_be_given_back_are_covered(lab: CoreLab, backups: Backups) -> None:
    lab.activate(lab.old)
    first = backups.take(lab.old)
    lab.old.manager.deactivate(Deactivation(NUMBERS), lab.offline())
    assert backups.take(lab.old) == first
    publish(lab.old, "published since")
    second = backups.take(lab.old)
    second.require_covers(NUMBERS)
    assert second.path != first.path and backups.latest == second.path


def test_a_home_that_was_made_anew_displaces_the_bundle_once_it_holds_licenses(lab: CoreLab, backups: Backups) -> None:
    lab.activate(lab.old)
    first = backups.take(lab.old)
    lab.deactivate(lab.old, *NUMBERS)
    shutil.rmtree(lab.old.folder)
    Home(HOME, str(lab.old.root)).create()
    assert backups.take(lab.old) == first and backups.judge(lab.old).kept
    lab.activate(lab.old, SESSION)
    second = backups.take(lab.old)
    assert second.manifest.home_id == lab.old.overview["server"]["home_id"] != first.manifest.home_id
    second.require_covers([SESSION])
    assert backups.latest == second.path and first.path.is_dir()


def test_a_damaged_bundle_of_the_same_content_serves_nobody(lab: CoreLab, backups: Backups) -> None:
    lab.activate(lab.old)
    first = backups.take(lab.old)
    lab.old.manager.set_maintenance(Maintenance(True))
    backups.take(lab.old)
    (first.path / "overview.yml").write_text("", encoding="utf-8")
    lab.old.manager.set_maintenance(Maintenance(False))
    third = backups.take(lab.old)
    assert third.manifest.digest == first.manifest.digest and third.path != first.path
    assert backups.latest == third.path


def test_a_bundle_that_the_passwords_of_the_run_do_not_open_is_followed_by_one_that_they_open(
    lab: CoreLab, backups: Backups
) -> None:
    lab.activate(lab.old)
    first = backups.take(lab.old)
    backups.vault = VaultLib([("default", VaultSecret(b"after the vault was re-keyed"))])
    assert backups.judge(lab.old).made is None and backups.judge(lab.old).moves
    second = backups.take(lab.old)
    assert second.path != first.path and backups.latest == second.path
    assert second.serves(backups.vault) and not first.serves(backups.vault)
    with pytest.raises(LicensingError, match="No vault password of this run opens"):
        first.require_opens(backups.vault)
    assert not backups.judge(lab.old).changes
    # An older bundle of the same content that opens is as good as a new one.
    lab.old.manager.set_maintenance(Maintenance(True))
    backups.take(lab.old)
    lab.old.manager.set_maintenance(Maintenance(False))
    assert backups.judge(lab.old).made == second
    backups.vault = VAULT
    assert backups.judge(lab.old).made == first


def test_after_the_vault_was_re_keyed_what_is_left_to_give_up_is_backed_up_once_more(
    lab: CoreLab, backups: Backups
) -> None:
    lab.activate(lab.old)
    first = backups.take(lab.old)
    lab.deactivate(lab.old, SERVER)
    assert backups.take(lab.old) == first
    backups.vault = VaultLib([("default", VaultSecret(b"after the vault was re-keyed"))])
    second = backups.take(lab.old)
    second.require_covers([SESSION, CLIENT])
    assert second != first and second.serves(backups.vault) and backups.latest == second.path


def test_the_newest_bundle_of_another_host_stands_for_nobody(lab: CoreLab, backups: Backups) -> None:
    lab.activate(lab.old)
    made = backups.take(lab.old)
    backups.folder.rename(backups.folder.with_name("old"))
    moved = replace(made, path=backups.folder.with_name("old") / made.path.name)
    assert newest_of(backups.folder.parent, "old") == moved
    backups.folder.with_name("old").rename(backups.folder.with_name("new"))
    with pytest.raises(LicensingError, match="is of 'old', not of new"):
        newest_of(backups.folder.parent, "new")
    # Of a host that was renamed, its bundle is named; where somebody exchanged the folders, it goes back.
    assert read_bundle(backups.folder.with_name("new") / "latest").covered == made.covered
    backups.folder.with_name("new").rename(backups.folder.with_name("old"))
    assert newest_of(backups.folder.parent, "new") is None and newest_of(backups.folder.parent, "old") == moved
