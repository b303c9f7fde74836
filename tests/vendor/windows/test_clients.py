# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client's list of licenses on a Windows host is found, replaced at once and kept once as it was."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.plugin_utils._controller import Controller
from support.lab import Lab
from support.runs import must
from vendor.windows.connection import shell_of
from vendor.windows.host import WindowsHost

CONFIG = r"C:\ProgramData\AIMMS\Config"
OLD, NEW = "old.example.com:3400", "new.example.com:3400"
LIST = "1\tnetwork\told.example.com:3400,Client\r\n# für alle\r\n".encode("cp850")
COPIED = b"1\tnetwork\tnew.example.com:3400,Client\r\n"
BOTH = LIST[: LIST.index(b"#")] + COPIED + LIST[LIST.index(b"#") :]
ORIGINAL = "licenses.cfg.aims-original"


@pytest.fixture
def config(windows: WindowsHost) -> Iterator[Path]:
    """The folder of the list, with nothing else."""
    windows.behave()
    folder = windows.path(CONFIG)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "licenses.cfg").write_bytes(LIST)
    yield folder
    for file in folder.iterdir():
        file.chmod(0o644)
        file.unlink()


def keep(windows: WindowsHost, dry: bool = False, **options: Any) -> dict[str, Any]:
    controller = Controller("desk", shell_of(windows).connection, "cmd", windows.address)
    return controller.run("aims_license_client", {"entries": [NEW], **options}, dry)


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_the_list_is_found_changed_to_the_byte_and_kept_once_as_it_was(windows: WindowsHost, config: Path) -> None:
    foreseen = keep(windows, dry=True, like=OLD)
    assert foreseen["changed"] and names(config) == ["licenses.cfg"]
    done = keep(windows, like=OLD)
    assert done == foreseen and done["path"] == rf"{CONFIG}\licenses.cfg"
    assert names(config) == ["licenses.cfg", ORIGINAL]
    assert (config / "licenses.cfg").read_bytes() == BOTH and (config / ORIGINAL).read_bytes() == LIST
    before = {file: file.stat().st_mtime_ns for file in config.iterdir()}
    assert not keep(windows, like=OLD)["changed"]
    assert {file: file.stat().st_mtime_ns for file in config.iterdir()} == before

    with socket.create_server((windows.address, 0)) as server:
        target = f"{windows.address}:{server.getsockname()[1]}"
        keep(windows, like=OLD, entries=[target])
        assert keep(windows, entries=[OLD], state="absent", replaced_by=target)["changed"]
    assert OLD.encode() not in (config / "licenses.cfg").read_bytes()
    assert (config / ORIGINAL).read_bytes() == LIST and len(names(config)) == 2


def test_a_path_may_have_blanks_and_umlauts_and_a_missing_list_is_made(windows: WindowsHost, config: Path) -> None:
    folder = windows.path("C:\\Prüfung & Test (1)\\Config")
    path = "C:/Prüfung & Test (1)/Config/licenses.cfg"
    with pytest.raises(LicensingError, match="The folder of the list is not there"):
        keep(windows, path=path)
    folder.mkdir(parents=True)
    assert keep(windows, path=path)["original"] is None
    assert (folder / "licenses.cfg").read_bytes() == b"1\tnetwork\tnew.example.com:3400\r\n"
    assert names(folder) == ["licenses.cfg"]


def test_several_lists_and_a_read_only_list_are_refused(windows: WindowsHost, config: Path) -> None:
    (config / "license.cfg").write_bytes(LIST)
    with pytest.raises(LicensingError, match="There are several lists of licenses"):
        keep(windows, like=OLD)
    (config / "license.cfg").unlink()
    (config / "licenses.cfg").chmod(0o444)
    with pytest.raises(LicensingError, match="The list is read-only") as refused:
        keep(windows, like=OLD)
    line = str(refused.value).rpartition("Enter on that host: ")[2]
    assert windows.run(line).returncode == 0
    assert keep(windows, like=OLD)["changed"]


def test_without_file_transfer_the_list_is_as_it_was(windows: WindowsHost, config: Path) -> None:
    # A list is read before it is written, so that this host loses its file transfer before all else.
    windows.behave(has_no_sftp=True)
    with pytest.raises(LicensingError, match="sftp"):
        keep(windows, like=OLD)
    assert names(config) == ["licenses.cfg"] and (config / "licenses.cfg").read_bytes() == LIST


def test_the_playbook_keeps_the_list_of_a_client_with_windows(
    windows: WindowsHost, config: Path, tmp_path: Path
) -> None:
    lab = Lab(tmp_path / "lab")
    groups = lab.inventory["all"]["children"]
    groups["aims_license_sources"]["hosts"]["old"] = {"aims_license_client_address": OLD}
    lab.target_vars["aims_license_client_address"] = NEW
    groups["aims_license_clients"] = {"hosts": {"desk": windows.variables}}
    lab.write_inventory()
    foreseen = must(lab.play("cut_over", "--check", "--diff"))
    assert foreseen.changed == 1 and "+1\tnetwork\tnew.example.com:3400,Client" in foreseen.output
    assert names(config) == ["licenses.cfg"]
    assert must(lab.play("cut_over")).changed == 1
    assert (config / "licenses.cfg").read_bytes() == BOTH
    assert must(lab.play("cut_over")).changed == 0
