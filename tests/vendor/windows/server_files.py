# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vendor's license server on a stand-in for a Windows host: installed, with three active licenses."""

from __future__ import annotations

from support.vendor_tree import KEY, NUMBERS, SERVER, activate, put, stem
from vendor.windows.host import WindowsHost
from vendor.windows.image import Image

DATA = r"C:\ProgramData\AIMMS"
SERVICE = "AIMMS License Server"


def install(host: WindowsHost, image: Image) -> None:
    """Install the stand-in for the license server, as a person would."""
    (host.drive / "server.msi").write_bytes(image.installer.read_bytes())
    done = host.run(r"msiexec /i C:\server.msi /qn /norestart")
    assert done.returncode == 0, done.stderr


def fill(host: WindowsHost, data: str = DATA) -> None:
    """Write the files that three activations leave, as documented."""
    root = host.path(data)
    for number in NUMBERS:
        put(root, f"Licenses/{stem(number)}.lic", f"license {number}\r\n".encode())
        activate(root, number)
    put(root, f"Licenses/{stem(SERVER)}.cpx", b"composite\r\n")
    put(root, "ApplicationKeys/Schlüssel 1.key", KEY)
    put(root, "Logging/LicenseServer.log", b"a line\r\n")
    put(root, "Logging/LicenseServerLogging.xml", b"<log/>\r\n")


def files(host: WindowsHost) -> dict[str, bytes | None]:
    """All that lies on the drive but what Wine itself writes: its system, and the files by which its cmd has pipes."""
    own = ("windows", "Temp")
    places = [place for place in host.drive.rglob("*") if not set(own) & {*place.relative_to(host.drive).parts}]
    return {str(place): place.read_bytes() if place.is_file() else None for place in places}
