# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles that somebody changed and sealed again: told in words, and nothing is written or read outside of them."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.overview import Overview
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle import manifest as _manifest
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.store import (
    Bundle,
    BundleFile,
    carried_files,
    read_bundle,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.write import write_bundle
from ansible_collections.aims.licensing.tests.fuzz.counting import give, runs
from ansible_collections.aims.licensing.tests.fuzz.shapes import EDIT, as_yaml, batch, edited, rewritten
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    SERVER,
    CoreLab,
    all_files,
)
from hypothesis import given
from hypothesis import strategies as st

_BATCH = 10


class Plain:
    """Stands for no encryption at all: what is looked for is not the vault's."""

    def encrypt(self, plaintext: bytes) -> bytes:
        return b"sealed:" + plaintext

    def decrypt(self, vaulttext: bytes) -> bytes:
        return vaulttext.removeprefix(b"sealed:")


@pytest.fixture(scope="module")
def overview(tmp_path_factory: pytest.TempPathFactory, new_ledger: bytes) -> Overview:
    lab = CoreLab(tmp_path_factory.mktemp("home"), new_ledger)
    lab.activate(lab.old, SERVER)
    overview = lab.old.manager.overview()
    lab.close()
    return overview


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, overview: Overview) -> Iterator[Bundle]:
    folder = tmp_path_factory.mktemp("bundles") / "old"
    files = [BundleFile("ApplicationKeys/app.pem", "0600", b"a key")]
    yield write_bundle(folder, "old", files, overview, "2026-01-01T12:00:00Z", Plain())


def sealed(bundle: Bundle, manifest: bytes) -> None:
    """Seal a manifest as somebody does who has the vault password, so that all that is read of it is reached."""
    (bundle.path / _manifest.MANIFEST).write_bytes(manifest)
    for name, content in _manifest.seals_of(manifest, Plain()).items():
        (bundle.path / name).write_bytes(content)


def use(bundle: Bundle) -> Any:
    """Read a bundle as the modules do that rely on one."""
    found = read_bundle(bundle.path)
    found.doubt(Plain())
    found.known  # noqa: B018 - reading it is the use
    carried = carried_files(found, Plain())
    assert all(".." not in file["name"] and not file["name"].startswith("/") for file in carried)
    return carried


@pytest.mark.parametrize("part", [_manifest.MANIFEST, _manifest.OVERVIEW])
def test_a_bundle_that_was_changed_and_sealed_again_is_used_or_refused(bundle: Bundle, part: str) -> None:
    manifest, overview = ((bundle.path / name).read_bytes() for name in (_manifest.MANIFEST, _manifest.OVERVIEW))
    kept = {name: (bundle.path / name).read_bytes() for name in (part, *_manifest.seals_of(b"", Plain()))}
    kept[_manifest.MANIFEST] = manifest
    original = manifest if part == _manifest.MANIFEST else overview
    parsed, told = yaml.safe_load(original), yaml.safe_load(manifest)

    @runs(60, _BATCH)
    @given(batch(EDIT, _BATCH))
    def check(edits: list[Any]) -> None:
        before = all_files(bundle.path.parent.parent)
        for at, edit in enumerate(edits):
            data = edited(original, edit)
            if at % 2:
                with contextlib.suppress(ValueError, yaml.YAMLError):
                    data = as_yaml(rewritten(parsed, edit)).encode()
            if part == _manifest.OVERVIEW:
                (bundle.path / part).write_bytes(data)
                told["pages"][part] = hashlib.sha256(data).hexdigest()
                sealed(bundle, as_yaml(told).encode())
            else:
                sealed(bundle, data)
            try:
                give(f"bundle: {part}", lambda: use(bundle))
            finally:
                for name, content in kept.items():
                    (bundle.path / name).write_bytes(content)
        assert all_files(bundle.path.parent.parent) == before

    check()


NAMES = st.one_of(
    st.sampled_from(
        [
            "../x",
            "a/../../x",
            "/etc/x",
            "x",
            "Config/host.key",
            "Config/./host.key",
            "Config//host.key",
            "",
            ".",
            "a//b",
            "a/./b",
            "\0",
            "\ud800",
            "\udcff",
        ]
    ),
    st.text(max_size=8),
    st.text("./ab", max_size=8),
)


@pytest.mark.usefixtures("quick_yaml")
def test_a_bundle_holds_what_was_put_in_or_is_refused(tmp_path: Path, overview: Overview) -> None:
    # What an overview tells of licenses and users is not looked for here, and takes most of the time to write.
    short = Overview(overview.server)
    one = st.tuples(NAMES, st.binary(max_size=20))

    @runs(40, _BATCH)
    @given(batch(one, _BATCH))
    def check(drawn: list[Any]) -> None:
        for name, content in drawn:
            top = tmp_path / "top"
            top.mkdir()
            try:
                check_written(top, short, BundleFile(name, "0600", content))
            finally:
                shutil.rmtree(top)
        assert list(tmp_path.iterdir()) == []

    check()


def check_written(top: Path, overview: Overview, file: BundleFile) -> None:
    folder = top / "in" / "old"
    made = give(
        "bundle: files written",
        lambda: write_bundle(folder, "old", [file], overview, "2026-01-01T12:00:00Z", Plain()),
    )
    if not isinstance(made, LicensingError):
        stored = (made.path / "files" / file.name.lstrip("/")).read_bytes()
        assert stored == (b"sealed:" + file.content if file.secret else file.content)
        assert all(path.lstat().st_mode & 0o077 == 0 or path.is_symlink() for path in folder.rglob("*"))
    assert [path.name for path in top.iterdir()] in ([], ["in"])
    assert not (folder.parent / "x").exists()
