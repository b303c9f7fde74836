# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for a Windows host answers as the tests need it."""

from __future__ import annotations

from pathlib import Path

from vendor.windows.host import WindowsHost, is_open
from vendor.windows.image import Image


def test_a_command_reaches_cmd_as_it_was_written(windows: WindowsHost) -> None:
    done = windows.run('if exist "C:\\windows\\." echo "a  b" & echo c ^& d')
    assert (done.returncode, done.stdout) == (0, b'"a  b" \r\nc & d\r\n')
    assert windows.run("exit /b 3010").returncode == 3010 & 0xFF


def test_the_installer_makes_the_documented_tree_and_a_service_on_port_3400(
    windows_image: Image, tmp_path: Path
) -> None:
    with WindowsHost(tmp_path / "host", windows_image) as host:
        (host.drive / "server.msi").write_bytes(windows_image.installer.read_bytes())
        assert host.run(r"msiexec /i C:\server.msi /qn /norestart").returncode == 0
        assert {folder.name for folder in host.path(r"C:\ProgramData\AIMMS").iterdir()} == {
            "ApplicationKeys",
            "Config",
            "Licenses",
            "Logging",
            "Nodelocks",
        }
        assert host.path(r"C:\Program Files (x86)\AIMMS\AIMMS License Server\LicenseServer.exe").is_file()
        assert b"AIMMS License Server" in host.run("net start").stdout
        assert is_open(host.address, 3400)
        assert host.run('net stop "AIMMS License Server"').returncode == 0
        assert not is_open(host.address, 3400)


def test_nothing_of_a_host_is_left_when_it_ends(windows_image: Image, tmp_path: Path) -> None:
    with WindowsHost(tmp_path / "host", windows_image) as host:
        mark = f"WINEPREFIX={host.folder / 'prefix'}".encode()
        assert _with(mark)
    assert not _with(mark)
    assert not host.folder.exists()
    assert not is_open(host.address, host.port)


def _with(mark: bytes) -> list[str]:
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (place / "environ").read_bytes().split(b"\0"):
                found.append((place / "cmdline").read_bytes().decode())
        except OSError:
            continue
    return found
