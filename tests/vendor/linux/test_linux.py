# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendor's license server on fresh Debian hosts over SSH: looked at, backed up, and its licenses activated.

A package of documented facts stands in for it (package.py). The persons' steps are done by its documented commands.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hosts.machines import Machine, Site
from hosts.rig import Rig
from support.lab import NUMBERS, WORKED_EXAMPLE
from support.runs import Run, must
from vendor.linux.package import PROGRAMS, UNIT, build_package

HOME = "/usr/local/Aimms"
KEY = "-----BEGIN PRIVATE KEY----- of a published application -----END PRIVATE KEY-----"


class VendorRig(Rig):
    """Hosts ``source`` with the vendor's license server, and ``target``.

    :ivar package: the license server's package, on the controller
    """

    package: Path

    def worked_example(self) -> dict[str, Any]:
        inventory = super().worked_example()
        inventory["all"]["vars"]["aims_license_server_backend"] = "vendor"
        return inventory

    def install(self, name: str, package: Path) -> None:
        """Install the license server, as an administrator does."""
        content = base64.b64encode(package.read_bytes()).decode()
        self[name].run("base64 -d >/tmp/server.deb && sudo -n dpkg -i /tmp/server.deb && rm /tmp/server.deb", content)

    def look(self, name: str) -> dict[str, Any]:
        """Return what aims_license_info says of a host."""
        place = self.folder / "seen.json"
        tasks = [
            {"name": "Look", "aims.licensing.aims_license_info": {"backend": "vendor"}, "register": "seen"},
            {
                "name": "Keep what was seen",
                "ansible.builtin.copy": {"content": "{{ seen | to_json }}", "dest": str(place), "mode": "0600"},
                "delegate_to": "localhost",
                "connection": "local",
                "become": False,
                "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
            },
        ]
        must(self.play(self.write_play("look", name, tasks)))
        seen: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        return seen

    def activate(self, name: str, *options: str) -> Run:
        """Activate the declared licenses of a host with the files of the source's bundle."""
        task = {
            "name": "Activate",
            "aims.licensing.aims_license_activate": {
                "backend": "vendor",
                "licenses": [
                    {"number": license["number"], "profile": license["profile"]} for license in WORKED_EXAMPLE
                ],
                "codes_from": "aims_license_server_licenses",
                "bundle": str(self.work / "bundles/source/latest"),
            },
        }
        return self.play(self.write_play("activate", name, [task]), *options)

    def bring(self, package: str, *options: str) -> Run:
        """Install the license server on the target by the module."""
        task = {
            "name": "Install",
            "aims.licensing.aims_license_server_install": {"backend": "vendor", "vendor_package": package},
        }
        return self.play(self.write_play("bring", "target", [task]), *options)

    def nodelocks(self, name: str) -> set[str]:
        names = self[name].run(f"sudo -n ls {HOME}/Nodelocks").split()
        return {file.removesuffix(".lock") for file in names if file.endswith(".lock")}


@pytest.fixture(scope="module")
def rig(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VendorRig]:
    """A source with three active licenses and an application key, and a target with nothing."""
    folder = tmp_path_factory.mktemp("vendor")
    package = build_package(folder)
    with VendorRig(site, folder / "rig", source="online", target="online") as made:
        made.install("source", package)
        made.package = package
        for license in WORKED_EXAMPLE:
            number, profile = license["number"], license["profile"]
            licman = f"sudo -n {HOME}/Bin/licman"
            made["source"].run(
                f"{licman} --nodelock-activate {number} --type machine --activation-code {made.codes[number]} "
                f"--add-license && {licman} --profile-add {profile} --license {number}"
            )
        made["source"].run(
            f"sudo -n mkdir -p {HOME}/ApplicationKeys && sudo -n tee {HOME}/ApplicationKeys/app.key", KEY
        )
        yield made


def stems() -> set[str]:
    return {number.replace(".", "") for number in NUMBERS}


def test_service_ports_and_licenses_are_seen_and_nothing_is_changed(rig: VendorRig) -> None:
    before = rig.digests("source", HOME, "/etc", "/var/lib")
    run = must(rig.play("info"))
    assert run.changed == 0
    for number in NUMBERS:
        assert f"{number}  source" in run.output
    seen = rig.look("source")
    server = seen["overview"]["server"]
    assert (server["unit"], server["service"], server["running"]) == (UNIT, "systemd", True)
    process = rig.unit("source", UNIT)["MainPID"]
    assert server["ports"] == {"3400": [f"licsrv (process {process})"], "3401": [f"licsrv (process {process})"]}
    assert seen["obstacles"] == [] and server["home"] == HOME
    profiles = [(one["name"], one["license"]) for one in seen["overview"]["profiles"]]
    assert profiles == [(one["profile"], one["number"]) for one in WORKED_EXAMPLE]
    assert rig.digests("source", HOME, "/etc", "/var/lib") == before


def test_the_package_is_installed_once_and_the_service_runs(rig: VendorRig) -> None:
    package, target = str(rig.package), rig["target"]
    broken = rig.folder / "broken.deb"
    broken.write_bytes(b"no package")
    text = " ".join(rig.bring(str(broken)).output.split())
    assert "This is no package of this system: dpkg-deb: error" in text and "Traceback" not in text
    target.run("sudo -n systemd-run --unit taker python3 -m http.server 3401")
    assert "Port 3401 is in use by python3" in " ".join(rig.bring(package).output.split())
    target.run("sudo -n systemctl stop taker")
    assert must(rig.bring(package, "--check", "--diff")).changed == 1
    assert target.ask(f"test -e {HOME}").code == 1
    run = must(rig.bring(package, "--diff"))
    assert run.changed == 1 and "install stand-in-license-server 24.1.0.2" in run.output
    assert "The license server is documented for RHEL" in " ".join(run.output.split())
    state = rig.unit("target", UNIT)
    assert (state["is-enabled"], state["is-active"]) == ("enabled", "active")
    assert target.run("sudo -n find /tmp /home /root -name '*.deb'") == "" and must(rig.bring(package)).changed == 0
    target.run(f"sudo -n systemctl disable --now {UNIT}")
    assert must(rig.bring(package, "--check")).changed == 1
    assert must(rig.bring(package)).changed == 1
    assert rig.unit("target", UNIT)["is-active"] == "active" and must(rig.bring(package)).changed == 0


def test_licenses_are_backed_up_and_activated_on_the_target(rig: VendorRig) -> None:
    before = rig.digests("source", HOME)
    assert must(rig.play("backup")).changed == 1
    assert must(rig.play("backup")).changed == 0
    assert rig.digests("source", HOME) == before
    files = rig.work / "bundles/source/latest/files"
    assert rig.secrets().decrypt((files / "ApplicationKeys/app.key").read_bytes()).decode() == KEY
    assert must(rig.activate("target", "--check")).changed == 1
    assert rig.nodelocks("target") == set()
    run = must(rig.activate("target", "-vvvv"))
    assert run.changed == 1 and rig.nodelocks("target") == stems()
    assert rig["target"].run(f"sudo -n cat {HOME}/ApplicationKeys/app.key") == KEY
    after = rig.digests("target", HOME, "/var/lib/aims-licensing")
    again = must(rig.activate("target", "-vvvv"))
    assert again.changed == 0 and rig.digests("target", HOME, "/var/lib/aims-licensing") == after
    codes = "\n".join(rig.codes.values())
    assert not any(code in run.output + again.output for code in rig.codes.values())
    # By standard input: sudo writes the arguments of each command into the journal.
    look = "sudo -n grep -rlF -f - /home /root /tmp /var /run /etc /usr/local"
    assert rig["target"].ask(f"{look} 2>/dev/null", codes).stdout == ""
    assert not any(code in rig["target"].run("sudo -n journalctl --no-pager") for code in rig.codes.values())


def test_a_code_that_the_command_refuses_stops_the_run_until_a_person_has_looked(rig: VendorRig) -> None:
    number = NUMBERS[0]
    target: Machine = rig["target"]
    target.run(f"sudo -n rm {HOME}/Nodelocks/{number.replace('.', '')}.lock")
    target.run(f"sudo -n mv {HOME}/Bin/licman {HOME}/Bin/licman.kept")
    target.run(
        f"sudo -n tee {HOME}/Bin/licman && sudo -n chmod 755 {HOME}/Bin/licman", '#!/bin/sh\necho "$6"; exit 1\n'
    )
    run = rig.activate("target")
    text = " ".join(run.output.split())
    assert run.code != 0 and f"Whether license {number} was activated is not known" in text
    assert rig.codes[number] not in text
    target.run(f"sudo -n mv {HOME}/Bin/licman.kept {HOME}/Bin/licman")
    assert rig.activate("target").code != 0
    (command,) = set(re.findall(r"\((rm -f [^)]+)\)", text))
    target.run(f"sudo -n {command}")
    assert must(rig.activate("target")).changed == 1 and rig.nodelocks("target") == stems()


def test_another_program_on_one_of_its_ports_is_told(rig: VendorRig) -> None:
    target = rig["target"]
    target.run(f"sudo -n systemctl stop {UNIT}")
    server = rig.look("target")["overview"]["server"]
    assert (server["unit"], server["running"], server["ports"]) == (UNIT, False, {"3400": [], "3401": []})
    target.run("sudo -n systemd-run --unit taker python3 -m http.server 3401")
    obstacles = rig.look("target")["obstacles"]
    assert [one["what"].startswith("Port 3401 is in use by python3 (process ") for one in obstacles] == [True]
    target.run(f"sudo -n systemctl stop taker && sudo -n systemctl start {UNIT}")


def test_commands_that_an_operator_names_are_run_once_and_judged_by_the_host(rig: VendorRig) -> None:
    target, licman = rig["target"], f"{HOME}/Bin/licman"
    more = (PROGRAMS / "licman_with_more").read_text(encoding="utf-8")
    target.run(f"sudo -n mv {licman} {licman}.documented")
    target.run(f"sudo -n tee {licman} && sudo -n chmod 755 {licman}", more)
    target.run(f"sudo -n rm -f {HOME}/Logging/licman.calls")
    number, bundles = NUMBERS[0], str(rig.folder / "of-the-target")
    named = {
        "backend": "vendor",
        "vendor_commands": {
            "deactivate": ["licman", "--give-back", "{number}", "--code", "{activation_code}"],
            "maintenance_on": ["licman", "--maintenance=on"],
            "maintenance_off": ["licman", "--maintenance=off"],
        },
    }
    calls = [
        ("maintenance", {"state": "enabled"}),
        (
            "deactivate",
            {
                "licenses": [number],
                "bundle": f"{bundles}/target/latest",
                "codes_from": "aims_license_server_licenses",
            },
        ),
        ("maintenance", {"state": "disabled"}),
    ]
    tasks: list[dict[str, Any]] = [
        {"name": "Back up", "aims.licensing.aims_license_backup": {"backend": "vendor", "dest": bundles}}
    ]
    tasks += [{"name": name, f"aims.licensing.aims_license_{name}": {**named, **options}} for name, options in calls]
    play = rig.write_play("named", "target", tasks)
    process = rig.unit("target", UNIT)["MainPID"]
    run = must(rig.play(play, "-vvvv"))
    assert run.changed == 4 and rig.unit("target", UNIT)["MainPID"] != process
    done = target.run(f"sudo -n cat {HOME}/Logging/licman.calls").splitlines()
    assert done == ["--maintenance=on", f"--give-back {number}", "--maintenance=off"]
    statuses = {one["number"]: one["status"] for one in rig.look("target")["overview"]["licenses"]}
    assert [each for each, status in statuses.items() if status != "Active"] == [number]
    # What the records of the host show as done is not done twice.
    again = must(rig.play(rig.write_play("again", "target", tasks[2:]), "-vvvv"))
    assert again.changed == 0
    assert target.run(f"sudo -n cat {HOME}/Logging/licman.calls").splitlines() == done
    assert not any(code in run.output + again.output for code in rig.codes.values())
    assert not any(code in target.run("sudo -n journalctl --no-pager") for code in rig.codes.values())
    target.run(f"sudo -n mv {licman}.documented {licman}")
