# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine or its file system cannot do is told as that, and as nothing about others."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import sqlite3
import stat
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import (
    documents,
    requirements,
    sealing,
    system,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.cli import main
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.fingerprint import read_fingerprint
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import SEATS_LOCK, Home
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.liveness import is_held, running
from ansible_collections.aims.licensing.plugins.module_utils._licensing.http import tls_context
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.process import seats_locked
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import CLIENT, CoreLab
from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519


def failing(number: int) -> Callable[..., Any]:
    def fail(*arguments: Any, **options: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL])
def test_a_file_system_without_locks_is_named_by_whoever_locks(
    lab: CoreLab, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    home = lab.old.home
    (home.folder.path / SEATS_LOCK).touch()
    monkeypatch.setattr(fcntl, "flock", failing(number))
    for call in (lambda: home.locked().__enter__(), lambda: seats_locked(home).__enter__(), lambda: is_held(home)):
        with pytest.raises(LicensingError, match=r"file system cannot lock files: .*\[/.*rpc\.statd") as refused:
            call()
        assert "Another run" not in str(refused.value)


def test_a_lock_that_is_refused_is_no_traceback_of_a_command(
    lab: CoreLab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fcntl, "flock", failing(errno.ENOLCK))
    arguments = ["licman", "--home", lab.old.home.home, "--root", str(lab.old.root), "--maintenance", "on"]
    assert main(arguments) == 1
    assert "The file system cannot lock files: No locks available." in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO, errno.ESTALE])
def test_what_keeps_from_looking_at_a_lock_does_not_pass_for_no_server(
    lab: CoreLab, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "open", failing(number))
    with pytest.raises(LicensingError, match=f"runs here: {os.strerror(number)}"):
        is_held(lab.old.home)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS])
def test_licenses_move_on_a_file_system_that_syncs_no_folders(
    lab: CoreLab, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def only_files(handle: int) -> None:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", only_files)
    lab.activate(lab.old)
    lab.deactivate(lab.old, CLIENT)
    assert lab.old.statuses()[CLIENT] != "Active"
    Ledger.create(str(lab.old.root / "authority.db"), "lab").close()


def test_a_folder_that_cannot_be_synced_for_another_reason_is_told(
    lab: CoreLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(LicensingError, match="Input/output error"):
        lab.old.home.folder.write("a", b"x")


def test_a_database_on_a_file_system_without_locks_is_not_held_by_somebody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Ledger.create(str(tmp_path / "authority.db"), "lab").close()
    ledger = Ledger(str(tmp_path / "authority.db"))

    class Locked:
        """What SQLite says where fcntl answers ENOLCK."""

        def execute(self, *arguments: object) -> Any:
            raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(ledger, "_db", Locked())
    with pytest.raises(LicensingError, match="The ledger cannot be used: database is locked"):
        ledger.licenses()
    monkeypatch.setattr(fcntl, "lockf", failing(errno.ENOLCK))
    with pytest.raises(LicensingError, match="The file system cannot lock files: No locks available"):
        ledger.licenses()


@pytest.mark.parametrize(
    ("number", "word"), [(errno.EMFILE, "ulimit -n"), (errno.ESTALE, "Mount it again"), (errno.ENAMETOOLONG, "shorter")]
)
def test_an_error_of_the_machine_has_advice_that_fits_it(tmp_path: Path, number: int, word: str) -> None:
    told = system.unhandled(OSError(number, os.strerror(number), str(tmp_path)))
    (problem,) = told.problems
    assert os.strerror(number) in problem.what
    assert word in problem.todo
    assert problem.where == str(tmp_path)


def test_a_name_that_is_too_long_is_told_by_the_folder_that_has_it(tmp_path: Path) -> None:
    with pytest.raises(LicensingError, match=r"File name too long.*shorter path"):
        Folder(tmp_path).write("a" * 300, b"x")


def test_a_command_that_the_machine_refuses_something_says_so_without_a_traceback(
    lab: CoreLab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Path, "exists", failing(errno.EIO))
    assert main(["licman", "--home", "/opt/nowhere", "--overview"]) == 1
    assert "Input/output error" in capsys.readouterr().err


@pytest.mark.parametrize("raised", [UnsupportedAlgorithm("ed25519 is not supported"), InternalError("unknown", [])])
def test_an_openssl_without_ed25519_is_told_as_that_and_not_as_a_damaged_key(
    monkeypatch: pytest.MonkeyPatch, raised: Exception
) -> None:
    key = documents.new_private_key()

    def refused(*arguments: object) -> Any:
        raise raised

    monkeypatch.setattr(ed25519.Ed25519PrivateKey, "from_private_bytes", refused)
    monkeypatch.setattr(ed25519.Ed25519PrivateKey, "generate", refused)
    requirements._sign.cache_clear()
    calls: list[Callable[[], Any]] = [
        documents.new_private_key,
        lambda: documents.load_private_key(key, "host.key"),
        lambda: documents.key_from_code("015.120.064.022", "AAAAA-BBBBB-CCCCC-DDDDD-22222"),
        sealing.Seal,
    ]
    for call in calls:
        with pytest.raises(LicensingError, match=r"machine's cryptography does not support Ed25519: .*fips_enabled"):
            call()


def test_an_openssl_that_seals_nothing_still_checks_licenses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object) -> Any:
        raise UnsupportedAlgorithm("X25519 is not supported")

    monkeypatch.setattr(x25519.X25519PrivateKey, "generate", refused)
    requirements._seal.cache_clear()
    with pytest.raises(LicensingError, match="does not support X25519 with ChaCha20-Poly1305"):
        sealing.Seal()
    assert documents.new_private_key()


@pytest.mark.parametrize("place", ["", "/nowhere/keys", "/proc/keys"])
def test_no_keys_of_connections_are_written_and_a_place_for_them_hinders_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    named = place or str(tmp_path / "keys")
    monkeypatch.setenv("SSLKEYLOGFILE", named)
    assert tls_context().keylog_filename is None
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.EPERM])
def test_a_call_that_this_machine_cannot_make_is_no_silent_server(
    lab: CoreLab, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(socket, "socket", failing(number))
    with pytest.raises(LicensingError, match=f"This machine cannot call the license server: {os.strerror(number)}"):
        running(lab.old.home, lab.old.home.config())


def test_a_machine_id_that_cannot_be_read_is_not_replaced_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n", encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", failing(errno.EIO))
        with pytest.raises(LicensingError, match="machine-id cannot be read: Input/output error") as refused:
            read_fingerprint(str(tmp_path))
    assert "systemd-machine-id-setup" not in str(refused.value)
    assert read_fingerprint(str(tmp_path))


def test_a_file_system_that_keeps_no_modes_is_told_and_not_the_rights(
    lab: CoreLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fchmod", failing(errno.EPERM))
        with pytest.raises(LicensingError, match=r"does not store file modes: .*ext4") as refused:
            lab.old.home.folder.write("Config/host.key", b"secret")
    assert "become" not in str(refused.value)
    assert not list((lab.old.home.folder.path / "Config").glob(".tmp-*"))


def test_a_file_system_that_lets_everybody_read_keys_gets_none(lab: CoreLab, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home("/opt/other", str(lab.old.root))
    made = os.mkdir
    monkeypatch.setattr(os, "mkdir", lambda name, mode=0o777, **options: made(name, 0o755, **options))
    with pytest.raises(LicensingError, match="everybody could read the keys"):
        home.create()
