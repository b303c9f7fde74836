# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that has no module of ours is read from the controller, and what is wrong is said before anything is sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError
from ansible_collections.aims.licensing.plugins.plugin_utils._controller import Controller
from support.vendor_tree import NUMBERS, make_tree


class Silent:
    """A connection over which nothing may be sent."""

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        raise AssertionError(cmd)

    def fetch_file(self, in_path: str, out_path: str) -> Any:
        raise AssertionError(in_path)


def controller(shell: str) -> Controller:
    return Controller("old", Silent(), shell, "127.0.0.1")


def numbers(result: dict[str, Any]) -> set[str]:
    return {license["number"] for license in result["overview"]["licenses"]}


def refusal(shell: str, module: str = "aims_license_info", **options: Any) -> str:
    with pytest.raises(LicensingError) as refused:
        controller(shell).run(module, options)
    return str(refused.value)


@pytest.mark.parametrize(
    ("shell", "options", "is_in_charge"),
    [
        ("sh", {}, False),
        ("sh", {"backend": "vendor"}, False),
        ("sh", {"copy": "/srv/copies/old"}, True),
        ("sh", {"copy": ""}, False),
        ("cmd", {}, True),
        ("powershell", {}, True),
    ],
)
def test_the_core_runs_here_for_windows_and_for_copies_alone(
    shell: str, options: dict[str, Any], is_in_charge: bool
) -> None:
    assert controller(shell).is_in_charge(options) is is_in_charge


def test_a_copy_is_read_once_the_backend_is_the_vendors(tmp_path: Path) -> None:
    copied = str(make_tree(tmp_path / "old"))
    words = refusal("sh", copy=copied)
    assert "Set aims_license_server_backend to vendor for that host, or remove aims_license_server_copy." in words
    assert numbers(controller("sh").run("aims_license_info", {"copy": copied, "backend": "vendor"})) == {*NUMBERS}
    assert not controller("sh").is_in_charge({"backend": "bundled"})


def test_what_a_person_did_on_a_copied_host_shows_in_the_next_copy(tmp_path: Path) -> None:
    copied = make_tree(tmp_path / "old")
    options = {"copy": str(copied), "backend": "vendor"}
    assert "Do it in the license manager of that host" in refusal("sh", "aims_license_deactivate", **options)
    for place in (copied / "Nodelocks").iterdir():
        place.unlink()
    statuses = {
        license["status"]
        for license in controller("sh").run("aims_license_info", options)["overview"]["licenses"]
        if license["status"] == "Active"
    }
    assert statuses == set()


def test_commands_that_are_named_for_linux_hosts_keep_nobody_from_reading_another(tmp_path: Path) -> None:
    copied = str(make_tree(tmp_path / "old"))
    options = {"copy": copied, "backend": "vendor", "vendor_commands": {"deactivate": ["licman", "--x", "{number}"]}}
    seen = controller("sh").run("aims_license_info", options)
    assert numbers(seen) == {*NUMBERS} and seen["obstacles"] == []


def test_windows_is_no_host_of_the_bundled_server() -> None:
    words = refusal("cmd")
    assert "Set aims_license_server_backend to vendor for that host, or name a host with Linux." in words
    # As told, the host is asked; and one with Linux runs the module itself.
    with pytest.raises(AssertionError, match="cmd /d /v:off /u /c"):
        controller("cmd").run("aims_license_info", {"backend": "vendor"})
    assert not controller("sh").is_in_charge({})


def test_powershell_and_an_alternate_root_are_refused() -> None:
    assert "old is reached through PowerShell" in refusal("powershell", backend="vendor")
    assert "There is no alternate root on Windows" in refusal("cmd", backend="vendor", root="/srv")


@pytest.mark.parametrize("options", [{"backend": "other"}, {"no_such": 1}, {"fail_unreachable": "perhaps"}])
def test_a_wrong_option_is_one_of_the_documentation(options: dict[str, Any]) -> None:
    words = refusal("cmd", **options)
    assert "An option is wrong: " in words
    assert "'ansible-doc aims.licensing.aims_license_info' describes the options." in words
    command = [str(Path(sys.executable).with_name("ansible-doc")), "aims.licensing.aims_license_info"]
    page = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "copy" in page and "backend" in page and "no_such" not in page
