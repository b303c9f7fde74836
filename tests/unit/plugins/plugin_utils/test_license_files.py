# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""License files of a folder are taken whole and by their documented names, or refused in words, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle import license_files
from ansible_collections.aims.licensing.plugins.plugin_utils._bundle.license_files import read_license_files
from support.vendor_tree import put


def refused(folder: Path) -> str:
    with pytest.raises(LicensingError) as error:
        read_license_files(folder)
    return str(error.value)


def test_license_and_composite_files_are_taken_and_nothing_else(tmp_path: Path) -> None:
    for name in ("015120064022.lic", "010073015120001005001036.cpx", "015120064022.LIC", "readme.txt", "sub/a.lic"):
        put(tmp_path, name, name.encode())
    assert read_license_files(tmp_path) == {
        f"Licenses/{name}": name.encode()
        for name in ("010073015120001005001036.cpx", "015120064022.LIC", "015120064022.lic")
    }


def test_what_cannot_be_taken_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "The folder with license files is not there." in refused(tmp_path / "none")
    assert "The folder has no license files" in refused(tmp_path)
    put(tmp_path, "a.lic", b"")
    put(tmp_path, "$(b).lic")
    put(tmp_path, ".c.lic")
    (tmp_path / "d.lic").symlink_to("/etc/passwd")
    monkeypatch.setattr(license_files, "_MOST", 3)
    put(tmp_path, "e.cpx", b"long")
    text = refused(tmp_path)
    assert "The license file is empty." in text and "'$(b).lic' is no name of a license file." in text
    assert "'.c.lic' is no name" in text and str(tmp_path / "d.lic") in text and "root:" not in text
    assert "The license files have more than 0 MiB." in text
