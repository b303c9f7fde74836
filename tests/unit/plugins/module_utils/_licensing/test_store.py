# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A home is ours and whole, or what is wrong with it is said and it is left as it is."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.journal import Journal
from ansible_collections.aims.licensing.plugins.module_utils._licensing.home.store import (
    ABSENT,
    DIRECTORIES,
    FOREIGN,
    OURS,
    Home,
    is_secret,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import open_manager
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import (
    Activation,
    Maintenance,
    ProfileChange,
)
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    HOME,
    NUMBERS,
    SERVER,
    CoreLab,
    as_nobody,
    declared,
    let_others_come_to,
    problems_of,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

STEM = "015120064022"


def damage(lab: CoreLab, name: str, change: Callable[[bytes], bytes]) -> None:
    lab.old.write(name, change(lab.old.read(name)))


def refused_everywhere(lab: CoreLab, expected: str) -> list[str]:
    """Assert that looking, activating, deactivating and configuring are refused alike, and touch nothing."""
    before = lab.old.files()
    ledger = lab.ledger_path.read_bytes()
    calls: list[Callable[[], Any]] = [
        lambda: lab.old.overview,
        lambda: lab.activate(lab.old),
        lambda: lab.activate(lab.old, dry=True),
        lambda: lab.deactivate(lab.old, SERVER),
        lambda: lab.deactivate(lab.old, SERVER, dry=True),
        lambda: lab.old.manager.set_maintenance(Maintenance(True)),
        lambda: lab.old.manager.set_profiles(ProfileChange()),
        lab.old.manager.files,
    ]
    said: list[str] = []
    for call in calls:
        with pytest.raises(LicensingError, match=expected) as refused:
            call()
        said = [str(problem) for problem in refused.value.problems]
        assert all(str(lab.old.folder) in problem.where for problem in refused.value.problems)
    after = lab.old.files()
    after.pop("opt/aims-license-server/.lock", None)
    before.pop("opt/aims-license-server/.lock", None)
    assert after == before
    assert lab.ledger_path.read_bytes() == ledger
    return said


def test_a_home_that_is_not_there_or_empty_is_absent(tmp_path: Path) -> None:
    home = Home(HOME, str(tmp_path))
    assert home.state() == ABSENT
    home.folder.make()
    assert home.state() == ABSENT
    with pytest.raises(LicensingError, match="No license server is installed here"):
        home.require()


def test_an_absent_home_is_shown_as_such_and_stays_absent(lab: CoreLab) -> None:
    shutil.rmtree(lab.old.root / "opt")
    overview = lab.old.overview
    assert (overview["server"]["installed"], overview["licenses"]) == (False, [])
    for call in (lambda: lab.activate(lab.old), lambda: lab.deactivate(lab.old), lab.old.manager.files):
        with pytest.raises(LicensingError, match="No license server is installed here"):
            call()
    assert not (lab.old.root / "opt").exists()


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_new_home_keeps_its_secrets_to_its_owner(tmp_path: Path, umask: int) -> None:
    import os

    before = os.umask(umask)
    try:
        Home(HOME, str(tmp_path)).create()
    finally:
        os.umask(before)
    modes = {name: (tmp_path / HOME.lstrip("/") / name).stat().st_mode & 0o777 for name in DIRECTORIES}
    assert {name for name, mode in modes.items() if mode == 0o700} == {"Config", "Journal", "Seats", "ApplicationKeys"}
    assert {mode for name, mode in modes.items()} == {0o700, 0o755}


def test_a_home_keeps_its_id_when_it_is_made_again(lab: CoreLab) -> None:
    home_id = lab.old.home.home_id
    lab.old.home.create()
    assert lab.old.home.home_id == home_id
    assert lab.new.home.home_id != home_id


def test_a_home_of_which_only_the_marker_was_written_is_completed(lab: CoreLab) -> None:
    for name in DIRECTORIES:
        (lab.old.folder / name).rmdir()
    assert lab.old.home.state() == OURS
    assert lab.old.overview["licenses"] == []
    lab.old.home.create()
    lab.activate(lab.old)
    assert set(lab.old.statuses().values()) == {"Active"}


@pytest.mark.parametrize("make", ["file", "folder", "vendor"])
def test_a_foreign_home_is_refused_and_left_untouched(lab: CoreLab, make: str) -> None:
    shutil.rmtree(lab.old.folder)
    if make == "file":
        lab.old.folder.write_bytes(b"something")
    else:
        (lab.old.folder / "Licenses").mkdir(parents=True)
        if make == "vendor":
            (lab.old.folder / "Licenses" / f"{STEM}.lic").write_bytes(b"a real license")
    assert lab.old.home.state() == FOREIGN
    refused_everywhere(lab, "belongs to another product")
    with pytest.raises(LicensingError, match="belongs to another product"):
        lab.old.home.create()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"product": "other", "format": 1}', b"{}"])
def test_a_home_with_a_marker_that_is_not_ours_is_refused(lab: CoreLab, content: bytes) -> None:
    lab.old.write(".aims-licensing.json", content)
    refused_everywhere(lab, "another product|half-written or damaged")


def test_a_home_of_a_later_format_is_left_to_a_later_version(lab: CoreLab) -> None:
    lab.old.write(".aims-licensing.json", '{"product": "aims.licensing", "format": 2, "home_id": "x"}')
    refused_everywhere(lab, "The home has format 2. This version reads format 1")


@pytest.mark.parametrize("length", [0, 1, 20, 200, -2])
def test_a_truncated_configuration_is_refused(lab: CoreLab, length: int) -> None:
    lab.activate(lab.old)
    damage(lab, "Config/server.json", lambda data: data[:length])
    said = refused_everywhere(lab, "half-written or damaged")
    assert "Config/server.json" in said[0]


def test_a_home_that_lost_its_configuration_is_refused(lab: CoreLab) -> None:
    lab.activate(lab.old)
    (lab.old.folder / "Config/server.json").unlink()
    refused_everywhere(lab, "No such file")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.sampled_from(["authority", "realm", "profiles", "users", "maintenance", "fenced"]),
    value=st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.just([])
    | st.just({})
    | st.just([None])
    | st.dictionaries(st.sampled_from([SERVER, "name", "key", "x"]), st.text(max_size=3) | st.none(), max_size=2)
    | st.lists(st.dictionaries(st.sampled_from(["name", "license"]), st.just("Client") | st.just(SERVER)), max_size=2),
)
def test_a_configuration_that_someone_edited_is_read_or_refused(lab: CoreLab, key: str, value: Any) -> None:
    if not lab.old.statuses():
        lab.activate(lab.old)
        lab.old.home.make_host_key()
    kept = lab.old.read("Config/server.json")
    lab.old.write("Config/server.json", json.dumps({**json.loads(kept), key: value}))
    try:
        open_manager("bundled", HOME, root=str(lab.old.root)).overview()
        lab.activate(lab.old, dry=True)
    except LicensingError as error:
        assert error.problems[0].todo
    finally:
        lab.old.write("Config/server.json", kept)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"version": 5, "digest": null}', b"{}", b'{"version": [1]}'])
def test_a_damaged_description_of_the_package_is_refused_or_shown_as_unknown(lab: CoreLab, content: bytes) -> None:
    lab.old.write("Bin/package.json", content)
    try:
        shown = lab.old.overview["server"]["version"]
    except LicensingError as error:
        assert "Bin/package.json" in error.problems[0].where
    else:
        assert shown is None or isinstance(shown, str)


def change_seats(data: bytes) -> bytes:
    assert b'"seats":100' in data
    return data.replace(b'"seats":100', b'"seats":999')


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (f"Nodelocks/{STEM}.lock", lambda data: data[:-20]),
        (f"Nodelocks/{STEM}.lock", lambda data: b""),
        (f"Nodelocks/{STEM}.lock", change_seats),
        (f"Nodelocks/{STEM}.ver", lambda data: data[:20]),
        (f"Nodelocks/{STEM}.ver", lambda data: b"{}"),
        (f"Licenses/{STEM}.lic", change_seats),
        (f"Licenses/{STEM}.lic", lambda data: data[:100]),
        (f"Licenses/{STEM}.lic", lambda data: b""),
    ],
)
def test_an_altered_license_or_nodelock_is_refused(lab: CoreLab, name: str, change: Callable[[bytes], bytes]) -> None:
    lab.activate(lab.old)
    damage(lab, name, change)
    said = refused_everywhere(lab, "changed|truncated or damaged|half-written")
    assert STEM in said[0]


def test_every_damaged_license_is_named_at_once(lab: CoreLab) -> None:
    lab.activate(lab.old)
    damage(lab, f"Licenses/{STEM}.lic", lambda data: data[:100])
    damage(lab, "Nodelocks/015120055014.lock", lambda data: data[:100])
    with pytest.raises(LicensingError) as refused:
        lab.old.manager.overview()
    assert {Path(problem.where).stem for problem in refused.value.problems} == {STEM, "015120055014"}


def test_a_nodelock_without_its_digests_is_half_written(lab: CoreLab) -> None:
    lab.activate(lab.old)
    (lab.old.folder / f"Nodelocks/{STEM}.ver").unlink()
    refused_everywhere(lab, "half-written")


def test_a_nodelock_without_its_license_is_refused(lab: CoreLab) -> None:
    lab.activate(lab.old)
    (lab.old.folder / f"Licenses/{STEM}.lic").unlink()
    refused_everywhere(lab, "A nodelock has no license file")


def test_a_license_file_under_another_name_is_refused(lab: CoreLab) -> None:
    lab.activate(lab.old)
    for folder, suffix in (("Licenses", "lic"), ("Nodelocks", "lock"), ("Nodelocks", "ver")):
        (lab.old.folder / f"{folder}/{STEM}.{suffix}").rename(lab.old.folder / f"{folder}/015120064023.{suffix}")
    refused_everywhere(lab, f"The file holds license {SERVER}")


@pytest.mark.parametrize("part", ["Licenses", "Nodelocks", "Journal", "Config"])
def test_a_part_of_a_home_that_is_a_link_is_not_followed(lab: CoreLab, part: str) -> None:
    lab.activate(lab.old)
    moved = lab.folder / "moved"
    (lab.old.folder / part).rename(moved)
    (lab.old.folder / part).symlink_to(moved)
    refused_everywhere(lab, "link|Not a directory")


@pytest.mark.parametrize("name", ["Config/server.json", f"Licenses/{STEM}.lic", f"Nodelocks/{STEM}.lock"])
def test_a_file_of_a_home_that_is_a_link_is_not_followed(lab: CoreLab, name: str) -> None:
    lab.activate(lab.old)
    moved = lab.folder / "moved"
    (lab.old.folder / name).rename(moved)
    (lab.old.folder / name).symlink_to(moved)
    refused_everywhere(lab, "symbolic link")


def test_a_home_may_be_held_by_one_run_only(lab: CoreLab, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(range(0, 10_000, 20))
    with lab.old.home.locked():
        monkeypatch.setattr("time.monotonic", lambda: next(moments))
        with pytest.raises(LicensingError, match="Another run has locked the license server's home"):
            lab.activate(lab.old)
    assert lab.old.statuses() == {}


LOOK = """
manager = manager_bundled.BundledManager
try:
    print(manager(home_store.Home("/opt/aims-license-server", sys.argv[1])).overview().server.installed)
except errors.LicensingError as error:
    print(error)
"""


def test_a_home_that_may_not_be_looked_into_is_refused_by_a_message(lab: CoreLab) -> None:
    let_others_come_to(lab.old.root / "etc")
    for closed in (lab.old.folder / "Journal", lab.old.folder, lab.old.root / "opt", lab.old.root.parent):
        mode = closed.stat().st_mode
        closed.chmod(0)
        try:
            told = as_nobody(LOOK, str(lab.old.root)).splitlines()
        finally:
            closed.chmod(mode)
        assert len(told) == 1
        assert str(lab.old.root) in told[0]
        assert "become: true" in told[0] or closed == lab.old.root.parent


PENDING = """
for number, intent in home_journal.Journal(files.Folder(files.Path(sys.argv[1]))).open().items():
    print(number, intent.action, intent.response)
"""


def test_who_may_not_look_at_past_exchanges_sees_what_is_pending(lab: CoreLab) -> None:
    """The server is such a user: a request that waits keeps it neither from granting seats nor from its overview."""
    lab.activate(lab.old)
    lab.old.manager.update([SERVER], lab.offline())
    closed = lab.old.folder / "Journal" / "closed"
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700 and list(closed.iterdir())
    let_others_come_to(closed)
    for path in (lab.old.folder / "Journal", *(lab.old.folder / "Journal").glob("*.request")):
        path.chmod(path.stat().st_mode | 0o055)
    closed.chmod(0)
    try:
        told = as_nobody(PENDING, str(lab.old.folder))
    finally:
        closed.chmod(0o700)
    assert told.split() == [SERVER, "update", "None"]


def test_what_must_leave_the_host_only_encrypted_is_marked_so(lab: CoreLab) -> None:
    lab.activate(lab.old)
    lab.old.write("ApplicationKeys/app.key", b"private")
    files = {file.name: file for file in lab.old.manager.files()}
    assert {name for name, file in files.items() if file.secret} == {"Config/host.key", "ApplicationKeys/app.key"}
    assert is_secret("Config/host.key")
    assert files["ApplicationKeys/app.key"].content == b"private"
    for number in NUMBERS:
        assert {f"Licenses/{number.replace('.', '')}.lic", f"Nodelocks/{number.replace('.', '')}.lock"} <= set(files)
    assert "private" not in repr(files["ApplicationKeys/app.key"])


class TestJournal:
    def request(self, lab: CoreLab) -> bytes:
        change = lab.old.manager.activate(Activation(declared(SERVER), realm=lab.realm), lab.offline())
        return change.requests[SERVER]

    def test_a_second_request_for_a_license_is_refused(self, lab: CoreLab) -> None:
        request = self.request(lab)
        before = lab.old.files()
        with pytest.raises(LicensingError, match=f"A request for license {SERVER} is pending already"):
            Journal(lab.old.home.folder).begin(SERVER, request)
        assert lab.old.files() == before

    def test_closing_can_be_repeated_after_a_cut_between_its_two_moves(self, lab: CoreLab) -> None:
        request = self.request(lab)
        journal = Journal(lab.old.home.folder)
        intent = journal.open()[SERVER]
        response = lab.process({SERVER: request})[SERVER]
        journal.answered(intent, response)
        closed = lab.old.folder / "Journal/closed"
        closed.mkdir()
        answered = closed / f"{STEM}-{intent.request_id}.response"
        (lab.old.folder / f"Journal/{STEM}.response").rename(answered)
        again = journal.open()[SERVER]
        assert (again.request, again.response) == (request, response)
        journal.close(again)
        journal.close(again)
        assert journal.open() == {}
        assert journal.was_closed(SERVER, intent.request_id)
        assert answered.read_bytes() == response

    @pytest.mark.parametrize("length", [0, 1, 50, -10])
    def test_a_damaged_request_is_refused_and_kept(self, lab: CoreLab, length: int) -> None:
        self.request(lab)
        damage(lab, f"Journal/{STEM}.request", lambda data: data[:length])
        refused_everywhere(lab, "truncated or damaged")

    def test_a_request_under_the_name_of_another_license_is_refused(self, lab: CoreLab) -> None:
        self.request(lab)
        (lab.old.folder / f"Journal/{STEM}.request").rename(lab.old.folder / "Journal/015120055014.request")
        refused_everywhere(lab, f"The request is for license {SERVER}")

    def test_every_damaged_request_is_named_at_once(self, lab: CoreLab) -> None:
        self.request(lab)
        for name in ("015120055014", STEM):
            lab.old.write(f"Journal/{name}.request", b"x")
        with pytest.raises(LicensingError) as refused:
            lab.old.manager.overview()
        assert len(problems_of(refused)) == 2
