# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bundle is written, and which one stands for a host: no good one gives way to a poorer (invariant I6)."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import hmac
import os
import shutil
import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.aims.licensing.plugins.action import aims_license_backup as backup_action
from ansible_collections.aims.licensing.plugins.module_utils._licensing import faults
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import HOST_KEY, Home
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Deactivation, Maintenance
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview, ServerView
from ansible_collections.aims.licensing.plugins.module_utils._licensing.sealing import Seal, seal
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.manifest import (
    CODE,
    FORMAT,
    FORMAT_WITHOUT_CODE,
    KEY_PREFIX,
    MANIFEST,
    read_mapping,
    render,
    seals_of,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.manifest import KEY as KEY_FILE
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import (
    Bundle,
    BundleFile,
    carried_files,
    digest_of,
    newest,
    newest_of,
    read_bundle,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.write import Verdict, judge, write_bundle
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    HOME,
    NUMBERS,
    SERVER,
    SESSION,
    CoreLab,
    Host,
)

VAULT = VaultLib([("default", VaultSecret(b"of the tests"))])
KEY = "ApplicationKeys/app.key"


class Backups:
    """Backs a host up, each time a minute later."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vault = VAULT
        self._taken = 0

    def seen(self, host: Host) -> tuple[list[BundleFile], Overview]:
        files = [BundleFile(one.name, f"{one.mode:04o}", one.content) for one in host.manager.files()]
        return files, host.manager.overview()

    def judge(self, host: Host) -> Verdict:
        return judge(self.folder, *self.seen(host), self.vault)

    def take(self, host: Host) -> Bundle:
        self._taken += 1
        return write_bundle(self.folder, "old", *self.seen(host), f"2026-01-01T12:{self._taken:02}:00Z", self.vault)

    @property
    def latest(self) -> Path:
        found = newest(self.folder)
        assert found is not None
        return found.path

    def count(self) -> int:
        return len([path for path in self.folder.iterdir() if not path.is_symlink()])


@pytest.fixture
def backups(tmp_path: Path) -> Backups:
    return Backups(tmp_path / "bundles")


def publish(host: Host, content: str) -> None:
    host.write(KEY, content)
    (host.folder / KEY).chmod(0o600)


def test_a_home_that_only_gave_licenses_up_makes_no_bundle(lab: CoreLab, backups: Backups) -> None:
    lab.activate(lab.old)
    first = backups.take(lab.old)
    for gone in NUMBERS:
        lab.deactivate(lab.old, gone)
        assert backups.judge(lab.old).made == first and backups.judge(lab.old).kept
        assert backups.take(lab.old) == first and backups.count() == 1


def test_what_is_new_beside_a_damaged_license_is_backed_up_and_displaces_nothing(
    lab: CoreLab, backups: Backups
) -> None:
    lab.activate(lab.old)
    first = backups.take(lab.old)
    for kind in ("lock", "ver"):
        (lab.old.folder / "Nodelocks" / f"{digits(SERVER)}.{kind}").unlink()
    assert backups.take(lab.old) == first
    publish(lab.old, "published since")
    found = backups.judge(lab.old)
    assert found.made is None and not found.moves and found.kept and SERVER in found.kept
    second = backups.take(lab.old)
    assert KEY in {file.name for file in second.manifest.files} and second.covered == {SESSION, CLIENT}
    assert backups.latest == first.path
    # Nothing is written a second time, nor in another run.
    assert backups.take(lab.old) == second and not backups.judge(lab.old).changes and backups.count() == 2


def test_what_is_new_beside_licenses_that_were_given_back_becomes_the_newest(lab: CoreLab, backups: Backups) -> None:
    lab.activate(lab.old)
    backups.take(lab.old)
    lab.deactivate(lab.old, SERVER)
    publish(lab.old, "published since")
    second = backups.take(lab.old)
    assert backups.latest == second.path and second.covered == {SESSION, CLIENT}
    assert second.known == set(NUMBERS)
    # A host that holds nothing any more displaces nothing.
    lab.deactivate(lab.old, SESSION, CLIENT)
    publish(lab.old, "published at last")
    assert backups.take(lab.old) != second and backups.latest == second.path


def test_licenses_that_are_about_to_be_given_back_are_covered(lab: CoreLab, backups: Backups) -> None:
    lab.activate(lab.old)
    first = backups.take(lab.old)
    lab.old.manager.deactivate(Deactivation(NUMBERS), lab.offline())
    assert backups.take(lab.old) == first
    publish(lab.old, "published since")
    second = backups.take(lab.old)
    second.require_covers(NUMBERS)
    assert second.path != first.path and backups.latest == second.path


def test_a_home_that_was_made_anew_displaces_the_bundle_once_it_holds_licenses(lab: CoreLab, backups: Backups) -> None:
    lab.activate(lab.old)
    first = backups.take(lab.old)
    lab.deactivate(lab.old, *NUMBERS)
    shutil.rmtree(lab.old.folder)
    Home(HOME, str(lab.old.root)).create()
    assert backups.take(lab.old) == first and backups.judge(lab.old).kept
    lab.activate(lab.old, SESSION)
    second = backups.take(lab.old)
    assert second.manifest.home_id == lab.old.overview["server"]["home_id"] != first.manifest.home_id
    second.require_covers([SESSION])
    assert backups.latest == second.path and first.path.is_dir()


def test_a_damaged_bundle_of_the_same_content_serves_nobody(lab: CoreLab, backups: Backups) -> None:
    lab.activate(lab.old)
    first = backups.take(lab.old)
    lab.old.manager.set_maintenance(Maintenance(True))
    backups.take(lab.old)
    (first.path / "overview.yml").write_text("", encoding="utf-8")
    lab.old.manager.set_maintenance(Maintenance(False))
    third = backups.take(lab.old)
    assert third.manifest.digest == first.manifest.digest and third.path != first.path
    assert backups.latest == third.path


def test_a_bundle_that_the_passwords_of_the_run_do_not_open_is_followed_by_one_that_they_open(
    lab: CoreLab, backups: Backups
) -> None:
    lab.activate(lab.old)
    first = backups.take(lab.old)
    backups.vault = VaultLib([("default", VaultSecret(b"after the vault was re-keyed"))])
    assert backups.judge(lab.old).made is None and backups.judge(lab.old).moves
    second = backups.take(lab.old)
    assert second.path != first.path and backups.latest == second.path
    assert second.serves(backups.vault) and not first.serves(backups.vault)
    with pytest.raises(LicensingError, match="No vault password of this run opens"):
        first.require_opens(backups.vault)
    assert not backups.judge(lab.old).changes
    # An older bundle of the same content that opens is as good as a new one.
    lab.old.manager.set_maintenance(Maintenance(True))
    backups.take(lab.old)
    lab.old.manager.set_maintenance(Maintenance(False))
    assert backups.judge(lab.old).made == second
    backups.vault = VAULT
    assert backups.judge(lab.old).made == first


def test_after_the_vault_was_re_keyed_what_is_left_to_give_up_is_backed_up_once_more(
    lab: CoreLab, backups: Backups
) -> None:
    lab.activate(lab.old)
    first = backups.take(lab.old)
    lab.deactivate(lab.old, SERVER)
    assert backups.take(lab.old) == first
    backups.vault = VaultLib([("default", VaultSecret(b"after the vault was re-keyed"))])
    second = backups.take(lab.old)
    second.require_covers([SESSION, CLIENT])
    assert second != first and second.serves(backups.vault) and backups.latest == second.path


def test_a_file_that_is_exchanged_after_the_bundle_was_verified_is_not_carried(lab: CoreLab, backups: Backups) -> None:
    lab.activate(lab.old)
    publish(lab.old, "published")
    bundle = backups.take(lab.old)
    place = bundle.path / "files" / KEY
    place.write_bytes(VAULT.encrypt(b"somebody else's"))
    with pytest.raises(LicensingError, match="was changed since"):
        carried_files(bundle, VAULT)
    place.unlink()
    place.symlink_to("/etc/hostname")
    with pytest.raises(LicensingError, match="symbolic link"):
        carried_files(bundle, VAULT)


def sealed_again(bundle: Bundle, **values: Any) -> Bundle:
    """Change the manifest as somebody with the vault password could, and read the bundle."""
    text = render({**bundle.manifest.as_dict(), **values})
    for name, content in {MANIFEST: text, **seals_of(text, VAULT)}.items():
        (bundle.path / name).write_bytes(content)
    return read_bundle(bundle.path)


def test_a_home_whose_newest_bundle_nobody_vouches_for_is_backed_up_anew(lab: CoreLab, backups: Backups) -> None:
    lab.activate(lab.old)
    first = sealed_again(backups.take(lab.old), format=FORMAT_WITHOUT_CODE)
    assert not first.serves(VAULT) and "not authenticated" in str(first.doubt(VAULT))
    assert "without a vault password" in str(sealed_again(first, format=FORMAT).doubt(None))
    sealed_again(first, format=FORMAT_WITHOUT_CODE)
    second = backups.take(lab.old)
    assert second.path != first.path and second.serves(VAULT) and backups.latest == second.path
    # One that claims more licenses than there are keeps its place, and still serves nobody who gives licenses up.
    lab.deactivate(lab.old, SERVER)
    assert backups.judge(lab.old).made == second


def test_a_key_of_the_vault_that_was_made_for_something_else_vouches_for_no_bundle(
    lab: CoreLab, backups: Backups
) -> None:
    lab.activate(lab.old)
    publish(lab.old, "what the host knows")
    bundle = backups.take(lab.old)
    (bundle.path / KEY_FILE).write_bytes((bundle.path / "files" / KEY).read_bytes())
    code = hmac.new(b"what the host knows", b"aims.licensing bundle manifest\n" + bundle.text, hashlib.sha256)
    (bundle.path / CODE).write_text(f"{code.hexdigest()}  {MANIFEST}\n", encoding="utf-8")
    with pytest.raises(LicensingError, match="was changed since"):
        bundle.doubt(VAULT)
    publish(lab.old, f"{KEY_PREFIX.decode()}{'0' * 64}\n")
    with pytest.raises(LicensingError, match="poses as the key"):
        write_bundle(backups.folder.parent / "other", "old", *backups.seen(lab.old), "2026-01-01T12:59:00Z", VAULT)


@pytest.mark.parametrize("name", ["Config/host.key", "Licenses/x.cpx"])
def test_what_is_secret_follows_from_the_name_and_not_from_the_manifest(
    lab: CoreLab, backups: Backups, name: str
) -> None:
    lab.activate(lab.old)
    lab.old.write("Licenses/x.cpx", "a compiled project")
    bundle = backups.take(lab.old)
    listed = bundle.manifest.as_dict()["files"]
    files = [{**file, "secret": file["secret"] is not (file["name"] == name)} for file in listed]
    with pytest.raises(LicensingError, match="was changed since"):
        sealed_again(bundle, files=files)


@pytest.mark.parametrize("name", ["Config/./host.key", "Config//host.key", "./Config/host.key", "/Config/host.key", ""])
def test_a_secret_has_one_name_under_which_it_cannot_be_stored_in_plain(tmp_path: Path, name: str) -> None:
    overview = Overview(ServerView(home_id="0", version="0"))
    with pytest.raises(LicensingError, match="leads out of its folder"):
        write_bundle(tmp_path, "old", [BundleFile(name, "0600", b"a key")], overview, "2026-01-01T12:00:00Z", VAULT)
    assert b"a key" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_two_files_of_one_name_are_told_as_that(tmp_path: Path) -> None:
    overview = Overview(ServerView(home_id="0", version="0"))
    files = [BundleFile("ApplicationKeys/a", "0600", content) for content in (b"1", b"2")]
    with pytest.raises(LicensingError, match="have one name on the controller"):
        write_bundle(tmp_path, "old", files, overview, "2026-01-01T12:00:00Z", VAULT)


@pytest.mark.parametrize(
    "text",
    [
        b"a: &x 1\nb: *x\n",
        b"a: !!python/object:os.system x\n",
        b"a: !!binary aGVsbG8=\n",
        b"a: " + b"[" * 5000 + b"]" * 5000,
        b"a: " + b"{a: " * 40 + b"1" + b"}" * 40,
        b"a: " + b"9" * 200_000,
        b"a: 0x" + b"f" * 200_000,
        b"a: 1" + b":59" * 100_000,
        b"a: " + b"x" * (5 << 20),
    ],
)
def test_a_manifest_that_costs_more_than_it_says_is_refused_at_once(tmp_path: Path, text: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(LicensingError, match="was changed since"):
        read_mapping(Folder(tmp_path), MANIFEST, text)
    assert time.monotonic() - started < 5


def test_a_manifest_is_not_read_whole_where_it_is_too_long(lab: CoreLab, backups: Backups) -> None:
    lab.activate(lab.old)
    bundle = backups.take(lab.old)
    with (bundle.path / MANIFEST).open("r+b") as manifest:
        manifest.truncate(1 << 40)
    with pytest.raises(LicensingError, match="at most"):
        read_bundle(bundle.path)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"secret": False, "content": "YQ=="}, "is to be sealed, and is not"),
        ({"name": "Licenses/x.lic"}, "is to be sealed, and is not"),
        ({"content": "no seal"}, "damaged on its way"),
        ({"content": None}, "damaged on its way"),
        ({"sha256": "0" * 64}, "damaged on its way"),
    ],
)
def test_a_host_that_hands_over_a_secret_in_another_way_is_refused(changes: dict[str, Any], what: str) -> None:
    secret = Seal()
    file = {"name": HOST_KEY, "mode": "0600", "secret": True, "sha256": hashlib.sha256(b"a").hexdigest()}
    file["content"] = seal(secret.recipient, b"a")
    assert backup_action._plain(file, secret, "old").content == b"a"
    with pytest.raises(LicensingError, match=what):
        backup_action._plain({**file, **changes}, secret, "old")
    with pytest.raises(LicensingError, match="damaged on its way"):
        backup_action._plain(None, secret, "old")


NOWHERE = [errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL]


@pytest.mark.parametrize("number", NOWHERE)
def test_without_symbolic_links_a_file_names_the_newest_bundle(
    lab: CoreLab, backups: Backups, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse_link(*_arguments: Any) -> None:
        raise OSError(number, "no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse_link)
    lab.activate(lab.old)
    first, link = backups.take(lab.old), backups.folder / "latest"
    assert link.is_file() and not link.is_symlink() and link.stat().st_mode & 0o777 == 0o600
    assert backups.latest == first.path == read_bundle(link).path
    assert not backups.judge(lab.old).changes
    publish(lab.old, "published since")
    second = backups.take(lab.old)
    assert backups.latest == second.path != first.path
    # Back on a file system that has links, the file gives way to one.
    monkeypatch.undo()
    lab.old.manager.set_maintenance(Maintenance(True))
    third = backups.take(lab.old)
    assert link.is_symlink() and backups.latest == third.path
    link.unlink()
    for text in ("", "../../elsewhere", "20260101T120000Z-000000000000/.."):
        link.write_text(text, encoding="utf-8")
        with pytest.raises(LicensingError, match="names no bundle"):
            newest(backups.folder)


def test_a_copy_that_followed_links_is_read_and_backed_up_into(
    lab: CoreLab, backups: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.activate(lab.old)
    first = backups.take(lab.old)
    for number in (1, 2):
        copy = backups.folder.parent / f"copy{number}"
        shutil.copytree(backups.folder, copy, symlinks=False)
        shutil.rmtree(backups.folder)
        copy.rename(backups.folder)
        assert (backups.folder / "latest").is_dir() and not (backups.folder / "latest").is_symlink()
        assert not backups.judge(lab.old).changes and backups.latest.name == "latest"
        publish(lab.old, f"published {number}")
        with monkeypatch.context() as cut:
            # Cut off between the two, what stands for the host is there.
            cut.setattr(Path, "replace", lambda *_names: os._exit(0))
            pid = os.fork()
            if pid == 0:
                backups.take(lab.old)
                os._exit(1)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert backups.latest.name == f"latest-copied-{2 * number - 1}"
        shutil.copytree(backups.latest, backups.folder / "latest")
        made = backups.take(lab.old)
        assert (backups.folder / "latest").is_symlink() and backups.latest == made.path != first.path
        assert read_bundle(backups.folder / f"latest-copied-{2 * number}").covered == set(NUMBERS)


@pytest.mark.parametrize("later", [False, True])
def test_a_backup_that_was_killed_before_its_link_got_its_name_is_ended_by_the_next_one_in_a_copy(
    lab: CoreLab, backups: Backups, monkeypatch: pytest.MonkeyPatch, later: bool
) -> None:
    """The copy followed links, so that what was to become the newest one's link is a folder."""

    def kill(point: str, _what: str) -> None:
        if point == "bundle.linked":
            raise KeyboardInterrupt

    lab.activate(lab.old)
    if later:
        backups.take(lab.old)
        publish(lab.old, "published since")
    with monkeypatch.context() as cut, pytest.raises(KeyboardInterrupt):
        cut.setattr(faults, "hook", kill)
        backups.take(lab.old)
    copy = backups.folder.with_name("copy")
    shutil.copytree(backups.folder, copy, symlinks=False)
    shutil.rmtree(backups.folder)
    copy.rename(backups.folder)
    assert (backups.folder / ".tmp-latest").is_dir() and not (backups.folder / ".tmp-latest").is_symlink()
    made = backups.take(lab.old)
    assert backups.latest == made.path and (backups.folder / "latest").is_symlink()
    assert not (backups.folder / ".tmp-latest").exists() and not backups.judge(lab.old).changes


LEFT = [".tmp-latest", ".tmp-20260101T120000Z-000000000000", "the bundle's own name"]


@pytest.mark.parametrize("kind", ["copied", "folder", "file", "link", "dangling"])
@pytest.mark.parametrize("name", LEFT)
def test_whatever_lies_in_the_place_of_a_temporary_one_keeps_no_bundle_from_being_made(
    lab: CoreLab, backups: Backups, tmp_path: Path, name: str, kind: str
) -> None:
    lab.activate(lab.old)
    first = backups.take(lab.old)
    publish(lab.old, "published since")
    if name == LEFT[-1]:
        name = f"20260101T120200Z-{digest_of(backups.seen(lab.old)[0])[:12]}"
    place = backups.folder / name
    (tmp_path / "elsewhere").mkdir()
    if kind == "copied":
        shutil.copytree(first.path, place)
    elif kind == "folder":
        place.mkdir()
    elif kind == "file":
        place.write_text("half", encoding="utf-8")
    else:
        place.symlink_to(tmp_path / ("elsewhere" if kind == "link" else "nowhere"))
    second = backups.take(lab.old)
    assert backups.latest == second.path != first.path and (backups.folder / "latest").is_symlink()
    assert {path.name for path in backups.folder.iterdir()} == {"latest", first.path.name, second.path.name}
    assert (tmp_path / "elsewhere").is_dir() and not backups.judge(lab.old).changes


def test_a_folder_that_cannot_be_synced_or_locked_by_itself_takes_bundles_all_the_same(
    lab: CoreLab, backups: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.activate(lab.old)
    sync, lock = os.fsync, fcntl.flock

    def refuse_folders(handle: Any, *more: Any) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EBADF if more else errno.EINVAL, "not a folder")
        (lock if more else sync)(handle, *more)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    monkeypatch.setattr(fcntl, "flock", refuse_folders)
    made = backups.take(lab.old)
    assert backups.latest == made.path and (backups.folder / ".lock").is_file()

    def refuse_locks(*_arguments: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    lab.old.manager.set_maintenance(Maintenance(True))
    monkeypatch.setattr(fcntl, "flock", refuse_locks)
    with pytest.raises(LicensingError, match="cannot lock files: No locks available"):
        backups.take(lab.old)


def test_the_newest_bundle_of_another_host_stands_for_nobody(lab: CoreLab, backups: Backups) -> None:
    lab.activate(lab.old)
    made = backups.take(lab.old)
    backups.folder.rename(backups.folder.with_name("old"))
    moved = replace(made, path=backups.folder.with_name("old") / made.path.name)
    assert newest_of(backups.folder.parent, "old") == moved
    backups.folder.with_name("old").rename(backups.folder.with_name("new"))
    with pytest.raises(LicensingError, match="is of 'old', not of new"):
        newest_of(backups.folder.parent, "new")
    # Of a host that was renamed, its bundle is named; where somebody exchanged the folders, it goes back.
    assert read_bundle(backups.folder.with_name("new") / "latest").covered == made.covered
    backups.folder.with_name("new").rename(backups.folder.with_name("old"))
    assert newest_of(backups.folder.parent, "new") is None and newest_of(backups.folder.parent, "old") == moved
