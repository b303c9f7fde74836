# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remedies that need what the owner has: a backup, a vault password, the system's Python, another kind of service."""

from __future__ import annotations

import argparse
import functools
import inspect
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from ansible import constants
from ansible.cli import CLI
from ansible.cli.arguments.option_helpers import add_vault_options
from ansible.parsing.dataloader import DataLoader
from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION, cli
from ansible_collections.aims.licensing.plugins.module_utils._licensing.addresses import Listen
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.certificates import Certificates
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import PRIVATE, Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.config import PROCESS, SYSTEMD, UNMANAGED
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting import service as hosting
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.install import (
    Package,
    Settings,
    install,
    remove,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.systemd import Unit
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import (
    DEFAULT_HOME,
    open_manager,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import now_utc
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.manifest import (
    FORMAT,
    Manifest,
    doubt,
    seals_of,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.vault import RunVault, open_secret
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.servers import read_server
from ansible_collections.aims.licensing.plugins.plugin_utils._inventory.variables import HostVariables
from ansible_collections.aims.licensing.plugins.plugin_utils._package import build_package
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import let_others_come_to
from ansible_collections.aims.licensing.tests.unit.plugins.remedies.pair import Pair, execute
from support.licsrv import free_address
from support.needs import needs_root
from support.vendor_tree import make_tree

REALM = "REHEARSAL test"
MANIFEST = b"format: 2\n"


def run_with(*options: str) -> RunVault:
    """The vault of a run with options of its command line, as Ansible reads them."""
    parser = argparse.ArgumentParser()
    add_vault_options(parser)
    chosen = parser.parse_args(options)
    # Newer versions of Ansible would keep the passwords for the whole process.
    accepted = inspect.signature(CLI.setup_vault_secrets).parameters
    alone = {"initialize_context": False} if "initialize_context" in accepted else {}
    secrets = CLI.setup_vault_secrets(
        DataLoader(),
        chosen.vault_ids,
        vault_password_files=list(chosen.vault_password_files),
        auto_prompt=False,
        **alone,
    )
    return RunVault(secrets, None)


@pytest.fixture
def password(tmp_path: Path) -> Path:
    place = tmp_path / "password"
    place.write_text("of the tests", encoding="utf-8")
    return place


@pytest.mark.parametrize("way", ["--vault-password-file", "--vault-id", "vault_password_file"])
def test_a_run_that_encrypts_has_the_password_that_the_message_asks_for(
    way: str, password: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LicensingError) as refused:
        run_with().encrypt(b"a key")
    options = re.findall(r"Run with (--\S+) or (--\S+) \(or set (\S+) in ansible.cfg\)", str(refused.value))[0]
    assert way in options
    if way.startswith("--"):
        vault = run_with(way, str(password))
    else:
        monkeypatch.setattr(constants, f"DEFAULT_{way.upper()}", str(password))
        vault = run_with()
    assert vault.decrypt(vault.encrypt(b"a key")) == b"a key"


LISTED = Manifest(FORMAT, "old", None, None, "2026-01-01T12:00:00Z", "", {}, ())


def sealed(place: Path, vault: RunVault) -> Folder:
    """A bundle's folder with what vouches for its manifest."""
    folder = Folder(place)
    folder.make(mode=0o700)
    for name, content in seals_of(MANIFEST, vault).items():
        folder.write(name, content, PRIVATE)
    return folder


@pytest.mark.parametrize("at", [0, 1])
def test_a_bundle_is_authenticated_by_a_run_with_the_option_that_the_message_names(
    at: int, password: Path, tmp_path: Path
) -> None:
    folder = sealed(tmp_path / "bundle", run_with("--vault-id", str(password)))
    problem = doubt(folder, LISTED, MANIFEST, run_with())
    assert problem is not None
    options = re.findall(r"Run with (--\S+) or (--[a-z-]+)\.", problem.todo)[0]
    assert doubt(folder, LISTED, MANIFEST, run_with(options[at], str(password))) is None


def test_a_bundle_opens_with_the_password_that_it_was_made_with_or_is_made_again(
    password: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_text("since it was re-keyed", encoding="utf-8")
    made, renewed = run_with("--vault-id", f"dev@{password}"), run_with("--vault-id", f"dev@{other}")
    folder = sealed(tmp_path / "bundle", made)
    secret = made.encrypt(b"a key")
    with pytest.raises(LicensingError) as refused:
        open_secret(renewed, secret, "bundle")
    (option,) = re.findall(r"that the bundle was made with \((--\S+)\)", str(refused.value))
    again = run_with(option, f"dev@{password}")
    assert open_secret(again, secret, "bundle") == b"a key"
    assert doubt(folder, LISTED, MANIFEST, again) is None
    # The other way: a bundle made by the run with the new password.
    assert "back up again while the host has its licenses" in str(refused.value)
    assert doubt(folder, LISTED, MANIFEST, renewed) is not None
    shutil.rmtree(tmp_path / "bundle")
    folder = sealed(tmp_path / "bundle", renewed)
    assert doubt(folder, LISTED, MANIFEST, renewed) is None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("ca.pem", b"damaged", "The certificate is damaged."),
        ("ca.pem", None, "The certificate of the CA is missing."),
        ("ca.key", b"damaged", "The private key of the CA is missing or damaged."),
        ("ca.key", None, "The private key of the CA is missing or damaged."),
    ],
)
def test_a_ca_that_is_lost_or_damaged_is_restored_from_a_backup(
    name: str, content: bytes | None, message: str, tmp_path: Path
) -> None:
    certificates = Certificates(str(tmp_path / "authority.db"))
    certificates.make(REALM, ["a.example"], now_utc())
    pinned, backup = certificates.ca(), tmp_path / "backup"
    shutil.copytree(certificates.where, backup)
    place = Path(certificates.where, name)
    place.unlink()
    if content is None:
        # With its server's certificate it would come back from the chain behind that.
        Path(certificates.where, "server.pem").unlink()
    else:
        place.write_bytes(content)
    with pytest.raises(LicensingError) as refused:
        certificates.make(REALM, ["a.example"], now_utc())
    (named,) = re.findall(re.escape(message) + r" \[(.*?)\] Restore it from a backup\.", str(refused.value))
    shutil.copy2(backup / Path(named).name, named)
    certificates.make(REALM, ["a.example"], now_utc())
    assert certificates.ca() == pinned and certificates.hosts() == ["a.example"]


@pytest.mark.parametrize("way", ["Restore that ledger", "choose another path", "remove the certificates"])
def test_certificates_of_another_ledger_get_theirs_back_or_are_left_or_removed(
    way: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = tmp_path / "authority.db"
    assert cli.main(["authority", "init", "--ledger", str(ledger)]) == 0
    backup = tmp_path / "backup.db"
    ledger.rename(backup)
    capsys.readouterr()
    assert cli.main(["authority", "init", "--ledger", str(ledger)]) == 1
    (named, advised) = re.findall(
        r"The folder has the certificates of another ledger\. \[(.*?)\] (.*)", capsys.readouterr().err
    )[0]
    assert way in advised
    if way.startswith("Restore"):
        backup.rename(ledger)
        assert cli.main(["authority", "realm", "--ledger", str(ledger)]) == 0
        return
    if way == "remove the certificates":
        shutil.rmtree(named)
    else:
        ledger = tmp_path / "another.db"
    assert cli.main(["authority", "init", "--ledger", str(ledger)]) == 0


def test_a_host_without_systemd_runs_its_server_as_the_message_says(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIMS_LICSRV_STOP_AFTER", "60")
    machine = pair.lab.folder / "machine"
    machine.mkdir()
    monkeypatch.setattr(hosting, "Unit", functools.partial(Unit, root=machine))
    address = free_address()

    def installed(service: str) -> None:
        settings = Settings(authority="offline", service=service, listen=Listen(address, address))
        install(pair.new.home, Package(VERSION, build_package()), settings=settings)

    with pytest.raises(LicensingError) as refused:
        installed(SYSTEMD)
    services = re.findall(
        r"Use a host with systemd, or set aims_license_server_service to (\w+) \(until the next boot\) or (\w+)\.",
        str(refused.value),
    )[0]
    for service in services:
        installed(service)
        assert bool(pair.new.overview["server"]["running"]) == (service != UNMANAGED)
        remove(pair.new.home)
    # The first way: this host gets systemd, and another user's rights are all that is left to ask for.
    (machine / "run/systemd/system").mkdir(parents=True)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert Unit("aims-license-server.service", "", "x", root=machine).problems() == []


@needs_root
@pytest.mark.parametrize("way", ["ansible_python_interpreter", "chown"])
def test_a_python_of_another_user_is_exchanged_or_given_to_root(
    way: str, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = pair.lab.folder / "venv/bin/python"
    theirs.parent.mkdir(parents=True)
    theirs.symlink_to(Path(sys.executable).resolve())
    os.chown(theirs.parent.parent, 65534, 65534)
    theirs.parent.chmod(0o777)
    monkeypatch.setattr(sys, "executable", str(theirs))
    settings, package = Settings(authority="offline", service=UNMANAGED), Package(VERSION, build_package())
    with pytest.raises(LicensingError) as refused:
        install(pair.new.home, package, settings=settings)
    assert len(refused.value.problems) == 2
    for problem in refused.value.problems:
        variable, commands = re.findall(r"system's Python \((\w+)\), or give this to root \((.*?)\)", problem.todo)[0]
        if way == variable:
            system = shutil.which("python3", path="/usr/bin:/bin")
            assert system is not None
            monkeypatch.setattr(sys, "executable", system)
        else:
            execute([f"{command} {problem.where}" for command in commands.split(", ")])
    install(pair.new.home, package, settings=settings)
    pair.run()
    assert pair.holds(pair.new)


def test_where_the_vendors_server_is_to_be_moved_the_bundled_one_of_the_message_rehearses(pair: Pair) -> None:
    variables = {"aims_license_server_backend": "vendor"}
    _server, problems = read_server(HostVariables("new", variables, variables.get, variables.get, str), rehearsal=True)
    (backend,) = re.findall(r"Set aims_license_server_backend: (\w+)", problems[0].todo)
    manager = open_manager(backend, pair.old.home.home, root=str(pair.old.root))
    assert len(manager.overview().licenses) == 3


def test_a_folder_of_licenses_is_read_by_the_backend_and_the_home_that_the_message_names(
    pair: Pair, tmp_path: Path
) -> None:
    root = str(pair.old.root)
    with pytest.raises(LicensingError, match="to bundled, or name the folder") as refused:
        open_manager("vendor", f"{pair.old.home.home}/", root=root).overview()
    (backend,) = re.findall(r"aims_license_server_backend to (\w+)", str(refused.value))
    assert len(open_manager(backend, pair.old.home.home, root=root).overview().licenses) == 3
    for name in ("Aimms", "AIMMS"):
        make_tree(tmp_path / "usr/local" / name)
    with pytest.raises(LicensingError, match=r"\(aims_license_server_home\)"):
        open_manager("vendor", DEFAULT_HOME, root=str(tmp_path)).overview()
    assert len(open_manager("vendor", "/usr/local/AIMMS", root=str(tmp_path)).overview().licenses) == 3


@needs_root
def test_a_server_is_stopped_by_the_user_that_started_it(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMS_LICSRV_STOP_AFTER", "60")
    address = free_address()
    settings = Settings(authority="offline", service=PROCESS, listen=Listen(address, address))
    install(pair.new.home, Package(VERSION, build_package()), settings=settings)
    server = hosting.Process(pair.new.home, pair.new.home.config())
    let_others_come_to(pair.new.folder / "Bin")
    for path in (pair.new.folder, *pair.new.folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    starter = os.geteuid()
    os.seteuid(65534)
    try:
        with pytest.raises(LicensingError) as refused:
            server.stop()
    finally:
        os.seteuid(starter)
    assert "It is not signalled" in str(refused.value)
    assert "Run this as the user that started the server." in str(refused.value)
    assert server.is_up()
    server.stop()
    assert not server.is_up()
