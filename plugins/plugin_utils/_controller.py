# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a module's core runs: on the host, or on the controller over the host's connection or a copy of its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import refuse
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.factory import VENDOR
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.port import LicenseManager
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.manager import open_copy
from ansible_collections.aims.licensing.plugins.module_utils._licensing.manager.vendor.staying import require_none
from ansible_collections.aims.licensing.plugins.module_utils._module import (
    BACKUP,
    CLIENT,
    INFO,
    SERVER,
    collect,
    diff,
    keep_entries,
    look,
)
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.client_file import RemoteFile
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.installation import install, stop
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.manager import open_remote
from ansible_collections.aims.licensing.plugins.plugin_utils._windows.shell import Connection, Shell

Options = Mapping[str, Any]
Reader = Callable[[LicenseManager, Options], "dict[str, Any]"]

COPY = "copy"
_CLIENT = "aims_license_client"
_INSTALL = "aims_license_server_install"
_INSTALL_OPTIONS: dict[str, Any] = {
    **SERVER,
    "vendor_package": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "stopped"], "default": "present"},
    "moved": {"type": "list", "elements": "str", "default": []},
}
# Ansible's names of the shells of Windows hosts.
_CMD, _POWERSHELL = "cmd", "powershell"
# What needs no module on the host: its options, and what it returns of a manager.
_READERS: Mapping[str, tuple[dict[str, Any], Reader]] = {
    "aims_license_info": (INFO, lambda manager, options: look(manager)),
    "aims_license_backup": (BACKUP, lambda manager, options: collect(manager, options["recipient"])),
}


class Controller:
    """The controller's side of one host.

    :param shell: the family of the connection's shell, in Ansible's words
    :param address: where the controller reaches the host
    """

    def __init__(self, host: str, connection: Connection, shell: str, address: str) -> None:
        self._host, self._connection, self._shell, self._address = host, connection, shell, address

    def is_in_charge(self, options: Options) -> bool:
        """Whether the core runs here: the host is read from a copy, or has Windows."""
        return bool(options.get(COPY)) or self._shell in (_CMD, _POWERSHELL)

    def run(self, module: str, options: Options, dry: bool = False) -> dict[str, Any]:
        """Return what a module returns of the host.

        :param dry: whether only to say what would be changed
        :raises LicensingError: the module cannot work without a module on the host, an option is wrong, or a read fails
        """
        if module == _CLIENT:
            return self._keep_entries(_validate(module, CLIENT, options), dry)
        if module == _INSTALL and not options.get(COPY):
            return self._install(_validate(module, _INSTALL_OPTIONS, options), dry)
        read_options, read = self._reader(module, options)
        if not read_options[COPY]:
            self._require_windows(read_options)
        elif read_options["backend"] != VENDOR:
            raise refuse(
                "A copy of the bundled license server's folder is not read: only the vendor's is.",
                f"{self._host}, copy",
                "Set aims_license_server_backend to vendor for that host, or remove aims_license_server_copy.",
            )
        return read(self._manager(read_options), read_options)

    def _reader(self, module: str, options: Options) -> tuple[Options, Reader]:
        if module not in _READERS:
            raise refuse(
                f"{module} does not work on {self._host}, which can only be read: its work there is a person's step.",
                self._host,
                "Do it in the license manager of that host, then look with aims_license_info.",
            )
        specification, read = _READERS[module]
        return _validate(module, specification, options), read

    def _install(self, options: Options, dry: bool) -> dict[str, Any]:
        self._require_windows(options)
        shell = Shell(self._connection, self._host)
        manager = open_remote(shell, options["home"], self._address)
        before = manager.overview()
        if options["state"] == "stopped":
            require_none(before, manager.unnumbered(), options["moved"])
            done = stop(shell, self._address, dry)
        else:
            done = install(shell, self._address, options["vendor_package"], dry)
        after = open_remote(shell, options["home"], self._address).overview()
        return {
            "changed": bool(done.changes),
            "changes": list(done.changes),
            "overview": after.as_dict(),
            "diff": {**diff(before, after), "prepared": "".join(f"{change}\n" for change in done.changes)},
            "warnings": list(done.warnings),
        }

    def _keep_entries(self, options: Options, dry: bool) -> dict[str, Any]:
        self._require_prompt(options)
        return keep_entries(
            lambda: RemoteFile(Shell(self._connection, self._host), options["path"] or ""), options, dry
        )

    def _require_windows(self, options: Options) -> None:
        if options["backend"] != VENDOR:
            raise refuse(
                f"The bundled license server does not run on Windows, which {self._host} has by its shell.",
                f"{self._host}, ansible_shell_type",
                "Set aims_license_server_backend to vendor for that host, or name a host with Linux.",
            )
        self._require_prompt(options)

    def _require_prompt(self, options: Options) -> None:
        if self._shell == _POWERSHELL:
            raise refuse(
                f"{self._host} is reached through PowerShell, and only the command prompt is used here.",
                f"{self._host}, ansible_shell_type",
                "Set ansible_connection to ssh and ansible_shell_type to cmd; OpenSSH on that host starts its default "
                "shell, cmd.exe.",
            )
        if options["root"]:
            raise refuse("There is no alternate root on Windows.", f"{self._host}, root", "Leave root empty.")

    def _manager(self, options: Options) -> LicenseManager:
        if options[COPY]:
            return open_copy(Path(options[COPY]).absolute())
        return open_remote(Shell(self._connection, self._host), options["home"], self._address)


def _validate(module: str, specification: dict[str, Any], options: Options) -> Options:
    validated = ArgumentSpecValidator(specification).validate(dict(options))
    if validated.error_messages:
        todo = f"'ansible-doc aims.licensing.{module}' describes the options."
        raise refuse(f"An option is wrong: {'; '.join(validated.error_messages)}.", module, todo)
    parameters: dict[str, Any] = validated.validated_parameters
    return parameters
