# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendor's license server in the playbooks: looked at and backed up, and refused where it would be changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from support.lab import Lab
from support.runs import Run, must
from support.vendor_licman import calls, make_licman
from support.vendor_tree import CLIENT, KEY, NUMBERS, SERVER, activate, make_tree, put, stem


@pytest.fixture
def vendor(lab: Lab) -> Lab:
    """The vendor's license server on the source, with the worked example active; nothing on the target."""
    lab.inventory["all"]["children"]["aims_license_sources"]["hosts"]["old"] = {
        "aims_license_server_backend": "vendor",
        # The default, which stands for the documented folders.
        "aims_license_server_home": "/opt/aims-license-server",
    }
    lab.write_inventory()
    make_tree(aimms(lab))
    return lab


def aimms(lab: Lab) -> Path:
    return lab.root("old") / "usr" / "local" / "Aimms"


def bundle(lab: Lab) -> Path:
    return (lab.work / "bundles" / "old" / "latest").resolve()


def overview(lab: Lab) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((bundle(lab) / "overview.yml").read_text(encoding="utf-8"))
    return read


def flat(run: Run) -> str:
    return " ".join(run.output.split())


def test_info_shows_the_licenses_of_both_servers_and_changes_nothing(vendor: Lab) -> None:
    before = vendor.everything()
    run = must(vendor.play("info"))
    assert run.changed == 0 and vendor.everything() == before
    for number in NUMBERS:
        assert f"{number}  old" in run.output
    (aimms(vendor) / f"Nodelocks/{stem(CLIENT)}.lock").chmod(0o444)
    assert f"The nodelock of license {CLIENT} is read-only" in flat(must(vendor.play("info")))


def test_info_of_one_server_has_its_declared_profiles_and_no_guesses(vendor: Lab) -> None:
    task = {
        "name": "Look",
        "aims.licensing.aims_license_info": {"backend": "vendor", "root": "{{ aims_license_server_root }}"},
        "register": "seen",
    }
    shown = {"name": "Show", "ansible.builtin.debug": {"var": "seen.overview"}}
    run = must(vendor.play(vendor.write_play("look", "old", [task, shown])))
    assert '"name": "PROServer"' in run.output and '"seats": null' in run.output
    assert '"maintenance": null' in run.output and f'"home": "{aimms(vendor)}"' in run.output


def test_backup_makes_a_bundle_once(vendor: Lab) -> None:
    before = vendor.tree(vendor.folder / "hosts")
    assert must(vendor.play("backup")).changed == 1
    assert vendor.tree(vendor.folder / "hosts") == before
    files = bundle(vendor) / "files"
    assert (files / f"Licenses/{stem(SERVER)}.lic").read_text(encoding="utf-8") == f"license {SERVER}\n"
    assert (files / f"Nodelocks/{stem(SERVER)}.lock").exists() and (files / "Config/settings.cfg").exists()
    assert not (files / "Bin").exists()
    stored = (files / "ApplicationKeys/store.key").read_bytes()
    assert KEY not in stored and vendor.secrets().decrypt(stored) == KEY
    profiles = [(one["name"], one["license"], one["default"]) for one in overview(vendor)["profiles"]]
    assert profiles[0] == ("PROServer", SERVER, False) and len(profiles) == 3
    page = (bundle(vendor) / "overview.html").read_text(encoding="utf-8")
    assert "PROServer" in page and "vendor" in page
    again = must(vendor.play("backup"))
    assert again.changed == 0 and vendor.everything() == {**vendor.everything(), **before}


def test_a_backup_without_a_nodelock_does_not_replace_one_with_it(vendor: Lab) -> None:
    must(vendor.play("backup"))
    good = bundle(vendor)
    (aimms(vendor) / f"Nodelocks/{stem(CLIENT)}.lock").unlink()
    run = must(vendor.play("backup"))
    assert bundle(vendor) == good and f"{CLIENT} active in the newest bundle, but not now" in flat(run)
    put(aimms(vendor), f"Nodelocks/{stem(CLIENT)}.lock", b"")
    run = must(vendor.play("backup"))
    assert bundle(vendor) == good and f"{CLIENT} active in the newest bundle, but not now" in flat(run)
    activate(aimms(vendor), CLIENT, 2)
    assert must(vendor.play("backup")).changed == 1
    assert bundle(vendor) != good


@pytest.mark.parametrize("playbook", ["migrate", "rollback"])
def test_a_pair_with_one_vendors_server_is_refused_before_anything_is_touched(vendor: Lab, playbook: str) -> None:
    before = vendor.everything()
    run = vendor.play(playbook)
    assert run.code != 0 and vendor.everything() == before
    assert "does not work with the vendor's license server on one host only" in flat(run)
    assert "host old, aims_license_server_backend" in flat(run) and "for source and target" in flat(run)


def test_licenses_are_activated_by_the_documented_commands_and_no_code_is_shown(lab: Lab) -> None:
    home = lab.root("new") / "usr" / "local" / "Aimms"
    make_licman(home)
    for folder in ("Licenses", "Nodelocks", "Config"):
        (home / folder).mkdir()
    task = {
        "name": "Activate",
        "aims.licensing.aims_license_activate": {
            "backend": "vendor",
            "root": "{{ aims_license_server_root }}",
            "licenses": "{{ aims_license_server_licenses | map('dict2items') | map('rejectattr', 'key', 'eq', "
            "'activation_code') | map('items2dict') }}",
            "codes_from": "aims_license_server_licenses",
        },
        "register": "activated",
    }
    shown = {"name": "Show", "ansible.builtin.debug": {"var": "activated"}}
    play = lab.write_play("activate", "new", [task, shown])
    before = lab.everything()
    assert must(lab.play(play, "--check", "--diff")).changed == 1
    assert lab.everything() == before and calls(home) == []
    runs = [must(lab.play(play, "--diff", "-vvvv"))]
    assert runs[0].changed == 1
    asked = [call.split() for call in calls(home)]
    assert [(words[1], words[5]) for words in asked if len(words) == 7] == list(lab.codes.items())
    runs.append(must(lab.play(play, "--diff", "-vvvv")))
    assert runs[1].changed == 0 and len(calls(home)) == 2 * len(lab.codes)
    make_licman(home, "echoes the code")
    (home / f"Nodelocks/{stem(CLIENT)}.lock").unlink()
    runs.append(lab.play(play, "-vvvv"))
    assert runs[2].code != 0 and f"Whether license {CLIENT} was activated is not known" in flat(runs[2])
    assert not any(code.lower() in run.output.lower() for code in lab.codes.values() for run in runs)


def test_a_home_of_the_bundled_server_is_not_read_as_the_vendors(rehearsed: Lab) -> None:
    before = rehearsed.everything()
    arguments = {
        "backend": "vendor",
        "home": "/opt/aims-license-server/",
        "root": "{{ aims_license_server_root }}",
    }
    task = {"name": "Look", "aims.licensing.aims_license_info": arguments}
    run = rehearsed.play(rehearsed.write_play("look", "old", [task]))
    assert run.code != 0 and "belongs to the bundled license server" in flat(run)
    assert rehearsed.everything() == before


def test_two_folders_with_licenses_have_to_be_told_apart_and_a_named_one_is_read(vendor: Lab) -> None:
    make_tree(aimms(vendor).with_name("AIMMS"))
    run = vendor.play("info")
    assert run.code != 0 and "License files lie in" in flat(run) and "(aims_license_server_home)" in flat(run)
    vendor.inventory["all"]["children"]["aims_license_sources"]["hosts"]["old"]["aims_license_server_home"] = (
        "/usr/local/AIMMS"
    )
    vendor.write_inventory()
    assert f"{SERVER}  old" in must(vendor.play("info")).output
