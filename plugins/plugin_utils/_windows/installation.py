# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs the vendor's license server on a Windows host by the operator's package; starts and stops its service."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import LicensingError, refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.tree import LIMIT
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.windows_installer import (
    check_exit,
    install_command,
)
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.windows_paths import (
    parse_path,
    quote,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.host import PORT, WindowsHost
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.shell import Shell, within

# Seconds for a package on its way to the host, for its installation, and for the service to answer afterwards.
_UPLOAD, _INSTALLATION, _START = 900.0, 1800.0, 90.0


@dataclass(frozen=True)
class Installed:
    """What an installation did, or in check mode would do.

    :ivar changes: in words
    :ivar warnings: what is left for a person
    """

    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def install(shell: Shell, address: str, package: str | None, dry: bool) -> Installed:
    """Bring the license server of a host to run, and install it first where there is none.

    :param package: a file of the controller, or the path of one on the host
    :raises LicensingError: the port is in use, there is no package, or the host is not as it shall be afterwards
    """
    before = WindowsHost(shell, address)
    service, view = before.facts.service, before.view()
    if service is not None and view.running:
        return Installed()
    if view.ports.get(PORT):
        raise refuse(
            f"Port {PORT} is in use on {shell.host}, and the license server's installation fails then.",
            f"{shell.host}, port {PORT}",
            "End what listens there, then run this again.",
        )
    if service is not None:
        if not dry:
            _start(shell, address, service)
        return Installed((f"start {service}",))
    file = _local(shell, package)
    change = f"install {Path(file).name if file else package}"
    if dry:
        return Installed((change,))
    with _folder(shell) as folder:
        if file is not None:
            place = f"{folder}\\{file.name}"
            within(lambda: shell.connection.put_file(str(file), place), _UPLOAD, shell.host)
        else:
            place = parse_path(package, "vendor_package")
        needs_restart = _run(shell, parse_path(place, "vendor_package"), f"{folder}\\install.log")
    service = WindowsHost(shell, address).facts.service
    if service is None:
        raise refuse(
            f"The package is installed, and {shell.host} shows no service of a license server, or several.",
            shell.host,
            "Check that the package is that of the license server; then look at the services of Windows.",
        )
    _start(shell, address, service)
    restart = f"{shell.host} has to be restarted before the installation is complete."
    return Installed((change,), (restart,) if needs_restart else ())


def stop(shell: Shell, address: str, dry: bool) -> Installed:
    """Stop the service of the license server, and wait until its port is closed. At boot it starts as before.

    :raises LicensingError: it still runs
    """
    host = WindowsHost(shell, address)
    service = host.facts.service
    if service is None or not host.facts.is_running:
        return Installed()
    until = time.monotonic() + _START
    said = ""
    while not dry:
        view = host.view()
        if not view.running and not view.ports.get(PORT):
            break
        if view.running:
            said = _net(shell, "stop", service) or said
        if time.monotonic() > until:
            words = f" Windows says: {said}" if said else ""
            raise refuse(
                f"The service {service} still runs, or another program answers on port {PORT}.{words}",
                shell.host,
                "Leave maintenance mode in that host's license manager (Maintenance > Maintenance mode), then stop the "
                "service there (Maintenance > Stop the Service), or in Windows' services.",
            )
        time.sleep(1)
        host = WindowsHost(shell, address)
    return Installed((f"stop {service}",))


def _local(shell: Shell, package: str | None) -> Path | None:
    """Return the package where it is a file of the controller; None where it is one of the host."""
    todo = (
        "Name the vendor's package (vendor_package): a file on the controller, or a path such as C:\\Setup\\server.msi."
    )
    if not package:
        raise refuse(f"No package is named, and {shell.host} has no license server.", "vendor_package", todo)
    if package[1:3] in (":\\", ":/"):
        return None
    file = Path(package).expanduser().absolute()
    if not file.is_file():
        raise refuse("The package is not there.", str(file), todo)
    # Its path must not show cmd a variable, and its name goes to the host.
    parse_path(f"C:\\{file.name}", str(file))
    return file


def _run(shell: Shell, package: str, log: str) -> bool:
    if "!" in package:
        raise refuse("The path of the package has an exclamation mark.", package, "Rename it without one.")
    code = shell.exit_code(install_command(package, log), _INSTALLATION)
    return check_exit(code, _fetch(shell, log) if code else b"", f"{shell.host}, {package}")


def _fetch(shell: Shell, path: str) -> bytes:
    """Return the end of a log of the host; nothing where there is none."""
    with tempfile.TemporaryDirectory(prefix="aims-") as folder:
        copy = Path(folder) / "log"
        try:
            within(lambda: shell.connection.fetch_file(path, str(copy)), _UPLOAD, shell.host)
            return copy.read_bytes()[:LIMIT]
        except (AnsibleError, AnsibleConnectionFailure, LicensingError, OSError):
            return b""


@contextlib.contextmanager
def _folder(shell: Shell) -> Iterator[str]:
    """Make a folder for temporary files on the host, and remove it with all that is in it."""
    above = next((line.strip() for line in shell.run(["echo %TEMP%"])[0] if line.strip()), "")
    folder = f"{parse_path(above, f'{shell.host}, %TEMP%')}\\aims-{secrets.token_hex(8)}"
    shell.run([f"mkdir {quote(folder)}"])
    try:
        yield folder
    finally:
        shell.run([f"rmdir /s /q {quote(folder)}"])


def _start(shell: Shell, address: str, service: str) -> None:
    """Start the service unless it runs, and wait until its port answers."""
    said = ""
    until = time.monotonic() + _START
    while True:
        host = WindowsHost(shell, address)
        view = host.view()
        if view.running and view.ports.get(PORT) != ():
            return
        if not view.running:
            said = _net(shell, "start", service) or said
        if time.monotonic() > until:
            words = f" Windows says: {said}" if said else ""
            raise refuse(
                f"The service {service} does not run, or does not answer on port {PORT}.{words}",
                shell.host,
                "Start it in that host's license manager (Maintenance > Start the Service), or in Windows' services.",
            )
        time.sleep(1)


def _net(shell: Shell, verb: str, service: str) -> str:
    """Have Windows start or stop a service; return what it says, in its language."""
    command = f"net {verb} {quote(service)} 2^>^&1"
    printed = shell.run([f"(for /f \"delims=\" %i in ('{command}') do @echo %i)"], _START)[0]
    return " ".join(line.strip() for line in printed if line.strip())[:300]
