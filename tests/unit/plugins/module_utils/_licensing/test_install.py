# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The package is installed whole, kept whole, never downgraded, and removed only when nothing is lost with it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import Realm
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import Home
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.install import (
    Package,
    Settings,
    install,
    remove,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation
from ansible_collections.aims.licensing.plugins.plugin_utils._package import build_package
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    HOME,
    SERVER,
    CoreLab,
    Host,
    all_files,
    declared,
    fault_at,
)

CONTENT = build_package()
PACKAGE = Package(VERSION, CONTENT)
FILES = ["aims-licensing.pyz", "authority", "licman", "licsrv", "package.json"]


def licman(home: Path, *options: str) -> dict[str, Any]:
    done = subprocess.run([str(home / "Bin/licman"), *options], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


@pytest.fixture
def bare(lab: CoreLab) -> Host:
    """A machine on which nothing was ever installed."""
    shutil.rmtree(lab.old.root / "opt")
    return lab.old


def put(
    host: Host, package: Package = PACKAGE, authority: str | None = "offline", dry: bool = False, **settings: Any
) -> Any:
    return install(Home(HOME, str(host.root)), package, settings=Settings(authority=authority, **settings), dry=dry)


def test_the_same_sources_are_the_same_package() -> None:
    before = os.umask(0o077)
    try:
        assert build_package() == CONTENT
    finally:
        os.umask(before)


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_fresh_installation_is_complete_and_runs(bare: Host, lab: CoreLab, umask: int) -> None:
    before = os.umask(umask)
    try:
        done = put(bare, authority=f"ledger:{lab.ledger_path}")
    finally:
        os.umask(before)
    assert done.words == (f"install {VERSION}", f"set the authority to ledger:{lab.ledger_path}")
    assert (done.before.server.installed, done.after.server.installed) == (False, True)
    modes = {path.name: path.stat().st_mode & 0o7777 for path in (bare.folder / "Bin").iterdir()}
    assert modes == {
        "aims-licensing.pyz": 0o644,
        "authority": 0o755,
        "licman": 0o755,
        "licsrv": 0o755,
        "package.json": 0o644,
    }
    shown = licman(bare.folder, "--overview", "--json")["overview"]["server"]
    assert (shown["version"], shown["digest"]) == (VERSION, PACKAGE.digest)
    assert (shown["home"], shown["root"]) == (HOME, str(bare.root))
    assert shown["authority"] == f"ledger:{lab.ledger_path}"


def test_an_installation_that_is_repeated_changes_nothing(bare: Host) -> None:
    put(bare)
    before = bare.files()
    for authority in ("offline", None):
        again = put(bare, authority=authority)
        assert again.words == ()
        assert again.before == again.after
        assert bare.files() == before


def test_an_installation_in_check_mode_touches_nothing_and_foresees_all(bare: Host, lab: CoreLab) -> None:
    before = all_files(lab.folder)
    foreseen = put(bare, dry=True)
    assert all_files(lab.folder) == before
    done = put(bare)
    assert foreseen.words == done.words
    assert replace(foreseen.after.server, home_id=None) == replace(done.after.server, home_id=None)
    before = all_files(lab.folder)
    assert put(bare, dry=True).words == ()
    assert remove(Home(HOME, str(bare.root)), dry=True).words == (f"remove {VERSION}",)
    assert all_files(lab.folder) == before


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: (folder / "Bin/licman").chmod(0o644),
        lambda folder: (folder / "Bin/aims-licensing.pyz").chmod(0o666),
        lambda folder: (folder / "Bin/aims-licensing.pyz").write_bytes(CONTENT[:-1]),
        lambda folder: (folder / "Bin/aims-licensing.pyz").write_bytes(CONTENT + b"\n"),
        lambda folder: (folder / "Bin/licman").write_text("#!/bin/sh\nexit 0\n"),
        lambda folder: (folder / "Bin/authority").unlink(),
    ],
)
def test_a_file_that_was_changed_is_restored(bare: Host, harm: Callable[[Path], Any]) -> None:
    put(bare)
    before = bare.files()
    harm(bare.folder)
    assert bare.files() != before
    assert put(bare).words == (f"restore the files of {VERSION}",)
    assert bare.files() == before
    assert put(bare).words == ()


def test_a_newer_package_upgrades_and_an_older_one_is_refused(bare: Host) -> None:
    older = Package("0.0.9", CONTENT)
    newer = Package("10.2", CONTENT)
    put(bare)
    home_id = bare.home.home_id
    with pytest.raises(LicensingError, match=f"Version {VERSION} is installed; 0.0.9 is older"):
        put(bare, older)
    assert put(bare, newer, dry=True).words == (f"upgrade {VERSION} to 10.2",)
    with pytest.raises(LicensingError, match="does not run"):
        put(bare, newer)
    bare.write("Bin/package.json", '{"version": "0.0.1", "digest": "x"}')
    assert put(bare).words == (f"upgrade 0.0.1 to {VERSION}",)
    assert bare.home.home_id == home_id


def test_an_upgrade_leaves_licenses_and_their_profiles_alone(lab: CoreLab) -> None:
    put(lab.old)
    lab.activate(lab.old)
    kept = {name: held for name, held in lab.old.files().items() if "/Bin/" not in name}
    lab.old.write("Bin/package.json", '{"version": "0.0.1", "digest": "x"}')
    put(lab.old, authority=None)
    assert {name: held for name, held in lab.old.files().items() if "/Bin/" not in name} == kept


def test_a_package_that_does_not_run_is_told(bare: Host) -> None:
    with pytest.raises(LicensingError, match="The installed package does not run"):
        put(bare, Package(VERSION, b"this is no archive"))
    assert put(bare).words == (f"restore the files of {VERSION}", "set the authority to offline")
    licman(bare.folder, "--overview", "--json")


@pytest.mark.parametrize("dry", [True, False])
def test_a_foreign_home_is_refused_and_left_untouched(bare: Host, lab: CoreLab, dry: bool) -> None:
    (bare.folder / "Licenses").mkdir(parents=True)
    (bare.folder / "Licenses/015120064022.lic").write_bytes(b"a real license")
    before = bare.files()
    for call in (lambda: put(bare, dry=dry), lambda: remove(Home(HOME, str(bare.root)), dry=dry)):
        with pytest.raises(LicensingError, match="belongs to another product"):
            call()
    assert bare.files() == before


@pytest.mark.parametrize("authority", ["", "ledger:", "ledger:relative.db", "http://example.com", "ftp://x", "Offline"])
def test_an_authority_that_cannot_be_is_refused_before_anything_is_written(bare: Host, authority: str) -> None:
    before = bare.files()
    with pytest.raises(LicensingError) as refused:
        put(bare, authority=authority)
    assert refused.value.problems[0].where == "authority"
    assert bare.files() == before


def test_everything_that_stands_against_an_installation_is_listed(
    bare: Host, lab: CoreLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bare)
    before = bare.files()
    usage = shutil.disk_usage(bare.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=5 << 20))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(LicensingError) as refused:
        put(bare, Package("0.0.1", CONTENT))
    said = " ".join(problem.what for problem in refused.value.problems)
    assert "0.0.1 is older" in said
    assert "is not writable" in said
    assert "5 MB are free; 100 MB are needed" in said
    assert bare.files() == before


def test_the_certificate_is_added_to_the_pinned_realm(bare: Host, lab: CoreLab) -> None:
    put(bare, realm=lab.realm)
    ca = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"
    with_ca = Realm(lab.realm.name, lab.realm.key, ca)
    assert put(bare, realm=with_ca).words == (f"take the certificate of realm {lab.realm.id}",)
    assert put(bare, realm=lab.realm).words == ()
    assert bare.overview["server"]["realm"]["ca"] == ca


def test_the_realm_is_pinned_once(bare: Host, lab: CoreLab) -> None:
    assert put(bare, realm=lab.realm).words[-1] == f"pin realm {lab.realm.id}"
    assert put(bare, realm=lab.realm).words == ()
    assert put(bare, realm=Realm("other", "A" * 43 + "=")).words == ()
    assert bare.overview["server"]["realm"]["id"] == lab.realm.id


def test_an_active_or_pending_license_keeps_its_server(lab: CoreLab) -> None:
    put(lab.old)
    lab.activate(lab.old, SERVER)
    before = lab.old.files()
    with pytest.raises(LicensingError, match=f"Licenses are active or pending here: {SERVER}"):
        remove(lab.old.home)
    assert lab.old.files() == before
    put(lab.new)
    lab.new.manager.activate(Activation(declared(SERVER), realm=lab.realm), lab.offline())
    with pytest.raises(LicensingError, match=f"Licenses are active or pending here: {SERVER}"):
        remove(lab.new.home)


def test_a_removal_takes_the_package_and_nothing_else(lab: CoreLab) -> None:
    put(lab.old)
    lab.activate(lab.old)
    lab.deactivate(lab.old)
    kept = {name: held for name, held in lab.old.files().items() if "/Bin/" not in name}
    assert sorted(path.name for path in (lab.old.folder / "Bin").iterdir()) == FILES
    assert remove(lab.old.home).words == (f"remove {VERSION}",)
    assert {name: held for name, held in lab.old.files().items() if "/Bin" not in name} == {
        name: held for name, held in kept.items() if not name.endswith(("/Bin", "aims_license_server.fact"))
    }
    assert list((lab.old.folder / "Bin").iterdir()) == []
    assert remove(lab.old.home).words == ()
    assert put(lab.old).words == (f"install {VERSION}",)
    assert len(lab.old.overview["profiles"]) == 3


def test_an_installation_that_is_cut_at_any_step_is_completed_by_the_next(
    lab: CoreLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in range(1, 8):
        host = lab.host(f"host{step}", f"{step:032x}")
        shutil.rmtree(host.folder)
        with fault_at(monkeypatch, step, OSError) as made:
            try:
                put(host)
            except LicensingError as error:
                assert os.strerror(errno.EIO) in str(error)
        cut = len(made) >= step
        assert bool(put(host).words) == cut
        assert put(host).words == ()
        assert sorted(path.name for path in (host.folder / "Bin").iterdir()) == FILES


@pytest.mark.parametrize(
    "home", ["/opt/aims-license-server/", "/opt//aims", "/opt/with blank", "/opt/it's[1]*$x", "/a"]
)
def test_the_installed_commands_find_their_home_whatever_its_name(bare: Host, home: str) -> None:
    install(Home(home, str(bare.root)), PACKAGE, settings=Settings(authority="offline"))
    folder = bare.root / home.lstrip("/")
    shown = licman(folder, "--overview", "--json")["overview"]["server"]
    assert (shown["installed"], shown["root"]) == (True, str(bare.root))


def test_the_installed_commands_find_their_home_through_links(bare: Host, tmp_path: Path) -> None:
    (bare.root / "data").mkdir()
    (bare.root / "opt").symlink_to("data")
    put(bare)
    (tmp_path / "licman").symlink_to(bare.folder / "Bin/licman")
    assert licman(bare.folder, "--overview", "--json")["overview"]["server"]["installed"] is True
    done = subprocess.run([str(tmp_path / "licman"), "--overview", "--json"], capture_output=True, check=True)
    assert json.loads(done.stdout)["overview"]["server"]["root"] == str(bare.root)
