# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's package is installed on a Windows host without a window, and what goes wrong is said in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.plugin_utils._windows import installation
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.installation import install, stop
from support.lab import Lab
from support.runs import must
from support.vendor_tree import NUMBERS, SERVER
from vendor.windows.connection import shell_of
from vendor.windows.host import WindowsHost, is_open, listening
from vendor.windows.image import Image
from vendor.windows.server_files import SERVICE, fill
from vendor.windows.server_files import install as install_server


@pytest.fixture
def host(windows_image: Image, tmp_path: Path) -> Iterator[WindowsHost]:
    """A Windows host of this test's own, without a license server."""
    with WindowsHost(tmp_path / "host", windows_image) as made:
        yield made


def temporary(host: WindowsHost) -> list[Path]:
    return list(host.drive.glob("users/*/Temp/aims-*"))


def test_a_package_of_the_controller_is_installed_once_and_the_service_answers(
    host: WindowsHost, windows_image: Image, tmp_path: Path
) -> None:
    package = tmp_path / "Müller & Söhne 24.1.msi"
    package.write_bytes(windows_image.installer.read_bytes())
    lab = Lab(tmp_path / "lab")
    lab.inventory["all"]["children"]["aims_license_targets"]["hosts"]["new"].update(host.variables)
    lab.write_inventory()
    options = {"backend": "vendor", "vendor_package": str(package)}
    play = lab.write_play(
        "install", "new", [{"name": "Install", "aims.licensing.aims_license_server_install": options}]
    )
    assert must(lab.play(play, "--check")).changed == 1
    assert not is_open(host.address, 3400)
    assert must(lab.play(play)).changed == 1
    assert is_open(host.address, 3400)
    assert host.path(r"C:\Program Files (x86)\AIMMS\AIMMS License Server\LicenseServer.exe").is_file()
    assert temporary(host) == []
    assert must(lab.play(play)).changed == 0


def test_a_package_of_the_host_is_installed_and_a_stopped_service_started(
    host: WindowsHost, windows_image: Image
) -> None:
    (host.drive / "Setup 1").mkdir()
    (host.drive / "Setup 1" / "server.msi").write_bytes(windows_image.installer.read_bytes())
    shell = shell_of(host)
    assert install(shell, host.address, r"C:\Setup 1\server.msi", dry=False).changes == (
        r"install C:\Setup 1\server.msi",
    )
    assert host.run(f'net stop "{SERVICE}"').returncode == 0
    assert install(shell, host.address, None, dry=False).changes == (f"start {SERVICE}",)
    assert is_open(host.address, 3400)


def test_a_service_is_stopped_unless_a_license_stays_and_started_again(
    host: WindowsHost, windows_image: Image, tmp_path: Path
) -> None:
    install_server(host, windows_image)
    fill(host)
    lab = Lab(tmp_path / "lab")
    lab.inventory["all"]["children"]["aims_license_targets"]["hosts"]["new"].update(host.variables)
    lab.write_inventory()

    def play(**options: object) -> str:
        task = {"name": "Call", "aims.licensing.aims_license_server_install": {"backend": "vendor", **options}}
        return lab.write_play("call", "new", [task])

    run = lab.play(play(state="stopped", moved=[SERVER]))
    assert run.code != 0 and "is not stopped: it still has" in " ".join(run.output.split())
    assert must(lab.play(play(state="stopped", moved=NUMBERS), "--check")).changed == 1
    assert is_open(host.address, 3400)
    assert must(lab.play(play(state="stopped", moved=NUMBERS))).changed == 1
    assert not is_open(host.address, 3400)
    assert must(lab.play(play(state="stopped", moved=NUMBERS))).changed == 0
    assert must(lab.play(play())).changed == 1
    assert is_open(host.address, 3400)


def test_a_service_that_goes_on_is_told_with_the_menus(
    host: WindowsHost, windows_image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_server(host, windows_image)
    monkeypatch.setattr(installation, "_net", lambda shell, verb, service: "System error 5 has occurred.")
    monkeypatch.setattr(installation, "_START", 0.0)
    with pytest.raises(LicensingError, match=r"still runs.*Windows says: System error 5") as refused:
        stop(shell_of(host), host.address, dry=False)
    assert "Maintenance > Stop the Service" in refused.value.problems[0].todo


def test_what_is_wrong_is_said_and_nothing_is_left(
    host: WindowsHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = shell_of(host)
    broken = tmp_path / "broken.msi"
    broken.write_bytes(b"no package")
    # What Wine's installer ends with is Wine's own; which words each code of Windows has is a unit test.
    with pytest.raises(LicensingError, match=r"The Windows Installer ended with \d+: .*broken\.msi"):
        install(shell, host.address, str(broken), dry=False)
    assert temporary(host) == []
    with pytest.raises(LicensingError, match=r"The package is not there\."):
        install(shell, host.address, str(tmp_path / "nowhere.msi"), dry=False)
    with pytest.raises(LicensingError, match="No package is named"):
        install(shell, host.address, None, dry=False)
    before = len(host.commands)
    with listening(host.address, 3400), pytest.raises(LicensingError, match="Port 3400 is in use on win"):
        install(shell, host.address, str(broken), dry=False)
    assert "msiexec" not in "".join(host.commands[before:])
    monkeypatch.setattr(installation, "install_command", lambda package, log: "cmd /c exit 0")
    with pytest.raises(LicensingError, match="shows no service of a license server"):
        install(shell, host.address, str(broken), dry=False)
