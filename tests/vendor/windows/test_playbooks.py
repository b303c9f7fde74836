# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks look at a license server on Windows and back it up, over SSH or from a copy, and leave nothing there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.lab import Lab
from support.runs import Run, must
from support.vendor_tree import CLIENT, KEY, NUMBERS, SERVER, stem
from vendor.windows.host import WindowsHost, listening
from vendor.windows.image import Image
from vendor.windows.server_files import DATA, SERVICE, files, fill, install


@pytest.fixture(scope="module")
def server(windows_image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WindowsHost]:
    """A Windows host with an installed license server that holds three licenses."""
    with WindowsHost(tmp_path_factory.mktemp("server") / "host", windows_image) as host:
        install(host, windows_image)
        fill(host)
        yield host


@pytest.fixture
def lab(server: WindowsHost, tmp_path: Path) -> Lab:
    """A controller whose inventory has the Windows host as source, and the worked example as target."""
    server.behave()
    made = Lab(tmp_path / "lab")
    source = {
        **server.variables,
        "aims_license_server_backend": "vendor",
        "aims_license_server_root": "",
        # The default, which stands for the documented folders.
        "aims_license_server_home": "/opt/aims-license-server",
    }
    declare(made, source)
    return made


def declare(lab: Lab, variables: dict[str, Any]) -> None:
    lab.inventory["all"]["children"]["aims_license_sources"]["hosts"]["old"] = variables
    lab.write_inventory()


def variables(lab: Lab) -> dict[str, Any]:
    read: dict[str, Any] = lab.inventory["all"]["children"]["aims_license_sources"]["hosts"]["old"]
    return read


def look(lab: Lab, **options: Any) -> Run:
    """Run aims_license_info on the host and print what it returns."""
    task = {
        "name": "Look",
        "aims.licensing.aims_license_info": {"backend": "vendor", **options},
        "register": "seen",
    }
    return lab.play(lab.write_play("look", "old", [task, {"name": "Show", "ansible.builtin.debug": {"var": "seen"}}]))


def bundle(lab: Lab) -> Path:
    return (lab.work / "bundles" / "old" / "latest").resolve()


def flat(run: Run) -> str:
    return " ".join(run.output.split())


def test_info_shows_licenses_service_and_port(lab: Lab, server: WindowsHost) -> None:
    before = files(server)
    run = must(look(lab))
    assert run.changed == 0 and files(server) == before
    for number in NUMBERS:
        assert f'"number": "{number}"' in run.output
    assert f'"unit": "{SERVICE}"' in run.output and '"service": "windows"' in run.output
    assert '"running": true' in run.output and '"obstacles": []' in run.output
    assert f'"3400": [ "{SERVICE}" ]' in flat(run)
    assert '"machine-id": "' in run.output and '"name": "PROServer"' in run.output


def test_the_playbook_info_shows_it_beside_a_host_with_linux(lab: Lab) -> None:
    run = must(lab.play("info"))
    for number in NUMBERS:
        assert f"{number}  old" in run.output


def test_a_stopped_service_and_a_port_in_other_hands_are_told(lab: Lab, server: WindowsHost) -> None:
    assert server.run(f'net stop "{SERVICE}"').returncode == 0
    try:
        run = must(look(lab))
        assert '"running": false' in run.output and '"3400": []' in run.output
        with listening(server.address, 3400):
            run = must(look(lab))
        assert "Port 3400 is in use by another program, and the license server needs it." in flat(run)
    finally:
        assert server.run(f'net start "{SERVICE}"').returncode == 0


def test_a_read_only_nodelock_is_an_obstacle(lab: Lab, server: WindowsHost) -> None:
    lock = server.path(rf"{DATA}\Nodelocks\{stem(CLIENT)}.lock")
    lock.chmod(0o444)
    try:
        run = must(look(lab))
    finally:
        lock.chmod(0o644)
    assert f"The nodelock of license {CLIENT} is read-only: nothing can update it." in flat(run)
    assert "attrib -r" in run.output


def test_backup_makes_a_bundle_once_and_leaves_the_host_as_it_was(lab: Lab, server: WindowsHost) -> None:
    before = files(server)
    assert must(lab.play("backup")).changed == 1
    assert files(server) == before
    kept = bundle(lab) / "files"
    assert (kept / f"Licenses/{stem(SERVER)}.lic").read_bytes() == f"license {SERVER}\r\n".encode()
    assert (kept / f"Nodelocks/{stem(SERVER)}.lock").exists()
    assert (kept / "Logging/LicenseServerLogging.xml").exists() and not (kept / "Logging/LicenseServer.log").exists()
    stored = (kept / "ApplicationKeys/Schlüssel 1.key").read_bytes()
    assert KEY not in stored and lab.secrets().decrypt(stored) == KEY
    overview = yaml.safe_load((bundle(lab) / "overview.yml").read_text(encoding="utf-8"))
    assert [profile["name"] for profile in overview["profiles"]] == ["PROServer", "PROSession", "Client"]
    assert overview["server"]["home"] == DATA
    assert must(lab.play("backup")).changed == 0


def test_a_copy_gives_the_bundle_that_the_host_gives(lab: Lab, server: WindowsHost) -> None:
    must(lab.play("backup"))
    files_of_host = {
        place.name: place.read_bytes() for place in (bundle(lab) / "files").rglob("*.l*") if place.is_file()
    }
    copied = lab.folder / "Kopie von old"
    shutil.copytree(server.path(DATA), copied)
    before = len(server.commands)
    declare(lab, {"aims_license_server_backend": "vendor", "aims_license_server_copy": str(copied)})
    shutil.rmtree(lab.work)
    assert must(lab.play("backup")).changed == 1
    assert len(server.commands) == before
    assert {
        place.name: place.read_bytes() for place in (bundle(lab) / "files").rglob("*.l*") if place.is_file()
    } == files_of_host
    assert f"{SERVER}  old" in must(lab.play("info")).output
    assert must(lab.play("backup")).changed == 0


def test_a_copy_that_is_not_there_is_said_to_be_missing(lab: Lab) -> None:
    variables(lab)["aims_license_server_copy"] = str(lab.folder / "nowhere")
    lab.write_inventory()
    run = lab.play("info")
    assert run.code != 0 and "The folder with the copy of the license server is not there." in flat(run)


def test_the_older_folder_is_read_where_it_has_the_licenses(lab: Lab, windows_image: Image, tmp_path: Path) -> None:
    with WindowsHost(tmp_path / "older", windows_image) as older:
        fill(older, r"C:\ProgramData\Paragon Decision Technology")
        declare(lab, {**variables(lab), **older.variables})
        run = must(look(lab))
        assert r'"home": "C:\\ProgramData\\Paragon Decision Technology"' in run.output
        assert f'"number": "{SERVER}"' in run.output and '"running": null' in run.output


def test_a_named_folder_is_read(lab: Lab, server: WindowsHost) -> None:
    place = server.path("C:\\Müller & Söhne (neu)")
    shutil.copytree(server.path(DATA), place)
    home = "C:/Müller & Söhne (neu)/"
    run = must(look(lab, home=home))
    assert f'"number": "{SERVER}"' in run.output
    shutil.rmtree(place)
    assert '"licenses": []' in must(look(lab, home=home)).output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"home": "/usr/local/Aimms"}, "is not a path on a drive of a Windows host"),
        ({"home": r"C:\%PATH%"}, "cannot be written so that the command prompt leaves it as it is"),
        ({"root": "/srv"}, "There is no alternate root on Windows"),
        ({"backend": "bundled"}, "The bundled license server does not run on Windows"),
        ({"backend": "other"}, "An option is wrong: value of backend must be one of"),
        ({"no_such": 1}, "An option is wrong: "),
        ({"backend": "bundled", "copy": "/srv"}, "A copy of the bundled license server's folder is not read"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_sent(
    lab: Lab, server: WindowsHost, options: dict[str, Any], words: str
) -> None:
    before = len(server.commands)
    run = look(lab, **options)
    assert run.code != 0 and words in flat(run) and "Traceback" not in run.output
    assert len(server.commands) == before


def test_what_would_change_the_host_is_left_to_a_person(lab: Lab, server: WindowsHost) -> None:
    task = {"name": "Verify", "aims.licensing.aims_license_verify": {"backend": "vendor"}}
    before = len(server.commands)
    run = lab.play(lab.write_play("verify", "old", [task]))
    assert run.code != 0 and "aims_license_verify does not work on old, which can only be read" in flat(run)
    assert len(server.commands) == before


def test_powershell_is_refused(lab: Lab) -> None:
    variables(lab)["ansible_shell_type"] = "powershell"
    lab.write_inventory()
    run = look(lab)
    assert run.code != 0 and "old is reached through PowerShell" in flat(run)


def test_a_host_that_is_off_counts_as_unreachable(lab: Lab) -> None:
    variables(lab)["ansible_port"] = 1
    lab.write_inventory()
    run = look(lab)
    assert run.recap()["old"]["unreachable"] == 1
    run = look(lab, fail_unreachable=True)
    assert run.recap()["old"]["failed"] == 1 and "old cannot be reached" in flat(run)


def test_reconcile_names_a_persons_steps_until_the_nodelocks_are_there(lab: Lab, server: WindowsHost) -> None:
    lab.inventory["all"]["children"]["aims_license_targets"]["hosts"]["new"].update(variables(lab))
    # Its source is the same stand-in, and would have the licenses.
    del lab.target_vars["aims_license_migrate_source"]
    # What is installed and runs is not installed again, and no package is looked for.
    lab.target_vars["aims_license_server_package"] = r"C:\Setup\AimmsLicenseServer.msi"
    lab.write_inventory()
    before = files(server)
    run = must(lab.play("reconcile"))
    assert run.changed == 0 and "No file shows profiles" in flat(run) and files(server) == before
    lock = server.path(rf"{DATA}\Nodelocks\{stem(CLIENT)}.lock")
    content = lock.read_bytes()
    lock.unlink()
    try:
        checked, run = must(lab.play("reconcile", "--check")), lab.play("reconcile")
    finally:
        lock.write_bytes(content)
    assert run.code != 0 and run.changed == checked.changed == 0
    for told in (flat(checked), flat(run)):
        assert f"Install and activate license {CLIENT}" in told and "License Configuration... > Install License" in told
        assert f"Install and activate license {SERVER}" not in told
    assert not any(code.lower() in run.output.lower() for code in lab.codes.values())
    assert must(lab.play("reconcile")).changed == 0
