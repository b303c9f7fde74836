# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A home of which one file is broken, replaced by a link, or too large: told in words, and left as it is."""

from __future__ import annotations

import json
import os
import stat
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing import documents, faults
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.config import Config
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.state import State
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import CARRIED
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.carried_files import CarriedFiles
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import (
    Activation,
    HomeFile,
    Maintenance,
    ProfileChange,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.model import digits
from ansible_collections.aims.licensing.plugins.module_utils._licensing.server.entitlements import Entitlements
from ansible_collections.aims.licensing.tests.fuzz.counting import ASKED, give, runs
from ansible_collections.aims.licensing.tests.fuzz.shapes import EDIT, batch, broken, edited
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    SERVER,
    CoreLab,
    Host,
    all_files,
    declared,
)
from hypothesis import given

_BATCH = 25
STEM = digits(SERVER)
PENDING = digits(CLIENT)
KINDS = ("elsewhere", "dangling", "itself", "up")
SEALED = (("Licenses", "lic"), ("Nodelocks", "lock"))
FILES = [
    ".aims-licensing.json",
    "Config/server.json",
    "Config/host.key",
    f"Licenses/{STEM}.lic",
    f"Nodelocks/{STEM}.lock",
    f"Nodelocks/{STEM}.ver",
    f"Journal/{PENDING}.request",
    f"Journal/{PENDING}.response",
    "Bin/package.json",
]


@dataclass
class Site:
    """A host with a license that is active, and one whose response waits to be applied."""

    lab: CoreLab
    host: Host
    files: dict[str, tuple[int, bytes]]

    def use_the_key(self) -> None:
        """Sign a request, which changes nothing but the license file."""
        self.host.manager.update([SERVER], self.lab.channel())

    def use_the_journal(self) -> None:
        """Apply the response that waits."""
        change = self.host.manager.activate(Activation(declared(CLIENT)), self.lab.offline())
        assert [one.action for one in change.results] == ["activated"]

    def put_back(self) -> None:
        """Let the home be as it was."""
        folder = self.host.folder
        for path in sorted(folder.rglob("*"), reverse=True):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and name not in self.files:
                path.unlink()
        for name, (mode, content) in self.files.items():
            path = folder / name
            if not path.is_file() or path.read_bytes() != content:
                path.write_bytes(content)
                path.chmod(mode)


@pytest.fixture(scope="module")
def host(site: Site) -> Host:
    return site.host


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, new_ledger: bytes) -> Iterator[Site]:
    lab = CoreLab(tmp_path_factory.mktemp("home"), new_ledger)
    lab.activate(lab.old, SERVER, users=["DOMAIN\\user"])
    asked = lab.old.manager.activate(Activation(declared(CLIENT)), lab.offline())
    lab.old.write(f"Journal/{PENDING}.response", lab.process(asked.requests)[CLIENT])
    (lab.old.folder / "Bin" / "package.json").write_text('{"version": "1.0.0", "digest": "00"}\n', encoding="utf-8")
    seal(lab.old)
    (lab.old.folder / "Journal" / "closed").mkdir(mode=0o700, exist_ok=True)
    files = {
        path.relative_to(lab.old.folder).as_posix(): (path.stat().st_mode & 0o777, path.read_bytes())
        for path in lab.old.folder.rglob("*")
        if path.is_file()
    }
    yield Site(lab, lab.old, files)
    lab.close()


def look(host: Host, all_of_it: bool = True) -> None:
    """Read the home as modules, service and bundles do, then change it."""
    fingerprint = host.manager.fingerprint()
    Entitlements(host.home, fingerprint, host.clock).current()
    json.dumps(host.overview, ensure_ascii=False).encode()
    if not all_of_it:
        return
    host.manager.files()
    host.manager.obstacles()
    change = host.manager.set_maintenance(Maintenance(True))
    assert change.after.server.maintenance
    host.manager.set_maintenance(Maintenance(False))


@pytest.mark.parametrize("name", FILES)
def test_a_broken_file_is_told_and_left_as_it_is(site: Site, name: str) -> None:
    host = site.host
    original = host.read(name)
    # What reads the file for more than to show it.
    uses = {"Config/host.key": site.use_the_key}.get(name, site.use_the_journal if "Journal" in name else None)
    config = host.read("Config/server.json")
    kind = name.replace(STEM, "N").replace(PENDING, "N")

    @runs(150, _BATCH)
    @given(batch(EDIT, _BATCH))
    def check(edits: list[Any]) -> None:
        inputs = broken(original, edits) if original[:1] == b"{" else (edited(original, edit) for edit in edits)
        for at, data in enumerate(inputs):
            host.write(name, data)
            if name.endswith((".lic", ".lock")) and at % 3:
                seal(host)
            # Reading all of it and changing it takes the longest, and fails by little else.
            act = uses if uses and at % 4 else lambda at=at: look(host, at % 5 < 2)
            outcome = give(f"home: {kind}", act)
            if isinstance(outcome, LicensingError):
                assert host.read(name) == data
                assert name == "Config/server.json" or host.read("Config/server.json") == config
            if uses:
                site.put_back()
            host.write("Config/server.json", config)

    seal(host)
    before = {**host.files(), **{f"opt/aims-license-server/{name}": None}}
    try:
        check()
    finally:
        host.write(name, original)
        host.write("Config/server.json", config)
        seal(host)
    assert {**host.files(), **{f"opt/aims-license-server/{name}": None}} == before


def test_a_broken_record_of_what_came_with_licenses_keeps_none_from_arriving(site: Site) -> None:
    host = site.host
    file = HomeFile("ApplicationKeys/app.key", 0o600, True, b"the key of an application\n")
    state = State(Config(), {}, {}, host.manager.fingerprint(), host.clock())
    site.put_back()
    CarriedFiles(host.home, [file], numbers=[SERVER], state=state).arrive(SERVER)
    original = host.read(CARRIED)

    @runs(150, _BATCH)
    @given(batch(EDIT, _BATCH))
    def check(edits: list[Any]) -> None:
        for data in broken(original, edits):
            host.write(CARRIED, data)
            host.write(file.name, b"one of an earlier stay\n")
            outcome = give(
                "home: record of what came",
                lambda: CarriedFiles(host.home, [file], numbers=[SERVER], state=state).arrive(SERVER),
            )
            assert outcome is None and host.read(file.name) == file.content
            assert json.loads(host.read(CARRIED))[file.name] == json.loads(original)[file.name]

    try:
        check()
    finally:
        site.put_back()


@pytest.mark.parametrize("size", [1 << 21, 1 << 33])
@pytest.mark.parametrize("name", FILES)
def test_a_file_of_any_size_takes_no_memory(host: Host, name: str, size: int) -> None:
    original = host.read(name)
    tracemalloc.start()
    try:
        os.truncate(host.folder / name, size)
        tracemalloc.reset_peak()
        give("home: huge file", lambda: look(host))
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
        host.write(name, original)


def seal(host: Host) -> None:
    """Let the digests fit the files again, which nothing signs."""
    digests = {kind: documents.digest(host.read(f"{folder}/{STEM}.{kind}")) for folder, kind in SEALED}
    host.write(f"Nodelocks/{STEM}.ver", json.dumps(digests))


def every_place(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def use(host: Host) -> list[str]:
    """Make every kind of call; return what was refused."""
    manager = host.manager
    calls: list[Any] = [
        manager.overview,
        manager.files,
        lambda: Entitlements(host.home, manager.fingerprint(), host.clock).current(),
        host.home.create,
        lambda: manager.set_maintenance(Maintenance(True)),
        lambda: manager.set_maintenance(Maintenance(False)),
        lambda: manager.set_profiles(ProfileChange(purge=True)),
        host.home.make_host_key,
        lambda: host.home.folder.sweep(0.0, ("Seats", "Logging")),
    ]
    told = []
    for call in calls:
        outcome = give("links", call)
        if isinstance(outcome, LicensingError):
            told.append(str(outcome))
    return told


def test_no_link_in_a_home_is_followed_wherever_it_is(tmp_path: Path, new_ledger: bytes) -> None:
    lab = CoreLab(tmp_path, new_ledger)
    lab.activate(lab.old, SERVER)
    lab.deactivate(lab.old, SERVER)
    lab.activate(lab.old, SERVER)
    (lab.old.folder / "ApplicationKeys" / "app.pem").write_text("secret", encoding="utf-8")
    outside = tmp_path / "outside"
    places = every_place(lab.old.folder)
    lab.close()
    for at, name in enumerate(places):
        for kind in KINDS if ASKED else KINDS[at % 4 :][:1]:
            (tmp_path / f"{at}-{kind}").mkdir()
            lab = CoreLab(tmp_path / f"{at}-{kind}", new_ledger)
            host = lab.old
            lab.activate(host, SERVER)
            lab.deactivate(host, SERVER)
            lab.activate(host, SERVER)
            (host.folder / "ApplicationKeys" / "app.pem").write_text("secret", encoding="utf-8")
            here = host.folder / name
            outside = tmp_path / f"{at}-{kind}" / "outside"
            outside.mkdir()
            there = outside / "moved"
            if not here.exists() and not here.is_symlink():
                # The names of closed requests are other ones in every home.
                lab.close()
                continue
            here.rename(there)
            here.symlink_to({"elsewhere": there, "dangling": outside / "no", "itself": here, "up": host.folder}[kind])
            before = all_files(outside)
            use(host)
            assert all_files(outside) == before, (name, kind)
            assert not any(file.name.endswith("app.pem") and "ApplicationKeys" in name for file in files_of(host)), name
            lab.close()


def files_of(host: Host) -> Any:
    outcome = give("links", host.manager.files)
    return () if isinstance(outcome, LicensingError) else outcome


SECRET = ("Config", "Journal", "Seats", "ApplicationKeys", "host.key", ".lock")


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077, 0o177])
def test_nothing_secret_is_ever_readable_by_others_whatever_the_umask(
    tmp_path: Path, new_ledger: bytes, umask: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at again at every failpoint: what is private has to be so from the moment that it is made."""
    seen: list[str] = []
    umasks: list[int] = []

    def look_around(point: str, what: str) -> None:
        for path in (tmp_path / "hosts").glob("*/opt/aims-license-server/**/*"):
            found = path.lstat().st_mode
            private = any(part in SECRET for part in path.relative_to(tmp_path).parts)
            if private and found & 0o007:
                seen.append(f"{path.relative_to(tmp_path)} {stat.filemode(found)} at {point}")
            assert stat.S_ISLNK(found) or not found & 0o002, f"{path} can be written by others at {point}"
            umasks.append(1)

    before = os.umask(umask)
    monkeypatch.setattr(faults, "hook", look_around)
    try:
        lab = CoreLab(tmp_path, new_ledger)
        lab.activate(lab.old)
        lab.old.manager.activate(Activation(declared(SERVER)), lab.channel())
        lab.deactivate(lab.old, CLIENT)
        lab.new.manager.activate(Activation(declared(CLIENT), realm=lab.realm), lab.offline())
        lab.close()
    finally:
        monkeypatch.setattr(faults, "hook", None)
        os.umask(before)
    assert umasks
    assert not seen
