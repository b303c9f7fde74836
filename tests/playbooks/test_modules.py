# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules in plays of one's own: defaults for the group, and check, run, check, run for each of effect."""

from __future__ import annotations

from typing import Any

import yaml
from playbooks.page import self_signed
from support.lab import CHECKOUT, GRANTS, NUMBERS, USERS, WORKED_EXAMPLE, Lab, new_code
from support.runs import Run, must

LICENSES = "{{ hostvars.new.aims_license_server_licenses }}"
GROUP = "group/aims.licensing.aims_license"
SERVER = {
    "home": "{{ aims_license_server_home }}",
    "root": "{{ aims_license_server_root }}",
    "backend": "{{ aims_license_server_backend }}",
    "authority": "{{ aims_license_server_authority }}",
}


def module(name: str) -> str:
    return f"aims.licensing.aims_license_{name}"


def difference(run: Run) -> list[str]:
    """What a run with --diff shows."""
    lines = run.output.splitlines()
    return [line for line in lines if line.startswith(("-", "+", "@@")) and not line.startswith(("---", "+++"))]


def four_steps(lab: Lab, host: str, name: str, options: dict[str, Any], shows: bool = True) -> None:
    """Check predicts and changes nothing; the run changes; check and run find nothing left.

    :param shows: whether the module shows what it changes
    """
    task = {"name": "Change", module(name): options}
    play = lab.write_play(f"steps_{name}", host, [task], module_defaults={GROUP: SERVER})
    before = lab.everything()
    predicted = must(lab.play(play, "--check", "--diff"))
    assert predicted.changed == 1
    assert lab.everything() == before
    run = must(lab.play(play, "--diff"))
    assert run.changed == 1
    after = lab.everything()
    assert after != before
    assert difference(run) == difference(predicted)
    assert bool(difference(run)) == shows
    for options_again in (["--check", "--diff"], ["--diff"]):
        again = must(lab.play(play, *options_again))
        assert again.changed == 0
        assert difference(again) == []
        assert lab.everything() == after


def test_every_module_takes_the_defaults_of_the_group(rehearsed: Lab) -> None:
    dest = str(rehearsed.work)
    certificate = f"lookup('file', '{self_signed(rehearsed.folder, '127.0.0.1')[0]}')"
    own: list[tuple[str, dict[str, Any]]] = [
        ("inventory", {"vault": True}),
        ("authority", {"licenses": LICENSES}),
        ("server_install", {}),
        ("info", {}),
        ("backup", {"dest": f"{dest}/bundles"}),
        ("bundle_info", {"bundle": "{{ backup.bundle }}", "licenses": LICENSES}),
        ("profile", {"profiles": [{"name": "Nightly", "license": NUMBERS[1]}]}),
        ("maintenance", {"state": "enabled"}),
        ("deactivate", {"licenses": NUMBERS, "bundle": "{{ backup.bundle }}"}),
        ("activate", {"licenses": LICENSES}),
        ("update", {"licenses": NUMBERS}),
        ("verify", {}),
        ("client", {"path": "/etc/licenses.cfg", "entries": ["new.example.com:3400"]}),
        (
            "plan",
            {
                "source": {"host": "old", "info": "{{ info }}"},
                "target": {"host": "new", "info": "{{ hostvars.new.seen }}"},
                "licenses": LICENSES,
                "bundles": f"{dest}/bundles",
            },
        ),
        (
            "pair_info",
            {
                "source": {"host": "old", "info": "{{ info }}"},
                "target": {"host": "new", "info": "{{ hostvars.new.seen }}"},
                "licenses": LICENSES,
            },
        ),
        (
            "report",
            {
                "source": {"host": "new", "overview": "{{ hostvars.new.seen.overview }}"},
                "target": {"host": "old"},
                "planned": "{{ plan }}",
                "activated": "{{ activate }}",
                "after": "{{ activate.overview }}",
                "dest": f"{dest}/reports",
            },
        ),
        (
            "runbook",
            {
                "source": {"host": "old", "platform": "windows", "address": "old", "home": r"C:\ProgramData\AIMMS"},
                "target": {"host": "new", "platform": "linux", "address": "new", "home": "/usr/local/Aimms"},
                "licenses": LICENSES,
                "dest": f"{dest}/runbooks",
            },
        ),
        (
            "request",
            {
                "requests_dir": f"{dest}/offline",
                "portal": "https://127.0.0.1:8443",
                "realm": f"{{{{ info.overview.server.realm | combine({{'ca': {certificate}}}) }}}}",
            },
        ),
    ]
    group = yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]
    assert sorted(f"aims_license_{name}" for name, options in own) == sorted(group["aims_license"])

    look = {
        "name": "Read the target's overview",
        module("info"): SERVER,
        "delegate_to": "new",
        "delegate_facts": True,
        "register": "seen",
        "vars": {"aims_license_server_root": f"{rehearsed.folder}/hosts/new"},
    }
    keep = {
        "name": "Keep the result",
        "ansible.builtin.set_fact": {"seen": "{{ seen }}"},
        "delegate_to": "new",
        "delegate_facts": True,
    }
    tasks = [{"name": f"Call {name}", module(name): options, "register": name} for name, options in own]
    play = rehearsed.write_play("group", "old", [look, keep, *tasks], module_defaults={GROUP: SERVER})
    must(rehearsed.play(play))
    seen = rehearsed.overview("old")
    assert rehearsed.held("old") == set(NUMBERS)
    assert seen["server"]["maintenance"] is True
    assert "Nightly" in [profile["name"] for profile in seen["profiles"]]
    assert (rehearsed.work / "bundles" / "old" / "latest" / "manifest.yml").is_file()
    assert (rehearsed.work / "reports" / "new-to-old.html").is_file()
    # Given back and taken again on the same machine: no transfer.
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 0)


def test_four_steps_of_maintenance(rehearsed: Lab) -> None:
    four_steps(rehearsed, "old", "maintenance", {"state": "enabled"})
    assert rehearsed.overview("old")["server"]["maintenance"] is True
    four_steps(rehearsed, "old", "maintenance", {"state": "disabled"})
    assert rehearsed.overview("old")["server"]["maintenance"] is False


def test_four_steps_of_profile(rehearsed: Lab) -> None:
    declared = [
        {"name": "Client", "license": NUMBERS[2]},
        {"name": "Nightly", "license": NUMBERS[1], "default": True},
    ]
    four_steps(rehearsed, "old", "profile", {"profiles": declared, "absent": ["PROSession"]})
    names = [(one["name"], one["license"], one["default"]) for one in rehearsed.overview("old")["profiles"]]
    assert names == [
        ("Client", NUMBERS[2], False),
        ("Nightly", NUMBERS[1], True),
        ("PROServer", NUMBERS[0], False),
    ]


def test_four_steps_of_deactivate_and_activate(rehearsed: Lab) -> None:
    task = {"name": "Back up", module("backup"): {**SERVER, "dest": str(rehearsed.work / "bundles")}}
    must(rehearsed.play(rehearsed.write_play("backup", "old", [task])))
    bundle = str(rehearsed.work / "bundles" / "old" / "latest")
    four_steps(rehearsed, "old", "deactivate", {"licenses": NUMBERS[:2], "bundle": bundle})
    assert rehearsed.held("old") == {NUMBERS[2]}
    assert {one["number"]: one["live"] for one in rehearsed.authority("list")} == {
        NUMBERS[0]: False,
        NUMBERS[1]: False,
        NUMBERS[2]: True,
    }
    four_steps(rehearsed, "old", "activate", {"licenses": LICENSES, "users": [*USERS, "AIMS\\carl"]})
    assert rehearsed.held("old") == set(NUMBERS)
    assert rehearsed.overview("old")["users"] == [*USERS, "AIMS\\carl"]
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 0)


def test_four_steps_of_activate_on_an_empty_server(rehearsed: Lab) -> None:
    for number in NUMBERS:
        rehearsed.licman("old", "--nodelock-deactivate", number)
    install = {"name": "Install", module("server_install"): SERVER}
    must(rehearsed.play(rehearsed.write_play("install", "new", [install])))
    four_steps(rehearsed, "new", "activate", {"licenses": LICENSES})
    assert rehearsed.held("new") == set(NUMBERS)
    names = [one["name"] for one in rehearsed.overview("new")["profiles"]]
    assert names == [one["profile"] for one in WORKED_EXAMPLE]
    assert rehearsed.transfers() == dict.fromkeys(NUMBERS, 1)


def test_four_steps_of_server_install(lab: Lab) -> None:
    four_steps(lab, "new", "server_install", {"state": "present"})
    assert lab.overview("new")["server"]["authority"] == f"ledger:{lab.ledger}"
    commands = {path.name for path in (lab.home("new") / "Bin").iterdir()}
    assert {"licman", "authority"} <= commands
    four_steps(lab, "new", "server_install", {"state": "absent"})
    assert list((lab.home("new") / "Bin").iterdir()) == []
    # What is not the package stays.
    assert (lab.home("new") / "Config" / "server.json").is_file()


def test_four_steps_of_backup(rehearsed: Lab) -> None:
    hosts = rehearsed.tree(rehearsed.folder / "hosts")
    four_steps(rehearsed, "old", "backup", {"dest": str(rehearsed.work / "bundles")}, shows=False)
    assert rehearsed.tree(rehearsed.folder / "hosts") == hosts
    assert (rehearsed.work / "bundles" / "old" / "latest" / "manifest.sha256").is_file()


def test_four_steps_of_authority(lab: Lab) -> None:
    options = {"licenses": LICENSES, "details": GRANTS}
    four_steps(lab, "old", "authority", options)
    assert lab.ledger.stat().st_mode & 0o777 == 0o600
    assert lab.transfers() == dict.fromkeys(NUMBERS, 0)
    # one more
    number = "015.120.099.001"
    more = [{"number": number, "activation_code": new_code(), "seats": 3}]
    four_steps(lab, "old", "authority", {"licenses": more})
    assert set(lab.transfers()) == {*NUMBERS, number}


def test_four_steps_of_client(lab: Lab) -> None:
    place = lab.root("old") / "etc" / "licenses.cfg"
    listed = b"1\tnetwork\told.example.com:3400,Client\r\n1 local 015120001005.lic\r\n"
    place.write_bytes(listed)
    options = {"path": "/etc/licenses.cfg", "entries": ["new.example.com:3400"], "like": "old.example.com"}
    four_steps(lab, "old", "client", options)
    first, second = listed.splitlines(keepends=True)
    assert place.read_bytes() == first + first.replace(b"old", b"new") + second
    assert place.with_name("licenses.cfg.aims-original").read_bytes() == listed
