# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration as it should go: what it moves, what it leaves behind, and that a second one does nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.lab import GRANTS, NUMBERS, USERS, WORKED_EXAMPLE, Lab
from support.runs import Run, must


@pytest.fixture
def bundle(migrated_once: Lab) -> Path:
    """The newest bundle of the source of a finished migration."""
    return (migrated_once.work / "bundles" / "old" / "latest").resolve()


@pytest.fixture
def report(migrated_once: Lab) -> dict[str, Any]:
    """The report of a finished migration."""
    return json.loads((migrated_once.work / "reports" / "old-to-new.json").read_text(encoding="utf-8"))


def plan_rows(run: Run) -> dict[str, list[str]]:
    """The cells of the plan that a run shows, by license."""
    lines = run.output.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("Plan old -> new"))
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines[start + 1 : start + 8]]
    return {row[0]: row[1:] for row in rows if row[0] in NUMBERS}


def profiles(lab: Lab, host: str) -> list[tuple[str, str, bool]]:
    return [(one["name"], one["license"], one["default"]) for one in lab.overview(host)["profiles"]]


def test_check_before_the_first_migration_shows_the_plan_and_changes_nothing(rehearsed: Lab) -> None:
    before = rehearsed.everything()
    run = must(rehearsed.play("migrate", "--check", "--diff"))
    assert rehearsed.everything() == before
    assert not rehearsed.work.exists()
    assert run.changed == 0
    rows = plan_rows(run)
    assert list(rows) == NUMBERS
    year = rehearsed.overview("old")["licenses"][0]["expiry"][:4]
    for license in WORKED_EXAMPLE:
        profile, now, step, spends, left, returns = rows[license["number"]]
        assert (profile, now, step, spends, left) == (license["profile"], "active on old", "move", "1", "2")
        assert returns.startswith(year)


def test_a_license_that_waits_for_an_update_moves_like_the_others(rehearsed: Lab) -> None:
    rehearsed.licman("old", "--nodelock-update", NUMBERS[0], "--authority", "offline")
    assert [one["number"] for one in rehearsed.overview("old")["pending"]] == NUMBERS[:1]
    assert plan_rows(must(rehearsed.play("migrate", "--check")))[NUMBERS[0]][2] == "move"
    must(rehearsed.play("migrate"))
    assert (rehearsed.held("old"), rehearsed.held("new")) == (set(), set(NUMBERS))
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 1)
    assert rehearsed.overview("old")["pending"] == []
    assert must(rehearsed.play("migrate")).changed == 0


def test_every_license_is_live_on_the_target_only_for_one_transfer_each(migrated_once: Lab) -> None:
    assert migrated_once.held("old") == set()
    assert migrated_once.held("new") == set(NUMBERS)
    assert migrated_once.transfers() == dict.fromkeys(NUMBERS, 1)
    source = {one["number"]: one["status"] for one in migrated_once.overview("old")["licenses"]}
    target = {one["number"]: one["status"] for one in migrated_once.overview("new")["licenses"]}
    assert source == dict.fromkeys(NUMBERS, "Inactive Nodelock")
    assert target == dict.fromkeys(NUMBERS, "Active")
    key = {one["holder"] for one in migrated_once.overview("new")["licenses"]}
    for one in migrated_once.authority("list"):
        assert (one["live"], one["transfers"]["left"], {one["holder"]}) == (True, 2, key)


def test_the_source_is_left_in_maintenance_and_the_target_in_service(migrated_once: Lab) -> None:
    assert migrated_once.overview("old")["server"]["maintenance"] is True
    assert migrated_once.overview("new")["server"]["maintenance"] is False


def test_profiles_their_order_and_marks_and_the_users_are_carried(migrated_once: Lab) -> None:
    declared = [(one["profile"], one["number"], one.get("default", False)) for one in WORKED_EXAMPLE]
    assert profiles(migrated_once, "new") == declared
    assert migrated_once.overview("new")["users"] == USERS
    for one in migrated_once.overview("new")["licenses"]:
        assert {key: one[key] for key in ("type", "seats")} == GRANTS[one["number"]]


def test_declared_further_profiles_come_below_and_users_as_declared(rehearsed: Lab) -> None:
    rehearsed.licman("old", "--profile-add", "Nightly", "--license", NUMBERS[1])
    rehearsed.target_vars["aims_license_server_profiles"] = [
        {"name": "Nightly", "license": NUMBERS[1], "default": True},
        {"name": "Backoffice", "license": NUMBERS[2]},
    ]
    rehearsed.target_vars["aims_license_server_users"] = ["AIMS\\carl"]
    rehearsed.write_inventory()
    must(rehearsed.play("migrate"))
    names = [(name, default) for name, number, default in profiles(rehearsed, "new")]
    assert names == [
        ("PROServer", False),
        ("PROSession", True),
        ("Client", True),
        ("Nightly", True),
        ("Backoffice", False),
    ]
    assert rehearsed.overview("new")["users"] == ["AIMS\\carl"]


def test_what_is_declared_as_null_is_as_good_as_not_declared(rehearsed: Lab) -> None:
    optional = ("users", "realm", "portal", "portal_email")
    rehearsed.target_vars.update({f"aims_license_server_{name}": None for name in optional})
    rehearsed.write_inventory()
    must(rehearsed.play("migrate"))
    assert rehearsed.held("new") == set(NUMBERS) and rehearsed.overview("new")["users"] == USERS
    for playbook in ("migrate", "reconcile"):
        before = rehearsed.everything()
        assert must(rehearsed.play(playbook)).changed == 0
        assert rehearsed.everything() == before
    rehearsed.target_vars["aims_license_server_users"] = []
    rehearsed.write_inventory()
    assert must(rehearsed.play("reconcile")).changed == 1
    assert rehearsed.overview("new")["users"] == []


def test_no_profile_is_taken_from_a_license_that_the_target_has_already(rehearsed: Lab) -> None:
    server, session, client = rehearsed.target_vars["aims_license_server_licenses"]
    rehearsed.target_vars["aims_license_server_licenses"] = [client]
    rehearsed.write_inventory()
    must(rehearsed.play("migrate"))

    def refused(*declared: dict[str, Any], further: Sequence[dict[str, Any]] = ()) -> None:
        rehearsed.target_vars["aims_license_server_licenses"] = list(declared)
        rehearsed.target_vars["aims_license_server_profiles"] = list(further)
        rehearsed.write_inventory()
        before = rehearsed.everything()
        for options in (("--check",), ()):
            run = rehearsed.play("migrate", *options)
            assert run.code != 0 and "Traceback" not in run.output
            told = f"Profile Client is declared for license {NUMBERS[0]}, but is that of license {NUMBERS[2]} here"
            assert told in run.output
        assert rehearsed.everything() == before

    refused({**server, "profile": "Client"}, session)
    rehearsed.target_vars["aims_license_server_licenses"] = [server, session]
    rehearsed.write_inventory()
    must(rehearsed.play("migrate"))
    order = [("PROServer", NUMBERS[0], False), ("PROSession", NUMBERS[1], True), ("Client", NUMBERS[2], True)]
    assert profiles(rehearsed, "new") == order
    # Where nothing is left to move, and for further profiles.
    refused({**server, "profile": "Client"}, session)
    refused(server, session, further=[{"name": "Client", "license": NUMBERS[0]}])
    assert profiles(rehearsed, "new") == order


def test_a_second_migration_changes_nothing(migrated: Lab) -> None:
    before = migrated.everything()
    run = must(migrated.play("migrate", "--diff"))
    assert run.changed == 0
    assert migrated.everything() == before
    assert "Nothing is left to do." in run.output


def test_the_report_says_what_happened(migrated_once: Lab, report: dict[str, Any]) -> None:
    assert report["pair"] == {"source": "old", "target": "new"}
    assert report["moved"] == NUMBERS
    assert report["pending"] == []
    assert 0 < report["without_service_seconds"] < 60
    assert {one["status"] for one in report["before"]["licenses"]} == {"Active"}
    assert {one["status"] for one in report["source_after"]["licenses"]} == {"Inactive Nodelock"}
    assert report["after"] == migrated_once.overview("new")
    assert report["licenses_cfg"] == ["1\tnetwork\tnew:3400"]
    assert [one["string"] for one in report["connection_strings"]] == [
        "new:3400,PROServer",
        "new:3400,PROSession",
        "new:3400,Client",
    ]


def test_the_report_is_also_a_page_that_stands_alone(migrated_once: Lab, report: dict[str, Any]) -> None:
    page = (migrated_once.work / "reports" / "old-to-new.html").read_text(encoding="utf-8")
    returns = report["after"]["licenses"][0]["transfers"]["returns"][:10]
    for wanted in [*NUMBERS, "PROServer", "new:3400,PROSession", returns]:
        assert wanted in page
    assert not re.search(r'(?:src|href)="?(?:https?:)?//', page)
    assert "<script src" not in page


def test_the_bundle_holds_the_source_as_it_was_and_is_whole(migrated_once: Lab, bundle: Path) -> None:
    manifest = yaml.safe_load((bundle / "manifest.yml").read_text(encoding="utf-8"))
    sealed = (bundle / "manifest.sha256").read_text(encoding="utf-8").split()
    assert sealed == [hashlib.sha256((bundle / "manifest.yml").read_bytes()).hexdigest(), "manifest.yml"]
    overview = yaml.safe_load((bundle / "overview.yml").read_text(encoding="utf-8"))
    assert {one["number"]: one["status"] for one in overview["licenses"]} == dict.fromkeys(NUMBERS, "Active")
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
    assert not [one for one in latest["licenses"] if one["status"] == "Active"]


def bundle_files(lab: Lab, host: str = "old") -> dict[str, set[str]]:
    """The names of the files of each bundle of a host."""
    bundles = [path for path in (lab.work / "bundles" / host).iterdir() if not path.is_symlink()]
    listed = {path.name: yaml.safe_load((path / "manifest.yml").read_text(encoding="utf-8")) for path in bundles}
    return {name: {file["name"] for file in manifest["files"]} for name, manifest in listed.items()}


def declare(lab: Lab, *numbers: str) -> Lab:
    """Declare these licenses of the worked example, and no others."""
    declared = lab.worked_example()["all"]["children"]["aims_license_targets"]["hosts"]["new"]
    licenses = [one for one in declared["aims_license_server_licenses"] if one["number"] in numbers]
    lab.target_vars["aims_license_server_licenses"] = licenses
    lab.write_inventory()
    return lab


def test_what_was_published_between_two_stages_of_a_migration_moves_with_the_second(rehearsed: Lab) -> None:
    must(declare(rehearsed, NUMBERS[0]).play("migrate"))
    first = (rehearsed.work / "bundles" / "old" / "latest").resolve()
    key = rehearsed.home("old") / "ApplicationKeys" / "app.key"
    key.write_text("published meanwhile", encoding="utf-8")
    key.chmod(0o600)
    must(declare(rehearsed, *NUMBERS).play("migrate"))
    assert (rehearsed.home("new") / "ApplicationKeys" / "app.key").read_text(encoding="utf-8") == "published meanwhile"
    latest = (rehearsed.work / "bundles" / "old" / "latest").resolve()
    found = bundle_files(rehearsed)
    assert set(found) == {first.name, latest.name} and latest != first
    assert "ApplicationKeys/app.key" in found[latest.name] and "ApplicationKeys/app.key" not in found[first.name]
    assert must(rehearsed.play("migrate")).changed == 0
    assert rehearsed.held("new") == set(NUMBERS) and bundle_files(rehearsed) == found


def test_a_license_that_was_replaced_by_another_keeps_neither_backups_nor_the_migration(rehearsed: Lab) -> None:
    rehearsed.licman("old", "--nodelock-deactivate", NUMBERS[2])
    must(rehearsed.play("backup"))
    rehearsed.licman("old", "--nodelock-deactivate", NUMBERS[0])
    before = rehearsed.tree(rehearsed.work)
    assert "kept" in must(rehearsed.play("backup")).output and rehearsed.tree(rehearsed.work) == before
    declare(rehearsed, *NUMBERS[1:])
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
    assert {one["number"] for one in latest["licenses"] if one["status"] == "Active"} == set(NUMBERS[1:])
    lost = rehearsed.play("migrate", "--check", "-e", "aims_license_migrate_source_lost=true")
    assert lost.output.count("needs release") == 2 and "was not active" not in lost.output
    must(rehearsed.play("migrate"))
    assert (rehearsed.held("old"), rehearsed.held("new")) == (set(), set(NUMBERS[1:]))
    assert must(rehearsed.play("migrate")).changed == 0


def test_application_keys_and_other_files_move_with_the_licenses(rehearsed: Lab) -> None:
    secret = secrets.token_hex(24)
    key, cpx = "ApplicationKeys/app.key", "Licenses/extra.cpx"
    (rehearsed.home("old") / key).write_text(secret, encoding="utf-8")
    (rehearsed.home("old") / key).chmod(0o600)
    (rehearsed.home("old") / cpx).write_text("not secret", encoding="utf-8")
    run = must(rehearsed.play("migrate", "-vvvv", "--diff"))
    moved = rehearsed.home("new") / key
    assert moved.read_text(encoding="utf-8") == secret and moved.stat().st_mode & 0o777 == 0o600
    assert (rehearsed.home("new") / cpx).read_text(encoding="utf-8") == "not secret"
    assert secret not in run.output and base64.b64encode(secret.encode()).decode() not in run.output
    holders = {path for path in rehearsed.folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()}
    assert holders == {rehearsed.home("old") / key, moved}

    moved.write_text("a newer key of the new host", encoding="utf-8")
    assert must(rehearsed.play("migrate")).changed == 0
    assert moved.read_text(encoding="utf-8") == "a newer key of the new host"


def test_a_key_that_was_renewed_replaces_the_one_of_an_earlier_stay_on_either_host(rehearsed: Lab) -> None:
    places = {host: rehearsed.home(host) / "ApplicationKeys" / "app.key" for host in ("old", "new")}
    places["old"].write_text("the first", encoding="utf-8")
    places["old"].chmod(0o600)
    must(rehearsed.play("migrate"))
    places["new"].write_text("the second", encoding="utf-8")
    must(rehearsed.play("rollback"))
    assert places["old"].read_text(encoding="utf-8") == "the second"
    places["old"].write_text("the third", encoding="utf-8")
    run = must(rehearsed.play("migrate", "--diff", "-vvv"))
    assert places["new"].read_text(encoding="utf-8") == "the third" and places["new"].stat().st_mode & 0o777 == 0o600
    assert "the third" not in run.output and base64.b64encode(b"the third").decode() not in run.output


DEAD = """
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as Local


class Connection(Local):
    transport = "dead"

    def _connect(self):
        raise AnsibleConnectionFailure("nobody answers")
"""


def switch_off(lab: Lab, host: str) -> None:
    """Let a host answer to nobody any more."""
    place = lab.folder / "connections"
    place.mkdir()
    (place / "dead.py").write_text(DEAD, encoding="utf-8")
    config = lab.folder / "ansible.cfg"
    text = config.read_text(encoding="utf-8").replace("[defaults]\n", f"[defaults]\nconnection_plugins = {place}\n")
    config.write_text(text, encoding="utf-8")
    lab.inventory["all"]["children"]["aims_license_sources"]["hosts"][host] = {"ansible_connection": "dead"}
    lab.write_inventory()


def test_a_source_that_was_switched_off_after_its_migration_is_not_missed(migrated: Lab) -> None:
    switch_off(migrated, "old")
    before = migrated.everything()
    run = must(migrated.play("migrate"))
    assert run.changed == 0 and "old cannot be reached; nothing is needed from it" in run.output
    assert migrated.everything() == before


def test_a_source_that_cannot_be_reached_before_its_migration_is_missed(rehearsed: Lab) -> None:
    switch_off(rehearsed, "old")
    before = rehearsed.everything()
    run = rehearsed.play("migrate")
    assert run.code != 0 and "Traceback" not in run.output
    assert f"License {NUMBERS[0]} is not active on new, and old cannot be reached." in run.output
    assert "what it still holds only the authority's owner can release" in run.output
    assert rehearsed.everything() == before
