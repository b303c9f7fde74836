# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles as playbooks make them: what they hold, who may read them, and which of them stays the newest."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import yaml
from support.lab import NUMBERS, USERS, Lab
from support.runs import must


@pytest.fixture
def bundle(migrated_once: Lab) -> Path:
    """The newest bundle of the source of a finished migration."""
    return (migrated_once.work / "bundles" / "old" / "latest").resolve()


def test_the_bundle_holds_the_source_as_it_was_and_is_whole(migrated_once: Lab, bundle: Path) -> None:
    manifest = yaml.safe_load((bundle / "manifest.yml").read_text(encoding="utf-8"))
    sealed = (bundle / "manifest.sha256").read_text(encoding="utf-8").split()
    assert sealed == [hashlib.sha256((bundle / "manifest.yml").read_bytes()).hexdigest(), "manifest.yml"]
    overview = yaml.safe_load((bundle / "overview.yml").read_text(encoding="utf-8"))
    assert {license["number"]: license["status"] for license in overview["licenses"]} == dict.fromkeys(
        NUMBERS, "Active"
    )
    assert overview["users"] == USERS
    for number in NUMBERS:
        assert number in (bundle / "overview.html").read_text(encoding="utf-8")
    names = {file["name"] for file in manifest["files"]}
    stored = {str(path.relative_to(bundle / "files")) for path in (bundle / "files").rglob("*") if path.is_file()}
    assert names == stored
    stems = [number.replace(".", "") for number in NUMBERS]
    assert names >= {f"Licenses/{stem}.lic" for stem in stems} | {f"Nodelocks/{stem}.lock" for stem in stems}
    vault = migrated_once.secrets()
    for file in manifest["files"]:
        content = (bundle / "files" / file["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file["stored_sha256"]
        plain = vault.decrypt(content) if file["secret"] else content
        assert hashlib.sha256(plain).hexdigest() == file["sha256"]


def test_the_key_in_the_bundle_is_encrypted_and_the_hosts_own(migrated_once: Lab, bundle: Path) -> None:
    stored = (bundle / "files" / "Config" / "host.key").read_bytes()
    original = (migrated_once.home("old") / "Config" / "host.key").read_bytes()
    assert stored.startswith(b"$ANSIBLE_VAULT;")
    assert b"PRIVATE KEY" in original and b"PRIVATE KEY" not in stored
    assert migrated_once.secrets().decrypt(stored) == original


def test_what_is_kept_on_the_controller_is_for_its_owner_only(migrated_once: Lab) -> None:
    for path in [migrated_once.work, *migrated_once.work.rglob("*")]:
        if not path.is_symlink():
            assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_the_same_content_makes_no_second_bundle(rehearsed: Lab) -> None:
    must(rehearsed.play("backup"))
    bundles = rehearsed.work / "bundles"
    before = rehearsed.tree(bundles)
    assert must(rehearsed.play("backup")).changed == 0
    assert rehearsed.tree(bundles) == before
    rehearsed.licman("old", "--profile-add", "Nightly", "--license", NUMBERS[1])
    assert must(rehearsed.play("backup")).changed == 1
    latest = yaml.safe_load((bundles / "old" / "latest" / "overview.yml").read_text(encoding="utf-8"))
    assert "Nightly" in [profile["name"] for profile in latest["profiles"]]
    assert len([path for path in (bundles / "old").iterdir() if not path.is_symlink()]) == 2


def test_a_backup_after_the_migration_keeps_the_good_bundle(migrated: Lab) -> None:
    before = migrated.tree(migrated.work)
    run = must(migrated.play("backup"))
    assert run.changed == 0
    assert migrated.tree(migrated.work) == before
    assert "kept" in run.output


def test_a_poorer_bundle_is_taken_by_no_other_word_than_yes(migrated: Lab) -> None:
    options = {
        "home": "{{ aims_license_server_home }}",
        "root": "{{ aims_license_server_root }}",
        "dest": str(migrated.work / "bundles"),
        "allow_poorer": "{{ poorer }}",
    }
    play = migrated.write_play("poorer", "old", [{"name": "Back up", "aims.licensing.aims_license_backup": options}])
    before = migrated.tree(migrated.work)
    # What the command line gives is a text.
    for word in ("no", "False", "0"):
        assert must(migrated.play(play, "-e", f"poorer={word}")).changed == 0
    refused = migrated.play(play, "-e", "poorer=perhaps")
    assert refused.code != 0 and "perhaps" in refused.output and "Traceback" not in refused.output
    assert migrated.tree(migrated.work) == before
    assert must(migrated.play(play, "-e", "poorer=yes")).changed == 1
    latest = yaml.safe_load((migrated.work / "bundles" / "old" / "latest" / "overview.yml").read_text(encoding="utf-8"))
    assert not [license for license in latest["licenses"] if license["status"] == "Active"]


def test_a_license_that_was_replaced_by_another_keeps_neither_backups_nor_the_migration(rehearsed: Lab) -> None:
    rehearsed.licman("old", "--nodelock-deactivate", NUMBERS[2])
    must(rehearsed.play("backup"))
    rehearsed.licman("old", "--nodelock-deactivate", NUMBERS[0])
    before = rehearsed.tree(rehearsed.work)
    assert "kept" in must(rehearsed.play("backup")).output and rehearsed.tree(rehearsed.work) == before
    rehearsed.declare(*NUMBERS[1:])
    options = {
        "home": "{{ aims_license_server_home }}",
        "root": "{{ aims_license_server_root }}",
        "licenses": "{{ hostvars.new.aims_license_server_licenses }}",
    }
    must(
        rehearsed.play(
            rehearsed.write_play("more", "old", [{"name": "More", "aims.licensing.aims_license_activate": options}])
        )
    )
    run = must(rehearsed.play("backup"))
    assert run.changed == 1 and "kept" not in run.output
    latest = yaml.safe_load(
        (rehearsed.work / "bundles" / "old" / "latest" / "overview.yml").read_text(encoding="utf-8")
    )
    assert {license["number"] for license in latest["licenses"] if license["status"] == "Active"} == set(NUMBERS[1:])
    lost = rehearsed.play("migrate", "--check", "-e", "aims_license_migrate_source_lost=true")
    assert lost.output.count("needs release") == 2 and "was not active" not in lost.output
    must(rehearsed.play("migrate"))
    assert (rehearsed.held("old"), rehearsed.held("new")) == (set(), set(NUMBERS[1:]))
    assert must(rehearsed.play("migrate")).changed == 0
