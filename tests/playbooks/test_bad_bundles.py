# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles that were changed, are incomplete, or do not cover what is to be given up: nothing is deactivated on them."""

from __future__ import annotations

import hashlib
import hmac
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib
from playbooks.bad_input import CLIENT, SERVER, SESSION, Refusal, Rehearsal, digits
from support.lab import Lab

BACKED_UP = "backed up"
POORER = "poorer"
CHANGED = "missing or was changed"
UNCHANGED_COPY = "Use an unchanged copy of the bundle"

# One of each kind.
MANIFEST = "manifest.yml"
SEAL = "manifest.sha256"
CODE = "manifest.hmac"
KEY = "manifest.key"
OVERVIEW = "overview.yml"
PAGE = "overview.html"
PLAIN = f"files/Nodelocks/{digits(SESSION)}.lock"
ENCRYPTED = "files/Config/host.key"
FILES = (MANIFEST, SEAL, CODE, KEY, OVERVIEW, PAGE, PLAIN, ENCRYPTED)


@pytest.fixture(scope="module")
def shared(prepared: Lab, tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    """A rehearsed pair for the whole module, with a bundle of the source."""
    made = Rehearsal(prepared, tmp_path_factory.mktemp("bundles"))
    made.succeeds("backup")
    made.keep(BACKED_UP)
    return made


@pytest.fixture
def pair(shared: Rehearsal) -> Rehearsal:
    """The rehearsed pair with its bundle."""
    return shared.back_to(BACKED_UP)


def bundle_of(pair: Rehearsal, host: str = "old") -> Path:
    return (pair.work / "bundles" / host / "latest").resolve()


def deactivate(pair: Rehearsal, bundle: Path | None, *numbers: str) -> Refusal:
    """Try to deactivate licenses on the source with a bundle."""
    arguments: dict[str, Any] = {"licenses": list(numbers or (SESSION,))}
    if bundle is not None:
        arguments["bundle"] = str(bundle)
    return pair.refused_task("old", "deactivate", **arguments)


def change_a_byte(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))


def set_in_manifest(bundle: Path, vault: VaultLib | None = None, **values: Any) -> None:
    """Change a manifest and seal it again, as somebody does who knows how."""
    manifest = {**yaml.safe_load((bundle / MANIFEST).read_text(encoding="utf-8")), **values}
    seal_as(bundle, yaml.safe_dump(manifest, sort_keys=False).encode(), vault)


def seal_as(bundle: Path, manifest: bytes, vault: VaultLib | None = None) -> None:
    """Give a bundle another manifest; with the vault also its code, written here as the documentation has it."""
    (bundle / MANIFEST).write_bytes(manifest)
    (bundle / SEAL).write_text(f"{hashlib.sha256(manifest).hexdigest()}  {MANIFEST}\n", encoding="utf-8")
    if vault is not None:
        key = vault.decrypt((bundle / KEY).read_bytes())
        code = hmac.new(key, b"aims.licensing bundle manifest\n" + manifest, hashlib.sha256).hexdigest()
        (bundle / CODE).write_text(f"{code}  {MANIFEST}\n", encoding="utf-8")


def as_earlier_version(bundle: Path) -> None:
    """Make of a bundle what earlier versions wrote."""
    (bundle / KEY).unlink()
    (bundle / CODE).unlink()
    set_in_manifest(bundle, format=1)


@pytest.mark.parametrize("name", FILES)
def test_changed_byte_is_found_by_the_deactivation(pair: Rehearsal, name: str) -> None:
    bundle = bundle_of(pair)
    change_a_byte(bundle / name)
    refusal = deactivate(pair, bundle)
    if name == KEY:
        assert refusal.tells("No vault password of this run opens", str(bundle / KEY), "back up again")
        return
    # Seal and code are of the manifest: which of the two was changed cannot be told.
    assert refusal.tells(CHANGED, str(bundle / (MANIFEST if name in (SEAL, CODE) else name)), UNCHANGED_COPY)


@pytest.mark.parametrize("name", FILES)
def test_missing_file_is_found_by_the_deactivation(pair: Rehearsal, name: str) -> None:
    bundle = bundle_of(pair)
    (bundle / name).unlink()
    refusal = deactivate(pair, bundle)
    assert refusal.tells("", str(bundle / name), "")
    assert refusal.problem["todo"]


def test_truncated_files_are_all_told_at_once(pair: Rehearsal) -> None:
    bundle = bundle_of(pair)
    for name in (OVERVIEW, PAGE, PLAIN, ENCRYPTED):
        (bundle / name).write_bytes((bundle / name).read_bytes()[:20])
    refusal = deactivate(pair, bundle)
    assert len(refusal.problems) == 4
    for name in (OVERVIEW, PAGE, PLAIN, ENCRYPTED):
        assert refusal.tells(CHANGED, str(bundle / name), UNCHANGED_COPY)


@pytest.mark.parametrize("name", [MANIFEST, PLAIN, ENCRYPTED])
def test_changed_byte_is_found_by_the_migration_before_it_touches_a_host(pair: Rehearsal, name: str) -> None:
    bundle = bundle_of(pair)
    change_a_byte(bundle / name)
    refusal = pair.refused()
    assert refusal.problem
    assert refusal.tells(CHANGED, str(bundle / name), "move it away and back up again")


def test_changed_byte_is_found_by_the_next_backup(pair: Rehearsal) -> None:
    change_a_byte(bundle_of(pair) / PLAIN)
    refusal = pair.refused("backup")
    assert refusal.tells(CHANGED, str(bundle_of(pair) / PLAIN), "move it away and back up again")


def test_no_bundle_is_given(pair: Rehearsal) -> None:
    assert deactivate(pair, None).tells("No bundle is set", "bundle", "Back up the host first")


def test_bundle_that_is_not_there(pair: Rehearsal) -> None:
    missing = pair.work / "bundles" / "old" / "20200101T000000Z-000000000000"
    assert deactivate(pair, missing).tells("There is no bundle here", str(missing), "aims_license_backup")


def test_bundle_that_is_a_file(pair: Rehearsal) -> None:
    file = pair.work / "bundle.tar.gz"
    file.write_bytes(b"")
    assert deactivate(pair, file).tells("There is no bundle here", str(file), "correct the path")


def test_bundle_that_is_an_empty_folder(pair: Rehearsal) -> None:
    folder = pair.work / "bundles" / "old" / "empty"
    folder.mkdir()
    assert deactivate(pair, folder).tells("", str(folder / MANIFEST), "")


def test_newest_bundle_that_is_gone(pair: Rehearsal) -> None:
    shutil.rmtree(bundle_of(pair))
    assert pair.refused().tells("There is no bundle here", str(pair.work / "bundles" / "old" / "latest"), "Make one")


def test_bundle_of_another_host(pair: Rehearsal) -> None:
    bundle = bundle_of(pair)
    set_in_manifest(bundle, pair.secrets(), host="other", home_id="0" * 32)
    refusal = deactivate(pair, bundle)
    assert refusal.tells("The bundle belongs to another license server", str(bundle), "Back up this host")


def test_bundle_of_the_target(pair: Rehearsal) -> None:
    pair.succeeds(pair.task("new", "server_install"))
    pair.succeeds(pair.task("new", "backup", dest=str(pair.work / "bundles")))
    bundle = bundle_of(pair, "new")
    refusal = deactivate(pair, bundle, SERVER, SESSION)
    assert refusal.tells(f"does not cover {SERVER}, {SESSION}", str(bundle), "while the licenses are active")


def test_bundle_that_does_not_cover_the_license(shared: Rehearsal) -> None:
    pair = shared.back_to()
    pair.licman("old", "--nodelock-deactivate", SESSION)
    pair.succeeds("backup")
    pair.succeeds("rehearse", "--tags", "prepare")
    assert pair.licenses_are("old", "Active")
    bundle = bundle_of(pair)
    refusal = deactivate(pair, bundle, SERVER, SESSION, CLIENT)
    assert refusal.tells(f"does not cover {SESSION}:", str(bundle), "Back up the host while the licenses are active")


def test_bundle_of_a_later_format(pair: Rehearsal) -> None:
    bundle = bundle_of(pair)
    set_in_manifest(bundle, format=99)
    assert deactivate(pair, bundle).tells("format 99", str(bundle), "newer one")


@pytest.mark.parametrize("manifest", [b"- files\n", b"", b"{", b"format: 1\n", b"format: 1\nfiles: 7\npages: {}\n"])
def test_bundle_whose_manifest_is_none_though_it_is_sealed(pair: Rehearsal, manifest: bytes) -> None:
    bundle = bundle_of(pair)
    seal_as(bundle, manifest)
    assert deactivate(pair, bundle).tells(CHANGED, str(bundle / MANIFEST), UNCHANGED_COPY)


@pytest.mark.parametrize("overview", [b"", b"- licenses\n", b"{"])
def test_bundle_whose_overview_is_none_though_it_is_sealed(pair: Rehearsal, overview: bytes) -> None:
    bundle = bundle_of(pair)
    manifest = yaml.safe_load((bundle / MANIFEST).read_text(encoding="utf-8"))
    (bundle / OVERVIEW).write_bytes(overview)
    set_in_manifest(bundle, pages={**manifest["pages"], OVERVIEW: hashlib.sha256(overview).hexdigest()})
    assert deactivate(pair, bundle).tells(CHANGED, str(bundle / OVERVIEW), UNCHANGED_COPY)


def test_bundle_whose_manifest_names_files_outside_of_it(pair: Rehearsal) -> None:
    bundle = bundle_of(pair)
    manifest = yaml.safe_load((bundle / MANIFEST).read_text(encoding="utf-8"))
    manifest["files"][0]["name"] = "../../../../authority.db"
    set_in_manifest(bundle, files=manifest["files"])
    assert deactivate(pair, bundle).tells("leads out of its folder", str(bundle), "")


def test_bundle_behind_a_link_in_its_folder(pair: Rehearsal) -> None:
    bundle = bundle_of(pair)
    (bundle / PLAIN).rename(pair.folder / "elsewhere.lock")
    (bundle / PLAIN).symlink_to(pair.folder / "elsewhere.lock")
    assert deactivate(pair, bundle).tells("", str(bundle / PLAIN), "symbolic link")


def test_bundle_that_may_not_be_read(pair: Rehearsal) -> None:
    bundle = bundle_of(pair)
    (bundle / PLAIN).chmod(0)
    refusal = pair.refused(owner=True)
    assert refusal.tells("Permission denied", str(bundle / PLAIN), "fix its permissions")


def test_license_that_is_not_installed(pair: Rehearsal) -> None:
    pair.succeeds(pair.task("new", "server_install"))
    bundle = bundle_of(pair)
    set_in_manifest(bundle, pair.secrets(), home_id=pair.overview("new")["server"]["home_id"])
    refusal = pair.refused_task("new", "deactivate", licenses=[SESSION], bundle=str(bundle))
    assert refusal.tells(f"License {SESSION} is not installed here", str(pair.home("new")), "aims_license_info")


def test_a_bundle_that_somebody_without_the_vault_password_made_is_no_bundle_of_ours(pair: Rehearsal) -> None:
    bundle = bundle_of(pair)
    set_in_manifest(bundle, home_id="0" * 32)
    assert deactivate(pair, bundle).tells(CHANGED, str(bundle / MANIFEST), UNCHANGED_COPY)
    assert pair.refused("backup").tells(CHANGED, str(bundle / MANIFEST), "move it away and back up again")
    # Asked for or not: a code that does not fit is worse than none.
    refusal = pair.refused_task("old", "bundle_info", bundle=str(bundle), accept_unauthenticated=True)
    assert refusal.tells(CHANGED, str(bundle / MANIFEST), UNCHANGED_COPY)


def test_a_bundle_of_an_earlier_version_stands_for_a_host_only_when_that_is_asked_for(pair: Rehearsal) -> None:
    bundle = bundle_of(pair)
    as_earlier_version(bundle)
    with pair.declaring():
        pair.target_vars["aims_license_migrate_source_lost"] = True
    refusal = pair.refused("migrate", "--check")
    assert refusal.tells("not authenticated", str(bundle), "aims_license_migrate_accept_unauthenticated")
    accepted = pair.play("migrate", "--check", "-e", "aims_license_migrate_accept_unauthenticated=true")
    assert "not authenticated" in accepted.output and "WARNING" in accepted.output
    assert "live on old" in accepted.output, accepted.output


def test_a_migration_beside_a_bundle_of_an_earlier_version_makes_a_new_one_and_says_so(pair: Rehearsal) -> None:
    bundle = bundle_of(pair)
    as_earlier_version(bundle)
    run = pair.succeeds("migrate")
    assert "Not used for the plan" in run.output and bundle_of(pair) != bundle
    assert "Not used for the plan" not in pair.succeeds("migrate").output


def test_a_bundle_of_an_earlier_version_is_followed_by_one_that_is_authenticated(pair: Rehearsal) -> None:
    bundle = bundle_of(pair)
    as_earlier_version(bundle)
    refusal = deactivate(pair, bundle)
    assert refusal.tells("not authenticated", str(bundle), "accept_unauthenticated")
    assert pair.succeeds("backup").changed == 1
    made = bundle_of(pair)
    assert made != bundle and (made / CODE).is_file() and bundle.is_dir()
    assert pair.succeeds("backup").changed == 0
    # The older one serves who asks for it.
    accepting = pair.task("old", "deactivate", licenses=[SESSION], bundle=str(bundle), accept_unauthenticated=True)
    assert "not authenticated" in pair.succeeds(accepting).output


@pytest.mark.parametrize("name", [MANIFEST, OVERVIEW])
def test_a_few_bytes_of_aliases_cost_no_memory(pair: Rehearsal, name: str) -> None:
    bundle = bundle_of(pair)
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
    bomb = f"a0: &a0 [{'x, ' * 9}]\n{levels}".encode()
    assert len(bomb) < 600
    if name == MANIFEST:
        seal_as(bundle, bomb, pair.secrets())
    else:
        manifest = yaml.safe_load((bundle / MANIFEST).read_text(encoding="utf-8"))
        (bundle / OVERVIEW).write_bytes(bomb)
        pages = {**manifest["pages"], OVERVIEW: hashlib.sha256(bomb).hexdigest()}
        set_in_manifest(bundle, pair.secrets(), pages=pages)
    assert deactivate(pair, bundle).tells(CHANGED, str(bundle / name), UNCHANGED_COPY)


def test_a_host_whose_name_leads_out_of_the_folder_of_bundles_is_refused(pair: Rehearsal) -> None:
    name = "../../../x"
    with pair.declaring():
        sources = pair.inventory["all"]["children"]["aims_license_sources"]["hosts"]
        sources[name] = {**(sources["old"] or {}), "aims_license_server_root": str(pair.root("old"))}
        pair.target_vars["aims_license_migrate_source"] = name
    assert pair.refused().tells("can be named after the host", "inventory", "ansible_host")
    refusal = pair.refused_task(name, "backup", dest=str(pair.work / "bundles"))
    assert refusal.tells("can be named after the host", "inventory", "ansible_host")
    assert not (pair.folder.parent / "x").exists() and not (pair.folder / "x").exists()


def test_a_report_of_another_pair_is_not_written_over(pair: Rehearsal) -> None:
    report = pair.work / "reports" / "old-to-new.json"
    report.parent.mkdir(exist_ok=True)
    report.write_text('{"pair": {"source": "old-to", "target": "new"}}', encoding="utf-8")
    (report.with_suffix(".html")).write_text("", encoding="utf-8")
    run = pair.play("migrate")
    assert run.code != 0 and "A report of another pair has this name: 'old-to' -> 'new'." in run.output, run.output
    assert "old-to" in report.read_text(encoding="utf-8")
    report.rename(pair.folder / "moved-away.json")
    pair.succeeds("migrate")
    assert '"old"' in report.read_text(encoding="utf-8")
    report.write_text("[" * 100_000, encoding="utf-8")
    pair.succeeds("migrate")


def test_rehearsal_from_a_bundle_that_was_changed(pair: Rehearsal) -> None:
    bundle = bundle_of(pair)
    change_a_byte(bundle / OVERVIEW)
    with pair.declaring():
        pair.target_vars["aims_license_migrate_rehearse_bundle"] = str(bundle)
    assert pair.refused("rehearse").tells(CHANGED, str(bundle / OVERVIEW), UNCHANGED_COPY)
