# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Homes that are unreadable, read-only, half-written or another product's: told, and left as they are."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest
from playbooks.bad_input import CLIENT, SERVER, SESSION, Rehearsal, digits
from support.lab import Lab

LIC = f"Licenses/{digits(SESSION)}.lic"
LOCK = f"Nodelocks/{digits(SESSION)}.lock"
VER = f"Nodelocks/{digits(SESSION)}.ver"
CONFIG = "Config/server.json"
KEY = "Config/host.key"
MARKER = ".aims-licensing.json"
RESTORE = "newest bundle"
FOREIGN = "The home belongs to another product"

Spoil = Callable[[Path], object]


@pytest.fixture(scope="module")
def shared(prepared: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A rehearsed pair for the whole module."""
    made = Rehearsal(prepared, tmp_path_factory.mktemp("homes"))
    yield made
    # permissions that would keep pytest from removing its folders
    made.back_to()


@pytest.fixture
def pair(shared: Rehearsal) -> Rehearsal:
    """The rehearsed pair as it was made: everything active on the source."""
    return shared.back_to()


def truncate(name: str) -> Spoil:
    return lambda home: (home / name).write_bytes((home / name).read_bytes()[:60])


def empty(name: str) -> Spoil:
    return lambda home: (home / name).write_bytes(b"")


def lose(name: str) -> Spoil:
    return lambda home: (home / name).unlink()


def alter(name: str, old: str, new: str) -> Spoil:
    def spoil(home: Path) -> None:
        text = (home / name).read_text(encoding="utf-8")
        assert old in text
        (home / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return spoil


def set_in_config(**values: object) -> Spoil:
    def spoil(home: Path) -> None:
        config = json.loads((home / CONFIG).read_text(encoding="utf-8"))
        (home / CONFIG).write_text(json.dumps({**config, **values}), encoding="utf-8")

    return spoil


def link(name: str) -> Spoil:
    def spoil(home: Path) -> None:
        (home / name).rename(home / f"{name}.moved")
        (home / name).symlink_to(home / f"{name}.moved")

    return spoil


def into_directory(name: str) -> Spoil:
    def spoil(home: Path) -> None:
        (home / name).unlink()
        (home / name).mkdir()

    return spoil


DAMAGES: dict[str, tuple[Spoil, str, str, str]] = {
    "truncated_marker": (truncate(MARKER), "half-written or damaged", MARKER, RESTORE),
    "lost_marker": (lose(MARKER), FOREIGN, "", "another home"),
    "marker_of_another_product": (alter(MARKER, "aims.licensing", "other.product"), FOREIGN, "", "another home"),
    "marker_of_a_later_format": (alter(MARKER, '"format": 1', '"format": 99'), "format 99", MARKER, "newer one"),
    "truncated_server_json": (truncate(CONFIG), "half-written or damaged", CONFIG, RESTORE),
    "empty_server_json": (empty(CONFIG), "half-written or damaged", CONFIG, RESTORE),
    "lost_server_json": (lose(CONFIG), "Cannot read it", CONFIG, "restore the file from a backup"),
    "server_json_behind_a_link": (link(CONFIG), "Cannot read it", CONFIG, "symbolic link"),
    "server_json_that_is_a_directory": (into_directory(CONFIG), "Is a directory", CONFIG, "real file"),
    "number_for_the_authority": (set_in_config(authority=8), "damaged", CONFIG, RESTORE),
    "number_for_the_users": (set_in_config(users=8), "damaged", CONFIG, RESTORE),
    "list_for_the_fences": (set_in_config(fenced=[8]), "damaged", CONFIG, RESTORE),
    "text_for_the_realm": (set_in_config(realm="mine"), "not a realm", CONFIG, ""),
    "number_for_the_profiles": (set_in_config(profiles=8), "not a list", CONFIG, ""),
    "truncated_lock": (truncate(LOCK), "is half-written, or was changed after the activation", LOCK, RESTORE),
    "lost_lock": (lose(LOCK), "The nodelock is missing", LOCK, RESTORE),
    "lost_ver": (lose(VER), "is half-written, or was changed after the activation", LOCK, RESTORE),
    "truncated_ver": (truncate(VER), "half-written or damaged", VER, RESTORE),
    "altered_lic": (alter(LIC, '"seats":8', '"seats":9'), "was changed after the activation", LOCK, RESTORE),
    "truncated_lic": (truncate(LIC), "truncated or damaged", LIC, "complete original license file"),
    "lost_lic": (lose(LIC), "A nodelock has no license file", LOCK, RESTORE),
    "lic_under_another_number": (
        lambda home: (home / LIC).rename(home / "Licenses" / "015120099099.lic"),
        f"The file holds license {SESSION}",
        "Licenses/015120099099.lic",
        "name of its license",
    ),
    "truncated_host_key": (truncate(KEY), "private key is damaged", KEY, RESTORE),
    "lost_host_key": (lose(KEY), "private key that the licenses were activated with is missing", KEY, RESTORE),
    "truncated_package": (truncate("Bin/package.json"), "half-written or damaged", "Bin/package.json", RESTORE),
    "request_half_written": (
        lambda home: (home / "Journal" / f"{digits(SESSION)}.request").write_text('{"format":', encoding="utf-8"),
        "The request is truncated or damaged",
        f"Journal/{digits(SESSION)}.request",
        "complete original request file",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_home_of_the_source(pair: Rehearsal, damage: str) -> None:
    spoil, what, where, todo = DAMAGES[damage]
    home = pair.home("old")
    spoil(home)
    refusal = pair.refused()
    assert refusal.tells(what, str(home / where), todo)


def test_every_damage_of_a_home_is_told_at_once(pair: Rehearsal) -> None:
    home = pair.home("old")
    for spoil in (truncate(LOCK), truncate(f"Licenses/{digits(CLIENT)}.lic"), lose(f"Nodelocks/{digits(SERVER)}.lock")):
        spoil(home)
    refusal = pair.refused()
    for number in (SERVER, SESSION, CLIENT):
        assert refusal.tells("", digits(number), "")


def test_home_of_the_source_of_which_only_the_marker_is_left(pair: Rehearsal) -> None:
    for place in pair.home("old").iterdir():
        if place.is_dir():
            shutil.rmtree(place)
    refusal = pair.refused()
    for number in (SERVER, SESSION, CLIENT):
        assert refusal.tells(f"License {number} is live", f"license {number}", "Deactivate it there first")


def test_home_of_the_target_that_is_damaged(pair: Rehearsal) -> None:
    shutil.copytree(pair.home("old"), pair.home("new"), symlinks=True)
    (pair.home("new") / CONFIG).write_text("{", encoding="utf-8")
    refusal = pair.refused()
    assert refusal.tells("half-written or damaged", str(pair.home("new") / CONFIG), RESTORE)


def test_home_of_the_target_of_which_only_the_marker_was_made_is_completed(pair: Rehearsal) -> None:
    pair.home("new").mkdir(parents=True)
    marker = json.loads((pair.home("old") / MARKER).read_text(encoding="utf-8"))
    (pair.home("new") / MARKER).write_text(json.dumps({**marker, "home_id": "0" * 32}), encoding="utf-8")
    pair.succeeds("migrate")
    assert pair.licenses_are("new", "Active")


def test_leftover_temporary_files_are_no_error(pair: Rehearsal) -> None:
    home = pair.home("old")
    for name in (".tmp-x", "Config/.tmp-server.json-01ab", "Licenses/.tmp-y.lic", f"Nodelocks/.tmp-{digits(SESSION)}"):
        (home / name).write_text("{", encoding="utf-8")
    pair.home("new").mkdir(parents=True)
    (pair.home("new") / ".tmp-.aims-licensing.json-23cd").write_text("{", encoding="utf-8")
    pair.succeeds("migrate")
    assert pair.licenses_are("new", "Active")
    assert not list(pair.work.glob("bundles/**/*.tmp-*"))


@pytest.mark.parametrize("place", ["", "Config", "Nodelocks", "Licenses", "Journal", CONFIG, LOCK, KEY, MARKER])
def test_unreadable_home(pair: Rehearsal, place: str) -> None:
    path = pair.home("old") / place
    path.chmod(0)
    refusal = pair.refused(owner=True)
    assert refusal.tells("Permission denied", str(path), "become: true")


def test_read_only_home_of_the_source(pair: Rehearsal) -> None:
    home = pair.home("old")
    for path in (home, *home.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    refusal = pair.refused(owner=True)
    assert refusal.problem
    assert refusal.tells("home is not writable", str(home), "become: true")


def test_read_only_nodelocks_of_the_source(pair: Rehearsal) -> None:
    (pair.home("old") / "Nodelocks").chmod(0o555)
    refusal = pair.refused(owner=True)
    assert refusal.tells("home is not writable: Nodelocks", str(pair.home("old")), "become: true")


def test_read_only_place_for_the_home_of_the_target(pair: Rehearsal) -> None:
    pair.root("new").chmod(0o555)
    refusal = pair.refused(owner=True)
    assert refusal.tells("home is not writable", str(pair.root("new")), "become: true")


@pytest.mark.parametrize("mode", [0o555, 0])
def test_folder_on_the_controller_that_cannot_be_written(pair: Rehearsal, mode: int) -> None:
    pair.work.mkdir()
    pair.work.chmod(mode)
    refusal = pair.refused(owner=True)
    assert refusal.tells("folder of bundles", str(pair.work), "aims_license_migrate_dir")


def test_target_whose_home_belongs_to_another_product(pair: Rehearsal) -> None:
    home = pair.home("new")
    (home / "Licenses").mkdir(parents=True)
    (home / "Licenses" / "015120001005.lic").write_text("of the vendor", encoding="utf-8")
    refusal = pair.refused()
    assert refusal.tells(FOREIGN, str(home), "Choose another home")


def test_target_whose_home_is_a_file(pair: Rehearsal) -> None:
    pair.home("new").parent.mkdir(parents=True)
    pair.home("new").write_text("no directory", encoding="utf-8")
    refusal = pair.refused()
    assert refusal.tells(FOREIGN, str(pair.home("new")), "Choose another home")


def test_target_whose_home_leads_out_of_its_root(pair: Rehearsal) -> None:
    pair.home("new").parent.mkdir(parents=True)
    pair.home("new").symlink_to(pair.home("old"))
    refusal = pair.refused()
    assert refusal.tells("leads out of this root", str(pair.root("new")), "real directory")


def test_target_with_a_home_of_a_newer_version(pair: Rehearsal) -> None:
    pair.succeeds(pair.task("new", "server_install"))
    package = pair.home("new") / "Bin" / "package.json"
    described = json.loads(package.read_text(encoding="utf-8"))
    package.write_text(json.dumps({**described, "version": "99.0.0"}), encoding="utf-8")
    refusal = pair.refused()
    assert refusal.tells("Version 99.0.0 is installed", str(pair.home("new")), "newer version of the collection")


# Modules that are called without the roles, which would catch these earlier.


@pytest.mark.parametrize("module", ["server_install", "info", "backup", "maintenance", "profile"])
def test_module_on_a_home_of_another_product(pair: Rehearsal, module: str) -> None:
    home = pair.home("new")
    home.mkdir(parents=True)
    (home / "readme.txt").write_text("of the vendor", encoding="utf-8")
    arguments = {"dest": "bundles"} if module == "backup" else {}
    refusal = pair.refused_task("new", module, **arguments)
    assert refusal.tells(FOREIGN, str(home), "Choose another home")


@pytest.mark.parametrize("module", ["backup", "maintenance", "profile", "server_install"])
def test_module_on_a_damaged_home(pair: Rehearsal, module: str) -> None:
    truncate(LOCK)(pair.home("old"))
    arguments = {"dest": "bundles"} if module == "backup" else {}
    refusal = pair.refused_task("old", module, **arguments)
    assert refusal.tells("half-written", str(pair.home("old") / LOCK), RESTORE)


@pytest.mark.parametrize("module", ["backup", "maintenance", "profile"])
def test_module_where_nothing_is_installed(pair: Rehearsal, module: str) -> None:
    arguments = {"dest": "bundles"} if module == "backup" else {}
    refusal = pair.refused_task("new", module, **arguments)
    assert refusal.tells("No license server is installed here", str(pair.home("new")), "aims_license_server_install")


@pytest.mark.parametrize("spoil", [truncate(KEY), lose(KEY)])
def test_module_deactivating_without_the_host_key(pair: Rehearsal, spoil: Spoil) -> None:
    pair.succeeds("backup")
    spoil(pair.home("old"))
    refusal = pair.refused_task("old", "deactivate", licenses=[SESSION], bundle=str(pair.work / "bundles/old/latest"))
    assert refusal.tells("private key", str(pair.home("old") / KEY), RESTORE)


def test_module_on_a_read_only_home(pair: Rehearsal) -> None:
    pair.home("old").joinpath("Config").chmod(0o555)
    refusal = pair.refused_task("old", "maintenance", owner=True)
    assert refusal.tells("", str(pair.home("old") / "Config"), "become: true")


@pytest.mark.parametrize("playbook", ["migrate", "reconcile", "backup"])
def test_a_host_without_cryptography_is_told_which_package_to_install(
    pair: Rehearsal, tmp_path: Path, playbook: str
) -> None:
    # A fresh environment has Python's own library and nothing else.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    pair.inventory["all"]["vars"]["ansible_python_interpreter"] = str(tmp_path / "bare" / "bin" / "python")
    pair.write_inventory()
    told = pair.refused(playbook).text
    assert "The Python library 'cryptography' is missing" in told and str(tmp_path / "bare") in told
    assert "apt install python3-cryptography" in told and "dnf install python3-cryptography" in told
