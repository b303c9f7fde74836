# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that move with the licenses: what of them is replaced on the host that they come to, and what stays."""

from __future__ import annotations

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import MAX_BYTES
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import Activation, HomeFile
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    SERVER,
    SESSION,
    CoreLab,
    PowerCut,
    declared,
    fault_at,
)

KEY = "ApplicationKeys/app.key"
CPX = "Licenses/extra.cpx"


def brought(content: str, *names: str) -> list[HomeFile]:
    return [HomeFile(name, 0o600, True, content.encode()) for name in names or (KEY,)]


def earlier_stay(lab: CoreLab, content: str = "ONE") -> None:
    """Let the target have had the licenses and given them back."""
    lab.activate(lab.new, files=brought(content, KEY, CPX))
    lab.deactivate(lab.new)


def test_what_is_left_of_an_earlier_stay_is_replaced_by_what_comes(lab: CoreLab) -> None:
    earlier_stay(lab)
    lab.activate(lab.new, files=brought("TWO", KEY, CPX))
    assert lab.new.read(KEY) == lab.new.read(CPX) == b"TWO"
    assert (lab.new.folder / KEY).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"ApplicationKeys/app.key": [1]}', b"\xff", b"[]", b""])
def test_a_damaged_record_of_what_came_keeps_no_license_from_arriving(lab: CoreLab, content: bytes) -> None:
    earlier_stay(lab)
    lab.new.write("Config/carried.json", content)
    lab.activate(lab.new, files=brought("TWO", KEY, CPX))
    assert lab.new.read(KEY) == b"TWO"


def test_where_no_license_comes_nothing_is_replaced_and_what_is_missing_is_put(lab: CoreLab) -> None:
    lab.activate(lab.new, files=brought("ONE"))
    lab.new.write(KEY, "RENEWED HERE")
    change = lab.activate(lab.new, files=brought("TWO", KEY, CPX))
    assert change.changed and lab.new.read(KEY) == b"RENEWED HERE" and lab.new.read(CPX) == b"TWO"
    before = lab.new.files()
    assert not lab.activate(lab.new, files=brought("TWO", KEY, CPX)).changed and lab.new.files() == before


def test_check_mode_foretells_it_and_writes_nothing(lab: CoreLab) -> None:
    earlier_stay(lab)
    before = lab.new.files()
    options = {"files": brought("TWO", KEY, "ApplicationKeys/more.key")}
    foretold = lab.activate(lab.new, dry=True, **options)
    assert foretold.changed and lab.new.files() == before
    done = lab.activate(lab.new, **options)
    assert foretold.after.files == done.after.files == tuple(sorted(["ApplicationKeys/more.key", KEY, CPX]))
    assert "TWO" not in str(foretold) and "TWO" not in str(done)


def test_a_refusal_replaces_nothing(lab: CoreLab) -> None:
    earlier_stay(lab)
    lab.activate(lab.old, SESSION)
    before = lab.new.files()
    with pytest.raises(Exception, match=SESSION):
        lab.activate(lab.new, files=brought("TWO"))
    assert lab.new.files() == before


def test_between_two_stages_the_side_that_renewed_a_file_wins(lab: CoreLab) -> None:
    lab.activate(lab.new, SERVER, files=brought("ONE", KEY, CPX))
    lab.new.write(KEY, "RENEWED HERE")
    lab.activate(lab.new, SESSION, files=[*brought("ONE", KEY), *brought("RENEWED THERE", CPX)])
    assert (lab.new.read(KEY), lab.new.read(CPX)) == (b"RENEWED HERE", b"RENEWED THERE")
    lab.activate(lab.new, CLIENT, files=brought("RENEWED THERE", KEY, CPX))
    assert lab.new.read(KEY) == b"RENEWED THERE"


def test_a_run_that_was_cut_off_is_made_up_for_by_the_next(lab: CoreLab, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier_stay(lab)
    step = 0
    while True:
        step += 1
        lab.deactivate(lab.new)
        lab.new.write(KEY, "ONE")
        with fault_at(monkeypatch, step, PowerCut) as steps:
            try:
                lab.activate(lab.new, files=brought("TWO"))
            except PowerCut:
                pass
            else:
                break
        lab.activate(lab.new, files=brought("TWO"))
        assert lab.new.read(KEY) == b"TWO", f"cut off at {steps[-1]}"
    assert step > 10


def test_offline_they_come_with_the_response(lab: CoreLab) -> None:
    earlier_stay(lab)
    asked = lab.new.manager.activate(
        Activation(declared(SERVER), realm=lab.realm, files=brought("TWO")), lab.offline()
    ).requests
    assert lab.new.read(KEY) == b"ONE"
    answered = lab.offline(lab.process(asked))
    lab.new.manager.activate(Activation(declared(SERVER), realm=lab.realm, files=brought("TWO")), answered)
    assert lab.new.read(KEY) == b"TWO"


def test_a_link_that_somebody_made_and_a_damaged_record_keep_no_license(lab: CoreLab) -> None:
    earlier_stay(lab)
    (lab.new.folder / CPX).unlink()
    (lab.new.folder / CPX).symlink_to(lab.folder / "elsewhere")
    for damage in (b"[", b"[]", b"{" + b" " * MAX_BYTES):
        lab.new.write("Config/carried.json", damage)
        lab.activate(lab.new, files=brought(f"{len(damage)}", KEY, CPX))
        assert lab.new.read(KEY) == f"{len(damage)}".encode() and (lab.new.folder / CPX).is_symlink()
        lab.deactivate(lab.new)


SETUID = 0o4755


@pytest.mark.parametrize("mode", [SETUID, 0o2777, 0o1777, 0o755, 0o000, 0o666])
@pytest.mark.parametrize(("name", "expected"), [(KEY, 0o600), (CPX, 0o644), ("Licenses/sub/EXTRA.CPX", 0o644)])
def test_no_file_that_moves_brings_its_rights_along(lab: CoreLab, name: str, expected: int, mode: int) -> None:
    lab.activate(lab.new, SERVER, files=[HomeFile(name, mode, False, b"ONE")])
    assert (lab.new.folder / name).stat().st_mode & 0o7777 == expected


def test_a_file_that_came_as_a_program_is_one_no_more_with_the_next_license(lab: CoreLab) -> None:
    earlier_stay(lab)
    (lab.new.folder / CPX).chmod(SETUID)
    lab.activate(lab.new, files=brought("ONE", KEY, CPX))
    assert (lab.new.folder / CPX).stat().st_mode & 0o7777 == 0o644


NAMES_THAT_DO_NOT_MOVE = """
    ApplicationKeys ApplicationKeys/ ApplicationKeys/. ApplicationKeys/./a ApplicationKeys//a ApplicationKeys/.tmp-a
    ApplicationKeys/../Bin/licsrv applicationkeys/a Licenses/ Licenses/../Bin/x.cpx Licenses/x.lic Licenses/.tmp-x.cpx
    /etc/x.cpx Bin/x.cpx Config/x.cpx Nodelocks/x.cpx x.cpx
"""


@pytest.mark.parametrize("name", ["", *NAMES_THAT_DO_NOT_MOVE.split()])
def test_nothing_but_the_kinds_that_move_is_put_anywhere(lab: CoreLab, name: str) -> None:
    lab.activate(lab.new, SERVER)
    before = lab.new.files()
    lab.activate(lab.new, SERVER, files=[HomeFile(name, 0o644, False, b"ONE")])
    assert lab.new.files() == before


def test_a_file_that_moves_is_written_through_no_link_and_over_no_other_name_of_a_file(lab: CoreLab) -> None:
    elsewhere = lab.folder / "elsewhere"
    elsewhere.mkdir()
    lab.activate(lab.new, SERVER)
    (elsewhere / "app.key").write_text("not ours", encoding="utf-8")
    (lab.new.folder / KEY).hardlink_to(elsewhere / "app.key")
    lab.activate(lab.new, SESSION, files=brought("ONE", KEY))
    assert lab.new.read(KEY) == b"ONE" and (elsewhere / "app.key").read_text(encoding="utf-8") == "not ours"
    (lab.new.folder / "Licenses" / "sub").symlink_to(elsewhere)
    with pytest.raises(LicensingError, match="part of the path"):
        lab.activate(lab.new, CLIENT, files=brought("TWO", "Licenses/sub/x.cpx", KEY))
    assert {one.status for one in lab.new.manager.overview().licenses} == {"Active"}
    assert lab.new.read(KEY) == b"TWO"
    assert sorted(path.name for path in elsewhere.iterdir()) == ["app.key"]


def test_a_record_says_whose_files_came_once_the_licenses_are_here(lab: CoreLab) -> None:
    lab.activate(lab.new, SERVER, source="old")
    assert lab.new.manager.carried().sources == ("old",)
    asked = lab.new.manager.activate(
        Activation(declared(SESSION), realm=lab.realm, source="older"), lab.offline()
    ).requests
    assert lab.new.manager.carried().sources == ("old",)
    answered = lab.offline(lab.process(asked))
    lab.new.manager.activate(Activation(declared(SESSION), realm=lab.realm, source="older"), answered)
    assert lab.new.manager.carried().sources == ("old", "older")


def test_licenses_that_came_without_their_files_get_them_later(lab: CoreLab) -> None:
    lab.activate(lab.new, files=brought("ONE", KEY, CPX), source="old")
    lab.deactivate(lab.new)
    lab.activate(lab.new)
    assert lab.new.manager.carried().sources == () and lab.new.read(KEY) == b"ONE"
    foretold = lab.activate(lab.new, dry=True, files=brought("TWO", KEY, CPX), source="old")
    change = lab.activate(lab.new, files=brought("TWO", KEY, CPX), source="old")
    assert foretold.changed and change.changed and lab.new.read(KEY) == lab.new.read(CPX) == b"TWO"
    lab.new.write(KEY, "RENEWED HERE")
    assert not lab.activate(lab.new, files=brought("THREE", KEY, CPX), source="old").changed
    assert lab.new.read(KEY) == b"RENEWED HERE" and lab.new.read(CPX) == b"TWO"


def test_users_are_registered_before_the_first_license_is_active(lab: CoreLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.activate(lab.new, CLIENT, users=["EXAMPLE\\own"])
    users = ["EXAMPLE\\own", "EXAMPLE\\anna"]
    step = 0
    while True:
        step += 1
        with fault_at(monkeypatch, step, PowerCut) as steps:
            try:
                lab.activate(lab.new, SERVER, users=users)
            except PowerCut:
                pass
            else:
                break
        overview = lab.new.manager.overview()
        active = [one.number for one in overview.licenses if one.status == "Active"]
        assert SERVER not in active or overview.users == tuple(users), f"cut off at {steps[-1]}"
        if SERVER in active:
            lab.deactivate(lab.new, SERVER)
        lab.activate(lab.new, CLIENT, users=["EXAMPLE\\own"])
    assert step > 5
