# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that move with the licenses: what of them is replaced on the host that they come to, and what stays."""

from __future__ import annotations

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.documents import MAX_BYTES
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager import HomeFile
from ansible_collections.aims.licensing.tests.unit.plugins.module_utils._licensing.core_lab import (
    CLIENT,
    SERVER,
    SESSION,
    CoreLab,
    PowerCut,
    fault_at,
    wanted,
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
    assert foretold.after["files"] == done.after["files"] == sorted(["ApplicationKeys/more.key", KEY, CPX])
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
    asked = lab.new.manager.activate(wanted(SERVER), lab.offline(), lab.realm, files=brought("TWO")).requests
    assert lab.new.read(KEY) == b"ONE"
    answered = lab.offline(lab.process(asked))
    lab.new.manager.activate(wanted(SERVER), answered, lab.realm, files=brought("TWO"))
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
