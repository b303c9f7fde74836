# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A license server is stopped only when no license is left that has not moved."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.manager import open_copy
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.staying import (
    require_none,
    staying,
)
from support.vendor_tree import CLIENT, NUMBERS, SERVER, activate, put, stem


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for number in NUMBERS:
        put(tmp_path, f"Licenses/{stem(number)}.lic", b"license")
        activate(tmp_path, number)
    return tmp_path


def kept(home: Path, *moved: str) -> tuple[str, ...]:
    manager = open_copy(home)
    return staying(manager.overview(), manager.unnumbered(), moved)


def test_a_license_with_a_nodelock_stays_unless_it_has_moved(home: Path) -> None:
    assert kept(home, *NUMBERS) == ()
    assert kept(home, SERVER) == tuple(sorted({*NUMBERS} - {SERVER}))


def test_an_inactive_license_does_not_stay_and_a_keyless_one_does(home: Path) -> None:
    (home / "Nodelocks" / f"{stem(CLIENT)}.lock").unlink()
    others = [number for number in NUMBERS if number != CLIENT]
    assert kept(home, *others) == ()
    put(home, f"Licenses/{stem(CLIENT)}.cpx", b"composite")
    assert kept(home, *others) == (CLIENT,)


def test_a_license_file_without_a_number_stays(home: Path) -> None:
    put(home, "Licenses/academic.lic", b"license")
    assert kept(home, *NUMBERS) == ("Licenses/academic.lic",)


def test_a_server_with_such_a_license_is_not_stopped(home: Path) -> None:
    manager = open_copy(home)
    with pytest.raises(LicensingError, match=f"is not stopped: it still has {CLIENT}") as refused:
        require_none(manager.overview(), (), [number for number in NUMBERS if number != CLIENT])
    assert "Move these licenses as well" in refused.value.problems[0].todo
    require_none(manager.overview(), (), NUMBERS)
