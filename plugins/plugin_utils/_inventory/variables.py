# Copyright: (c) 2026, aims.licensing contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's variables of a host, with their templates resolved."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.aims.licensing.plugins.module_utils._licensing.errors import (
    Problem,
    quoted,
    redact,
)

PREFIX = "aims_license_"
TARGETS = "aims_license_targets"
SOURCES = "aims_license_sources"
CLIENTS = "aims_license_clients"
GRANTS = "aims_license_migrate_rehearse_licenses"
GRANTED = ("type", "seats", "days")
REHEARSE_AUTHORITY = "aims_license_migrate_rehearse_authority"
LEDGER = "ledger:"
DEFAULT_LEDGER = "/var/lib/aims-license-authority/authority.db"
# Every variable that a user may set. A test compares them with the roles' argument specifications.
VARIABLES = frozenset(
    {
        "aims_license_authority_emergency_days",
        "aims_license_authority_home",
        "aims_license_authority_hosts",
        "aims_license_authority_ledger",
        "aims_license_authority_listen",
        "aims_license_authority_mail_from",
        "aims_license_authority_name",
        "aims_license_authority_port",
        "aims_license_authority_smtp",
        "aims_license_authority_smtp_password_file",
        "aims_license_authority_smtp_starttls",
        "aims_license_authority_smtp_user",
        "aims_license_client_address",
        "aims_license_client_entries",
        "aims_license_client_first",
        "aims_license_client_path",
        "aims_license_client_remove_source",
        "aims_license_client_servers",
        "aims_license_server_allowed_hosts",
        "aims_license_server_authority",
        "aims_license_server_backend",
        "aims_license_server_copy",
        "aims_license_server_home",
        "aims_license_server_license_files",
        "aims_license_server_licenses",
        "aims_license_server_listen",
        "aims_license_server_package",
        "aims_license_server_portal",
        "aims_license_server_portal_email",
        "aims_license_server_profiles",
        "aims_license_server_realm",
        "aims_license_server_renew_licenses",
        "aims_license_server_renew_within_days",
        "aims_license_server_requests_dir",
        "aims_license_server_root",
        "aims_license_server_service",
        "aims_license_server_usage_log",
        "aims_license_server_users",
        "aims_license_server_vendor_commands",
        "aims_license_server_warn_days",
        "aims_license_migrate_accept_unauthenticated",
        "aims_license_migrate_bundle",
        "aims_license_migrate_confirmed",
        "aims_license_migrate_dir",
        "aims_license_migrate_direction",
        "aims_license_migrate_drain_force",
        "aims_license_migrate_drain_seconds",
        "aims_license_migrate_emergency",
        "aims_license_migrate_exceed_transfers",
        "aims_license_migrate_rehearse_authority",
        "aims_license_migrate_rehearse_bundle",
        "aims_license_migrate_rehearse_licenses",
        "aims_license_migrate_screenshot",
        "aims_license_migrate_source",
        "aims_license_migrate_source_lost",
        "aims_license_migrate_without_files",
        "aims_license_pro_log",
        "aims_license_pro_nodes",
    }
)


# What Ansible itself reads: how it reaches a host tells what that runs.
CONNECTION = frozenset({"ansible_connection", "ansible_host", "ansible_shell_type"})


class HostVariables:
    """The collection's variables of one host, and how Ansible reaches it.

    :param names: the names of all variables of the host
    :param read: returns a variable's value by name, or raises whatever templating raises
    :param raw: returns it as it was written, by name
    :param resolve: returns a part of such a value with its templates resolved, or raises likewise
    :ivar problems: what cannot be resolved
    :ivar unresolved: where that is
    """

    def __init__(
        self,
        host: str,
        names: Iterable[str],
        read: Callable[[str], Any],
        raw: Callable[[str], Any],
        resolve: Callable[[Any], Any],
    ) -> None:
        self.host = host
        self._names = {str(name) for name in names if str(name).startswith(PREFIX) or name in CONNECTION}
        self._read, self._raw, self._resolve = read, raw, resolve
        self.problems: list[Problem] = []
        self.unresolved: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value, or the default; parts that cannot be resolved become None and are recorded as problems."""
        if name not in self._names:
            return default
        # Templating raises different types in different versions of ansible-core; none may end in a traceback.
        try:
            value = self._read(name)
        except Exception as error:
            before = len(self.unresolved)
            value = self._in_parts(self._raw(name), self.where(name))
            if len(self.unresolved) == before:
                self._cannot_resolve(self.where(name), error)
                value = None
        return default if value is None else value

    def written(self, name: str) -> Any:
        """Return a value as it was written, with its templates; None where there is none."""
        return self._raw(name) if name in self._names else None

    def _in_parts(self, raw: Any, where: str) -> Any:
        if isinstance(raw, Mapping):
            return {key: self._in_parts(part, f"{where}.{key}") for key, part in raw.items()}
        if isinstance(raw, (list, tuple)):
            return [self._in_parts(part, f"{where}[{at}]") for at, part in enumerate(raw)]
        try:
            return self._resolve(raw)
        except Exception as error:
            self._cannot_resolve(where, error)
            return None

    def _cannot_resolve(self, where: str, error: Exception) -> None:
        first = redact((str(error).strip().splitlines() or [type(error).__name__])[0])
        self.unresolved.add(where)
        self.problems.append(Problem(f"The variable cannot be resolved: {first}", where, "Define what it refers to."))

    def where(self, name: str) -> str:
        return f"inventory host {self.host}, {name}"

    def unknown(self) -> list[Problem]:
        """Return the problems of variables with the collection's prefix that no role knows, most likely typos."""
        problems = []
        for name in sorted(self._names - VARIABLES - CONNECTION):
            near = difflib.get_close_matches(name, VARIABLES, 1)
            todo = f"Did you mean {near[0]}?" if near else "Remove it; docs/variables.md lists the variables."
            problems.append(Problem(f"There is no variable {redact(name)}.", f"inventory host {self.host}", todo))
        return problems


def variables_of(host: str, hostvars: Any, templar: Any) -> HostVariables:
    """Return the collection's variables of a host of the inventory.

    :param hostvars, templar: Ansible's own
    """

    def raw(name: str) -> Any:
        return hostvars.raw_get(host)[name]

    def resolve(part: Any) -> Any:
        variables = {**hostvars.raw_get(host), "hostvars": hostvars}
        return templar.copy_with_new_env(available_variables=variables).template(part)

    return HostVariables(host, list(hostvars[host]), hostvars[host].__getitem__, raw, resolve)


def as_text(value: object) -> str:
    """Return a value that should be a text; other values are quoted, to be refused as they are."""
    return value if isinstance(value, str) else quoted(value)
