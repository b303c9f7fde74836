# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Application keys and other files of the source that move with its licenses."""

from __future__ import annotations

import base64
import secrets

import yaml
from support.lab import NUMBERS, Lab
from support.runs import must


def bundle_files(lab: Lab, host: str = "old") -> dict[str, set[str]]:
    """The names of the files of each bundle of a host."""
    bundles = [path for path in (lab.work / "bundles" / host).iterdir() if not path.is_symlink()]
    listed = {path.name: yaml.safe_load((path / "manifest.yml").read_text(encoding="utf-8")) for path in bundles}
    return {name: {file["name"] for file in manifest["files"]} for name, manifest in listed.items()}


def test_what_was_published_between_two_stages_of_a_migration_moves_with_the_second(rehearsed: Lab) -> None:
    must(rehearsed.declare(NUMBERS[0]).play("migrate"))
    first = (rehearsed.work / "bundles" / "old" / "latest").resolve()
    key = rehearsed.home("old") / "ApplicationKeys" / "app.key"
    key.write_text("published meanwhile", encoding="utf-8")
    key.chmod(0o600)
    must(rehearsed.declare(*NUMBERS).play("migrate"))
    assert (rehearsed.home("new") / "ApplicationKeys" / "app.key").read_text(encoding="utf-8") == "published meanwhile"
    latest = (rehearsed.work / "bundles" / "old" / "latest").resolve()
    bundles = bundle_files(rehearsed)
    assert set(bundles) == {first.name, latest.name} and latest != first
    assert "ApplicationKeys/app.key" in bundles[latest.name] and "ApplicationKeys/app.key" not in bundles[first.name]
    assert must(rehearsed.play("migrate")).changed == 0
    assert rehearsed.held("new") == set(NUMBERS) and bundle_files(rehearsed) == bundles


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
