# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What proves a bundle and its files, and manifests that nobody vouches for or that cost too much."""

from __future__ import annotations

import hashlib
import hmac
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.action import aims_license_backup as backup_action
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.files import Folder
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import HOST_KEY
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
    read_bundle,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.write import write_bundle
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.backups import (
    KEY,
    VAULT,
    Backups,
    publish,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import SERVER, CoreLab


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
    with pytest.raises(LicensingError, match="the maximum is"):
        read_bundle(bundle.path)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"secret": False, "content": "YQ=="}, "encryption does not match its name"),
        ({"name": "Licenses/x.lic"}, "encryption does not match its name"),
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
