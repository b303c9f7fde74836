# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failpoints, and what the fault matrix (tests/faults) once found broken."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.aims.licensing.plugins.module_utils import _licensing
from ansible_collections.aims.licensing.plugins.module_utils._licensing import VERSION, faults
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.certificates import Certificates
from ansible_collections.aims.licensing.plugins.module_utils._licensing.authority.ledger import Ledger
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.config import PROCESS, SYSTEMD, UNMANAGED
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import Home
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting import install as installing
from ansible_collections.aims.licensing.plugins.module_utils._licensing.hosting.install import (
    Package,
    Settings,
    install,
    remove,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation, Maintenance
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.seat_store import SeatStore
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import BundleFile, newest
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.write import write_bundle
from ansible_collections.aims.licensing.plugins.plugin_utils._offline.folder import RequestFolder
from ansible_collections.aims.licensing.plugins.plugin_utils._package import build_package
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    HOME,
    SERVER,
    CoreLab,
    PowerCut,
    declared,
    let_others_come_to,
)

PACKAGE = Package(VERSION, build_package())
VAULT = VaultLib([("default", VaultSecret(b"of the tests"))])


@contextmanager
def cut_at(point: str, what: str = "", error: BaseException | None = None) -> Iterator[None]:
    """End what runs at a point, as a kill does or with an error."""

    def act(reached: str, about: str) -> None:
        if reached == point and what in about:
            raise error or PowerCut(point)

    faults.hook = act
    try:
        yield
    finally:
        faults.hook = None


def test_each_point_has_one_place_and_none_is_armed() -> None:
    plugins = Path(str(_licensing.__file__)).parents[2]
    names = [
        ast.literal_eval(node.args[0])
        for path in plugins.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "faults.reach"
    ]
    assert len(names) > 30
    assert [name for name, count in Counter(names).items() if count > 1] == []
    assert faults.hook is None


@pytest.mark.parametrize("fault, code", [("kill", -signal.SIGKILL), ("ENOSPC", 1)])
def test_a_command_is_made_to_fail_by_its_environment(lab: CoreLab, fault: str, code: int) -> None:
    command = f"import sys; from {_licensing.__name__}.cli import main; sys.exit(main(sys.argv[1:]))"
    options = ["licman", "--maintenance", "on", "--home", HOME, "--root", str(lab.old.root)]
    environment = {"PYTHONPATH": str(Path(str(_licensing.__file__)).parents[6]), "PATH": os.environ["PATH"]}

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        arguments = [sys.executable, "-c", command, *options]
        return subprocess.run(
            arguments, env={**environment, **more}, capture_output=True, text=True, check=False, timeout=60
        )

    done = run(AIMS_LICENSING_FAULT=f"files.write.synced:1:{fault}")
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert not lab.old.overview["server"]["maintenance"]
    assert run().returncode == 0
    assert lab.old.overview["server"]["maintenance"]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_directory_has_its_mode_from_the_beginning(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        for mode in (0o700, 0o755):
            inner, outer = f"{mode:o}/inner", tmp_path / f"outer{mode:o}"
            with cut_at("files.make.made", "inner"), pytest.raises(PowerCut):
                Folder(tmp_path).make(inner, mode)
            with cut_at("files.make.made"), pytest.raises(PowerCut):
                Folder(outer).make("", mode)
            assert [(tmp_path / inner).stat().st_mode & 0o777, outer.stat().st_mode & 0o777] == [mode, mode]
    finally:
        os.umask(before)


def fresh(lab: CoreLab) -> Home:
    root = lab.folder / "hosts" / "fresh"
    (root / "etc").mkdir(parents=True)
    (root / "etc/machine-id").write_text("5" * 32, encoding="utf-8")
    return Home(HOME, str(root))


@pytest.mark.parametrize("at", ["licman", "licsrv", "authority", "pyz", "package.json"])
@pytest.mark.parametrize("point", ["files.remove.begin", "files.remove.unlinked"])
def test_a_removal_that_was_cut_is_completed(lab: CoreLab, at: str, point: str) -> None:
    home = fresh(lab)
    install(home, PACKAGE, settings=Settings(authority="offline"))
    with cut_at(point, at), pytest.raises(PowerCut):
        remove(home)
    remove(home)
    assert list((home.folder.path / "Bin").iterdir()) == []
    assert home.config().service == UNMANAGED
    assert remove(home).words == ()


def test_nothing_is_activated_while_the_package_is_removed(lab: CoreLab, monkeypatch: pytest.MonkeyPatch) -> None:
    home, held = fresh(lab), []
    install(home, PACKAGE, settings=Settings(authority="offline"))

    def another_run(point: str, _what: str) -> None:
        if point == "remove.left":
            with monkeypatch.context() as patch:
                patch.setattr(faults, "hook", None)
                with pytest.raises(LicensingError, match="Another run has locked"), home.folder.locked(seconds=0.2):
                    pass
            held.append(True)

    with monkeypatch.context() as patch:
        patch.setattr(faults, "hook", another_run)
        remove(home)
    assert held == [True]


def test_an_installation_that_was_cut_before_its_configuration_is_still_a_first_one(
    lab: CoreLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = fresh(lab)
    with cut_at("install.written"), pytest.raises(PowerCut):
        install(home, PACKAGE, settings=Settings(authority="offline"))
    settled: list[bool] = []
    original = Settings.applied

    def applied(self: Settings, config: Any, first: bool, root: str) -> Any:
        settled.append(first)
        return original(self, config, first, root)

    monkeypatch.setattr(Settings, "applied", applied)
    install(home, PACKAGE, settings=Settings(authority="offline"))
    # Without this, a server that nobody asked for otherwise would stay without what runs it.
    assert settled and all(settled)
    assert original(Settings(), home.config(), True, "").service == SYSTEMD


def test_what_ran_the_server_is_known_until_it_is_stopped(lab: CoreLab, monkeypatch: pytest.MonkeyPatch) -> None:
    home = fresh(lab)
    install(home, PACKAGE, settings=Settings(authority="offline"))
    home.save(Settings(service=PROCESS).applied(home.config(), False, home.root))
    stopped: list[str] = []

    class Running:
        def drift(self) -> list[Any]:
            return []

        def remove(self) -> None:
            stopped.append("removed")

    monkeypatch.setattr(
        installing, "service_of", lambda _home, config: Running() if config.service == PROCESS else None
    )
    for _attempt in range(2):
        with cut_at("install.left"), pytest.raises(PowerCut):
            install(home, PACKAGE, settings=Settings(service=UNMANAGED))
        assert home.config().service == PROCESS
    install(home, PACKAGE, settings=Settings(service=UNMANAGED))
    assert (stopped, home.config().service) == (["removed"] * 3, UNMANAGED)


def test_what_killed_writes_left_in_the_folder_of_requests_is_removed(lab: CoreLab, tmp_path: Path) -> None:
    place = tmp_path / "requests"
    folder = RequestFolder(place)
    asked = lab.new.manager.activate(Activation(declared(), realm=lab.realm), lab.offline()).requests
    with cut_at("files.write.filled", error=KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        folder.take(asked, list(asked))
    left = place / ".tmp-015120064022.request-0123"
    left.write_bytes(b"left")
    os.utime(left, (0, 0))
    folder.take(asked, list(asked))
    assert sorted(path.name for path in place.iterdir()) == sorted(
        f"{number.replace('.', '')}.request" for number in asked
    )


@pytest.mark.parametrize("point", ["files.move.begin", "files.move.renamed"])
@pytest.mark.parametrize("kind", ["request", "response"])
def test_no_response_is_left_for_a_later_request_to_meet(lab: CoreLab, tmp_path: Path, point: str, kind: str) -> None:
    place = tmp_path / "requests"
    folder, numbers = RequestFolder(place), [SERVER]
    asked = lab.new.manager.activate(Activation(declared(SERVER), realm=lab.realm), lab.offline()).requests
    folder.take({SERVER: asked[SERVER]}, numbers)
    (place / "015120064022.response").write_bytes(lab.process(asked)[SERVER])
    with cut_at(point, kind), pytest.raises(PowerCut):
        folder.take({}, numbers)
    folder.take({}, numbers)
    assert [path.name for path in place.iterdir()] == ["done"]
    assert sorted(path.suffix for path in (place / "done").iterdir()) == [".request", ".response"]


def bundled(lab: CoreLab, folder: Path, made: str) -> Any:
    manager = lab.old.manager
    files = [BundleFile(one.name, f"{one.mode:04o}", one.content) for one in manager.files()]
    return write_bundle(folder, "old", files, manager.overview(), made, VAULT)


@pytest.mark.parametrize(
    "point", ["bundle.begin", "bundle.filled", "bundle.verified", "bundle.renamed", "bundle.linked"]
)
def test_a_backup_that_was_killed_leaves_the_bundle_before_and_nothing_half_made(
    lab: CoreLab, tmp_path: Path, point: str
) -> None:
    lab.activate(lab.old)
    folder = tmp_path / "bundles"
    first = bundled(lab, folder, "2026-01-01T00:00:00Z")
    lab.old.manager.set_maintenance(Maintenance(True))
    pid = os.fork()
    if pid == 0:
        faults.hook = lambda reached, _what: reached == point and os.kill(os.getpid(), signal.SIGKILL)
        bundled(lab, folder, "2026-01-02T00:00:00Z")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    found = newest(folder)
    assert found is not None and found.path == first.path
    second = bundled(lab, folder, "2026-01-03T00:00:00Z")
    assert newest(folder).path == second.path  # type: ignore[union-attr]
    assert list(folder.glob(".tmp-*")) == []


def test_two_backups_at_once_never_remove_the_newest_bundle(lab: CoreLab, tmp_path: Path) -> None:
    lab.activate(lab.old)
    first = bundled(lab, tmp_path / "bundles", "2026-01-01T00:00:00Z")
    with cut_at("bundle.begin"):
        second = bundled(lab, tmp_path / "bundles", "2026-01-01T00:00:00Z")
    assert second.path.samefile(first.path)


@pytest.mark.parametrize("place", ["Nodelocks", "Licenses", "Journal", "Config"])
def test_where_a_nodelock_cannot_be_written_no_transfer_is_spent(lab: CoreLab, place: str) -> None:
    lab.activate(lab.old, SERVER)
    lab.deactivate(lab.old, SERVER)
    let_others_come_to(lab.folder)
    nobody = 65534 if os.geteuid() == 0 else os.geteuid()
    for path in [lab.folder, *lab.folder.rglob("*")]:
        os.chown(path, nobody, -1)
    (lab.new.folder / place).chmod(0o500)
    before = lab.new.files()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setuid(nobody)
            lab.activate(lab.new, SERVER)
        except LicensingError as error:
            code = 42 if f"not writable: {place}" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42
    after = lab.new.files()
    after.pop("opt/aims-license-server/.lock", None)
    before.pop("opt/aims-license-server/.lock", None)
    assert (after, lab.spent()) == (before, 0)
    (lab.new.folder / place).chmod(0o755)
    lab.activate(lab.new, SERVER)
    assert lab.spent() == 1


@pytest.mark.parametrize("point", ["bundle.begin", "bundle.verified", "bundle.linked", "files.write.filled"])
def test_a_controller_whose_disk_is_full_is_told_in_words(lab: CoreLab, tmp_path: Path, point: str) -> None:
    lab.activate(lab.old)
    full = OSError(errno.ENOSPC, "No space left on device")
    with cut_at(point, error=full), pytest.raises(LicensingError, match="No space left on device"):
        bundled(lab, tmp_path / "bundles", "2026-01-01T00:00:00Z")
    assert newest(tmp_path / "bundles") is None


def killed_at(point: str, act: Callable[[], object]) -> None:
    """Do something in a child that is killed at a point."""
    pid = os.fork()
    if pid == 0:
        faults.hook = lambda reached, _what: reached == point and os.kill(os.getpid(), signal.SIGKILL)
        with contextlib.suppress(BaseException):
            act()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("point", ["ledger.create.made", "ledger.create.filled", "ledger.create.linked"])
def test_a_ledger_whose_making_was_killed_leaves_no_second_one_with_its_key(tmp_path: Path, point: str) -> None:
    path = tmp_path / "authority.db"
    killed_at(point, lambda: Ledger.create(str(path), "test"))
    assert [one.stat().st_mode & 0o777 for one in tmp_path.iterdir()] == [0o600] * len(list(tmp_path.iterdir()))
    young = tmp_path / f".tmp-{path.name}-0123"
    young.write_bytes(b"another run is making it")
    for left in tmp_path.glob(".tmp-*"):
        if left != young:
            os.utime(left, (0, 0))
    with Ledger(str(path)) if path.exists() else Ledger.create(str(path), "test") as ledger:
        assert ledger.realm.name == "REHEARSAL test"
    assert sorted(one.name for one in tmp_path.iterdir()) == [young.name, path.name]
    assert path.stat().st_nlink == 1


def test_what_others_named_like_a_ledger_in_the_making_stays_and_keeps_no_ledger_from_being_made(
    tmp_path: Path,
) -> None:
    path = tmp_path / "authority.db"
    folder, link = tmp_path / f".tmp-{path.name}-folder", tmp_path / f".tmp-{path.name}-link"
    folder.mkdir()
    link.symlink_to(folder)
    for left in (folder, link):
        os.utime(left, (0, 0), follow_symlinks=False)
    with Ledger.create(str(path), "test") as ledger:
        assert ledger.realm.name == "REHEARSAL test"
    assert sorted(tmp_path.iterdir()) == sorted([folder, link, path])


@pytest.mark.parametrize("point", ["files.write.made", "files.write.filled", "files.write.synced"])
def test_keys_that_killed_writes_left_beside_the_ledger_are_removed(tmp_path: Path, point: str) -> None:
    now = datetime.now(timezone.utc)
    certificates = Certificates(str(tmp_path / "authority.db"))
    killed_at(point, lambda: certificates.make("test", ["localhost"], now))
    (left,) = Path(certificates.where).glob(".tmp-ca.key-*")
    os.utime(left, (0, 0))
    assert certificates.make("test", ["localhost"], now)
    assert sorted(one.name for one in Path(certificates.where).iterdir()) == [
        "ca.key",
        "ca.pem",
        "server.key",
        "server.pem",
    ]


def test_the_record_of_the_seats_is_private_whatever_the_umask(tmp_path: Path) -> None:
    async def scenario() -> None:
        await SeatStore(tmp_path / "seats.db", lambda _batch: None).close()

    before = os.umask(0)
    try:
        asyncio.run(scenario())
    finally:
        os.umask(before)
    assert (tmp_path / "seats.db").stat().st_mode & 0o777 == 0o600


def test_the_record_of_the_seats_is_no_link(tmp_path: Path) -> None:
    async def scenario() -> None:
        SeatStore(tmp_path / "seats.db", lambda _batch: None)

    (tmp_path / "other").write_bytes(b"")
    (tmp_path / "seats.db").symlink_to("other")
    with pytest.raises(LicensingError, match="cannot be read"):
        asyncio.run(scenario())
    assert (tmp_path / "other").read_bytes() == b""
