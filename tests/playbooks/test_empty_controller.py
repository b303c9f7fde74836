# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration that another controller goes on with, which has nothing of the first one's folder.

What moves with the licenses is compared with the source, or a bundle of it, in every run until it is on the target.
"""

from __future__ import annotations

import json
import shutil
import signal

import pytest
from support.events import Events
from support.lab import NUMBERS, USERS, Lab
from support.runs import Run, must
from support.unreachable import switch_off

KEY, CPX = "ApplicationKeys/app.key", "Licenses/extra.cpx"
TAKE = "start|Activate the licenses and profiles on the target|1"
WITHOUT = "aims_license_migrate_without_files=true"
MISSING = "Files missing on new: "


def publish(lab: Lab, host: str, content: str = "a key", cpx: str = "a file") -> None:
    """Have an application published on a host, and a keyless license there."""
    (lab.home(host) / KEY).write_text(content, encoding="utf-8")
    (lab.home(host) / KEY).chmod(0o600)
    (lab.home(host) / CPX).write_text(cpx, encoding="utf-8")
    # What a hostile source would have run as root by everybody.
    (lab.home(host) / CPX).chmod(0o4755)


def has(lab: Lab, host: str, content: str = "a key", cpx: str = "a file") -> bool:
    """Whether a host has what was published, as private and as harmless as it has to be."""
    places = [lab.home(host) / name for name in (KEY, CPX)]
    if not all(place.exists() for place in places):
        return False
    assert [place.stat().st_mode & 0o7777 for place in places] == [0o600, 0o644]
    return [place.read_text(encoding="utf-8") for place in places] == [content, cpx]


def between(lab: Lab, playbook: str = "migrate") -> Lab:
    """Kill a run after the licenses were given up and before they are taken, and lose the controller's folder."""
    run = Events(lab).killed(playbook, TAKE)
    assert run.code == -signal.SIGKILL, run.output
    assert lab.held("old") == lab.held("new") == set()
    shutil.rmtree(lab.work)
    return lab


def complete(lab: Lab, playbook: str = "migrate") -> Run:
    """The same command ends the migration, and then changes nothing."""
    run = must(lab.play(playbook))
    again = must(lab.play(playbook))
    assert again.changed == 0 and "Nothing is left to do." in again.output
    return run


def refused(run: Run, *texts: str) -> None:
    output = " ".join(run.output.replace("\\n", " ").split())
    assert run.code != 0 and "Traceback" not in run.output, run.output
    assert [text for text in texts if text not in output] == [], run.output


@pytest.mark.parametrize("earlier_stay", [False, True])
def test_the_files_come_from_the_source_where_no_bundle_of_it_is_left(rehearsed: Lab, earlier_stay: bool) -> None:
    if earlier_stay:
        publish(rehearsed, "old", "an older key")
        must(rehearsed.play("migrate"))
        must(rehearsed.play("rollback"))
    publish(rehearsed, "old")
    between(rehearsed)
    complete(rehearsed)
    assert rehearsed.held("new") == set(NUMBERS) and has(rehearsed, "new")
    assert rehearsed.overview("new")["users"] == USERS
    report = json.loads((rehearsed.work / "reports" / "old-to-new.json").read_text(encoding="utf-8"))
    assert report["moved"] == NUMBERS and report["files"]["missing"] == []


def test_on_the_way_back_they_come_from_the_target_likewise(migrated: Lab) -> None:
    publish(migrated, "new")
    between(migrated, "rollback")
    complete(migrated, "rollback")
    assert migrated.held("old") == set(NUMBERS) and has(migrated, "old")


def test_what_is_missing_though_all_licenses_are_there_is_told_and_brought(rehearsed: Lab) -> None:
    publish(rehearsed, "old")
    between(rehearsed)
    # Somebody goes on without the source, so that nothing of it came; of an earlier stay there is another key.
    (rehearsed.home("new") / KEY).write_text("an older key", encoding="utf-8")
    must(rehearsed.play("reconcile"))
    assert rehearsed.held("new") == set(NUMBERS)
    before = rehearsed.everything()
    check = must(rehearsed.play("migrate", "--check"))
    assert f"{MISSING}{KEY}, {CPX}" in check.output and "Nothing is left to do." not in check.output
    assert rehearsed.everything() == before
    assert "Nothing is left to do." not in complete(rehearsed).output
    assert has(rehearsed, "new") and set(USERS) <= set(rehearsed.overview("new")["users"])


def test_files_that_nobody_can_bring_keep_a_migration_from_being_complete(rehearsed: Lab) -> None:
    publish(rehearsed, "old")
    between(rehearsed)
    switch_off(rehearsed, "old")
    refused(rehearsed.play("migrate"), f"License {NUMBERS[0]} is not active on new, and old cannot be reached.")
    must(rehearsed.play("reconcile"))
    check = must(rehearsed.play("migrate", "--check"))
    assert f"{MISSING}not known" in check.output and "Nothing is left to do." not in check.output
    words = "Whether new has the application keys and .cpx files of old is not known."
    for _again in range(2):
        refused(rehearsed.play("migrate"), words, "aims_license_migrate_without_files: true")
    accepted = must(rehearsed.play("migrate", "-e", WITHOUT))
    assert accepted.changed <= 1 and "new goes on without them" in accepted.output
    assert must(rehearsed.play("migrate", "-e", WITHOUT)).changed == 0


def test_what_came_is_on_record_and_needs_neither_source_nor_bundle_any_more(migrated: Lab) -> None:
    shutil.rmtree(migrated.work)
    switch_off(migrated, "old")
    run = must(migrated.play("migrate"))
    assert run.changed == 0 and MISSING not in run.output


def test_another_bundle_of_a_lost_source_brings_what_the_first_one_lacked(rehearsed: Lab) -> None:
    must(rehearsed.play("backup"))
    shutil.copytree(rehearsed.work / "bundles", rehearsed.folder / "kept", symlinks=True)
    publish(rehearsed, "old")
    Events(rehearsed).killed("migrate", TAKE)
    (better,) = (path for path in (rehearsed.work / "bundles" / "old").glob("2*") if (path / "files" / KEY).exists())
    better = better.rename(rehearsed.folder / better.name)
    shutil.rmtree(rehearsed.work)
    shutil.move(rehearsed.folder / "kept", rehearsed.work / "bundles")
    switch_off(rehearsed, "old")
    lost = ("-e", "aims_license_migrate_source_lost=true")
    must(rehearsed.play("migrate", *lost))
    assert rehearsed.held("new") == set(NUMBERS) and not (rehearsed.home("new") / KEY).exists()
    named = (*lost, "-e", f"aims_license_migrate_bundle={better}")
    assert f"{MISSING}{KEY}, {CPX}" in must(rehearsed.play("migrate", "--check", *named)).output
    must(rehearsed.play("migrate", *named))
    assert has(rehearsed, "new")
    assert must(rehearsed.play("migrate", *named)).changed == 0


def test_a_file_in_whose_place_something_lies_is_told_by_name(rehearsed: Lab) -> None:
    publish(rehearsed, "old")
    (rehearsed.home("new") / KEY).mkdir(parents=True)
    run = rehearsed.play("migrate")
    refused(run, "another product")
    shutil.rmtree(rehearsed.home("new"))
    must(rehearsed.play("migrate"))
    (rehearsed.home("new") / KEY).unlink()
    (rehearsed.home("new") / KEY).mkdir()
    for _again in range(2):
        run = rehearsed.play("migrate")
        refused(run, f"Files that move with the licenses are missing on new: {KEY}.")
    must(rehearsed.play("migrate", "-e", WITHOUT))
    (rehearsed.home("new") / KEY).rmdir()
    complete(rehearsed)
    assert has(rehearsed, "new")
