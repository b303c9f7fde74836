# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fresh Debian host is brought to what is declared: the package, the service, and the licenses."""

from __future__ import annotations

from pathlib import Path

from hosts.machines import Site
from support.lab import NUMBERS
from support.runs import Run, must
from vendor.linux.package import UNIT, build_package
from vendor.linux.test_linux import HOME, VendorRig, stems


def flat(run: Run) -> str:
    return " ".join(run.output.split())


def test_a_fresh_host_gets_package_service_and_licenses_once(site: Site, tmp_path: Path) -> None:
    package = build_package(tmp_path)
    with VendorRig(site, tmp_path / "rig", source="online", target="online") as rig:
        # Nobody says where the licenses come from but a host without any.
        run = rig.play("reconcile")
        assert run.code != 0 and "target: Install the license server" in flat(run)
        rig.target_vars["aims_license_server_package"] = str(package)
        rig.write_inventory()
        checked = must(rig.play("reconcile", "--check"))
        assert checked.changed == 1 and f"then activates {', '.join(NUMBERS)}" in flat(checked)
        assert rig["target"].ask(f"test -e {HOME}").code == 1
        run = must(rig.play("reconcile", "-vvvv"))
        assert run.changed == 2 and rig.nodelocks("target") == stems()
        assert rig.unit("target", UNIT)["is-active"] == "active"
        assert must(rig.play("reconcile")).changed == 0
        rig["target"].run(f"sudo -n systemctl disable --now {UNIT}")
        assert must(rig.play("reconcile", "--check")).changed == 1
        assert must(rig.play("reconcile")).changed == 1
        assert rig.unit("target", UNIT)["is-active"] == "active"
        assert not any(code in run.output for code in rig.codes.values())
