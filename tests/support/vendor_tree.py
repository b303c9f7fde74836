# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A license server's folder as the vendor documents it, made here of plain files; nothing of the core is used."""

from __future__ import annotations

from pathlib import Path

# The worked example: number, file, profile.
SERVER, SESSION, CLIENT = "015.120.064.022", "015.120.065.016", "015.120.055.014"
NUMBERS = (SERVER, SESSION, CLIENT)
# As AIMMS' own examples name such files: one after its license, one with other digits around.
KEYLESS, KEYLESS_FILE = "015.120.001.005", "010073015120001005001036.cpx"
KEY = b"-----BEGIN PRIVATE KEY-----\nof a published application\n-----END PRIVATE KEY-----\n"


def stem(number: str) -> str:
    """The name of a license's files."""
    return number.replace(".", "")


def put(root: Path, name: str, content: bytes = b"x\n") -> Path:
    """Write a file of a tree."""
    place = root / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


def make_tree(root: Path) -> Path:
    """Make the folder of a license server with three active licenses; return it."""
    for folder in ("Bin", "Config", "Licenses", "Logging", "Nodelocks", "ApplicationKeys"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for program in ("licsrv", "licman"):
        put(root, f"Bin/{program}", b"#!/bin/sh\n").chmod(0o755)
    for number in NUMBERS:
        put(root, f"Licenses/{stem(number)}.lic", f"license {number}\n".encode())
        activate(root, number)
    put(root, f"Licenses/{stem(SERVER)}.cpx", b"composite\n")
    put(root, "ApplicationKeys/store.key", KEY)
    put(root, "Config/settings.cfg", b"settings\n")
    put(root, "Logging/LicenseServer.log", b"a line\n")
    put(root, "Logging/LicenseServerLogging.xml", b"<log/>\n")
    return root


def activate(root: Path, number: str, serial: int = 1) -> None:
    """Write the nodelock of a license."""
    put(root, f"Nodelocks/{stem(number)}.lock", f"nodelock {number} {serial}\n".encode())
    put(root, f"Nodelocks/{stem(number)}.ver", f"{serial}\n".encode())
