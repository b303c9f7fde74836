# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a Debian package that stands in for the vendor's license server on Linux, from documented facts alone.

The tree, the programs' names, the two ports and that the service is started at once and at boot are documented
(docs/domain.md#license-server-on-linux). The names of package and unit are not: nothing may rely on those used here.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"
PACKAGE, UNIT = "stand-in-license-server", "stand-in-of-another-name.service"
_CONTROL = f"""\
Package: {PACKAGE}
Version: 24.1.0.2
Architecture: all
Maintainer: aims.licensing contributors
Depends: python3
Description: Stands in for a license server in tests
"""
_UNIT = """\
[Unit]
Description=Stand-in for a license server

[Service]
ExecStart=/usr/local/Aimms/Bin/licsrv

[Install]
WantedBy=multi-user.target
"""
_SCRIPTS = {
    "postinst": f"#!/bin/sh\nset -e\nsystemctl daemon-reload\nsystemctl enable --now {UNIT}\n",
    "prerm": f"#!/bin/sh\nset -e\nsystemctl disable --now {UNIT}\n",
}


def build_package(folder: Path) -> Path:
    """Build the package in a folder; return its file."""
    tree = folder / "tree"
    home = tree / "usr" / "local" / "Aimms"
    for name in ("Bin", "Config", "Licenses", "Logging", "Nodelocks"):
        (home / name).mkdir(parents=True)
    shutil.copy(PROGRAMS / "licman", home / "Bin")
    service = home / "Bin" / "licsrv"
    service.write_text(f"#!/usr/bin/python3\n{(PROGRAMS / 'licsrv.py').read_text(encoding='utf-8')}", encoding="utf-8")
    service.chmod(0o755)
    control = tree / "DEBIAN"
    control.mkdir()
    (control / "control").write_text(_CONTROL, encoding="utf-8")
    for name, text in _SCRIPTS.items():
        (control / name).write_text(text, encoding="utf-8")
        (control / name).chmod(0o755)
    unit = tree / "usr" / "lib" / "systemd" / "system" / UNIT
    unit.parent.mkdir(parents=True)
    unit.write_text(_UNIT, encoding="utf-8")
    package = folder / f"{PACKAGE}.deb"
    command = ["dpkg-deb", "--root-owner-group", "--build", str(tree), str(package)]
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return package
