# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules on the vendor's server with commands that an operator names, and with license files of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.lab import Lab
from support.runs import Run, must
from support.vendor_licman import NAMED, WITH_CODE, calls, make_licman
from support.vendor_tree import NUMBERS, SERVER, make_tree, put, stem

COMMANDS = "aims_license_server_vendor_commands"
VENDOR = {"backend": "vendor", "root": "{{ aims_license_server_root }}"}
NAMING = {**VENDOR, "vendor_commands": f"{{{{ {COMMANDS} }}}}"}


@pytest.fixture
def vendor(lab: Lab) -> Lab:
    """The vendor's license server on the source, with the worked example active and commands named in the inventory."""
    lab.inventory["all"]["children"]["aims_license_sources"]["hosts"]["old"] = {
        "aims_license_server_backend": "vendor",
        "aims_license_server_home": "/opt/aims-license-server",
        COMMANDS: {**NAMED, "deactivate": WITH_CODE},
        "aims_license_server_licenses": "{{ hostvars.new.aims_license_server_licenses }}",
    }
    lab.write_inventory()
    make_tree(aimms(lab))
    make_licman(aimms(lab))
    return lab


def aimms(lab: Lab, host: str = "old") -> Path:
    return lab.root(host) / "usr" / "local" / "Aimms"


def flat(run: Run) -> str:
    return " ".join(run.output.split())


def four_steps(lab: Lab, module: str, options: dict[str, Any]) -> list[Run]:
    """Check and run with the same difference, then both again with none."""
    task = {"name": "Change", f"aims.licensing.aims_license_{module}": options, "register": "done"}
    shown = {"name": "Show", "ansible.builtin.debug": {"var": "done"}}
    play = lab.write_play(f"steps_{module}", "old", [task, shown])
    before = lab.tree(lab.folder / "hosts")
    runs = []
    for changed in (1, 0):
        for more in (["--check"], []):
            asked = len(calls(aimms(lab)))
            runs.append(must(lab.play(play, "--diff", "-vvvv", *more)))
            assert runs[-1].changed == changed
            # In check mode nothing but licman's help is asked for, and of what is done already nothing at all.
            news = calls(aimms(lab))[asked:]
            assert all(call == "--help" for call in news) if more else bool(news) is bool(changed)
            if more and changed:
                assert {k: v for k, v in lab.tree(lab.folder / "hosts").items() if "calls" not in str(k)} == {
                    k: v for k, v in before.items() if "calls" not in str(k)
                }
    differences = [[line for line in run.output.splitlines() if line.startswith(("-", "+"))] for run in runs]
    marked = [[line for line in lines if not line.startswith(("---", "+++"))] for lines in differences]
    assert marked[0] == marked[1] != [] and marked[2] == marked[3] == []
    assert not any(code.lower() in run.output.lower() for code in lab.codes.values() for run in runs)
    return runs


def test_licenses_are_deactivated_by_the_named_command_and_stay_so(vendor: Lab) -> None:
    make_licman(aimms(vendor), deactivate="lock stays")
    must(vendor.play("backup"))
    options = {
        **NAMING,
        "licenses": NUMBERS[:2],
        "bundle": f"{vendor.work}/bundles/old/latest",
        "codes_from": "aims_license_server_licenses",
    }
    runs = four_steps(vendor, "deactivate", options)
    given = [call.split() for call in calls(aimms(vendor)) if call.startswith("--give-back")]
    assert given == [["--give-back", number, "--activation-code", vendor.codes[number]] for number in NUMBERS[:2]]
    assert "its nodelock file has changed, and is still there" in flat(runs[1])
    shown = must(vendor.play("info")).output
    assert f"{NUMBERS[2]}  old" in shown and f"{SERVER}  old" not in shown
    # A backup that knows less does not replace the one that covers them.
    assert "active in the newest bundle, but not now" in flat(must(vendor.play("backup")))


def test_a_deactivation_in_doubt_stops_in_words_without_the_code(vendor: Lab) -> None:
    must(vendor.play("backup"))
    make_licman(aimms(vendor), deactivate="echoes the code")
    options = {
        **NAMING,
        "licenses": [SERVER],
        "bundle": f"{vendor.work}/bundles/old/latest",
        "codes_from": "aims_license_server_licenses",
    }
    play = vendor.write_play("back", "old", [{"name": "Give back", "aims.licensing.aims_license_deactivate": options}])
    for _time in range(2):
        run = vendor.play(play, "-vvvv")
        assert run.code != 0 and f"Whether license {SERVER} was deactivated is not known" in flat(run)
        assert not any(code.lower() in run.output.lower() for code in vendor.codes.values())
    assert sum(call.startswith("--give-back") for call in calls(aimms(vendor))) == 1
    # The plan knows it too.
    assert f"Whether license {SERVER} was deactivated is not known" in flat(must(vendor.play("info")))


def test_maintenance_mode_and_profiles_change_once(vendor: Lab) -> None:
    runs = four_steps(vendor, "maintenance", {**NAMING, "state": "enabled"})
    assert "licman has entered maintenance mode; no documented file shows this" in flat(runs[1])
    options = {**NAMING, "profiles": [{"name": "PROServer", "license": SERVER}], "absent": ["Profile1"]}
    runs = four_steps(vendor, "profile", options)
    assert "licman has renamed profile Profile1 to PROServer" in flat(runs[1])
    assert calls(aimms(vendor))[-1] == "--rename Profile1 --to PROServer"


def test_commands_that_cannot_be_run_are_told_before_anything_begins(vendor: Lab) -> None:
    make_licman(aimms(vendor), help="none")
    assert "licman --help prints nothing" in flat(must(vendor.play("info")))
    hosts = vendor.inventory["all"]["children"]["aims_license_sources"]["hosts"]
    hosts["old"][COMMANDS] = {"deactivate": ["/bin/rm", "-rf", "{number}"]}
    vendor.write_inventory()
    before = vendor.everything()
    for playbook in ("info", "migrate"):
        run = vendor.play(playbook)
        assert run.code != 0 and "runs another program than licman" in flat(run), run.output
    assert vendor.everything() == before


def test_license_files_of_a_folder_are_added_and_none_is_replaced(vendor: Lab) -> None:
    must(vendor.play("backup"))
    home, folder = aimms(vendor, "new"), vendor.work / "files"
    for name in ("Licenses", "Nodelocks", "Config"):
        (home / name).mkdir(parents=True)
    make_licman(home)
    put(folder, "keyless.cpx", b"composite\n")
    put(folder, "015120001005.lic", b"license of the folder\n")
    put(folder, f"{stem(SERVER)}.lic", f"license {SERVER}\n".encode())
    put(folder, "readme.txt")
    put(home, "Licenses/keyless.cpx", b"here\n")
    options = {
        **VENDOR,
        "licenses": [{"number": SERVER}],
        "codes_from": "aims_license_server_licenses",
        "bundle": f"{vendor.work}/bundles/old/latest",
        "license_files": str(folder),
    }
    task = {"name": "Activate", "aims.licensing.aims_license_activate": options}
    play = vendor.write_play("files", "new", [task])
    before = vendor.everything()
    assert must(vendor.play(play, "--check")).changed == 1 and vendor.everything() == before
    assert must(vendor.play(play)).changed == 1 and must(vendor.play(play)).changed == 0
    names = {path.name for path in (home / "Licenses").iterdir()}
    # Of the bundle's license files only those of the call's licenses.
    assert names == {"keyless.cpx", "015120001005.lic", f"{stem(SERVER)}.lic", f"{stem(SERVER)}.cpx"}
    assert (home / "Licenses/keyless.cpx").read_bytes() == b"here\n"
    put(folder, f"{stem(SERVER)}.lic", b"another\n")
    run = vendor.play(play)
    assert run.code != 0 and f"The license file Licenses/{stem(SERVER)}.lic is another one in the bundle." in flat(run)
